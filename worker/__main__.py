"""`python -m worker`: Celery's worker with the pool and the concurrency that one engine a process asks for."""

import logging
import os
import sys

from worker.main import app, settings


def main() -> int:
    """Serve until told to stop; the exit status."""
    worker = app.Worker(
        pool_cls="threads",
        concurrency=settings.concurrency,
        loglevel="INFO",
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    sys.stdout.flush()
    # All is written and handed back. Taking torch apart object by object costs seconds on a busy machine, which a
    # restart should not wait for.
    os._exit(status)

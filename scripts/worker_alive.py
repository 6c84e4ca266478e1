"""Exit 0 when the worker on this host has reported to the store within its time: the container's health check."""

import os
import socket
import sys

from worker.records import Limits, Records, connect


def main() -> None:
    client = connect(os.environ["SCANLINE_REDIS_URL"])
    host = f"{socket.gethostname()}-"
    alive = [report.worker for report in Records(client, Limits()).workers() if report.worker.startswith(host)]
    client.close()
    sys.exit(0 if alive else f"no report of a worker on {host[:-1]}")


if __name__ == "__main__":
    main()

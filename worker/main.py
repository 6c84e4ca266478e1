"""The worker process: reads settings, builds the parts, listens to Celery. For `celery -A worker.main worker`."""

import logging
import sys
import threading
from typing import Any

from celery import Celery, signals

from worker.celery_app import create_celery
from worker.service import Worker
from worker.settings import Settings
from worker.tasks import register


def _set_up_logging(loglevel: int = logging.INFO, **_: Any) -> None:
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=loglevel, format=form, stream=sys.stderr)
    # A line a message would drown the lines about jobs.
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _wire(worker: Worker) -> None:
    """Celery says when to start, when its consumer stands, when to drain and when to leave."""

    def start(**_: Any) -> None:
        worker.start()

    def attach(sender: Any, **_: Any) -> None:
        worker.attach(sender)

    def received(request: Any, **_: Any) -> None:
        worker.received(request.delivery_info["routing_key"], request)

    def drain(**_: Any) -> None:
        # Called inside a signal handler, where a lock that the interrupted code holds would never come free.
        threading.Thread(target=worker.drain, name="drain", daemon=True).start()

    def stop(**_: Any) -> None:
        worker.stop()

    signals.worker_init.connect(start, weak=False)
    signals.worker_ready.connect(attach, weak=False)
    signals.task_received.connect(received, weak=False)
    signals.worker_shutting_down.connect(drain, weak=False)
    signals.worker_shutdown.connect(stop, weak=False)


signals.setup_logging.connect(_set_up_logging, weak=False)
settings = Settings()
app: Celery = create_celery(settings.broker_url)
_worker = Worker(settings, app)
register(app, _worker)
_wire(_worker)

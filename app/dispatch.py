"""Tells the workers that a job waits: a Celery message with the job's id, sent by task name, without task code."""

import logging

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from worker.protocol import BROKER_OPTIONS, PRIORITY_NEW, TASK_DRAW, broker_url, queue_of

log = logging.getLogger(__name__)

# A frozen broker holds a POST up for so long at most; the job is in the store already.
SEND_TIMEOUT_S = 2


class Dispatcher:
    """Thread-safe."""

    def __init__(self, redis_url: str) -> None:
        options = {**BROKER_OPTIONS, "socket_timeout": SEND_TIMEOUT_S, "socket_connect_timeout": SEND_TIMEOUT_S}
        self._celery = Celery("scanline", broker=broker_url(redis_url), set_as_current=False)
        self._celery.conf.update(broker_transport_options=options, task_ignore_result=True)

    def send(self, job_id: str, model: str) -> None:
        """A message that cannot be sent is no harm: the reaper sends it again, as the record is what counts."""
        try:
            self._celery.send_task(TASK_DRAW, args=[job_id], queue=queue_of(model), priority=PRIORITY_NEW, retry=False)
        except (KombuError, RedisError, OSError) as failure:
            log.warning("job %s waits without a message until the reaper sends one: %s", job_id, failure)

    def close(self) -> None:
        self._celery.close()

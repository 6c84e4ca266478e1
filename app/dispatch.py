"""Tells the workers that a job waits: a Celery message with the job's id, sent by task name, without task code."""

import logging
from collections.abc import Callable

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from worker.protocol import BROKER_OPTIONS, PRIORITY_NEW, TASK_DRAW, broker_url, queue_of

log = logging.getLogger(__name__)

# Messages of deleted jobs wait like others. Beyond so many for each job that may be queued there is one for every job.
MESSAGES_A_JOB = 2
# How many wait is a question to the store, 0.3 ms of a request: it is asked at every so many messages of a model.
ASK_EVERY = 10
# A frozen broker holds a POST up for so long at most, and as long again where it is asked how many messages wait; the
# job is in the store already.
SEND_TIMEOUT_S = 2


class Dispatcher:
    """Thread-safe. `num_messages` tells how many wait for a model; `max_queue`: jobs that may be queued."""

    def __init__(self, redis_url: str, num_messages: Callable[[str], int], max_queue: int) -> None:
        self._num_messages, self._most = num_messages, MESSAGES_A_JOB * max_queue
        self._until_asked: dict[str, int] = {}  # messages, by model
        options = {**BROKER_OPTIONS, "socket_timeout": SEND_TIMEOUT_S, "socket_connect_timeout": SEND_TIMEOUT_S}
        self._celery = Celery("scanline", broker=broker_url(redis_url), set_as_current=False)
        self._celery.conf.update(broker_transport_options=options, task_ignore_result=True)

    def send(self, job_id: str, model: str) -> None:
        """A message that is not sent is no harm: the reaper sends it as soon as there are fewer than queued jobs."""
        try:
            if self._is_full(model):
                log.warning("job %s waits without a message: %d wait for %s already", job_id, self._most, model)
                return
            self._celery.send_task(TASK_DRAW, args=[job_id], queue=queue_of(model), priority=PRIORITY_NEW, retry=False)
        except (KombuError, RedisError, OSError) as failure:
            log.warning("job %s waits without a message until the reaper sends one: %s", job_id, failure)

    def _is_full(self, model: str) -> bool:
        left = self._until_asked.get(model, 0)
        if left == 0 and self._num_messages(model) >= self._most:
            return True
        self._until_asked[model] = (left or ASK_EVERY) - 1
        return False

    def close(self) -> None:
        self._celery.close()

"""Finds jobs that nobody works on: leases that ended, messages that the broker lost. Every worker runs one."""

import logging
from collections.abc import Callable
from functools import partial

from redis import Redis

from worker.broker_queues import num_messages
from worker.leases import Leases
from worker.protocol import PRIORITY_NEW, PRIORITY_RESUMED, queue_of

log = logging.getLogger(__name__)

Send = Callable[[str, str, int], object]


class Reaper:
    """Args: `send` takes (job id, queue, priority)."""

    def __init__(self, leases: Leases, broker: "Redis", send: Send, interval_s: float) -> None:
        self._leases, self._broker, self._send, self._interval_s = leases, broker, send, interval_s

    def reap(self) -> None:
        """Free, drop, and send again as many of the oldest queued jobs as messages are missing.

        A message too many does no harm: its task finds the job leased or ended.
        """
        found = self._leases.reap(self._interval_s)
        if found is None:
            return
        if any(found):
            log.info("freed %d jobs of lost workers, dropped %d expired ones", *found)
        for job_id, model, was_begun in self._leases.unsent(partial(num_messages, self._broker)):
            log.info("sending job %s again", job_id)
            self._send(job_id, queue_of(model), PRIORITY_RESUMED if was_begun else PRIORITY_NEW)

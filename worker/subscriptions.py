"""Which queues this worker consumes: those of the bundles that it admitted, and for the time being not of those whose
jobs would keep all others out.

A job keeps a thread of this process until it ends. Usually as many are in hand as keep the engine busy. But some take
half an hour: where none has ended for a while, the bundles of those in hand rest. They are not listened to until few of
their jobs are left, and as many jobs of other bundles are taken beside them.
"""

import threading
from typing import Any
from weakref import WeakValueDictionary

from celery.worker.consumer import Consumer


class Subscriptions:
    """Keeps a Celery consumer's queues equal to a wished-for set.

    The consumer belongs to Celery's own loop: changes are left with it as notes. Where a note is lost, as in a
    reconnect, the next `sync` finds the difference again.

    Args:
        at_once: jobs in hand, those of resting bundles not counted. most: all of them, one a thread.
    """

    def __init__(self, consumer: Consumer, idle_queue: str, at_once: int, most: int) -> None:
        self._consumer, self._idle_queue, self._at_once, self._most = consumer, idle_queue, at_once, most
        self._consumer.initial_prefetch_count = at_once  # of a next connection
        self._lock = threading.Lock()
        # By queue and id. A request that Celery lets go of, as in a reconnect, is no longer in hand.
        self._in_hand: dict[str, WeakValueDictionary[str, Any]] = {}
        self._has_one_ended = True
        self._resting: set[str] = set()
        self._wanted: set[str] = set()

    def sync(self, wanted: set[str]) -> None:
        """Subscribe and unsubscribe until `wanted`, but for what rests, is what is consumed. To be called every few
        seconds: that no job has ended since the last time is what makes bundles rest."""
        self._wanted = wanted
        resting = self._rest_where_nothing_ends()
        tasks = self._consumer.task_consumer
        if tasks is None:  # between two connections
            return
        for queue in sorted(wanted - resting):
            if not tasks.consuming_from(queue):
                self._consumer.call_soon(self._consumer.add_task_queue, queue)
        consumed = {queue.name for queue in list(tasks.queues)}
        for queue in sorted(consumed & resting):
            self._consumer.call_soon(tasks.cancel_by_queue, queue)
        for queue in sorted(consumed - wanted - resting - {self._idle_queue}):
            self._consumer.call_soon(self._consumer.cancel_task_queue, queue)
        self._consumer.call_soon(self._take_as_many)

    def received(self, queue: str, request: Any) -> None:
        """A message has come: `request` is Celery's, with an `id`."""
        with self._lock:
            self._in_hand.setdefault(queue, WeakValueDictionary())[request.id] = request

    def ended(self, queue: str, request_id: str) -> None:
        """The task of a message has ended; in any thread."""
        with self._lock:
            in_hand = self._in_hand.setdefault(queue, WeakValueDictionary())
            in_hand.pop(request_id, None)
            if queue not in self._resting:
                self._has_one_ended = True
                return
            if self._has_many(queue):
                return
            self._resting.discard(queue)
        self._consumer.call_soon(self._listen_again, queue)

    def _rest_where_nothing_ends(self) -> set[str]:
        with self._lock:
            self._resting = {queue for queue in self._resting if self._has_many(queue)}
            awake = {queue: len(in_hand) for queue, in_hand in self._in_hand.items() if queue not in self._resting}
            if not self._has_one_ended and sum(awake.values()) >= self._at_once:
                self._resting |= {queue for queue in awake if self._has_many(queue)}
            self._has_one_ended = False
            return set(self._resting)

    def _has_many(self, queue: str) -> bool:
        return len(self._in_hand[queue]) > self._at_once // 2

    def _listen_again(self, queue: str) -> None:
        """Unless the bundle has gone in the meantime."""
        tasks = self._consumer.task_consumer
        if tasks is not None and queue in self._wanted and not tasks.consuming_from(queue):
            self._consumer.add_task_queue(queue)
        self._take_as_many()

    def _take_as_many(self) -> None:
        """Tell the broker how many jobs may be in hand; in Celery's loop."""
        with self._lock:
            beside = sum(len(self._in_hand[queue]) for queue in self._resting)
        more = min(self._at_once + beside, self._most) - self._consumer.qos.value
        if more > 0:
            self._consumer.qos.increment_eventually(more)
        elif more < 0:
            self._consumer.qos.decrement_eventually(-more)

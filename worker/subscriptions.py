"""Which queues this worker consumes: those of the bundles that it admitted, each while it has no more than its share.

A job keeps a thread of this process until it ends, and some take half an hour. So that no bundle's jobs take all the
threads, a bundle that has its share in hand is not listened to until it has few again.
"""

import threading
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from celery.worker.consumer import Consumer


@dataclass(frozen=True, slots=True)
class Share:
    """Of one bundle: `most` jobs in hand, and then none until `enough` are left, which keep the engine busy."""

    most: int
    enough: int


class Subscriptions:
    """Keeps a Celery consumer's queues equal to a wished-for set.

    The consumer belongs to Celery's own loop: changes are left with it as notes. Where a note is lost, as in a
    reconnect, the next `sync` finds the difference again.
    """

    def __init__(self, consumer: Consumer, idle_queue: str, share: Share) -> None:
        self._consumer, self._idle_queue, self._share = consumer, idle_queue, share
        self._lock = threading.Lock()
        # By queue and id. A request that Celery lets go of, as in a reconnect, is no longer in hand.
        self._in_hand: dict[str, WeakValueDictionary[str, Any]] = {}
        self._resting: set[str] = set()
        self._wanted: set[str] = set()

    def sync(self, wanted: set[str]) -> None:
        """Subscribe and unsubscribe until `wanted`, but for those that have their share, is what is consumed."""
        tasks, self._wanted = self._consumer.task_consumer, wanted
        if tasks is None:  # between two connections
            return
        for queue in sorted(wanted):
            may_go_on, is_consumed = self._may_go_on(queue), tasks.consuming_from(queue)
            if may_go_on and not is_consumed:
                self._consumer.call_soon(self._consumer.add_task_queue, queue)
            elif is_consumed and not may_go_on:  # a new connection consumes all queues again
                self._consumer.call_soon(tasks.cancel_by_queue, queue)
        consumed = {queue.name for queue in list(tasks.queues)}
        for queue in sorted(consumed - wanted - {self._idle_queue}):
            self._consumer.call_soon(self._consumer.cancel_task_queue, queue)

    def received(self, queue: str, request: Any) -> None:
        """A message has come: `request` is Celery's, with an `id`. To be called in Celery's loop."""
        with self._lock:
            in_hand = self._in_hand.setdefault(queue, WeakValueDictionary())
            in_hand[request.id] = request
            if len(in_hand) < self._share.most:
                return
            self._resting.add(queue)
        self._consumer.task_consumer.cancel_by_queue(queue)

    def ended(self, queue: str, request_id: str) -> None:
        """The task of a message has ended; in any thread."""
        with self._lock:
            if queue in self._in_hand:
                self._in_hand[queue].pop(request_id, None)
            is_resting = queue in self._resting
        if is_resting and self._may_go_on(queue):
            self._consumer.call_soon(self._listen_again, queue)

    def _may_go_on(self, queue: str) -> bool:
        with self._lock:
            is_enough = queue in self._resting and len(self._in_hand[queue]) > self._share.enough
            if not is_enough:
                self._resting.discard(queue)
            return not is_enough

    def _listen_again(self, queue: str) -> None:
        """As Celery's `add_task_queue`, but with no line in the log and nothing declared again, which takes round trips
        to the broker; unless the bundle has gone in the meantime."""
        tasks = self._consumer.task_consumer
        if tasks is not None and queue in self._wanted and not tasks.consuming_from(queue):
            declares, tasks.auto_declare = tasks.auto_declare, False
            tasks.add_queue(self._consumer.app.amqp.queues[queue])
            tasks.auto_declare = declares
            tasks.consume()

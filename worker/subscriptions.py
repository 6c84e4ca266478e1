"""Which queues this worker consumes: those of the bundles that it admitted, changed while it runs."""

from celery.worker.consumer import Consumer


class Subscriptions:
    """Keeps a Celery consumer's queues equal to a wished-for set.

    The consumer belongs to Celery's own loop: changes are left with it as notes. Where a note is lost, as in a
    reconnect, the next `sync` finds the difference again.
    """

    def __init__(self, consumer: Consumer, idle_queue: str) -> None:
        self._consumer, self._idle_queue = consumer, idle_queue

    def sync(self, wanted: set[str]) -> None:
        """Subscribe and unsubscribe until `wanted` is what is consumed."""
        tasks = self._consumer.task_consumer
        if tasks is None:  # between two connections
            return
        for queue in sorted(wanted):
            if not tasks.consuming_from(queue):
                self._consumer.call_soon(self._consumer.add_task_queue, queue)
        consumed = {queue.name for queue in list(tasks.queues)}
        for queue in sorted(consumed - wanted - {self._idle_queue}):
            self._consumer.call_soon(self._consumer.cancel_task_queue, queue)

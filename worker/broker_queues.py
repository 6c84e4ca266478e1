"""How many messages wait for a model: the broker keeps one list a priority."""

from redis import Redis

from worker.protocol import BROKER_OPTIONS, BROKER_PREFIX, queue_of


def num_messages(broker: Redis, model: str) -> int:
    """Of all priorities; those that a worker has in hand do not count."""
    pipe = broker.pipeline(transaction=False)
    for priority in BROKER_OPTIONS["priority_steps"]:
        suffix = f"{BROKER_OPTIONS['sep']}{priority}" if priority else ""
        pipe.llen(f"{BROKER_PREFIX}{queue_of(model)}{suffix}")
    return sum(pipe.execute())

"""How both processes reach the job store, and the bounds that they agree on."""

from dataclasses import dataclass

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

PREFIX = "scanline:"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that both processes agree on.

    Attributes:
        max_queue: queued jobs, over all bundles.
        max_bytes: uploads, canvases, maps and events of all jobs together, reserved when a job is accepted.
        lifetime_s: how long a job is kept after it ended; a queued job that nobody takes for so long fails.
        lease_s: how long a running job may go without a sign of life from its worker.
    """

    max_queue: int = 1000
    max_bytes: int = 1 << 30
    lifetime_s: float = 86400.0
    lease_s: float = 15.0

    @property
    def lifetime_ms(self) -> int:
        return round(self.lifetime_s * 1000)

    @property
    def lease_ms(self) -> int:
        return round(self.lease_s * 1000)


def connect(url: str, retries: int = 2, timeout_s: float = 5.0) -> "Redis":
    """A client for redis://, rediss:// or unix:// that gives up after `retries` repeated attempts."""
    retry = Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), retries)
    errors: list[type[Exception]] = [RedisConnectionError, RedisTimeoutError]
    return Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=retry, retry_on_error=errors
    )


def is_passing(error: RedisError) -> bool:
    """Whether the same call may be taken later: the store is away or busy, out of memory, on a full disk, a replica; an
    operator can mend it. Anything else, such as an error in a script, is a fault of ours."""
    kinds = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError)
    return isinstance(error, kinds) or str(error).startswith(("MISCONF", "BUSY"))

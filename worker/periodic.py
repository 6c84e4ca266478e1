"""Something done every few seconds in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from redis.exceptions import RedisError

log = logging.getLogger(__name__)


class Periodic:
    """Calls `action` at once and then `interval_s` after each call ended. What it raises is logged."""

    def __init__(self, name: str, interval_s: float, action: Callable[[], object]) -> None:
        self._name, self._interval_s, self._action = name, interval_s, action
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No further call begins."""
        self._stopping.set()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._action()
            except RedisError as error:
                log.warning("%s: the job store does not answer: %s", self._name, error)
            except Exception:
                log.exception("%s failed", self._name)
            self._stopping.wait(self._interval_s)

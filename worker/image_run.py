"""One attempt at the images of a job, in an engine: what is common to drawing them and to sweeping over their holes."""

import json
import threading
from abc import ABC, abstractmethod

from engine.engine import Engine
from engine.request import DrawRequest, Output
from worker.attempt import Attempt
from worker.draw_requests import DrawRequests
from worker.leases import SampleResult
from worker.loaded_model import LoadedModel
from worker.scoring import kind_and_unit


class ImageRun(ABC):
    """Hands requests to the engine, and results to the attempt.

    Threads that draw may hand in its images side by side, each image from one thread, while another stops it.
    """

    def __init__(self, attempt: Attempt, loaded: LoadedModel, engine: Engine) -> None:
        self.attempt, self.loaded, self.engine = attempt, loaded, engine
        claim = attempt.claim
        self._request = claim.request
        self._requests = DrawRequests(claim, loaded.config.conditioning)
        self._lock = threading.Lock()
        self._unfinished = {k for k in range(claim.request.n) if k not in claim.finished}
        self._is_stopped = False

    def begin(self) -> None:
        """Hand all unfinished images to the engine; RequestRejected if they do not fit."""
        unfinished = sorted(self._unfinished)
        for k in unfinished:
            self._begin(k)
        if not unfinished:
            self._succeed()

    def stop(self) -> None:
        """Take them back."""
        with self._lock:
            self._is_stopped = True
            for k in self._unfinished:
                self.engine.cancel(self._requests.id(k))

    def take(self, output: Output) -> None:
        """A row or an image of ours, of the engine."""
        self._take(int(output.id.rpartition("/")[2]), output)

    @abstractmethod
    def _begin(self, k: int) -> None:
        """Ask for image k."""

    @abstractmethod
    def _take(self, k: int, output: Output) -> None:
        """A row of image k, or all of it."""

    def _ask(self, request: DrawRequest) -> None:
        with self._lock:
            if not self._is_stopped:
                self.engine.add(request)

    def _finish(self, k: int, result: dict[str, object]) -> None:
        """The result of image k; the last one ends the attempt."""
        self.attempt.add_result(SampleResult(k, json.dumps({"sample": k, **result})))
        with self._lock:
            self._unfinished.discard(k)
            is_last = not self._unfinished
        if is_last:
            self._succeed()

    def _fail(self, message: str) -> None:
        self.attempt.fail("engine_failed", message)
        self.stop()

    def _succeed(self) -> None:
        self.attempt.end("succeeded", kind_and_unit(self._request))

"""A client of the queue: what the HTTP process does, without HTTP."""

from dataclasses import dataclass
from typing import Any

from celery import Celery

from tests.services import Valkey, wait_until
from tests.worker.events import read_events
from worker.celery_app import create_celery
from worker.protocol import PRIORITY_NEW, TASK_DRAW, TERMINAL_STATES, Card, JobRequest, queue_of
from worker.records import JobRecord, Limits, Records


@dataclass
class Jobs:
    """Creates jobs, sends their messages, waits for them."""

    records: Records
    celery: Celery

    @classmethod
    def on(cls, valkey: Valkey) -> "Jobs":
        return cls(Records(valkey.client, Limits()), create_celery(valkey.broker_url))

    def submit(self, request: JobRequest, uploads: list[bytes] | None = None, mask: bytes | None = None) -> str:
        job, _ = self.records.create(request, uploads or [], mask)
        self.send(job.id, request.model)
        return job.id

    def send(self, job_id: str, model: str) -> None:
        self.celery.send_task(TASK_DRAW, [job_id], queue=queue_of(model), priority=PRIORITY_NEW)

    def finish(self, job_id: str, timeout_s: float = 30.0) -> JobRecord:
        wait_until(lambda: self.records.get(job_id).state in TERMINAL_STATES, timeout_s, f"the end of job {job_id}")
        return self.records.get(job_id)

    def run(self, request: JobRequest, uploads: list[bytes] | None = None, mask: bytes | None = None) -> JobRecord:
        return self.finish(self.submit(request, uploads, mask))

    def wait_for_rows(self, job_id: str, rows: int) -> None:
        wait_until(lambda: self.records.get(job_id).progress.rows[0] >= rows, what=f"row {rows} of job {job_id}")

    def card(self, model: str, timeout_s: float = 40.0) -> Card:
        """The card of a bundle, as soon as one is published."""
        wait_until(lambda: self._find(model) is not None, timeout_s, f"the card of {model}")
        card = self._find(model)
        assert card is not None
        return card

    def images(self, job: JobRecord) -> list[bytes]:
        return [self.records.canvas(job.id, k) for k in range(job.request.n)]

    def events(self, job_id: str) -> list[tuple[str, dict[str, Any]]]:
        return read_events(self.records, job_id)

    def _find(self, model: str) -> Card | None:
        return next((card for card in self.records.published() if card.id == model), None)

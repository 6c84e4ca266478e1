"""The worker: its parts, put together, and what becomes of a job that Celery hands in."""

import contextlib
import dataclasses
import logging
import os
import secrets
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

import torch
from celery import Celery
from celery.worker.consumer import Consumer
from redis.exceptions import RedisError

from models.bundle_config import BundleError
from worker.admission import admit
from worker.attempt import Attempt
from worker.bundles import Bundles
from worker.contexts import ConditionError
from worker.embedding import embed_images
from worker.engine_threads import EngineThreads
from worker.leases import Leases
from worker.loaded_model import Draining, LoadedModel, LoadedModels
from worker.periodic import Periodic
from worker.protocol import TASK_DRAW, TERMINAL_STATES, Card, ErrorCode, JobRequest, WorkerReport, queue_of
from worker.reaper import Reaper
from worker.receipts import software_version
from worker.records import ExpiredJob, ForeignJob, Records, UnknownJob
from worker.runs import run_of
from worker.settings import Settings
from worker.store import connect
from worker.subscriptions import Subscriptions
from worker.writer import Writer

log = logging.getLogger(__name__)

Fate = Literal["done", "requeue"]

# A report outlives this many missed heartbeats.
REPORT_HEARTBEATS = 5
STOP_S = 5.0
SWITCH_INTERVAL_S = 0.0005
# About 10 s of a store that is away, before a claim is given up; the reaper sends the job again.
CLAIM_RETRIES = 20


class Worker:
    """One a process. Built when the process starts, `start`ed when Celery is about to take work."""

    def __init__(self, settings: Settings, celery: Celery) -> None:
        self._settings, self._celery = settings, celery
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._started_at = time.time()
        self._draining = threading.Event()
        patient = connect(settings.redis_url, retries=CLAIM_RETRIES)
        self._records, self._leases = Records(patient, settings.limits), Leases(patient, settings.limits)
        self._impatient = Leases(connect(settings.redis_url, retries=0), settings.limits)
        self._models = LoadedModels(
            settings.model_memory_bytes,
            settings.slots,
            self._draining.is_set,
            settings.device,
            settings.interpreter,
            settings.threads,
        )
        self._engine = EngineThreads(settings.threads, on_broken=self._models.discard)
        self._writer = Writer(
            self._impatient,
            settings.flush_s,
            on_stop=self._engine.stop,
            engine_alive=lambda: self._engine.progress_age_s() < settings.stall_s,
        )
        self._bundles = Bundles(settings.bundles_dir, self._admit, self._announce)
        reaper = Reaper(self._leases, patient, self._send, settings.reap_s)
        self._subscriptions: Subscriptions | None = None
        self._periodics = [
            Periodic("heartbeat", settings.heartbeat_s, self._announce),
            Periodic("bundles", settings.scan_s, self._bundles.scan),
            Periodic("reaper", settings.reap_s, reaper.reap),
        ]

    def start(self) -> None:
        """Begin to draw, to report, to reap."""
        # For every thread started from here on: several threads on one step of a few hundred us only slow it down.
        torch.set_num_threads(1)
        # An engine thread comes back from the kernels every few ms and must not wait as long for Python's lock.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._engine.start()
        self._writer.start()
        for periodic in self._periodics:
            periodic.start()

    def attach(self, consumer: Consumer) -> None:
        """From now on consume the queues of the admitted bundles."""
        idle_queue, settings = self._celery.conf.task_default_queue, self._settings
        self._subscriptions = Subscriptions(consumer, idle_queue, settings.jobs_at_once, settings.concurrency)
        self._subscribe()

    def received(self, queue: str, request: Any) -> None:
        """Celery has taken a message from a queue, which `ended` will follow; in Celery's loop."""
        if self._subscriptions is not None:
            self._subscriptions.received(queue, request)

    def ended(self, queue: str, request_id: str) -> None:
        """The task of that message has ended."""
        if self._subscriptions is not None:
            self._subscriptions.ended(queue, request_id)

    def drain(self) -> None:
        """Give running jobs back, with all their finished rows, and take no more."""
        self._draining.set()
        self._engine.drain()

    def stop(self) -> None:
        """Leave in order, once no task runs any more."""
        for periodic in self._periodics:
            periodic.stop()
        self._writer.stop(STOP_S)
        with contextlib.suppress(RedisError):  # the report ends by itself soon
            self._impatient.withdraw(self.name)

    def run_job(self, job_id: str) -> Fate:
        """Draw or score a job and see its end into the store; `requeue` asks for the message to be handed back."""
        if self._draining.is_set():
            return "requeue"
        try:
            record = self._records.get(job_id)
        except (UnknownJob, ExpiredJob):
            return "done"
        except ForeignJob:
            log.warning("job %s was written by another version, and fails", job_id)
            self._leases.fail_foreign(job_id)
            return "done"
        if record.state in TERMINAL_STATES:
            return "done"
        request = record.request
        entry = self._bundles.find(request.model)
        if entry is None or not entry.card.offers(request):
            return self._turn_away(job_id, request)
        try:
            with self._models.use(entry.directory, request.model, request.sha256) as loaded:
                return self._run(job_id, loaded, request)
        except BundleError as error:
            self._bundles.refuse(entry, error)
            return self._turn_away(job_id, request)
        except Draining:
            return "requeue"

    def _run(self, job_id: str, loaded: LoadedModel, request: JobRequest) -> Fate:
        try:
            engine = self._models.engine_of(loaded, request.precision, request.clip is not None)
        except Exception as error:  # unclaimed, the job would be sent again for ever
            log.exception("job %s: there is no engine for it", job_id)
            return self._fail(job_id, "engine_failed", f"there is no engine for this job: {error}")
        attempt = self._claim(job_id, engine.profile)
        if attempt is None:
            return "done"
        try:
            embed_images(attempt, loaded.encoder, self._leases)
            self._engine.submit(run_of(attempt, loaded, engine))
        except RedisError:  # the vectors could not be kept: another attempt will make them again
            attempt.end("queued")
        except ConditionError as error:
            attempt.fail("engine_failed", str(error))
        except Exception as error:
            attempt.fail("internal", f"{type(error).__name__}: {error}")
        ending = attempt.ending.result()
        log.info("job %s: %s", job_id, ending)
        return "requeue" if ending == "requeued" else "done"

    def _turn_away(self, job_id: str, request: JobRequest) -> Fate:
        """A job for a bundle that is not here: left for a worker that has it, failed if there is none."""
        if self._is_offered_elsewhere(request):
            return "done"
        model, entry = request.model, self._bundles.find(request.model)
        if entry and entry.card.sha256 == request.sha256:
            return self._fail(job_id, "model_unavailable", f"no worker draws {model} in {request.precision} any more")
        if entry:
            return self._fail(job_id, "model_changed", f"the weights {request.sha256} of {model} were replaced")
        reason = self._bundles.refusal(model)
        message = f"{model} was removed" if reason is None else f"{model} is not served any more: {reason}"
        return self._fail(job_id, "model_unavailable", message)

    def _fail(self, job_id: str, code: ErrorCode, message: str) -> Fate:
        if (attempt := self._claim(job_id, profile="")) is not None:
            attempt.fail(code, message)
            attempt.ending.result()
        return "done"

    def _claim(self, job_id: str, profile: str) -> Attempt | None:
        claim = self._leases.claim(job_id, self.name, secrets.token_hex(8), profile)
        return None if claim is None else self._writer.open(claim)

    def _admit(self, directory: Path) -> Card:
        return admit(directory, self._models)

    def _announce(self) -> None:
        if not self._draining.is_set():
            self._subscribe()
            self._leases.publish(self._report(), REPORT_HEARTBEATS * self._settings.heartbeat_s)

    def _report(self) -> WorkerReport:
        cards = [
            dataclasses.replace(card, loaded=self._models.is_loaded(card.id, card.sha256))
            for card in self._bundles.cards()
        ]
        return WorkerReport(
            self.name, self._started_at, time.time(), software_version(), tuple(cards), self._bundles.is_complete
        )

    def _subscribe(self) -> None:
        """Also to the queues of bundles that are gone, unless others have them: their jobs must be told."""
        if self._subscriptions is not None:
            elsewhere = {card.id for card in self._other_cards()}
            gone = self._bundles.gone() - elsewhere
            self._subscriptions.sync({queue_of(model) for model in self._bundles.admitted() | gone})

    def _is_offered_elsewhere(self, request: JobRequest) -> bool:
        return any(card.offers(request) for card in self._other_cards())

    def _other_cards(self) -> list[Card]:
        """What the other workers offer."""
        others = [report for report in self._records.workers() if report.worker != self.name]
        return [card for report in others for card in report.cards if card.status == "admitted"]

    def _send(self, job_id: str, queue: str, priority: int) -> None:
        self._celery.send_task(TASK_DRAW, [job_id], queue=queue, priority=priority)

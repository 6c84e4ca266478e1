"""What Prometheus reads: requests counted here, the state of all jobs taken from the store when asked."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.records import Records


class Metrics:
    """One registry of its own, so that several apps may live in one process."""

    def __init__(self, records: Records) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(StoreCollector(records))
        self.requests = Counter(
            "scanline_http_requests",
            "HTTP requests by method, route and status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "scanline_http_request_duration_seconds",
            "Time to the first byte of the answer",
            ["method", "route"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )

    def text(self) -> bytes:
        return generate_latest(self.registry)


class StoreCollector(Collector):
    def __init__(self, records: Records) -> None:
        self._records = records

    def describe(self) -> list[Metric]:
        """Empty: without it, registering would ask Redis before anything runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        counts = self._records.counts()
        jobs = GaugeMetricFamily("scanline_jobs", "Jobs in the store by state", labels=["state"])
        for state, count in counts["jobs"].items():
            jobs.add_metric([state], count)
        queued = GaugeMetricFamily("scanline_jobs_queued", "Jobs that wait, by model", labels=["model"])
        for model, count in counts["queued"].items():
            queued.add_metric([model], count)
        workers = self._records.workers()
        rate = GaugeMetricFamily(
            "scanline_model_pixels_per_second", "Drawing rate that a worker measured", labels=["model", "worker"]
        )
        for report in workers:
            for card in report.cards:
                if card.pixels_per_second is not None:
                    rate.add_metric([card.id, report.worker], card.pixels_per_second)
        yield from (jobs, queued, rate)
        yield GaugeMetricFamily("scanline_store_bytes", "Bytes reserved by jobs in the store", value=counts["bytes"])
        yield GaugeMetricFamily("scanline_workers", "Workers with a fresh heartbeat", value=len(workers))


# Every label is kept for ever, and a client may call its method as it likes. HEAD counts as the GET that it is.
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MetricsMiddleware:
    """Counts each request under its route's template, so that ids do not become labels."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                metrics: Metrics = scope["app"].state.services.metrics
                method = scope["method"] if scope["method"] in METHODS else "other"
                metrics.requests.labels(method, route, message["status"]).inc()
                metrics.seconds.labels(method, route).observe(time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, observed)

"""The composition root of the HTTP process: everything is built here and nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import completions, docs_routes, events, health, hosted, images, jobs, maps, problems, samples, scores
from app.body_limit import BodyLimitMiddleware
from app.body_timeout import BodyTimeoutMiddleware
from app.cross_site import CrossSiteMiddleware
from app.decoding import Decoding
from app.dispatch import Dispatcher
from app.event_feed import EventFeed
from app.head import HeadMiddleware
from app.known_hosts import KnownHostsMiddleware
from app.metrics import Metrics, MetricsMiddleware
from app.openapi import DocumentedApp
from app.page_files import PageFiles
from app.security import SecurityHeadersMiddleware
from app.services import Services
from app.settings import Settings
from worker.records import Limits, Records, connect

DESCRIPTION = """
Scanline draws images one pixel at a time from models that know the probability of every image:
exactly, or for a chain of two nets a bound on it.

Ask with one of the three POSTs. The answer is a job (202); follow its events, or send `Prefer: wait=30` and get the
finished job (200). The same model, seed and sample give the same image, byte for byte, wherever the receipt's numeric
`profile` is the same, and every result carries the receipt to make it again. An `Idempotency-Key` makes a retry safe.
"""

# Twice 2 s is the longest that a request hangs on a store that does not answer; then it is a 503.
STORE_RETRIES, STORE_TIMEOUT_S = 1, 2.0


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()
    app = DocumentedApp(
        title="Scanline",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = build_services(settings)
    problems.install(app)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_upload_bytes)
    app.add_middleware(BodyTimeoutMiddleware, timeout_s=settings.body_timeout_s)
    app.add_middleware(CrossSiteMiddleware)
    app.add_middleware(KnownHostsMiddleware, names=settings.host_names)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(MetricsMiddleware)
    app.add_middleware(HeadMiddleware)
    for part in (samples, completions, scores, jobs, events, images, maps, hosted, health, docs_routes):
        app.include_router(part.router)
    app.router.default = PageFiles(settings.page_dir)
    return app


def build_services(settings: Settings) -> Services:
    limits = Limits(settings.max_queue, settings.store_bytes, settings.job_lifetime_s)
    records = Records(connect(settings.redis_url, STORE_RETRIES, STORE_TIMEOUT_S), limits)
    feed = EventFeed(settings.redis_url, records.events_key)
    dispatcher = Dispatcher(settings.redis_url, records.num_messages, settings.max_queue)
    decoding = Decoding(settings.max_upload_pixels, settings.max_request_pixels)
    return Services(settings, records, feed, dispatcher, decoding, Metrics(records))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    async with services.feed:
        yield
    services.decoding.close()
    services.dispatcher.close()
    services.records.client.close()

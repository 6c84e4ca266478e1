"""What routes work with. Built once by the composition root; nobody else constructs clients."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.decoding import Decoding
from app.dispatch import Dispatcher
from app.event_feed import EventFeed
from app.metrics import Metrics
from app.settings import Settings
from worker.records import Records


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    records: Records
    feed: EventFeed
    dispatcher: Dispatcher
    decoding: Decoding
    metrics: Metrics


async def services_of(request: Request) -> Services:  # async: FastAPI calls what is not in a thread
    services: Services = request.app.state.services
    return services


WithServices = Annotated[Services, Depends(services_of)]

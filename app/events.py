"""GET /v1/jobs/{id}/events: what happens to a job, as server-sent events that can be resumed."""

import base64
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from app import headers
from app.errors import Code
from app.event_feed import Event, position
from app.openapi import Responses, problem_responses
from app.previews import Previews
from app.services import Services, WithServices
from worker.protocol import TERMINAL_STATES
from worker.records import JobRecord

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

# Below the 30 to 60 s after which proxies cut a silent connection.
PING_S = 10
# A client that reads nothing for so long would keep what it was sent in memory for ever; it comes back where it was.
SEND_S = 30

ENDED: Responses = {204: {"description": "The client has the job's last event already: do not reconnect"}}


class EventsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, description="Like Last-Event-ID, for clients that cannot set it; 0 is the start.")
    preview: Literal["png"] | None = Field(None, description="Add to each `progress` the images so far, as PNG.")


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses=ENDED
    | problem_responses(Code.INVALID_HEADER, Code.UNKNOWN_JOB, Code.JOB_EXPIRED, Code.STORE_UNAVAILABLE),
)
async def get_events(
    job_id: str,
    services: WithServices,
    query: Annotated[EventsQuery, Query()],
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Everything that has happened, then what happens, up to the one terminal event.

    - `queued` {position}, `started` {attempt}, `resumed` {attempt, from_pixel}
    - `progress` {done, total, rows: [{sample, row, data}]}: finished rows; `data` is base64 of the row's levels
      (uint8 [width, channels]), or of a density's numbers (float32, little-endian). With `preview=png` also
      `previews: [{sample, rows, png}]`, undrawn rows transparent. In a completion with `sweeps` rows come again when
      they have changed, now and then, and previews show the image as it is now.
    - `sample`: the result of a finished image
    - `succeeded`, `failed` {code, message} or `canceled`: always last, exactly once

    A reconnecting client goes on where it was. Should old events be trimmed, `done` and GET of the job tell the rest.
    """
    record = await run_in_threadpool(services.records.get, job_id)
    after = resume_point(query.after, last_event_id)
    if record.state in TERMINAL_STATES and await has_last(services, job_id, after):
        return Response(status_code=204)
    return EventSourceResponse(
        server_sent(services, record, after, query.preview),
        ping=PING_S,
        send_timeout=SEND_S,
        ping_message_factory=lambda: ServerSentEvent(comment="ping"),
        headers={"Cache-Control": "no-cache"},
        sep="\n",
    )


def resume_point(after: str | None, last_event_id: str | None) -> str:
    """The header wins: a browser sends it on reconnecting to the address that still carries the first `after`."""
    if last_event_id:
        return headers.event_id(last_event_id, "Last-Event-ID")
    return headers.event_id(after, "after") if after else "0-0"


async def has_last(services: Services, job_id: str, after: str) -> bool:
    last = await services.feed.last(job_id)
    return last is not None and last.is_terminal and position(last.id) <= position(after)


async def server_sent(
    services: Services, record: JobRecord, after: str, preview: str | None
) -> AsyncGenerator[bytes, None]:
    previews = Previews(services.records, record)
    try:
        async with aclosing(services.feed.follow(record.id, after)) as batches:
            async for events in batches:
                for event in events:
                    if preview and event.kind == "progress":
                        yield await run_in_threadpool(with_previews, event, previews)
                    else:
                        yield as_sent(event, event.data)
    except RedisError as failure:
        # The headers are long sent: end here, and the client comes back with its Last-Event-ID.
        log.warning("events of job %s break off: %s", record.id, failure)


def with_previews(event: Event, previews: Previews) -> bytes:
    """All in a thread, the encoding too: eight large images are 15 MB of text, which would hold up everybody else."""
    data: dict[str, Any] = json.loads(event.data)
    pictures = [
        {"sample": sample, "rows": rows, "png": base64.b64encode(png).decode()}
        for sample, rows, png in previews.after(data["rows"])
    ]
    return as_sent(event, json.dumps({**data, "previews": pictures}, separators=(",", ":")))


def as_sent(event: Event, data: str) -> bytes:
    """JSON has no line breaks; to look for them in 15 MB would take 60 ms, and the lock that every thread needs."""
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode()

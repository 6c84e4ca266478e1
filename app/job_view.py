"""A job's record as the API shows it."""

from datetime import UTC, datetime

from app.answers import JobError, JobView, Links, ProgressView, RequestView
from worker.protocol import JobRequest
from worker.records import JobRecord


def job_view(record: JobRecord) -> JobView:
    return JobView(
        id=record.id,
        kind=record.request.kind,
        state=record.state,
        model=record.request.model,
        attempt=record.attempt,
        queue_position=record.queue_position,
        cancel_requested=record.cancel_requested,
        created_at=moment(record.created_at),
        started_at=None if record.started_at is None else moment(record.started_at),
        finished_at=None if record.finished_at is None else moment(record.finished_at),
        expires_at=moment(record.expires_at),
        request=request_view(record.request),
        progress=ProgressView(done=record.progress.done, total=record.progress.total, rows=list(record.progress.rows)),
        result=record.samples,
        error=None if record.error is None else JobError(**record.error),
        links=links(record),
    )


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def request_view(request: JobRequest) -> RequestView:
    draws = request.kind != "score"
    upload = dict(request.upload or {})
    return RequestView(
        n=request.n,
        seed=request.seed if draws else None,
        temperature=request.temperature if draws else None,
        precision=request.precision if draws else None,
        condition=request.condition,
        height=request.height,
        width=request.width,
        channels=request.channels,
        num_levels=request.num_levels,
        rows=request.known_rows,
        conditioning=upload.pop("conditioning", None),
        per_pixel=None if draws else request.per_pixel,
        upload=upload or None,
    )


def links(record: JobRecord) -> Links:
    here = f"/v1/jobs/{record.id}"
    view = Links(self=here, events=f"{here}/events", cancel=f"{here}/cancel")
    each = range(record.request.n)
    if record.request.kind != "score":
        view.images = [f"{here}/images/{k}" for k in each]
        view.zip, view.npy, view.grid = f"{here}/images.zip", f"{here}/images.npy", f"{here}/grid"
    elif record.request.per_pixel:
        view.maps = [f"{here}/maps/{k}" for k in each]
    return view

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
        progress=progress_view(record),
        result=record.samples,
        error=None if record.error is None else JobError(**record.error),
        links=links(record),
    )


def progress_view(record: JobRecord) -> ProgressView:
    """Pixels of whole canvases, for what is not shown takes its time too; rows of the images."""
    progress, hidden = record.progress, record.request.hidden_rows
    rows = [max(0, rows - hidden) for rows in progress.rows]
    return ProgressView(done=progress.done, total=progress.total, rows=rows)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def request_view(request: JobRequest) -> RequestView:
    draws = request.kind != "score"
    upload = dict(request.upload or {})
    return RequestView(
        n=request.n,
        seed=request.seed if draws or request.is_density else None,
        temperature=request.temperature if draws else None,
        precision=request.precision if draws else None,
        condition=request.condition,
        height=request.height,
        width=request.width,
        channels=request.channels,
        num_levels=request.num_levels,
        margin=request.margin if request.kind == "sample" else None,
        clip=request.clip,
        draws=request.draws if request.is_density and not draws else None,
        rows=request.known_rows,
        sweeps=request.sweeps if request.kind == "completion" else None,
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

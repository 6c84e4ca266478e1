"""Looking at jobs, canceling and deleting them."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.answers import JobList, JobView
from app.errors import Code
from app.job_view import job_view
from app.openapi import problem_responses
from app.services import WithServices
from worker.protocol import State

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])
GONE = problem_responses(Code.UNKNOWN_JOB, Code.JOB_EXPIRED, Code.STORE_UNAVAILABLE)


class ListQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: State | None = Field(None, description="Only jobs in this state.")
    limit: int = Field(20, ge=1, le=100, description="How many jobs at most.")
    cursor: str | None = Field(None, pattern=r"^\d{1,15}$", description="`next_cursor` of the page before.")


@router.get("", summary="List jobs, newest first", responses=problem_responses(Code.INVALID_FIELD, Code.UNKNOWN_FIELD))
def list_jobs(query: Annotated[ListQuery, Query()], services: WithServices) -> JobList:
    """Each without `result`, `request.condition`, `request.upload`, `progress.rows`, `links.images` and `links.maps`,
    which may be long: `GET /v1/jobs/{id}` has them. Jobs that another version of Scanline wrote are left out."""
    records, next_cursor = services.records.list_jobs(query.status, query.limit, query.cursor)
    # Of each the answer takes what a `JobSummary` has.
    return JobList(data=[job_view(record) for record in records], next_cursor=next_cursor)


@router.get("/{job_id}", summary="One job", responses=GONE)
def get_job(job_id: str, services: WithServices) -> JobView:
    return job_view(services.records.get(job_id))


@router.post("/{job_id}/cancel", summary="Cancel a job", responses=GONE)
def cancel_job(job_id: str, services: WithServices) -> JobView:
    """A queued job ends at once, a running one within a moment; one that has ended stays as it is."""
    return job_view(services.records.cancel(job_id))


@router.delete("/{job_id}", summary="Delete a job and its images", status_code=204, responses=GONE)
def delete_job(job_id: str, services: WithServices) -> None:
    """Cancels it if need be. Afterwards its address answers 410; deleting twice is no error."""
    services.records.delete(job_id)

"""Liveness, readiness and metrics: for supervisors, not for users."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.answers import Health, Readiness
from app.errors import ApiError, Code
from app.openapi import problem_responses
from app.services import WithServices

router = APIRouter(tags=["Health"])


@router.get("/healthz", summary="Is this process alive?")
async def healthz() -> Health:
    """Answers without asking anyone else."""
    return Health()


@router.get(
    "/readyz", summary="Can a job be served?", responses=problem_responses(Code.NO_WORKER, Code.STORE_UNAVAILABLE)
)
def readyz(services: WithServices) -> Readiness:
    """200 when the job store answers and a worker is alive that has looked through its bundles and admitted one."""
    workers = [worker for worker in services.records.workers() if worker.is_complete]
    models = sorted({card.id for worker in workers for card in worker.cards if card.status == "admitted"})
    if not models:
        raise ApiError(
            Code.NO_WORKER, f"{len(workers)} workers have looked through their bundles, none has admitted one."
        )
    return Readiness(workers=len(workers), models=models)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(services: WithServices) -> Response:
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)

"""GET /v1/models: what is hosted, as the workers publish it, in the list shape that OpenAI clients read."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter

from app import catalog
from app.answers import Likelihood, ModelList, ModelView
from app.errors import Code
from app.openapi import problem_responses
from app.services import WithServices
from worker.protocol import UNITS, Card

router = APIRouter(prefix="/v1/models", tags=["Models"])


@router.get("", summary="List the models", responses=problem_responses(Code.STORE_UNAVAILABLE))
def list_models(services: WithServices) -> ModelList:
    """Refused ones are listed with the reason. Empty while no worker is alive."""
    return ModelList(data=[model_view(card) for card in services.records.published()])


@router.get(
    "/{model_id}",
    summary="One model",
    responses=problem_responses(Code.UNKNOWN_MODEL, Code.NO_WORKER, Code.STORE_UNAVAILABLE),
)
def get_model(model_id: str, services: WithServices) -> ModelView:
    return model_view(catalog.find(services.records.published(), model_id))


def model_view(card: Card) -> ModelView:
    return ModelView(
        id=card.id,
        created=trained_at(card.training or {}),
        status=card.status,
        reason=card.reason,
        title=card.title,
        description=card.description,
        architecture=card.architecture,
        sha256=card.sha256,
        image={
            "height": card.height,
            "width": card.width,
            "channels": card.channels,
            "num_levels": card.num_levels,
        },
        likelihood=likelihood(card),
        head=card.head,
        conditioning=card.conditioning or {"kind": "none"},
        evaluation=card.evaluation,
        training=card.training,
        pixels_per_second=card.pixels_per_second,
        profile=card.profile,
        precisions=card.precisions,
        loaded=card.loaded,
    )


def likelihood(card: Card) -> Likelihood | None:
    if card.status != "admitted":
        return None
    if card.pixels is None:
        kind: Literal["exact", "bound"] = "bound" if card.coarse_level else "exact"
        return Likelihood(kind=kind, unit="nats", dequantisation=None, percentiles=None)
    percentiles = [card.pixels["low"], card.pixels["high"]]
    unit, noise = UNITS["density"], card.pixels["dequantisation"]
    return Likelihood.model_validate(
        {"kind": "density", "unit": unit, "dequantisation": noise, "percentiles": percentiles}
    )


def trained_at(training: dict[str, Any]) -> int:
    """Seconds since 1970 at which the day of the bundle began (UTC); 0 if it has none."""
    try:
        return int(datetime.fromisoformat(str(training.get("date", ""))).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0

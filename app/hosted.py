"""GET /v1/models: what is hosted, as the workers publish it, in the list shape that OpenAI clients read."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from app import catalog
from app.answers import ModelList, ModelView
from app.errors import Code
from app.openapi import problem_responses
from app.services import WithServices
from worker.protocol import Card

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
        head=card.head,
        conditioning=card.conditioning or {"kind": "none"},
        evaluation=card.evaluation,
        training=card.training,
        pixels_per_second=card.pixels_per_second,
        profile=card.profile,
        precisions=card.precisions,
        loaded=card.loaded,
    )


def trained_at(training: dict[str, Any]) -> int:
    """Seconds since 1970, from the bundle's ISO date; 0 if it has none."""
    try:
        return int(datetime.fromisoformat(str(training.get("date", ""))).timestamp())
    except ValueError:
        return 0

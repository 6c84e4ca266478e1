"""Finding a hosted model. The API knows models only through the cards that live workers publish."""

from collections.abc import Sequence

from app.errors import ApiError, Code
from worker.protocol import Card


def find(cards: Sequence[Card], model_id: str) -> Card:
    """The card of `model_id`, admitted or refused."""
    for card in cards:
        if card.id == model_id:
            return card
    if not cards:
        raise ApiError(Code.NO_WORKER, "No worker is alive, so no model is hosted right now; try again soon.")
    hosted = ", ".join(sorted(card.id for card in cards if card.status == "admitted")) or "none"
    raise ApiError(Code.UNKNOWN_MODEL, f"There is no model `{model_id}`. Hosted now: {hosted}.", param="model")


def find_admitted(cards: Sequence[Card], model_id: str) -> Card:
    card = find(cards, model_id)
    if card.status != "admitted":
        raise ApiError(Code.MODEL_REFUSED, f"The model `{model_id}` is not served: {card.reason}.", param="model")
    return card


def shape_text(card: Card) -> str:
    """The image that a bundle takes, for a person: '28x28 pixels, greyscale, 2 levels (black and white)'."""
    size = "any size" if card.height is None or card.width is None else f"{card.width}x{card.height} pixels"
    colour = {1: "greyscale", 3: "RGB"}.get(card.channels, f"{card.channels} channels")
    if card.is_density:
        return f"{size}, {colour}, 8 bits (a density: noise is added)"
    levels = "2 levels (black and white)" if card.num_levels == 2 else f"{card.num_levels} levels"
    return f"{size}, {colour}, {levels}"

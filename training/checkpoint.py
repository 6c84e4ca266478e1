"""What a checkpoint of a run holds."""

from typing import Any


def part_of(checkpoint: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The weights of one part of what was fitted, by their names in it."""
    weights = checkpoint["state_dict"].items()
    return {name.removeprefix(prefix): value for name, value in weights if name.startswith(prefix)}

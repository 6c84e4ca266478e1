"""What a head computes with matrices, as affine maps: they run with those of the net, over many positions at once.

An MCGSM (formulas in `models.heads`) gets three operations at the end of its phase, on a feature of N + 2 C numbers:

    (b h, w h, A h)  =  one affine map of h
    (b h)            =  its square
    v                =  w h - beta^2 (b h)^2 / 2,  where w h stood

and the head that is left reads (v, A h): gates eta + e^alpha v, means A h.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.program import Affine, Feature, Head, Operation, Phase, Pointwise, Program, Ref, Tap


@dataclass(frozen=True, slots=True)
class Lowered:
    """The parts of a program as the native interpreter runs it; `products` are the features that were added."""

    features: Sequence[Feature]
    phases: Sequence[Phase]
    heads: Sequence[Head]
    parameters: Mapping[str, Tensor]
    products: frozenset[str]


def lower(program: Program) -> Lowered:
    """`program` with the matrices of its heads among its operations."""
    features, parameters = list(program.features), dict(program.parameters)
    heads, extra = list[Head](), dict[int, tuple[Operation, ...]]()
    for group, head in enumerate(program.heads):
        if head.kind == "mcgsm":
            name = f"products of head {group}"
            width, extra[group] = _mcgsm(name, head, parameters)
            features.append(Feature(name, width))
            num_components = len(parameters[head.parameters[0]])
            inputs = (Ref(name, width - 2 * num_components, width), head.inputs[1])
            head = replace(head, inputs=inputs, parameters=(*head.parameters[:2], *head.parameters[6:]))
        heads.append(head)
    phases = [
        replace(phase, ops=(*phase.ops, *extra.get(phase.group, ()))) if phase.kind == "pixel" else phase
        for phase in program.phases
    ]
    return Lowered(features, phases, heads, parameters, frozenset(f.name for f in features[len(program.features) :]))


def _mcgsm(name: str, head: Head, parameters: dict[str, Tensor]) -> tuple[int, tuple[Operation, ...]]:
    """The width of the feature `name` and the operations that compute it; their weights join `parameters`."""
    beta, b, w, a = (parameters[p] for p in head.parameters[2:6])
    num_features, num_components = len(b), len(w)
    width = num_features + 2 * num_components
    parameters[f"{name}: matrix"] = torch.cat((b, w, a))
    parameters[f"{name}: energy"] = beta.square() / -2
    squares, v = Ref(name, 0, num_features), Ref(name, num_features, num_features + num_components)
    return width, (
        Affine(Ref(name, 0, width), (Tap(head.inputs[0], f"{name}: matrix"),)),
        Pointwise("multiply", (squares,), (squares, squares)),
        Affine(v, (Tap(squares, f"{name}: energy"),), accumulate=True),
    )

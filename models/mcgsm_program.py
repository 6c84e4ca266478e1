"""The step program of an MCGSM on the causal neighbourhood, and what RIDE's shares with it."""

from dataclasses import replace

import torch
from torch import Tensor

from models.mcgsm_head import McgsmHead
from models.program import PIXEL, Affine, Feature, Head, Operation, Phase, Program, Ref, Tap
from models.whitening import Whitening


def build_program(whitening: Whitening, head: McgsmHead) -> Program:
    """An MCGSM as a step program; parameters are detached copies of its weights."""
    return DensityBuilder(whitening).finish(head)


def clipped(program: Program, low: float, high: float) -> Program:
    """The same with every drawn pixel clipped to [low, high] before others read it: the habit of RIDE's authors, which
    keeps textures from running away. What it draws are no samples of the density any more."""
    (head,) = program.heads
    limits = {"head.limits": torch.tensor([low, high])}
    heads = (replace(head, parameters=(*head.parameters, "head.limits")),)
    return replace(program, heads=heads, parameters={**program.parameters, **limits})


class DensityBuilder:
    """Collects features, operations and parameters of a density that whitens its pixels; there is no row phase.

    Feature names: `centred` the pixel less the data mean, written once it is drawn and 0 outside the image; `white` the
    whitened neighbours z, then the prediction m and the log-scale q.
    """

    def __init__(self, whitening: Whitening) -> None:
        num_neighbours = len(whitening.offsets)
        self.neighbours = Ref("white", 0, num_neighbours)
        self.features = [Feature(PIXEL, 1), Feature("centred", 1), Feature("white", num_neighbours + 2)]
        self.parameters: dict[str, Tensor] = {}
        self.before: list[Operation] = []
        one = self.put("centred.weight", whitening.mean.new_ones(1, 1))
        bias = self.put("centred.bias", -whitening.mean)
        self.after = Affine(Ref("centred", 0, 1), (Tap(Ref(PIXEL, 0, 1), one),), bias)
        weight, bias_values = whitening.affine()
        taps = [
            Tap(Ref("centred", 0, 1, dy, dx), self.put(f"white.weight.{k}", weight[:, k : k + 1]))
            for k, (dy, dx) in enumerate(whitening.offsets)
        ]
        self.before.append(
            Affine(Ref("white", 0, num_neighbours + 2), tuple(taps), self.put("white.bias", bias_values))
        )

    def put(self, name: str, value: Tensor) -> str:
        self.parameters[name] = value.detach().clone().contiguous()
        return name

    def finish(self, head: McgsmHead, h: Ref | None = None) -> Program:
        """The program whose MCGSM reads `h`; the whitened neighbours where it is None."""
        names = [self.put(f"head.{name}", value) for name, value in head.constants()._asdict().items()]
        whitening = Ref("white", self.neighbours.stop, self.neighbours.stop + 2)
        mcgsm = Head("mcgsm", (h or self.neighbours, whitening), 0, 1, tuple(names))
        phases = (Phase("pixel", tuple(self.before), 0), Phase("pixel", (self.after,), 1))
        return Program(1, 0, tuple(self.features), phases, (mcgsm,), dict(self.parameters))

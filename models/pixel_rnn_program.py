"""What the step programs of the PixelRNN family share: coding, causal convolutions split over phases, the output."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from models.context_map_program import add_context_map
from models.masked import CausalConv, GroupedConv1x1, GroupedLinear, code_with_digits, group_slice, num_digits
from models.program import PIXEL, Affine, Feature, Head, HeadKind, Operation, Phase, Pointwise, Program, Ref, Tap

if TYPE_CHECKING:
    from models.context_map import ContextMap
    from models.pixel_rnn import PixelRNN

STEEP = 40.0
"""tanh(STEEP / 2) is 1 in double precision."""


class PixelRNNBuilder:
    """Collects features, operations and parameters; parameters are detached copies, masks applied.

    Feature names: `context` what the layers are told, `code` the coded pixel, `x{l}` the maps between layers, `hidden`
    `logits` the output.

    Args:
        context_map: what makes the context of every pixel; without it the context is one given vector.
    """

    def __init__(self, model: "PixelRNN", context_map: "ContextMap | None" = None) -> None:
        self.groups, self.has_context_map = model.channels, context_map is not None
        self.features = [Feature(PIXEL, model.channels)]
        self.parameters: dict[str, Tensor] = {}
        self.admit: list[Operation] = []
        self.row_reverse: list[Operation] = []
        self.row: list[Operation] = []
        self.pixel: list[list[Operation]] = [[] for _ in range(self.groups + 1)]
        if context_map is not None:
            add_context_map(self, context_map)
        elif model.context_size:
            self.features.append(Feature("context", model.context_size, "given_vector"))
        self._code(model)
        self.causal_conv("x0", "code", model.first)
        if model.first_condition is not None:
            self.condition("x0", "first told", model.first_condition.weight, self.row)

    def finish(self, model: "PixelRNN", maps: str) -> Program:
        """Add the output, which reads feature `maps`."""
        kind: HeadKind = "bernoulli" if model.num_levels == 2 else "categorical"
        per_channel = 1 if model.num_levels == 2 else model.num_levels
        self.relu("rectified", maps, 2 * model.width)
        told = None if model.hidden_condition is None else self._told("hidden told", model.hidden_condition.weight)
        self.conv1x1("hidden", "rectified", model.hidden, plus=told)
        self.relu("hidden", "hidden", model.head_width)
        self.conv1x1("logits", "hidden", model.logits)
        heads = tuple(
            Head(kind, (Ref("logits", c * per_channel, (c + 1) * per_channel),), c, c + 1) for c in range(self.groups)
        )
        phases = [Phase("admit", tuple(self.admit))] if self.admit else []
        phases += [Phase("row_reverse", tuple(self.row_reverse))] if self.row_reverse else []
        phases.append(Phase("row", tuple(self.row)))
        phases += [Phase("pixel", tuple(ops), group) for group, ops in enumerate(self.pixel)]
        return Program(
            model.channels, model.num_levels, tuple(self.features), tuple(phases), heads, dict(self.parameters)
        )

    def put(self, name: str, value: Tensor) -> str:
        self.parameters[name] = value.detach().clone().contiguous()
        return name

    def block(self, name: str, group: int) -> Ref:
        """The channels of a feature that belong to a group."""
        own = group_slice(group, self.width_of(name), self.groups)
        return Ref(name, own.start, own.stop)

    def width_of(self, name: str) -> int:
        return next(f.width for f in self.features if f.name == name)

    def causal_conv(self, out: str, source: str, conv: CausalConv) -> None:
        """New feature `out`: finished rows and the bias in the row phase, the present row per pixel and group."""
        weight = conv.weight * conv.mask
        out_width, in_width, rows, cols = weight.shape
        self.features.append(Feature(out, out_width))

        def tap(i: int, j: int, rows_out: slice, seen: int, suffix: str = "") -> Tap:
            name = self.put(f"{out}.weight.{i}.{j}{suffix}", weight[rows_out, :seen, i, j])
            return Tap(Ref(source, 0, seen, (i - rows + 1) * conv.dilation, (j - cols // 2) * conv.dilation), name)

        above = [tap(i, j, slice(None), in_width) for i in range(rows - 1) for j in range(cols)]
        bias = self.put(f"{out}.bias", cast(Tensor, conv.bias))
        self.row.append(Affine(Ref(out, 0, out_width), tuple(above), bias))
        for group, ops in enumerate(self.pixel[:-1]):
            own = self.block(out, group)
            seen = in_width * (group if conv.is_first else group + 1) // self.groups
            here = [(j, in_width) for j in range(cols // 2)] + ([(cols // 2, seen)] if seen else [])
            taps = [tap(rows - 1, j, slice(own.start, own.stop), width, f".{group}") for j, width in here]
            ops.append(Affine(own, tuple(taps), accumulate=True))

    def conv1x1(self, out: str, source: str, conv: GroupedConv1x1 | GroupedLinear, plus: str | None = None) -> None:
        """New feature `out` = masked 1x1 convolution of `source`, plus feature `plus` of the same width."""
        out_width, in_width = conv.weight.shape[:2]
        self.features.append(Feature(out, out_width))
        for group, ops in enumerate(self.pixel[:-1]):
            own, seen = self.block(out, group), in_width * (group + 1) // self.groups
            channels = slice(own.start, own.stop)
            weight = self.put(f"{out}.weight.{group}", conv.weight.flatten(1)[channels, :seen])
            bias = self.put(f"{out}.bias.{group}", cast(Tensor, conv.bias)[channels])
            ops.append(Affine(own, (Tap(Ref(source, 0, seen), weight),), bias))
            if plus is not None:
                ops.append(Pointwise("add", (own,), (own, Ref(plus, own.start, own.stop))))

    def relu(self, out: str, source: str, width: int) -> None:
        """`out` = relu(source), a new feature unless it works in place."""
        if out != source:
            self.features.append(Feature(out, width))
        for group, ops in enumerate(self.pixel[:-1]):
            ops.append(Pointwise("relu", (self.block(out, group),), (self.block(source, group),)))

    def condition(self, out: str, name: str, weight: Tensor, ops: list[Operation]) -> None:
        """In `ops`: out += weight . context. Of a context that is one vector, vector `name` is made once an image."""
        width, context_size = weight.shape
        own = Ref(out, 0, width)
        if self.has_context_map:
            tap = Tap(Ref("context", 0, context_size), self.put(f"{name}.weight", weight))
            ops.append(Affine(own, (tap,), accumulate=True))
        else:
            ops.append(Pointwise("add", (own,), (own, Ref(self._told(name, weight), 0, width))))

    def _told(self, name: str, weight: Tensor) -> str:
        """New feature `name` = weight . context: of every pixel, or, of a context that is one vector, once an image."""
        width, context_size = weight.shape
        self.features.append(Feature(name, width, "map" if self.has_context_map else "vector"))
        tap = Tap(Ref("context", 0, context_size), self.put(f"{name}.weight", weight))
        (self.row if self.has_context_map else self.admit).append(Affine(Ref(name, 0, width), (tap,)))
        return name

    def _code(self, model: "PixelRNN") -> None:
        """Channel g is coded as soon as it is drawn: in the pixel phase after its head."""
        scale, dtype = 2 / (model.num_levels - 1), model.hidden.weight.dtype
        numbers = 1 + num_digits(model.num_levels) if model.digits else 1
        self.features.append(Feature("code", self.groups * numbers))
        weight = self.put("code.weight", torch.full((1, 1), scale, dtype=dtype))
        bias = self.put("code.bias", torch.full((1,), -1.0, dtype=dtype))
        for c, ops in enumerate(self.pixel[1:]):
            own = Ref("code", c * numbers, c * numbers + 1)
            ops.append(Affine(own, (Tap(Ref(PIXEL, c, c + 1), weight),), bias))
        if model.digits:
            self._digits(model.num_levels, dtype)

    def _digits(self, num_levels: int, dtype: torch.dtype) -> None:
        """A digit of level x changes where x passes some of the thresholds 1/2, 3/2, ...; on which side of each of
        them x lies, -1 or 1, is a tanh so steep that it is exact."""
        levels, width = torch.arange(num_levels, dtype=torch.float64), num_levels - 1
        digits = code_with_digits(levels[None, None, None], num_levels, dtype)[0, 1:, 0]
        side_weight = self.put("sides.weight", torch.full((width, 1), STEEP, dtype=dtype))
        side_bias = self.put("sides.bias", (STEEP * (0.5 - levels[1:])).to(dtype))
        weight = self.put("digits.weight", digits.diff() / 2)
        bias = self.put("digits.bias", (digits[:, 0] + digits[:, -1]) / 2)
        self.features.append(Feature("sides", self.groups * width))
        for c, ops in enumerate(self.pixel[1:]):
            sides = Ref("sides", c * width, (c + 1) * width)
            told = self.block("code", c)
            ops.append(Affine(sides, (Tap(Ref(PIXEL, c, c + 1), side_weight),), side_bias))
            ops.append(Pointwise("tanh", (sides,), (sides,)))
            ops.append(Affine(Ref("code", told.start + 1, told.stop), (Tap(sides, weight),), bias))

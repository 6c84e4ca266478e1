"""The step program of a Gated PixelCNN: vertical stack and its link once a row, horizontal stack once a pixel."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from models.context_map_program import add_context_map
from models.masked import group_slice
from models.program import PIXEL, Affine, Feature, Head, HeadKind, Operation, Phase, Pointwise, Program, Ref, Tap

if TYPE_CHECKING:
    from models.gated_pixelcnn import GatedLayer, GatedPixelCNN


def build_program(model: "GatedPixelCNN") -> Program:
    """`model` as a step program; parameters are detached copies of its weights, masks applied."""
    return _Builder(model).build()


class _Builder:
    """Collects features, operations and parameters layer by layer.

    Feature names: `code` the coded pixel, `u{l}` `v{l}` the vertical stack, `w{l}` `g{l}` `h{l}` the horizontal one,
    `cu{l}` `cw{l}` the contribution of a context that is a vector, `skip` `hidden` `logits` the output.
    """

    def __init__(self, model: "GatedPixelCNN") -> None:
        self.model = model
        self.layers = [cast("GatedLayer", layer) for layer in model.layers]
        self.groups = model.channels
        self.features = [Feature(PIXEL, model.channels), Feature("code", model.channels)]
        self.parameters: dict[str, Tensor] = {}
        self.contexts: dict[str, Tap] = {}
        self.admit: list[Operation] = []
        self.row: list[Operation] = []
        self.pixel: list[list[Operation]] = [[] for _ in range(self.groups + 1)]

    def build(self) -> Program:
        model = self.model
        self._code()
        if model.context_map is not None:
            add_context_map(self, model.context_map)
        elif model.context_size:
            self.features.append(Feature("context", model.context_size, "given_vector"))
        for index, layer in enumerate(self.layers):
            self._context(index, layer)
            self._vertical(index, layer)
            self._horizontal(index, layer)
        self._output()
        kind: HeadKind = "bernoulli" if model.num_levels == 2 else "categorical"
        per_channel = 1 if model.num_levels == 2 else model.num_levels
        heads = tuple(
            Head(kind, (Ref("logits", c * per_channel, (c + 1) * per_channel),), c, c + 1) for c in range(self.groups)
        )
        phases = [Phase("admit", tuple(self.admit))] if self.admit else []
        phases.append(Phase("row", tuple(self.row)))
        phases += [Phase("pixel", tuple(ops), group) for group, ops in enumerate(self.pixel)]
        return Program(
            model.channels, model.num_levels, tuple(self.features), tuple(phases), heads, dict(self.parameters)
        )

    def put(self, name: str, value: Tensor) -> str:
        self.parameters[name] = value.detach().clone().contiguous()
        return name

    def _code(self) -> None:
        """Channel g is coded as soon as it is drawn: in the pixel phase after its head."""
        scale = 2 / (self.model.num_levels - 1)
        dtype = self.model.hidden.weight.dtype
        weight = self.put("code.weight", torch.full((1, 1), scale, dtype=dtype))
        bias = self.put("code.bias", torch.full((1,), -1.0, dtype=dtype))
        for c in range(self.groups):
            self.pixel[c + 1].append(Affine(Ref("code", c, c + 1), (Tap(Ref(PIXEL, c, c + 1), weight),), bias))

    def _context(self, index: int, layer: "GatedLayer") -> None:
        """Taps `cu{l}` and `cw{l}` on the context; of a vector they are run once an image, and make vectors."""
        if layer.condition is None:
            return
        width = 2 * self.model.width
        names = ("cw",) if layer.residual is None else ("cu", "cw")
        for stack, weight in zip(names, layer.condition.weight.chunk(len(names), 0), strict=True):
            name = f"{stack}{index}"
            self.contexts[name] = Tap(Ref("context", 0, weight.shape[1]), self.put(f"{name}.weight", weight))
            if self.model.context_map is None:
                self.features.append(Feature(name, width, "vector"))
                self.admit.append(Affine(Ref(name, 0, width), (self.contexts[name],)))

    def _vertical(self, index: int, layer: "GatedLayer") -> None:
        """u = K_v * below; v = gate(u + context); w = L u + context, the part of w that the row phase knows."""
        width, weight = self.model.width, layer.vertical.weight
        u, v, w = f"u{index}", f"v{index}", f"w{index}"
        self.features += [Feature(u, 2 * width), Feature(w, 2 * width)]
        below = "code" if layer.is_first else f"v{index - 1}"
        rows, cols = weight.shape[2:]
        taps = []
        for i in range(rows):
            for j in range(cols):
                dy = (i - rows if layer.is_first else i - rows + 1) * layer.dilation
                dx = (j - cols // 2) * layer.dilation
                name = self.put(f"{u}.weight.{i}.{j}", weight[:, :, i, j])
                taps.append(Tap(Ref(below, 0, weight.shape[1], dy, dx), name))
        self.row.append(
            Affine(Ref(u, 0, 2 * width), tuple(taps), self.put(f"{u}.bias", cast(Tensor, layer.vertical.bias)))
        )
        link = Tap(Ref(u, 0, 2 * width), self.put(f"{w}.link", layer.link.weight[:, :, 0, 0]))
        bias = cast(Tensor, layer.link.bias) + cast(Tensor, layer.horizontal.bias)
        self.row.append(Affine(Ref(w, 0, 2 * width), (link,), self.put(f"{w}.bias", bias)))
        if layer.condition is not None:
            self._add_context(w, f"cw{index}")
        if layer.residual is not None:
            if layer.condition is not None:
                self._add_context(u, f"cu{index}")
            self.features.append(Feature(v, width))
            self._gate(self.row, u, v)

    def _add_context(self, name: str, context: str) -> None:
        own = Ref(name, 0, 2 * self.model.width)
        if self.model.context_map is None:
            self.row.append(Pointwise("add", (own,), (own, Ref(context, 0, own.width))))
        else:
            self.row.append(Affine(own, (self.contexts[context],), accumulate=True))

    def _gate(self, ops: list[Operation], u: str, v: str, group: int | None = None) -> None:
        block = self.model.width // self.groups
        for g in range(self.groups) if group is None else (group,):
            out = Ref(v, g * block, (g + 1) * block)
            ops.append(Pointwise("gate", (out,), (Ref(u, 2 * g * block, 2 * (g + 1) * block),)))

    def _horizontal(self, index: int, layer: "GatedLayer") -> None:
        """Per channel group: w += K_h * h_{l-1}; g = gate(w); h = R g (+ h_{l-1})."""
        width = self.model.width
        w, g, h = f"w{index}", f"g{index}", f"h{index}"
        self.features.append(Feature(g, width))
        if layer.residual is not None:
            self.features.append(Feature(h, width))
        below, below_width = ("code", self.groups) if layer.is_first else (f"h{index - 1}", width)
        weight = layer.horizontal.weight * layer.horizontal.mask
        cols = weight.shape[3]
        for group, ops in enumerate(self.pixel[:-1]):
            block = group_slice(group, 2 * width, self.groups)
            taps = []
            for j in range(cols):
                seen = below_width  # at the present pixel: channels before this group (A), or up to it (B)
                if j == cols - 1:
                    seen = below_width * (group if layer.is_first else group + 1) // self.groups
                if seen:
                    name = self.put(f"{w}.weight.{j}.{group}", weight[block, :seen, 0, j])
                    taps.append(Tap(Ref(below, 0, seen, 0, (j - cols + 1) * layer.dilation), name))
            ops.append(Affine(Ref(w, block.start, block.stop), tuple(taps), accumulate=True))
            self._gate(ops, w, g, group)
            if layer.residual is None:
                continue
            out = self._conv1x1(ops, h, (g,), (layer.residual,), group)
            if not layer.is_first:
                ops.append(Pointwise("add", (out,), (out, Ref(below, out.start, out.stop))))

    def _conv1x1(self, ops: list[Operation], out: str, sources: tuple[str, ...], convs: tuple, group: int) -> Ref:  # type: ignore[type-arg]
        """Block `group` of out = sum of masked 1x1 convolutions of the sources."""
        out_width, in_width = convs[0].weight.shape[:2]
        block = group_slice(group, out_width, self.groups)
        seen = in_width * (group + 1) // self.groups
        taps = tuple(
            Tap(Ref(source, 0, seen), self.put(f"{out}.{source}.weight.{group}", conv.weight[block, :seen, 0, 0]))
            for source, conv in zip(sources, convs, strict=True)
        )
        bias = sum(conv.bias[block] for conv in convs)
        ref = Ref(out, block.start, block.stop)
        ops.append(Affine(ref, taps, self.put(f"{out}.bias.{group}", cast(Tensor, bias))))
        return ref

    def _output(self) -> None:
        model = self.model
        gated = tuple(f"g{index}" for index in range(len(self.layers)))
        num_logits = model.logits.weight.shape[0]
        self.features += [
            Feature("skip", model.width),
            Feature("hidden", model.head_width),
            Feature("logits", num_logits),
        ]
        for group, ops in enumerate(self.pixel[:-1]):
            skip = self._conv1x1(ops, "skip", gated, tuple(layer.skip for layer in self.layers), group)
            ops.append(Pointwise("relu", (skip,), (skip,)))
            hidden = self._conv1x1(ops, "hidden", ("skip",), (model.hidden,), group)
            ops.append(Pointwise("relu", (hidden,), (hidden,)))
            self._conv1x1(ops, "logits", ("hidden",), (model.logits,), group)

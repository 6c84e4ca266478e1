"""A step program as numbers: what src/program.cpp reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.native.fusion import FusedAffine, fuse
from engine.native.lowering import Lowered, lower
from models.fronts import front_slope
from models.program import PIXEL, Affine, Feature, Head, Phase, Pointwise, Program, Ref

# The order is that of the enumerations in src/program.h and src/kernels.h.
SCOPES = ("map", "vector", "given_map", "given_vector")
PHASES = ("admit", "row", "row_reverse", "pixel")
POINTWISE = (
    "gate", "glu", "lstm", "spatial_lstm", "relu", "elu", "concat_elu", "tanh", "sigmoid", "add", "multiply",
)  # fmt: skip
ACTIVATIONS = ("none", "relu")
HEADS = ("bernoulli", "categorical", "logistic_mixture", "mcgsm")


class NoKernel(ValueError):
    """The program has a word that the native interpreter does not know; the message names it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    words: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.float32]


def encode(program: Program) -> Encoded:
    """`program` as words and parameters; raises `NoKernel`."""
    encoder = _Encoder(lower(program))
    encoder.program(program)
    values = [encoder.source.parameters[name].detach().cpu().float().numpy().ravel() for name in encoder.starts]
    parameters = np.concatenate([np.zeros(0, np.float32), *values])
    return Encoded(np.array(encoder.words, np.int64), parameters)


@dataclass(slots=True)
class _Encoder:
    source: Lowered
    words: list[int] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)  # of the parameters that are used, in their order
    num_parameters: int = 0
    indexes: dict[str, int] = field(default_factory=dict)

    def program(self, program: Program) -> None:
        self.indexes = {feature.name: index for index, feature in enumerate(self.source.features)}
        self.words += [program.channels, program.num_levels, front_slope(program) or 0, len(self.source.features)]
        for feature in self.source.features:
            self._feature(feature)
        self._ref(Ref(PIXEL, 0, program.channels))
        self.words.append(len(self.source.phases))
        for phase in self.source.phases:
            self._phase(phase)
        self.words.append(len(self.source.heads))
        for head in self.source.heads:
            self._head(head)

    def _feature(self, feature: Feature) -> None:
        self.words += [SCOPES.index(feature.scope), feature.width, feature.level]
        self.words += [self._parameter(name) for name in (feature.top, feature.left, feature.right)]

    def _parameter(self, name: str | None) -> int:
        return -1 if name is None else self._start(name)

    def _start(self, name: str) -> int:
        if name not in self.starts:
            self.starts[name] = self.num_parameters
            self.num_parameters += self.source.parameters[name].numel()
        return self.starts[name]

    def _phase(self, phase: Phase) -> None:
        ops = fuse(phase.ops)
        self.words += [PHASES.index(phase.kind), phase.group, len(ops)]
        for op in ops:
            self.words.append(int(isinstance(op, FusedAffine)))
            if isinstance(op, FusedAffine):
                self._affine(op)
            else:
                self._pointwise(op)

    def _is_exact(self, op: Affine) -> bool:
        """Whether bfloat16 must not round it: it is part of a head, or reads pixels, drawn or given, or the code of
        drawn ones (what is 1/255 apart would blur)."""
        given = {feature.name for feature in self.source.features if feature.scope == "given_map"}
        ops = [op for phase in self.source.phases for op in phase.ops if isinstance(op, Affine)]
        codes = {op.out.feature for op in ops if any(tap.source.feature == PIXEL for tap in op.taps)}
        reads_pixels = any(tap.source.feature in {PIXEL, *codes, *given} for tap in op.taps)
        return reads_pixels or op.out.feature in self.source.products

    def _affine(self, fused: FusedAffine) -> None:
        op = fused.affine
        self._ref(op.out)
        self.words.append(self._parameter(op.bias))
        self._refs(fused.addends)
        self.words += [ACTIVATIONS.index(fused.activation), self._is_exact(op), len(op.taps)]
        for tap in op.taps:
            self.words += [self._start(tap.weight), tap.up]
            self._ref(tap.source)

    def _pointwise(self, op: Pointwise) -> None:
        self.words.append(_index(POINTWISE, op.kind, "operation"))
        self._refs(op.outs)
        self._refs(op.ins)

    def _head(self, head: Head) -> None:
        self.words += [_index(HEADS, head.kind, "head"), head.start, head.stop - head.start]
        self._refs(head.inputs)
        if head.kind == "mcgsm":
            priors, scales, factors, *limits = head.parameters
            self.words += [*self.source.parameters[priors].shape, *map(self._start, (priors, scales, factors))]
            self.words.append(self._parameter(limits[0] if limits else None))

    def _refs(self, refs: Sequence[Ref]) -> None:
        self.words.append(len(refs))
        for ref in refs:
            self._ref(ref)

    def _ref(self, ref: Ref) -> None:
        self.words += [self.indexes[ref.feature], ref.start, ref.width, ref.dy, ref.dx]


def _index(names: Iterable[str], name: str, what: str) -> int:
    for index, known in enumerate(names):
        if known == name:
            return index
    raise NoKernel(f"there is no native kernel for the {what} {name!r}")

"""Random step programs that use every word of the vocabulary, for conformance tests of interpreters."""

import functools
import random
from dataclasses import replace

import torch

from models.program import (
    PIXEL,
    Affine,
    Feature,
    Head,
    HeadKind,
    Operation,
    Phase,
    Pointwise,
    Program,
    ProgramError,
    Ref,
    Tap,
)  # fmt: skip

KINDS = (
    "gate", "glu", "lstm", "spatial_lstm", "relu", "elu", "concat_elu", "tanh", "sigmoid", "add", "multiply",
)  # fmt: skip
LEVELS = {"bernoulli": (2,), "categorical": (2, 5), "logistic_mixture": (2, 5, 40), "mcgsm": (0,)}
INPUT_WIDTHS = {
    "gate": (2,), "glu": (2,), "lstm": (4, 1), "spatial_lstm": (5, 1, 1), "add": (1, 1, 1), "multiply": (1, 1),
}  # fmt: skip


@functools.cache
def random_program(seed: int) -> Program:
    """A well-formed program, the same for a seed."""
    return RandomProgram(random.Random(seed)).make()


@functools.cache
def random_front_program(seed: int) -> Program:
    """As `random_program`, without row phases and levels: its pixels are drawn a front at a time."""
    return RandomProgram(random.Random(seed), has_rows=False).make()


class RandomProgram:
    """What has been made of a program so far."""

    def __init__(self, rng: random.Random, has_rows: bool = True) -> None:
        self.rng, self.has_rows = rng, has_rows
        self.channels = rng.choice((1, 1, 3))
        self.head_kind: HeadKind = rng.choice(("bernoulli", "categorical", "logistic_mixture", "mcgsm"))
        self.num_levels = rng.choice(LEVELS[self.head_kind])
        joint = self.head_kind == "logistic_mixture" and rng.random() < 0.6
        self.groups = [(0, self.channels)] if joint else [(c, c + 1) for c in range(self.channels)]
        self.features = [Feature(PIXEL, self.channels)]
        self.parameters: dict[str, torch.Tensor] = {}
        self.generator = torch.Generator().manual_seed(rng.randrange(2**31))
        if rng.random() < 0.6:
            self.features.append(Feature("vector", 3, "given_vector"))
        if rng.random() < 0.4:
            self.features.append(Feature("given", 2, "given_map", rng.choice((0, 0, 1, 2)) if has_rows else 0))
        self.phases: list[Phase] = [Phase("admit", ()), Phase("row", ())] if has_rows else [Phase("admit", ())]
        if has_rows and rng.random() < 0.5:
            self.phases.append(Phase("row_reverse", ()))
            self.phases.append(Phase("row", ()))
        self.phases += [Phase("pixel", (), g) for g in range(len(self.groups) + 1)]
        self.heads = tuple(self._head(g, *group) for g, group in enumerate(self.groups))

    def make(self) -> Program:
        for index in range(len(self.phases)):
            for _ in range(self.rng.randint(1, 5)):
                self._extend(index)
        for group, head in enumerate(self.heads):
            for ref in head.inputs:
                self._head_input(group, ref)
        return self._program(self.features, self.phases, self.parameters)

    def _program(self, features: list[Feature], phases: list[Phase], parameters: dict[str, torch.Tensor]) -> Program:
        return Program(self.channels, self.num_levels, tuple(features), tuple(phases), self.heads, dict(parameters))

    def _head(self, group: int, start: int, stop: int) -> Head:
        """A head whose inputs are features that do not exist yet."""
        ref = Ref(f"head{group}", 0, self._head_width(stop - start))
        if self.head_kind != "mcgsm":
            return Head(self.head_kind, (ref,), start, stop)
        components, scales, features = (self.rng.randint(1, 3) for _ in range(3))
        shapes = [(components, scales)] * 2 + [(components, features), (features, ref.width)]
        names = [self._weight(*shape) for shape in (*shapes, (components, ref.width), (components, ref.width))]
        factors = self._weight(components)
        self.parameters[factors] += self.parameters[factors].sign()  # not near 0
        return Head("mcgsm", (ref, Ref(f"whitening{group}", 0, 2)), start, stop, (*names, factors))

    def _head_width(self, num_channels: int) -> int:
        match self.head_kind:
            case "bernoulli":
                return 1
            case "categorical":
                return self.num_levels
            case "logistic_mixture":
                return (3 if num_channels == 1 else 10) * self.rng.randint(1, 2)
        return self.rng.randint(1, 5)

    def _head_input(self, group: int, out: Ref) -> None:
        index = next(i for i, p in enumerate(self.phases) if p.kind == "pixel" and p.group == group)
        self.features.append(Feature(out.feature, out.width))
        taps: list[Tap] = []
        for _ in range(200):
            tap = self._tap(out.width, Feature("", out.width))
            if tap and self._is_well_formed(index, Affine(out, (tap,))):
                taps.append(tap)
            if len(taps) == 4:
                break
        self._append(index, Affine(out, tuple(taps), self._weight(out.width)))
        if self.head_kind == "mcgsm":  # floats are fed back: keep them in bounds
            self._append(index, Pointwise("tanh", (out,), (out,)))

    def _extend(self, index: int) -> None:
        """Add one random operation that is well formed where it stands; rarely none is found."""
        for _ in range(60):
            before = list(self.features)
            op = self._operation(self.phases[index])
            if op is not None and self._is_well_formed(index, op):
                self._append(index, op)
                return
            self.features = before

    def _append(self, index: int, op: Operation) -> None:
        self.phases[index] = replace(self.phases[index], ops=(*self.phases[index].ops, op))

    def _is_well_formed(self, index: int, op: Operation) -> bool:
        """Try the operation in a program whose heads are trivial."""
        phases = list(self.phases)
        phases[index] = replace(phases[index], ops=(*phases[index].ops, op))
        features = list(self.features)
        parameters = dict(self.parameters)
        for group, ref in ((g, ref) for g, head in enumerate(self.heads) for ref in head.inputs):
            parameters[f"zeros{ref.width}"] = torch.zeros(ref.width)
            if all(f.name != ref.feature for f in features):
                features.append(Feature(ref.feature, ref.width))
            at = next(i for i, p in enumerate(phases) if p.kind == "pixel" and p.group == group)
            if not any(isinstance(o, Affine) and o.out.feature == ref.feature for o in phases[at].ops):
                phases[at] = replace(phases[at], ops=(*phases[at].ops, Affine(ref, (), f"zeros{ref.width}")))
        try:
            self._program(features, phases, parameters)
        except ProgramError:
            return False
        return True

    def _operation(self, phase: Phase) -> Operation | None:
        if self.rng.random() < 0.2 and (partial := self._accumulation(phase)):
            return partial
        return self._affine(phase) if self.rng.random() < 0.55 else self._pointwise(phase)

    def _new_feature(self, phase: Phase, width: int) -> Feature:
        name = f"f{len(self.features)}"
        if phase.kind == "admit":
            feature = Feature(name, width, "vector")
        else:
            has_levels = self.has_rows and phase.kind != "row_reverse"
            level = self.rng.choice((0, 0, 0, 1, 2)) if has_levels else 0
            sides = [self._weight(width) if self.rng.random() < 0.3 else None for _ in range(3)]
            feature = Feature(name, width, "map", level, *sides)
        self.features.append(feature)
        return feature

    def _affine(self, phase: Phase) -> Operation | None:
        width = self.rng.choice((1, 2, 4, 5, 16))
        taps = [self._tap(width, self._new_feature(phase, width)) for _ in range(1)]
        feature = self.features[-1]
        taps += [self._tap(width, feature) for _ in range(self.rng.randint(0, 3))]
        if any(tap is None for tap in taps):
            return None
        bias = self._weight(width) if self.rng.random() < 0.5 else None
        return Affine(Ref(feature.name, 0, width), tuple(t for t in taps if t), bias)

    def _accumulation(self, phase: Phase) -> Operation | None:
        """A later phase adds taps to a slice of a feature that an earlier one began."""
        begun = [o.out for p in self.phases if p.kind == "row" for o in p.ops if isinstance(o, Affine)]
        if not begun or phase.kind not in ("row", "pixel"):
            return None
        out = self.rng.choice(begun)
        start = self.rng.randrange(out.stop)
        stop = self.rng.randint(start + 1, out.stop)
        tap = self._tap(stop - start, next(f for f in self.features if f.name == out.feature))
        return Affine(Ref(out.feature, start, stop), (tap,), None, accumulate=True) if tap else None

    def _tap(self, width: int, out: Feature) -> Tap | None:
        ref = self._ref(None)
        if ref is None:
            return None
        source = next(f for f in self.features if f.name == ref.feature)
        up = 2 ** (source.level - out.level) if source.level > out.level and self.rng.random() < 0.5 else 1
        shape = (width, ref.width) if up == 1 else (up * up, width, ref.width)
        return Tap(ref, self._weight(*shape), up)

    def _pointwise(self, phase: Phase) -> Operation | None:
        kind = self.rng.choice(KINDS)
        h = self.rng.choice((1, 2, 4))
        if kind == "concat_elu":
            widths, h = (h,), 2 * h
        else:
            widths = tuple(factor * h for factor in INPUT_WIDTHS.get(kind, (1,)))
        ins = [self._ref(width) for width in widths]
        if any(ref is None for ref in ins):
            return None
        outs = [self._new_feature(phase, h)]
        if kind in ("lstm", "spatial_lstm"):
            self.features.append(replace(outs[0], name=f"f{len(self.features)}"))
            outs.append(self.features[-1])
        return Pointwise(kind, tuple(Ref(f.name, 0, h) for f in outs), tuple(r for r in ins if r))  # type: ignore[arg-type]

    def _ref(self, width: int | None) -> Ref | None:
        fitting = [f for f in self.features if f.width >= (width or 1)]
        if not fitting:
            return None
        feature = self.rng.choice(fitting)
        size = width or self.rng.randint(1, feature.width)
        start = self.rng.randint(0, feature.width - size)
        if feature.is_vector:
            return Ref(feature.name, start, start + size)
        rows = (0, -1, 1, -2, 2, 3) if feature.is_given else (0, 0, 0, -1, -1, -2)
        dy, dx = self.rng.choice(rows), self.rng.choice((0, 0, 0, -1, 1, -2, 2))
        return Ref(feature.name, start, start + size, dy, dx)

    def _weight(self, *shape: int) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = 0.6 * torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return name

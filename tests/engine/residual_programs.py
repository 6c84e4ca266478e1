"""Random step programs of wide residual connections, gates and accumulations, which the torch interpreter rewrites."""

import functools
import math
import random
from dataclasses import replace

from models.program import PIXEL, Affine, Feature, Operation, Phase, Pointwise, Program, Ref
from tests.engine.random_programs import RandomProgram

WIDTH = 64  # what gates read fills whole vectors


@functools.cache
def residual_program(seed: int) -> Program:
    """A well-formed program, the same for a seed."""
    return _Residuals(random.Random(seed)).make()


class _Residuals(RandomProgram):
    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.features = [replace(feature, level=0) for feature in self.features]
        self._learned_sides = rng.choice((0, 0, 0, 0.2))  # gates are rewritten only where there are none

    def _extend(self, index: int) -> None:
        for _ in range(30):
            features, phases = list(self.features), list(self.phases)
            make = self.rng.choice((self._residual, self._residual, self._gate, self._gate, self._written_again))
            if all(self._append_if_well_formed(index, op) for op in make(self.phases[index])):
                return
            self.features, self.phases = features, phases

    def make(self) -> Program:
        """Sometimes an operation that comes after all others touches a feature again."""
        for index, phase in enumerate(self.phases):
            for _ in range(1 if phase.kind == "admit" else self.rng.randint(2, 6)):
                self._extend(index)
        for group, head in enumerate(self.heads):
            for ref in head.inputs:
                self._head_input(group, ref)
        last = next(k for k, phase in enumerate(self.phases) if phase.kind == "pixel")
        for op in self._written_again(self.phases[last]):
            self._append_if_well_formed(last, op)
        return self._program(self.features, self.phases, self.parameters)

    def _append_if_well_formed(self, index: int, op: Operation) -> bool:
        is_well_formed = self._is_well_formed(index, op)
        if is_well_formed:
            self._append(index, op)
        return is_well_formed

    def _new_feature(self, phase: Phase, width: int) -> Feature:
        scope = "vector" if phase.kind == "admit" else "map"
        learned = [scope == "map" and self.rng.random() < self._learned_sides for _ in range(3)]
        sides = [self._weight(width) if side else None for side in learned]
        self.features.append(Feature(f"f{len(self.features)}", width, scope, 0, *sides))  # type: ignore[arg-type]
        return self.features[-1]

    def _weight(self, *shape: int) -> str:
        """Of wide maps small ones: numbers that are fed back are to stay where the oracle has digits for them."""
        name = super()._weight(*shape)
        self.parameters[name] /= math.sqrt(shape[-1]) if len(shape) > 1 else 1
        return name

    def _wide(self) -> list[Feature]:
        return [f for f in self.features if f.width == WIDTH]

    def _sum(self, feature: Feature, accumulate: bool = False) -> Affine:
        out = Ref(feature.name, 0, feature.width)
        taps = [tap for _ in range(self.rng.randint(1, 2)) if (tap := self._tap(out.width, feature))]
        has_bias = not accumulate and self.rng.random() < 0.8
        return Affine(out, tuple(taps), self._weight(out.width) if has_bias else None, accumulate)

    def _residual(self, phase: Phase) -> list[Operation]:
        """Something wide that is added to: another such sum, or something of another column."""
        others = self._wide()
        op = self._sum(self._new_feature(phase, WIDTH))
        if not others:
            return [op]
        other = self.rng.choice(others)
        dx = 0 if other.is_vector else self.rng.choice((0, 0, 0, -1))
        return [op, Pointwise("add", (op.out,), (op.out, Ref(other.name, 0, WIDTH, 0, dx)))]

    def _gate(self, phase: Phase) -> list[Operation]:
        others = self._wide()
        if not others or self.rng.random() < 0.3:
            op = self._sum(self._new_feature(phase, WIDTH))
            return [op, self._gate_of(op.out, phase)]
        return [self._gate_of(Ref(self.rng.choice(others).name, 0, WIDTH), phase)]

    def _gate_of(self, source: Ref, phase: Phase) -> Operation:
        out = self._new_feature(phase, WIDTH // 2)
        return Pointwise("gate", (Ref(out.name, 0, out.width),), (source,))

    def _written_again(self, phase: Phase) -> list[Operation]:
        """A feature that an earlier operation wrote: added to, or written anew."""
        written = [f for f in self.features if not f.is_given and f.name != PIXEL]
        if not written:
            return self._gate(phase)
        return [self._sum(self.rng.choice(written), accumulate=self.rng.random() < 0.7)]

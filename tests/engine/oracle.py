"""Step programs read word by word: one number at a time, no caching, no batching, nothing shared with the interpreters.

Whatever has not been computed yet is NaN, so a read that comes too early shows in the result.
"""

import numpy as np

from models.program import PIXEL, Affine, Feature, Operation, Phase, Pointwise, Program, Ref
from tests.engine.oracle_heads import head_log_prob


def log_prob_map(
    program: Program, image: np.ndarray, vector: np.ndarray | None = None, given_map: np.ndarray | None = None
) -> np.ndarray:
    """log p [row, col, channel] (nats, float64) of `image` [row, col, channel]."""
    return Oracle(program, image, vector, given_map).run()


class Oracle:
    def __init__(
        self, program: Program, image: np.ndarray, vector: np.ndarray | None, given_map: np.ndarray | None
    ) -> None:
        self.program, self.image = program, image
        self.features = {f.name: f for f in program.features}
        self.parameters = {name: p.double().numpy() for name, p in program.parameters.items()}
        height, width = image.shape[:2]
        self.values: dict[str, np.ndarray] = {}
        for f in program.features:
            size = () if f.is_vector else (-(-height >> f.level), -(-width >> f.level))
            self.values[f.name] = np.full((*size, f.width), np.nan)
            if f.scope == "given_vector":
                self.values[f.name] = np.asarray(vector, np.float64)
            if f.scope == "given_map":
                self.values[f.name] = np.asarray(given_map, np.float64)

    def run(self) -> np.ndarray:
        height, width = self.image.shape[:2]
        result = np.full(self.image.shape, np.nan)
        for phase in self._phases("admit"):
            for op in phase.ops:
                self._apply(op, 0, 0)
        for r in range(height):
            for phase in self._phases("row", "row_reverse"):
                self._row(phase, r, width)
            for c in range(width):
                self._pixel(r, c, result)
        return result

    def _phases(self, *kinds: str) -> list[Phase]:
        return [p for p in self.program.phases if p.kind in kinds]

    def _row(self, phase: Phase, r: int, width: int) -> None:
        if phase.kind == "row_reverse":
            if r > 0:
                for c in reversed(range(width)):
                    for op in phase.ops:
                        self._apply(op, r - 1, c)
            return
        for op in phase.ops:
            for c in range(width):
                self._apply_where_due(op, r, c)

    def _pixel(self, r: int, c: int, result: np.ndarray) -> None:
        phases = {p.group: p for p in self._phases("pixel")}
        for group in range(len(self.program.heads) + 1):
            for op in phases[group].ops if group in phases else ():
                self._apply_where_due(op, r, c)
            if group < len(self.program.heads):
                head = self.program.heads[group]
                x = self.image[r, c, head.start : head.stop].tolist()
                inputs = [self._read(ref, r, c, 0).tolist() for ref in head.inputs]
                constants = [self.parameters[name].tolist() for name in head.parameters]
                values = head_log_prob(head.kind, self.program.num_levels, inputs, constants, x)
                result[r, c, head.start : head.stop] = values
                self.values[PIXEL][r, c, head.start : head.stop] = x

    def _apply_where_due(self, op: Operation, r: int, c: int) -> None:
        k = self._out_feature(op).level
        if r % 2**k == 0 and c % 2**k == 0:
            self._apply(op, r // 2**k, c // 2**k)

    def _out_feature(self, op: Operation) -> Feature:
        return self.features[(op.out if isinstance(op, Affine) else op.outs[0]).feature]

    def _apply(self, op: Operation, r: int, c: int) -> None:
        level = self._out_feature(op).level
        if isinstance(op, Affine):
            total = np.zeros(op.out.width) if op.bias is None else self.parameters[op.bias].copy()
            for tap in op.taps:
                weight = self.parameters[tap.weight]
                if tap.up > 1:
                    weight = weight[(r % tap.up) * tap.up + c % tap.up]
                total += weight @ self._read(tap.source, r, c, level)
            if op.accumulate:
                total += self._read(op.out, r, c, level)
            self._write(op.out, r, c, total)
            return
        results = _pointwise(op, [self._read(ref, r, c, level) for ref in op.ins])
        for out, value in zip(op.outs, results, strict=True):
            self._write(out, r, c, value)

    def _write(self, out: Ref, r: int, c: int, value: np.ndarray) -> None:
        where = self.values[out.feature]
        (where if self.features[out.feature].is_vector else where[r, c])[out.start : out.stop] = value

    def _read(self, ref: Ref, r: int, c: int, level: int) -> np.ndarray:
        f, values = self.features[ref.feature], self.values[ref.feature]
        if f.is_vector:
            return values[ref.start : ref.stop].copy()
        row = int(np.floor(r * 2.0 ** (level - f.level))) + ref.dy
        col = int(np.floor(c * 2.0 ** (level - f.level))) + ref.dx
        if f.scope == "given_map" and not (0 <= row < values.shape[0] and 0 <= col < values.shape[1]):
            cell = np.zeros(f.width)
        elif row < 0:
            cell = self._boundary(f.top, f.width)
        elif col < 0:
            cell = self._boundary(f.left, f.width)
        elif col >= values.shape[1]:
            cell = self._boundary(f.right, f.width)
        else:
            cell = values[row, col]
        return cell[ref.start : ref.stop].copy()

    def _boundary(self, parameter: str | None, width: int) -> np.ndarray:
        return np.zeros(width) if parameter is None else self.parameters[parameter]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(x))


def _pointwise(op: Pointwise, ins: list[np.ndarray]) -> list[np.ndarray]:
    u = ins[0]
    match op.kind:
        case "gate":
            f, g = np.split(u, 2)
            return [np.tanh(f) * _sigmoid(g)]
        case "glu":
            a, b = np.split(u, 2)
            return [a * _sigmoid(b)]
        case "lstm":
            o, f, i, g = np.split(u, 4)
            c = _sigmoid(f) * ins[1] + _sigmoid(i) * np.tanh(g)
            return [_sigmoid(o) * np.tanh(c), c]
        case "spatial_lstm":
            g, o, i, f_left, f_above = np.split(u, 5)
            c = np.tanh(g) * _sigmoid(i) + ins[1] * _sigmoid(f_left) + ins[2] * _sigmoid(f_above)
            c = np.clip(c, -16, 16)
            return [np.tanh(c * _sigmoid(o)), c]
        case "relu":
            return [np.maximum(u, 0)]
        case "elu":
            return [_elu(u)]
        case "concat_elu":
            return [_elu(np.concatenate((u, -u)))]
        case "tanh":
            return [np.tanh(u)]
        case "sigmoid":
            return [_sigmoid(u)]
        case "add":
            return [np.sum(ins, axis=0)]
        case "multiply":
            return [np.prod(ins, axis=0)]
    raise AssertionError(op.kind)

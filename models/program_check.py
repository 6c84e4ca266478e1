"""What makes a step program well formed: names, widths, and above all that nothing is read before it is computed."""

from collections.abc import Iterator

from models.head_check import check_heads, check_slice
from models.program import (
    PIXEL,
    Affine,
    Feature,
    Operation,
    Phase,
    Pointwise,
    Program,
    ProgramError,
    Ref,
    Tap,
)

_WIDTH_FACTORS = {  # inputs' widths in units of the first output's width
    "gate": (2,),
    "glu": (2,),
    "lstm": (4, 1),
    "spatial_lstm": (5, 1, 1),
    "relu": (1,),
    "elu": (1,),
    "tanh": (1,),
    "sigmoid": (1,),
}
_NUM_OUTS = {"lstm": 2, "spatial_lstm": 2}
_MAX_LEVEL = 16  # rows and columns, of 32 bits, are shifted by it; models go to 4


def check_program(program: Program) -> None:
    """Raise `ProgramError` unless every name, width, order and read of `program` is right."""
    features = {f.name: f for f in program.features}
    if len(features) != len(program.features):
        raise ProgramError("two features have the same name")
    if PIXEL not in features or features[PIXEL].width != program.channels or features[PIXEL].level:
        raise ProgramError(f"feature {PIXEL!r} of width {program.channels} and level 0 is missing")
    _check_boundaries(program)
    _check_phase_order(program)
    check_heads(program, features)
    last_writer = _last_writers(program, features)
    written: set[tuple[str, int]] = {(f.name, i) for f in program.features if f.is_given for i in range(f.width)}
    for phase in program.phases:
        for op in phase.ops:
            _check_operation(program, features, op)
            _check_in_place(phase, op)
            for ref in _reads(op):
                _check_read(features, last_writer, written, phase, op, ref)
            for out in _writes(op):
                _check_write(features, phase, out)
                written |= {(out.feature, i) for i in range(out.start, out.stop)}
        if phase.kind == "pixel" and phase.group < len(program.heads):
            head = program.heads[phase.group]
            for ref in head.inputs:
                _check_read(features, last_writer, written, phase, head, ref)
            written |= {(PIXEL, i) for i in range(head.start, head.stop)}


def _reads(op: Operation) -> Iterator[Ref]:
    if isinstance(op, Pointwise):
        yield from op.ins
        return
    if op.accumulate:
        yield op.out
    yield from (tap.source for tap in op.taps)


def _writes(op: Operation) -> tuple[Ref, ...]:
    return op.outs if isinstance(op, Pointwise) else (op.out,)


def _check_boundaries(program: Program) -> None:
    for feature in program.features:
        if feature.width < 1 or not 0 <= feature.level <= _MAX_LEVEL:
            raise ProgramError(f"{feature.name!r} needs a channel or more, and a level of 0 to {_MAX_LEVEL}")
        if feature.is_vector and feature.level:
            raise ProgramError(f"{feature.name!r}: only maps have levels")
        if feature.is_given and (feature.top or feature.left or feature.right):
            raise ProgramError(f"{feature.name!r} is given: it is zero outside the image")
        for name in (feature.top, feature.left, feature.right):
            if name is not None and tuple(program.parameters[name].shape) != (feature.width,):
                raise ProgramError(f"boundary {name!r} of {feature.name!r} must have shape ({feature.width},)")
    if len({f.level for f in program.features if f.scope == "given_map"}) > 1:
        raise ProgramError("all given maps must have one level")


def _check_phase_order(program: Program) -> None:
    order = {"admit": 0, "row": 1, "row_reverse": 1, "pixel": 2}
    ranks = [order[p.kind] for p in program.phases]
    if ranks != sorted(ranks) or ranks.count(0) > 1:
        raise ProgramError("phases must come as admit (at most once), rows, pixels")
    groups = [p.group for p in program.phases if p.kind == "pixel"]
    if groups != sorted(set(groups)) or any(g > len(program.heads) for g in groups):
        raise ProgramError("pixel phases must be in order of their group, one each, at most one more than heads")
    if set(range(len(program.heads))) - set(groups):
        raise ProgramError("every head needs a pixel phase of its group")


def _last_writers(program: Program, features: dict[str, Feature]) -> dict[str, Phase]:
    last: dict[str, Phase] = {PIXEL: Phase("pixel", (), len(program.heads))}
    for phase in program.phases:
        for op in phase.ops:
            for out in _writes(op):
                if out.feature not in features:
                    raise ProgramError(f"unknown feature {out.feature!r}")
                last[out.feature] = phase
    return last


def _check_operation(program: Program, features: dict[str, Feature], op: Operation) -> None:
    for ref in (*_reads(op), *_writes(op)):
        check_slice(features, ref)
    levels = {features[out.feature].level for out in _writes(op)}
    if len(levels) != 1:
        raise ProgramError("the outputs of one operation must share a level")
    if isinstance(op, Pointwise):
        _check_pointwise(features, op)
    else:
        _check_affine(program, features, op)


def _check_in_place(phase: Phase, op: Operation) -> None:
    """An operation reads what it writes in place only: its order over the columns of a row must not matter."""
    for ref in _reads(op):
        for out in _writes(op):
            if ref.feature != out.feature or ref.dy:
                continue
            if ref.dx and phase.kind == "row":
                raise ProgramError(f"{ref.feature!r} is read beside itself by the row operation that writes it")
            overlaps = ref.start < out.stop and out.start < ref.stop
            if not ref.dx and overlaps and (ref.start, ref.stop) != (out.start, out.stop):
                raise ProgramError(f"{ref.feature!r} is read and written in channels that overlap")


def _check_affine(program: Program, features: dict[str, Feature], op: Affine) -> None:
    out = op.out.width
    for tap in op.taps:
        shape = tuple(program.parameters[tap.weight].shape)
        expected = (out, tap.source.width) if tap.up == 1 else (tap.up**2, out, tap.source.width)
        if shape != expected:
            raise ProgramError(f"weight {tap.weight!r} has shape {shape}, not {expected}")
        _check_up(features, op, tap)
    if op.bias is not None and tuple(program.parameters[op.bias].shape) != (out,):
        raise ProgramError(f"bias {op.bias!r} must have shape ({out},)")


def _check_up(features: dict[str, Feature], op: Affine, tap: Tap) -> None:
    source, out = features[tap.source.feature], features[op.out.feature]
    if tap.up != 1 and tap.up != 2 ** (source.level - out.level):
        raise ProgramError(f"an up-tap of stride {tap.up} needs a source that much coarser: {tap.source.feature!r}")


def _check_pointwise(features: dict[str, Feature], op: Pointwise) -> None:
    h = op.outs[0].width
    if len(op.outs) != _NUM_OUTS.get(op.kind, 1) or any(o.width != h for o in op.outs):
        raise ProgramError(f"{op.kind} writes {_NUM_OUTS.get(op.kind, 1)} outputs of one width")
    widths = [ref.width for ref in op.ins]
    if op.kind in ("add", "multiply"):
        ok = len(widths) >= 2 and all(w == h for w in widths)
    elif op.kind == "concat_elu":
        ok = len(widths) == 1 and 2 * widths[0] == h
    else:
        ok = widths == [factor * h for factor in _WIDTH_FACTORS[op.kind]]
    if not ok:
        raise ProgramError(f"{op.kind} cannot make width {h} of widths {widths}")
    level = features[op.outs[0].feature].level
    if any(not features[r.feature].is_vector and features[r.feature].level != level for r in op.ins):
        raise ProgramError(f"{op.kind} must stay on one level")


def _check_write(features: dict[str, Feature], phase: Phase, out: Ref) -> None:
    feature = features[out.feature]
    if feature.is_given or out.feature == PIXEL:
        raise ProgramError(f"{out.feature!r} is given, not computed")
    if feature.is_vector != (phase.kind == "admit"):
        raise ProgramError(f"{out.feature!r}: vectors, and only they, are written in the admit phase")
    if (out.dy, out.dx) != (0, 0):
        raise ProgramError(f"{out.feature!r} is written away from the current position")
    if phase.kind == "row_reverse" and feature.level:
        raise ProgramError("row_reverse works at level 0")


def _check_read(
    features: dict[str, Feature],
    last_writer: dict[str, Phase],
    written: set[tuple[str, int]],
    phase: Phase,
    reader: object,
    ref: Ref,
) -> None:
    """What may be read: see the module docstring. At the current position an earlier partial sum is enough."""
    feature = features[ref.feature]
    if feature.is_vector:
        if ref.dy or ref.dx:
            raise ProgramError(f"{ref.feature!r} is a vector: read it without offset")
        if not all((ref.feature, i) in written for i in range(ref.start, ref.stop)):
            raise ProgramError(f"{ref.feature!r} is read by {reader} before it is written")
        return
    if feature.scope == "given_map":
        if phase.kind == "admit" or (phase.kind == "row_reverse" and feature.level):
            raise ProgramError(f"{ref.feature!r} is a map: not readable in the {phase.kind} phase")
        return
    if ref.feature not in last_writer:
        raise ProgramError(f"{ref.feature!r} is never written")
    if not _readable(feature, last_writer[ref.feature], written, phase, ref):
        raise ProgramError(f"{ref.feature!r} at (dy={ref.dy}, dx={ref.dx}) is read by {reader} before it is computed")


def _readable(feature: Feature, writer: Phase, written: set[tuple[str, int]], phase: Phase, ref: Ref) -> bool:
    here = all((ref.feature, i) in written for i in range(ref.start, ref.stop))
    if phase.kind == "admit" or (phase.kind == "row_reverse" and feature.level):
        return False
    if phase.kind == "row_reverse":  # positions count from row r - 1, which is finished but for this scan
        if writer.kind == "row_reverse":
            return ref.dy < 0 or (ref.dy == 0 and (ref.dx > 0 or (ref.dx == 0 and here)))
        return ref.dy <= 0
    if writer.kind == "row_reverse":
        return ref.dy < 0 and here
    if writer.kind == "row":
        return ref.dy < 0 or (ref.dy == 0 and here)
    if ref.dy < 0:
        return True
    if phase.kind == "row":  # a partial sum of a pixel feature, at its own position only
        return (ref.dy, ref.dx) == (0, 0) and here and ref.feature != PIXEL
    return ref.dy == 0 and (ref.dx < 0 or (ref.dx == 0 and here))

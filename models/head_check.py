"""What makes the heads of a step program well formed: they cover the pixel, and each has what it takes."""

from collections.abc import Mapping

from torch import Tensor

from models.program import Feature, Head, Program, ProgramError, Ref

MAX_LEVELS = 256
_DENSITIES = ("mcgsm",)


def check_heads(program: Program, features: dict[str, Feature]) -> None:
    """Raise `ProgramError` unless the heads of `program` draw every channel in order and are complete."""
    if program.num_levels != 0 and not 2 <= program.num_levels <= MAX_LEVELS:
        raise ProgramError(f"num_levels must be 2..{MAX_LEVELS}, or 0 for a density, not {program.num_levels}")
    channel = 0
    for head in program.heads:
        if head.start != channel or head.stop <= head.start:
            raise ProgramError("heads must cover the channels in order")
        channel = head.stop
        if (head.kind in _DENSITIES) != program.is_density:
            raise ProgramError(f"head {head.kind} does not draw {'floats' if program.is_density else 'levels'}")
        for ref in head.inputs:
            _check_input(features, ref)
        _check_kind(head, program)
    if channel != program.channels:
        raise ProgramError("heads must cover every channel")


def check_slice(features: dict[str, Feature], ref: Ref) -> None:
    """Raise `ProgramError` unless `ref` names channels of a feature that there is."""
    if ref.feature not in features:
        raise ProgramError(f"unknown feature {ref.feature!r}")
    if not 0 <= ref.start < ref.stop <= features[ref.feature].width:
        raise ProgramError(f"channels {ref.start}:{ref.stop} are outside feature {ref.feature!r}")


def _check_input(features: dict[str, Feature], ref: Ref) -> None:
    check_slice(features, ref)
    if (ref.dy, ref.dx) != (0, 0) or features[ref.feature].level or features[ref.feature].is_vector:
        raise ProgramError("a head reads maps of level 0 at the current position")


def _check_kind(head: Head, program: Program) -> None:
    widths = [ref.width for ref in head.inputs]
    num_channels = head.stop - head.start
    if head.kind == "logistic_mixture":
        unit = {1: 3, 3: 10}.get(num_channels)
        if unit is None or len(widths) != 1 or widths[0] % unit:
            raise ProgramError("head logistic_mixture needs one input: 3K wide for 1 channel, 10K wide for 3")
    elif num_channels != 1:
        raise ProgramError(f"head {head.kind} draws one channel")
    elif head.kind == "mcgsm":
        _check_mcgsm(head, widths, program.parameters)
    elif widths != [1 if head.kind == "bernoulli" else program.num_levels]:
        raise ProgramError(f"head {head.kind} cannot take inputs of widths {widths}")
    if head.kind == "bernoulli" and program.num_levels != 2:
        raise ProgramError("head bernoulli draws two levels")
    if head.kind != "mcgsm" and head.parameters:
        raise ProgramError(f"head {head.kind} has no parameters")


def _check_mcgsm(head: Head, widths: list[int], parameters: Mapping[str, Tensor]) -> None:
    if len(widths) != 2 or widths[1] != 2:
        raise ProgramError("head mcgsm needs two inputs: the features, and the whitening of width 2")
    if len(head.parameters) not in (7, 8):
        raise ProgramError(f"head mcgsm needs 7 parameters, or 8 with limits, not {len(head.parameters)}")
    shapes: list[tuple[int, ...]] = [tuple(parameters[name].shape) for name in head.parameters]
    if any(len(shapes[k]) != 2 for k in (0, 3)):
        raise ProgramError("the priors and the features of head mcgsm are matrices")
    (components, scales), (features, _) = shapes[0], shapes[3]
    size = widths[0]
    expected = [
        (components, scales), (components, scales), (components, features), (features, size),
        (components, size), (components, size), (components,), (2,),
    ][: len(head.parameters)]  # fmt: skip
    if shapes != expected or components * scales == 0:
        raise ProgramError(f"the parameters of head mcgsm have the shapes {shapes}, not {expected}")

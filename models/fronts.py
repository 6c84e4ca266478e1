"""Which pixels of a step program are independent of each other: fronts, also called wavefronts.

With slope s, all pixels with equal s * row + column are one front. They may be drawn together if each of them reads
earlier fronts only: a tap at (dy, dx) reads the front s * dy + dx further, which must be negative. So s > dx / -dy for
every tap above, and an image has W + s (H - 1) fronts in place of H W pixels.
"""

from collections.abc import Iterator

from models.program import Affine, Program, Ref


def front_slope(program: Program) -> int | None:
    """The least slope whose fronts may be drawn together; None where a row depends on whole rows.

    That is where row phases compute something, or features have levels. A row that is narrower than the slope is
    finished before the next one begins: min(slope, width) serves images of that width.
    """
    if program.max_level or any(phase.ops for phase in program.phases if phase.kind in ("row", "row_reverse")):
        return None
    return max((1, *(ref.dx // -ref.dy + 1 for ref in reads_of_pixels(program) if ref.dy < 0)))


def reads_of_pixels(program: Program) -> Iterator[Ref]:
    """What the operations of the pixel phases read of features that are computed or drawn."""
    computed = {feature.name for feature in program.features if feature.scope == "map"}
    for phase in program.phases:
        if phase.kind == "pixel":
            for op in phase.ops:
                refs = (tap.source for tap in op.taps) if isinstance(op, Affine) else op.ins
                yield from (ref for ref in refs if ref.feature in computed)

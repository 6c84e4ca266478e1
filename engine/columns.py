"""What pixel phases find in the same place at every column, because it is copied there when a column begins.

Views of its own for each column cost a pixel more: thousands of objects, each used once a row, go through the caches.
- Handed: features that row phases fill and all phases use at their own place alone. Those of one width lie together,
  and one copy hands over a column of all of them.
- Pairs: features that only pixel phases know, read at their own column and the one before. Both lie side by side, and
  one copy moves what was the own column before.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor

from engine.cells import refs_of
from engine.scratch import Run
from models.program import PIXEL, Feature, Program, Ref


class Columns:
    """Buffers of the handed features and the pairs of `program`, for `num_slots` images of one width.

    `boundary`: what is read outside the image, [width of a feature], of the name of a parameter or None.
    """

    def __init__(
        self,
        program: Program,
        width: int,
        num_slots: int,
        device: str,
        dtype: torch.dtype,
        boundary: Callable[[str | None, int], Tensor],
    ) -> None:
        self.rows: dict[str, Tensor] = {}
        """[column, slot, width] of each handed feature."""
        self._handed: dict[str, Tensor] = {}
        self._handing: list[tuple[Tensor, Tensor]] = []
        for size, features in _by_width(program, handed_features(program)).items():
            rows = torch.zeros(len(features), width, num_slots, size, device=device, dtype=dtype)
            present = torch.zeros(len(features), num_slots, size, device=device, dtype=dtype)
            names = [f.name for f in features]
            self.rows |= dict(zip(names, rows, strict=True))
            self._handed |= dict(zip(names, present, strict=True))
            self._handing.append((present, rows.transpose(0, 1)))
        self._pairs: dict[str, Tensor] = {}
        self._moves: list[tuple[Tensor, Tensor, Tensor]] = []
        for size, features in _by_width(program, pair_features(program)).items():
            pairs = torch.zeros(num_slots, len(features), 2, size, device=device, dtype=dtype)
            self._pairs |= {f.name: pairs[:, k].flatten(1) for k, f in enumerate(features)}
            outside = torch.stack([boundary(f.left, size) for f in features])
            self._moves.append((pairs[:, :, 0], pairs[:, :, 1], outside.expand(num_slots, -1, -1)))

    def has(self, name: str) -> bool:
        """Whether it is a handed feature or a pair."""
        return name in self._handed or name in self._pairs

    def view(self, ref: Ref) -> Tensor:
        """[slot, width] of a reference of a pixel phase to one of these features."""
        if ref.feature in self._handed:
            return self._handed[ref.feature][:, ref.start : ref.stop]
        pair = self._pairs[ref.feature]
        start = pair.shape[1] // 2 * (1 + ref.dx)
        return pair[:, start + ref.start : start + ref.stop]

    def begin(self, column: int) -> list[Run]:
        """The calls with which a column begins."""
        calls: list[Run] = [partial(present.copy_, rows[column]) for present, rows in self._handing]
        return calls + [partial(left.copy_, own if column else outside) for left, own, outside in self._moves]

    def buffers(self) -> list[Tensor]:
        """All there is beside `rows`."""
        return [*(present for present, _ in self._handing), *self._pairs.values()]


def _by_width(program: Program, names: Iterable[str]) -> dict[int, list[Feature]]:
    groups: dict[int, list[Feature]] = {}
    for name in names:
        groups.setdefault(program.feature(name).width, []).append(program.feature(name))
    return groups


def handed_features(program: Program) -> list[str]:
    """Names of the features that row phases fill for pixel phases."""
    return [name for name, uses in _uses(program).items() if uses == _HANDED]


def pair_features(program: Program) -> list[str]:
    """Names of the features that pixel phases write, and read there and one column further right."""
    return [name for name, uses in _uses(program).items() if uses == _PAIR]


_HANDED = {("row", 0, 0), ("pixel", 0, 0)}
_PAIR = {("pixel", 0, 0), ("pixel", 0, -1)}


def _uses(program: Program) -> dict[str, set[tuple[str, int, int]]]:
    """Of every feature that operations make: kind of phase, dy and dx, where it is written and read. Of none where
    there are coarser levels: not every column begins one of theirs."""
    features = [] if program.max_level else program.features
    uses: dict[str, set[tuple[str, int, int]]] = {
        f.name: set() for f in features if f.scope == "map" and f.name != PIXEL
    }
    for phase in program.phases:
        for ref in (ref for op in phase.ops for ref in refs_of(op) if ref.feature in uses):
            uses[ref.feature].add((phase.kind, ref.dy, ref.dx))
    return uses

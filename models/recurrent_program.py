"""What the step programs of Row LSTM and Diagonal BiLSTM share: states, gates, and what a layer adds."""

from typing import TYPE_CHECKING, cast

from torch import Tensor

from models.masked import GroupedLinear
from models.pixel_rnn_program import PixelRNNBuilder
from models.program import Affine, Feature, Operation, Pointwise, Program, Ref, Tap

if TYPE_CHECKING:
    from models.context_map import ContextMap
    from models.recurrent import RecurrentLayer, RecurrentPixelRNN


class RecurrentBuilder(PixelRNNBuilder):
    """Gates are stored group by group, (o, f, i, g) each, so that a group's cell reads one slice."""

    def __init__(self, model: "RecurrentPixelRNN", context_map: "ContextMap | None" = None) -> None:
        super().__init__(model, context_map)
        self.model = model
        self.skips: list[tuple[str, GroupedLinear]] = []

    def by_group(self, gates: Tensor) -> Tensor:
        """Rows [4h, ...] in the order gate, group -> the order group, gate."""
        return gates.reshape(4, self.groups, -1, *gates.shape[1:]).transpose(0, 1).flatten(0, 2)

    def state(self, name: str, initial: Tensor, top: bool = False, left: bool = False, right: bool = False) -> None:
        """New feature whose value outside the image is `initial` on the given sides."""
        boundary = self.put(f"{name}.initial", initial)
        sides = (boundary if side else None for side in (top, left, right))
        self.features.append(Feature(name, len(initial), "map", 0, *sides))

    def gates(self, name: str, taps: tuple[Tap, ...], bias: Tensor, condition: Tensor | None) -> None:
        """New feature [4h]: what the row phase knows of the gates; `bias`, `condition` in the order gate, group."""
        self.features.append(Feature(name, len(bias)))
        self.row.append(Affine(Ref(name, 0, len(bias)), taps, self.put(f"{name}.bias", self.by_group(bias))))
        if condition is not None:
            self.condition(name, f"{name}.context", self.by_group(condition), self.row)

    def cell(self, ops: list[Operation], gates: Ref, h: Ref, c: Ref, dy: int = 0, dx: int = 0) -> None:
        """h, c = lstm(gates, c at an offset)."""
        ops.append(Pointwise("lstm", (h, c), (gates, Ref(c.feature, c.start, c.stop, dy, dx))))

    def outputs(self, index: int, hidden: str) -> None:
        """x{index+1} from the states, and their skip connection."""
        layer = cast("RecurrentLayer", self.model.layers[index])
        self.conv1x1(f"x{index + 1}", hidden, layer.up, plus=f"x{index}" if self.model.residual else None)
        if layer.skip is not None:
            self.skips.append((hidden, layer.skip))

    def close(self) -> Program:
        """The finished program."""
        maps = f"x{len(self.model.layers)}"
        for index, (hidden, skip) in enumerate(self.skips):
            self.conv1x1(f"skip{index}", hidden, skip, plus=maps)
            maps = f"skip{index}"
        return self.finish(self.model, maps)

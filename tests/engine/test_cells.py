"""Where the torch interpreter keeps what no other column reads."""

import torch

from engine.cells import cell_buffers, side_by_side, windows
from engine.torch_rows import Rows
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Program, Ref

SLOTS, WIDTH, LAYERS = 4, 8, 3


def program() -> Program:
    return GatedPixelCNN(1, 2, WIDTH, [1] * (LAYERS - 1), head_width=WIDTH).eval().program()


def buffers() -> dict[str, torch.Tensor]:
    return cell_buffers(program(), SLOTS, "cpu", torch.float32)


def test_what_is_read_only_where_it_was_written_has_one_cell() -> None:
    found = buffers()
    assert {"g0", "skip", "hidden", "logits"} <= found.keys()
    # Read one column further right, in the next row, or filled by the row phase for all columns.
    assert not {"h0", "v0", "w0", "pixel", "code"} & found.keys()
    assert all(buffer.shape == (1, 1, SLOTS, buffer.shape[-1]) for buffer in found.values())


def test_what_one_affine_map_reads_together_lies_together() -> None:
    found = buffers()
    gates = [found[f"g{layer}"][0, 0] for layer in range(LAYERS)]
    for layer, gate in enumerate(gates):
        gate.copy_(torch.randn(SLOTS, WIDTH) + layer)
    joined = side_by_side(gates)
    assert joined is not None and torch.equal(joined, torch.cat(gates, 1))
    assert side_by_side(gates[::-1]) is None and side_by_side([gates[0], found["skip"][0, 0]]) is None
    assert side_by_side([gates[0], gates[0]]) is None


def test_what_one_affine_map_reads_at_several_columns_lies_together() -> None:
    assert windows(program()) == {"code", "h0", "h1"}  # the last layer has no h
    rows = Rows(program(), 5, SLOTS, "cpu", torch.float32)
    pair = [rows.view(Ref("h1", 0, WIDTH, 0, dx), 2, 0) for dx in (-1, 0)]
    for part in pair:
        part.copy_(torch.randn(SLOTS, WIDTH))
    joined = side_by_side(pair)
    assert joined is not None and torch.equal(joined, torch.cat(pair, 1))

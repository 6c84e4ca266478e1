"""What bfloat16 changes."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.divergence import divergence
from benchmarks.nets import SIZE, gated_pixelcnn
from benchmarks.table import Findings, Table
from engine.native.library import NativeError
from models.bundle import load_bundle

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
TRAINED = ("gated-pixelcnn-mnist-binary", "gated-pixelcnn-mnist")
NUM_IMAGES = 64


def rounding(_: Sequence[int], __: int) -> Findings:
    """Of a random net and of trained ones."""
    programs = {"random net": gated_pixelcnn().program()}
    programs |= {name: load_bundle(CHECKPOINTS / name).model.program() for name in TRAINED}
    try:
        found = {name: divergence(program, NUM_IMAGES, SIZE) for name, program in programs.items()}
    except NativeError as reason:
        return Findings([Table("KL of bfloat16 from float32", ("not measured",), [(str(reason),)])])
    rows = [
        (name, f"{d.mean:.4f} ± {d.error:.4f}", f"{d.entropy:.1f}", f"{d.mean / d.entropy:.1e}")
        for name, d in found.items()
    ]
    header = ("net", "KL(fp32 to bf16), nats an image", "-log p, nats an image", "ratio")
    notes = f"Mean of log p - log q over {NUM_IMAGES} images that the float32 net drew, with its standard error."
    return Findings([Table("What bfloat16 costs in likelihood", header, rows, notes)])

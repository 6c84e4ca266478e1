"""The vocabulary of step programs: p(x_i | x_<i, context) written down as data, one pixel at a time.

A program is a list of *features* (numbers attached to every position of the image) and a list of *phases* (operations
that compute them). An interpreter walks the image in raster order; at position (r, c) it runs

    admit        once, before the first pixel: vectors that depend on the context alone;
    row          at the start of row r, all columns at once: reads finished rows (dy < 0) and other row features;
    row_reverse  at the start of row r, over the columns of row r - 1 from right to left (second half of a Diagonal
                 BiLSTM): the features it writes are read at dy <= -1;
    pixel(g)     before channel group g of pixel (r, c) is drawn by head g; pixel(G) after the last head has drawn.

The feature called `pixel` holds the drawn values themselves (levels 0..num_levels-1 as floats, or a density's value);
the heads write it. Coding an input pixel and whitening it are affine maps of `pixel`.

Every read is checked when a program is built: nothing can be read before it is computed, so **a program that builds is
causal**. A given map, an image that the drawing is conditioned on, is known from the beginning: it is read at any
offset, and is zero outside. `Program` raises `ProgramError` with the operation's name otherwise.

Levels: a feature of level k lives on the grid of ceil(H / 2^k) x ceil(W / 2^k); it is computed when row and column are
multiples of 2^k and held otherwise. Offsets count in the units of the feature that is read: from position (r, c) of
level j one reads position (r * 2^(j-k) + dy, c * 2^(j-k) + dx) of level k, rounded down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

PIXEL = "pixel"
# Two forget gates may sum to more than one, and then a cell grows with every pixel until it overflows: in float32, on
# trained weights, in images of 160 pixels. At this bound tanh(c * sig(o)) is one for any gate that is not nearly shut.
CELL_LIMIT = 16.0

PointwiseKind = Literal[
    "gate", "glu", "lstm", "spatial_lstm", "relu", "elu", "concat_elu", "tanh", "sigmoid", "add", "multiply"
]
PhaseKind = Literal["admit", "row", "row_reverse", "pixel"]
HeadKind = Literal["bernoulli", "categorical", "logistic_mixture", "mcgsm"]
FeatureScope = Literal["map", "vector", "given_map", "given_vector"]


class ProgramError(ValueError):
    """The program is not well formed: a width, a name, or a read of something not yet computed."""


@dataclass(frozen=True, slots=True)
class Feature:
    """`width` numbers at every position (`map`) or once an image (`vector`).

    `given_*` features come with the request: its context; all given maps have one level. `top`, `left` and `right` name
    the parameter vectors that are read above row 0, left of column 0 and right of the last column; None is zero. Above
    the image `top` wins.
    """

    name: str
    width: int
    scope: FeatureScope = "map"
    level: int = 0
    top: str | None = None
    left: str | None = None
    right: str | None = None

    @property
    def is_vector(self) -> bool:
        return self.scope in ("vector", "given_vector")

    @property
    def is_given(self) -> bool:
        return self.scope in ("given_vector", "given_map")


@dataclass(frozen=True, slots=True)
class Ref:
    """Channels `start` to `stop` of a feature, read at an offset (dy, dx) or written at the current position."""

    feature: str
    start: int
    stop: int
    dy: int = 0
    dx: int = 0

    @property
    def width(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Tap:
    """One term W . in[r + dy, c + dx] of an affine map.

    `weight` names a parameter [out, in], or for `up` = s > 1 a parameter [s * s, out, in] from which the position
    picks entry (r mod s) * s + (c mod s): a transposed convolution of stride s.
    """

    source: Ref
    weight: str
    up: int = 1


@dataclass(frozen=True, slots=True)
class Affine:
    """out = bias + sum over taps; with `accumulate`, out += the same.

    Accumulation lets one masked convolution span phases: taps on finished rows in the row phase, the rest per pixel.
    """

    out: Ref
    taps: tuple[Tap, ...]
    bias: str | None = None
    accumulate: bool = False


@dataclass(frozen=True, slots=True)
class Pointwise:
    """A function of each position by itself, reading its inputs at offsets. h = width of the first output.

    gate          u [2h] = (f, g)             -> tanh(f) * sigmoid(g)
    glu           u [2h] = (a, b)             -> a * sigmoid(b)
    lstm          u [4h] = (o, f, i, g), c    -> h = sig(o) * tanh(c'), c' = sig(f) * c + sig(i) * tanh(g)
    spatial_lstm  u [5h] = (g, o, i, fr, fc), c_left, c_above
                                              -> h = tanh(c' * sig(o)),
                                                 c' = tanh(g) * sig(i) + c_left * sig(fr) + c_above * sig(fc),
                                                 clipped to +- CELL_LIMIT
    concat_elu    a [h/2]                     -> elu(a), elu(-a)
    relu, elu, tanh, sigmoid: one input;  add, multiply: two or more.
    """

    kind: PointwiseKind
    outs: tuple[Ref, ...]
    ins: tuple[Ref, ...]


Operation = Affine | Pointwise


@dataclass(frozen=True, slots=True)
class Phase:
    """Operations run together; `group` counts the channel groups of a pixel phase."""

    kind: PhaseKind
    ops: tuple[Operation, ...]
    group: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """Draws channels [`start`, `stop`) of the pixel from the distribution `kind`, one after the other.

    `inputs` are what the distribution depends on, read at the current position: maps of level 0, no offset;
    `parameters` names its constant weights. Formulas: the functions of the same names in `models.heads`.

    bernoulli         1 channel; input [1]: the logit of level 1.
    categorical       1 channel; input [num_levels]: logits.
    logistic_mixture  1 channel; input [3K]: K logits, K means, K log-scales;
                      3 channels; input [10K]: K logits, then for each of R, G, B: K means, K log-scales, K
                      coefficients (of R: G on R; of G: B on R; of B: B on G). Means are on the scale
                      x = 2 level / (num_levels - 1) - 1; log-scales below -7 count as -7; coefficients pass a tanh.
    mcgsm             1 channel of a density; inputs h [D] and [2] = (m, q), which undo the whitening: pixel =
                      m + e^q y, y given h being a mixture of C components with S scales each. Parameters, in this
                      order: priors eta [C, S], scales alpha [C, S], weights beta [C, N], features b [N, D],
                      linear_features w [C, D], predictors A [C, D], cholesky_factors L [C]; and where there is an
                      eighth, limits [2]: what is drawn is clipped to them, which is not the density's doing.

    Levels are drawn by inverting the cumulative distribution at one uniform number a channel, its levels in order; of
    p^(1/T) renormalised, at temperature T (a channel's own: the mixture's posterior weights stay those of T = 1). A
    density takes two numbers: at the first its component (c, s), in the order c S + s; at the second the Gaussian's
    quantile. The value drawn is rounded to float32 before anything reads it, log p among them.
    """

    kind: HeadKind
    inputs: tuple[Ref, ...]
    start: int
    stop: int
    parameters: tuple[str, ...] = ()

    @property
    def is_clipped(self) -> bool:
        """What is drawn does not follow the density."""
        return self.kind == "mcgsm" and len(self.parameters) == 8


@dataclass(frozen=True, slots=True)
class Program:
    """A step program. `parameters` maps names to tensors: weights [out, in], biases and boundaries [width].

    `channels` and `num_levels` describe the pixel: levels 0..num_levels-1, at most 256, or for num_levels = 0 a
    density, whose pixels are float32 numbers. Heads are in channel order, one for each channel group; phase pixel(g)
    runs before head g draws.
    """

    channels: int
    num_levels: int
    features: tuple[Feature, ...]
    phases: tuple[Phase, ...]
    heads: tuple[Head, ...]
    parameters: Mapping[str, Tensor] = field(repr=False)

    def __post_init__(self) -> None:
        from models.program_check import check_program

        check_program(self)

    def feature(self, name: str) -> Feature:
        """The feature called `name`; KeyError if there is none."""
        return next(f for f in self.features if f.name == name)

    @property
    def is_density(self) -> bool:
        """Pixels are real numbers and log_prob is that of a density."""
        return self.num_levels == 0

    @property
    def max_level(self) -> int:
        return max(f.level for f in self.features)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step program of a chain, which draws an image of every 2^level-th row and column of the whole.

    A stage after the first is given, as its map, what the stage before it has drawn: of each channel of a pixel the
    numbers of row `level` of `told`, float32 [num_levels, number].
    """

    program: Program
    level: int = 0
    told: Tensor | None = None

"""What crosses between the HTTP process and the workers: requests, cards, reports, and how to reach the broker.

Standard library only. Everything is a frozen dataclass with one JSON form (`encode`, `decode`); the Celery message
itself carries a job's id and nothing else. Uploaded pixels travel beside the request as raw levels (bytes 0..255 for a
density): uint8, height * width * channels bytes an image, row-major, channel last. A mask is height * width bytes,
1 = known, 0 = to be drawn.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

PROTOCOL_VERSION = 1
"""To be raised with any change of a document, or of a job's hash, that an older version would misread. What another
version wrote is not read: its jobs are told from ours by `errors.ForeignJob`, its workers are not seen."""

TASK_DRAW = "scanline.run_job"
PRIORITY_NEW = 3
"""Priority of a new job's message. A job that was already begun is sent again with `PRIORITY_RESUMED`, ahead of it."""
PRIORITY_RESUMED = 0

BROKER_PREFIX = "scanline:broker:"
BROKER_OPTIONS: dict[str, Any] = {
    "global_keyprefix": BROKER_PREFIX,
    "sep": ":",
    "priority_steps": [PRIORITY_RESUMED, PRIORITY_NEW],
    # Bundles take turns; "priority" would always look at the first bundle's queue first.
    "queue_order_strategy": "round_robin",
    "visibility_timeout": 3600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "health_check_interval": 25,
}
"""Celery's `broker_transport_options`: both processes must agree on the names of the broker's keys."""

Kind = Literal["sample", "completion", "score"]
Precision = Literal["float32", "bfloat16"]
State = Literal["queued", "running", "succeeded", "failed", "canceled"]
STATES: tuple[State, ...] = ("queued", "running", "succeeded", "failed", "canceled")
TERMINAL_STATES: frozenset[State] = frozenset({"succeeded", "failed", "canceled"})

ErrorCode = Literal["worker_lost", "model_unavailable", "model_changed", "engine_failed", "internal"]

UNITS = {"exact": "nats", "bound": "nats", "density": "bit/px of a density"}
"""The unit of a likelihood by its kind. A density is log2 p a pixel for pixels scaled to [0, 1), higher is better: it
may not stand beside the nats and bits/dim of a model of levels."""

MAX_MAP_NUMBERS = 1 << 22
"""How many numbers a model may be told of one image by a map: every slot, and every job in hand, holds them as float32,
16 MiB. A megapixel of colour fits; of 256 labels, each of which is a number of every place, 128x128 places do."""

T = TypeVar("T", bound="JobRequest | Card | WorkerReport")


class ProtocolError(ValueError):
    """A document that this version does not understand."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One job, validated and resolved: everything that a worker needs besides the uploaded pixels.

    Attributes:
        model, sha256: the bundle and the hash of its weights that this job is pinned to.
        num_levels: 0 for a density, whose drawn pixels are float32 numbers; its uploads are bytes all the same.
        n: number of samples or completions; for a score the number of images.
        seed: 0 .. 2**64 - 1. Sample k is the same image whatever n is.
        condition: {"class": index}, {"tags": [names]}, {"embedding": [numbers]}, {"image": facts} or {"map": facts},
            whose `upload` is the place of its levels among the uploads, {"each": True} (scores: every class in turn),
            or None. A map has ceil(height / 2^level) x ceil(width / 2^level) places of the card's channels. Samples:
            {"interpolate": {"from": condition, "to": condition, "steps": n}}, a step an image.
        precision: of weights and inputs while images are drawn; scores are float32 always.
        per_pixel: a score also keeps its map, float32 nats [height, width, channels].
        draws: scores of a density: how often the bytes of each image are dequantised, by noise of `seed`.
        coarse_level: of a chain of stages, which draws every 2^coarse_level-th row and column first; 0 of other models.
        margin: samples: rows above and columns at either side that are drawn too, and cut off what is shown.
        clip: of a density: [low, high], to which pixels are clipped as they are drawn, by no will of the model.
        known_rows: completions by rows: how many rows from the top are kept.
        sweeps: completions: sweeps of posterior sampling over the hole after the ancestral draw; 0 for none. `n` counts
            the Markov chains then.
        has_mask: completions by mask: a mask blob travels with the job.
        upload: facts about the uploaded file (fit, levels, original size and format, sha256), for the receipt.
        client: facts that the caller asked to find again in the receipt.
    """

    kind: Kind
    model: str
    sha256: str
    height: int
    width: int
    channels: int
    num_levels: int
    n: int = 1
    seed: int = 0
    temperature: float = 1.0
    condition: dict[str, Any] | None = None
    precision: Precision = "float32"
    per_pixel: bool = False
    draws: int = 1
    coarse_level: int = 0
    margin: int = 0
    clip: list[float] | None = None
    known_rows: int | None = None
    has_mask: bool = False
    sweeps: int = 0
    upload: dict[str, Any] | None = None
    client: dict[str, Any] | None = None

    @property
    def is_density(self) -> bool:
        return self.num_levels == 0

    @property
    def is_path(self) -> bool:
        """The images step from one condition to another, and nothing but the condition differs between them."""
        return "interpolate" in (self.condition or {})

    def sample_of(self, k: int) -> int:
        """Whose random numbers image k is drawn with."""
        return 0 if self.is_path else k

    @property
    def num_dims(self) -> int:
        """Sub-pixels of an image; uploads have a byte for each."""
        return self.height * self.width * self.channels

    @property
    def is_chain(self) -> bool:
        """The image is drawn after a coarse one, and log p of both together is a bound on that of the image."""
        return self.coarse_level > 0

    @property
    def drawn_height(self) -> int:
        """Rows of the image that are drawn."""
        return self.height + self.margin

    @property
    def coarse_shape(self) -> tuple[int, int]:
        """Rows and columns of the coarse image that is drawn first; without one there are none."""
        if not self.is_chain:
            return 0, 0
        return -(-self.drawn_height >> self.coarse_level), -(-self.canvas_width >> self.coarse_level)

    @property
    def hidden_rows(self) -> int:
        """Rows of a canvas that are not shown: first the coarse image's, filled up with zeros, then the margin."""
        return self.coarse_shape[0] + self.margin

    @property
    def canvas_height(self) -> int:
        """Rows of a canvas, which holds all that is drawn."""
        return self.coarse_shape[0] + self.drawn_height

    @property
    def canvas_width(self) -> int:
        """Columns that are drawn."""
        return self.width + 2 * self.margin

    @property
    def pixel_bytes(self) -> int:
        """Of a position on a canvas: float32 of a density, else a byte a channel."""
        return self.channels * (4 if self.is_density else 1)

    @property
    def row_bytes(self) -> int:
        """Of a row of a canvas."""
        return self.canvas_width * self.pixel_bytes

    @property
    def canvas_bytes(self) -> int:
        return self.canvas_height * self.row_bytes

    @property
    def total_pixels(self) -> int:
        """Positions to draw or to score, over all images: what progress counts up to.

        The start of a Markov chain counts as one canvas, and so does each of its sweeps.
        """
        if self.kind == "score":
            return self.n * self.height * self.width
        return self.n * (1 + self.sweeps) * self.canvas_height * self.canvas_width

    def shown_row(self, row: int, pixels: bytes) -> tuple[int, bytes] | None:
        """A canvas row as a row of the image, the margin cut off; None for those above the image."""
        if row < self.hidden_rows:
            return None
        start = self.margin * self.pixel_bytes
        return row - self.hidden_rows, pixels[start : start + self.width * self.pixel_bytes]


@dataclass(frozen=True, slots=True)
class Card:
    """One bundle as a worker publishes it. A refused bundle has a `reason`, and may lack all facts about the model.

    Attributes:
        height, width: None where any size will do.
        coarse_level: as in `JobRequest`.
        num_levels: 0 for a density; `pixels` then says what a pixel is: {"dequantisation": "uniform", "low", "high"}.
        conditioning: {"kind": "none"}, {"kind": "class" or "tags", "names": [...]}, {"kind": "embedding", "size",
            "normalised", "takes_image"}: whether the bundle has an encoder, or {"kind": "map", "what": "image" or
            "labels", "level", "channels", "num_levels"}, of labels with "names", and with the map's "height" and
            "width" where images have one size.
        training, evaluation: facts of the bundle's `config.json`; evaluation holds `score_quantiles` if measured.
        pixels_per_second: of this worker, all slots of all its threads busy; None before the first measurement.
        profile: numeric profile of float32; results are bitwise equal within one profile.
        precisions: those that images can be drawn in.
        loaded: the weights are in memory now.
    """

    id: str
    sha256: str
    status: Literal["admitted", "refused"]
    reason: str | None = None
    title: str = ""
    description: str = ""
    architecture: str = ""
    height: int | None = None
    width: int | None = None
    channels: int = 0
    num_levels: int = 0
    coarse_level: int = 0
    pixels: dict[str, Any] | None = None
    head: str = ""
    conditioning: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    evaluation: dict[str, Any] | None = None
    pixels_per_second: float | None = None
    profile: str = ""
    precisions: list[Precision] = field(default_factory=lambda: ["float32"])
    loaded: bool = False

    @property
    def is_density(self) -> bool:
        return self.pixels is not None

    def offers(self, request: JobRequest) -> bool:
        """Whether it is what a job asks for: the same weights, in that precision."""
        return (self.id, self.sha256) == (request.model, request.sha256) and request.precision in self.precisions


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker's heartbeat: what it serves. Times are seconds since 1970.

    `is_complete`: every bundle that lay in its folder when it started has been admitted or refused.
    """

    worker: str
    started_at: float
    heartbeat_at: float
    version: str
    cards: tuple[Card, ...]
    is_complete: bool = True


def encode(document: "JobRequest | Card | WorkerReport") -> str:
    """The JSON form, wrapped with the protocol's version."""
    return json.dumps({"protocol": PROTOCOL_VERSION, **asdict(document)}, separators=(",", ":"))


def decode(kind: type[T], text: str | bytes) -> T:
    """The inverse of `encode`. Raises `ProtocolError` for another version, or a missing or unknown field."""
    fields = json.loads(text)
    if fields.pop("protocol", None) != PROTOCOL_VERSION:
        raise ProtocolError(f"not a {kind.__name__} of protocol {PROTOCOL_VERSION}")
    try:
        if kind is WorkerReport:
            fields["cards"] = tuple(Card(**card) for card in fields["cards"])
        return kind(**fields)
    except (TypeError, KeyError) as error:
        raise ProtocolError(f"not a {kind.__name__}: {error}") from error


def map_size(conditioning: dict[str, Any], height: int, width: int) -> tuple[int, int, int]:
    """Of the map of an image, as a card's `conditioning` says it: rows, columns, and numbers told of each place."""
    rows, columns = (-(-side >> conditioning["level"]) for side in (height, width))
    return rows, columns, conditioning["num_levels" if conditioning["what"] == "labels" else "channels"]


def queue_of(model_id: str) -> str:
    """Name of the Celery queue of a bundle."""
    return f"bundle.{model_id}"


def broker_url(redis_url: str) -> str:
    """Celery's form of SCANLINE_REDIS_URL (redis://, rediss:// or unix://). Raises ValueError for anything else."""
    parts = urlsplit(redis_url)
    if parts.scheme in ("redis", "rediss") and parts.hostname:
        return redis_url
    if parts.scheme == "unix" and parts.path.startswith("/"):
        db = parse_qs(parts.query).get("db", ["0"])[0]
        return f"redis+socket://{parts.path}?virtual_host={db}"
    raise ValueError(f"not a Redis URL: {redis_url!r}; give redis://host:port/db or unix:///path/to.sock?db=0")


def conditioning_of(mask: bytes, is_chain: bool) -> Literal["exact", "causal_only"]:
    """Whether drawing the hole conditions on all known pixels.

    Exact when the hole is a suffix in raster order (no known pixel comes after one to be drawn); otherwise the known
    pixels behind the hole cannot influence it. Never in a chain: its coarse image is told those on its grid alone.
    """
    if is_chain:
        return "causal_only"
    return "exact" if b"\0" not in mask.rstrip(b"\0") else "causal_only"

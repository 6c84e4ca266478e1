"""What crosses between the HTTP process and the workers: requests, cards, reports, and how to reach the broker.

Standard library only. Everything is a frozen dataclass with one JSON form (`encode`, `decode`); the Celery message
itself carries a job's id and nothing else. Uploaded pixels travel beside the request as raw levels: uint8,
height * width * channels bytes an image, row-major, channel last. A mask is height * width bytes, 1 = known, 0 = to be
drawn.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

PROTOCOL_VERSION = 1

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

T = TypeVar("T", bound="JobRequest | Card | WorkerReport")


class ProtocolError(ValueError):
    """A document that this version does not understand."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One job, validated and resolved: everything that a worker needs besides the uploaded pixels.

    Attributes:
        model, sha256: the bundle and the hash of its weights that this job is pinned to.
        n: number of samples or completions; for a score the number of images.
        seed: 0 .. 2**64 - 1. Sample k is the same image whatever n is.
        condition: {"class": index}, {"each": True} (scores: every class in turn), or None.
        precision: of weights and inputs while images are drawn; scores are float32 always.
        per_pixel: a score also keeps its map, float32 nats [height, width, channels].
        known_rows: completions by rows: how many rows from the top are kept.
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
    known_rows: int | None = None
    has_mask: bool = False
    upload: dict[str, Any] | None = None
    client: dict[str, Any] | None = None

    @property
    def row_bytes(self) -> int:
        return self.width * self.channels

    @property
    def image_bytes(self) -> int:
        return self.height * self.row_bytes

    @property
    def total_pixels(self) -> int:
        """Positions to draw or to score, over all images: what progress counts up to."""
        return self.n * self.height * self.width


@dataclass(frozen=True, slots=True)
class Card:
    """One bundle as a worker publishes it. A refused bundle has a `reason`, and may lack all facts about the model.

    Attributes:
        height, width: None where any size will do.
        conditioning: {"kind": "none"} or {"kind": "class", "names": [...]}.
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
    head: str = ""
    conditioning: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    evaluation: dict[str, Any] | None = None
    pixels_per_second: float | None = None
    profile: str = ""
    precisions: list[Precision] = field(default_factory=lambda: ["float32"])
    loaded: bool = False

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


def conditioning_of(mask: bytes) -> Literal["exact", "causal_only"]:
    """Whether drawing the hole conditions on all known pixels.

    Exact when the hole is a suffix in raster order (no known pixel comes after one to be drawn); otherwise the known
    pixels behind the hole cannot influence it.
    """
    return "exact" if b"\0" not in mask.rstrip(b"\0") else "causal_only"

"""The worker's settings, read once from SCANLINE_* variables."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.protocol import broker_url
from worker.store import Limits


def usable_cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Frozen. Names that the HTTP process reads too have the same meaning there.

    Attributes:
        redis_url: redis://, rediss:// or unix://.
        bundles_dir: folder that holds one folder a bundle.
        slots: images that a loaded model draws side by side in each thread.
        threads: threads that draw and score; one for every processor that this process may run on.
        device: where images are drawn; cuda takes the torch interpreter.
        interpreter: who runs step programs. "auto": the native one where it is built, else torch.
        model_memory_bytes: bound on all loaded models together; one model may always be loaded.
        heartbeat_s: how often the worker reports what it serves; a report lives five times as long.
        scan_s: how often the bundles folder is looked at.
        reap_s: how often lost jobs are looked for.
        flush_s: how often progress is written.
        stall_s: an engine that made no progress for so long loses its leases.
    """

    model_config = SettingsConfigDict(
        env_prefix="SCANLINE_", env_ignore_empty=True, frozen=True, protected_namespaces=()
    )

    redis_url: str = "redis://127.0.0.1:6379/0"
    bundles_dir: Path = Path("checkpoints")
    slots: Annotated[int, Field(ge=4, le=256, multiple_of=4)] = 8
    threads: Annotated[int, Field(ge=1, le=1024)] = Field(default_factory=usable_cores)
    device: Literal["cpu", "cuda"] = "cpu"
    interpreter: Literal["auto", "native", "torch"] = "auto"
    model_memory_bytes: Annotated[int, Field(ge=0)] = 1 << 30
    max_queue: Annotated[int, Field(ge=1)] = 1000
    store_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    job_lifetime_s: Annotated[float, Field(gt=0)] = 86400.0
    lease_s: Annotated[float, Field(gt=0)] = 15.0
    heartbeat_s: Annotated[float, Field(gt=0)] = 3.0
    scan_s: Annotated[float, Field(gt=0)] = 2.0
    reap_s: Annotated[float, Field(gt=0)] = 5.0
    flush_s: Annotated[float, Field(gt=0)] = 0.1
    stall_s: Annotated[float, Field(gt=0)] = 60.0

    @property
    def limits(self) -> Limits:
        return Limits(self.max_queue, self.store_bytes, self.job_lifetime_s, self.lease_s)

    @property
    def broker_url(self) -> str:
        return broker_url(self.redis_url)

    @property
    def jobs_at_once(self) -> int:
        """Jobs in hand: one a slot, and two that wait so that no slot does."""
        return self.slots * self.threads + 2

    @property
    def concurrency(self) -> int:
        """Threads for them and for those beside them, see `worker.subscriptions`. A job's thread only waits."""
        return min(8 * self.jobs_at_once, self.jobs_at_once + 512)

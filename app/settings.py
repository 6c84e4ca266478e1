"""Settings of the HTTP process, read once from SCANLINE_* variables and passed down as values."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.protocol import broker_url

HERE = Path(__file__).parent


def reachable(url: str) -> str:
    broker_url(url)  # raises ValueError, at the start rather than at the first job
    return url


class Settings(BaseSettings):
    """Limits that the worker needs too (queue, store, lifetime) are read by both from the same variables."""

    model_config = SettingsConfigDict(env_prefix="SCANLINE_", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # Host names under which it answers, beside addresses and names that the public DNS does not have; with commas.
    allowed_hosts: Annotated[str, Field(pattern=r"^[\w.\-, ]*$")] = ""
    redis_url: Annotated[str, AfterValidator(reachable)] = "redis://127.0.0.1:6379/0"

    max_samples: PositiveInt = 64
    max_wait_s: NonNegativeFloat = 60
    max_temperature: PositiveFloat = 10
    max_upload_bytes: PositiveInt = 16 * 2**20
    body_timeout_s: PositiveFloat = 30
    # A 24-megapixel photograph passes (to be resized to the model); decoded it is 75 MB, which one request may cost.
    max_upload_pixels: PositiveInt = 25_000_000
    # Of all images of a request for scores, which alone takes many: 4 s of one of the two threads that decode.
    max_request_pixels: PositiveInt = 100_000_000
    # What a job may draw or score per image; only bundles that take any size can come near it.
    max_image_pixels: PositiveInt = 1024 * 1024
    # A worker's memory for an image grows with its columns: 15 layers x 64 take 48 MB for 1024 of them.
    max_image_side: PositiveInt = 1024
    max_sweeps: PositiveInt = 1000
    max_swept_side: PositiveInt = 128
    max_hole_side: PositiveInt = 32
    # A sweep passes over the whole image for every few pixels of its hole. RIDE passes over 0.65 million a second on
    # one core: half an hour.
    max_swept_pixels: PositiveInt = 2**30

    max_queue: PositiveInt = 1000
    store_bytes: PositiveInt = 2**30
    job_lifetime_s: PositiveFloat = 86400

    page_dir: Path = HERE / "page"

    @property
    def host_names(self) -> list[str]:
        """In lower case: those of `allowed_hosts`, and where it listens."""
        return [name.strip().lower() for name in (self.host, *self.allowed_hosts.split(","))]

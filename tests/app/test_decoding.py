"""Uploads wait for the threads that decode, but not without end."""

import asyncio
import base64
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.condition_images import texts_in
from app.decoding import AT_ONCE, Decoding
from app.errors import ApiError, Code
from app.main import create_app
from app.settings import Settings
from tests.app.parts import grey, image_file, publish
from tests.services import Valkey
from worker.leases import Leases

FILE = image_file(grey())
PIXELS = grey().size


def test_a_request_that_would_wait_too_long_is_refused_and_a_smaller_one_is_not() -> None:
    async def act() -> None:
        free = threading.Event()
        decoding = Decoding(PIXELS, max_request_pixels=2 * PIXELS)
        running = [asyncio.create_task(decoding.run([FILE], free.wait)) for _ in range(2 * AT_ONCE - 1)]
        await asyncio.sleep(0.2)
        with pytest.raises(ApiError) as caught:
            await decoding.run([FILE, base64.b64encode(FILE).decode()], free.wait)
        assert caught.value.code == Code.DECODING_BUSY and f"{3 * PIXELS} pixels" in caught.value.message
        running.append(asyncio.create_task(decoding.run([FILE], free.wait)))
        await asyncio.sleep(0.2)
        free.set()
        assert await asyncio.gather(*running) == [True] * len(running)
        assert await decoding.run([FILE] * 4, free.wait)  # all that was counted is free again
        decoding.close()

    asyncio.run(act())


def test_the_largest_request_is_taken_where_nothing_waits() -> None:
    async def act() -> None:
        decoding = Decoding(PIXELS, max_request_pixels=1)
        assert await decoding.run([FILE], len, "any") == 3
        decoding.close()

    asyncio.run(act())


def test_what_will_be_refused_by_its_header_does_not_count() -> None:
    async def act() -> None:
        free = threading.Event()
        decoding = Decoding(PIXELS, max_request_pixels=PIXELS // AT_ONCE)
        running = [asyncio.create_task(decoding.run([FILE], free.wait))]
        await asyncio.sleep(0.2)
        bad: list[bytes | str] = [
            b"",
            b"no image",
            "no base64",
            image_file(grey(8, 7)),
            image_file(grey(), "CMYK", "JPEG"),
        ]
        running.append(asyncio.create_task(decoding.run(bad, free.wait)))
        await asyncio.sleep(0.2)
        free.set()
        assert await asyncio.gather(*running) == [True, True]
        decoding.close()

    asyncio.run(act())


def test_a_condition_tells_its_files_wherever_they_are() -> None:
    path = {"from": {"image": "a"}, "to": {"map": "b"}, "steps": 2}
    assert texts_in({"image": "c"}, path) == ["c", "a", "b"]
    assert texts_in(None, "each", {"class": 1}, {"image": 7}, {"from": ["d"]}) == []


def test_small_files_of_large_pictures_are_answered_503_when_too_many_come(valkey: Valkey, leases: Leases) -> None:
    publish(leases)
    settings = Settings(redis_url=valkey.url, max_request_pixels=4_000_000, max_upload_pixels=4_000_000)
    large = image_file(Image.fromarray(np.zeros((2000, 2000), np.uint8)))
    with TestClient(create_app(settings)) as client:

        def complete(_: int) -> Any:
            fields = {"model": "ink", "rows": "2", "fit": "resize"}
            return client.post("/v1/completions", data=fields, files={"image": large})

        with ThreadPoolExecutor(24) as crowd:
            answers = list(crowd.map(complete, range(24)))
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {202, 503} and statuses[202] >= AT_ONCE, statuses
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.json()["error"]["code"] == "decoding_busy" and int(refused.headers["Retry-After"]) > 0
        assert complete(0).status_code == 202

"""Where uploaded images are decoded: in threads, and few at a time, since a large one takes 100 MB and a second.

A picture of 25 megapixels may come as 70 kB, so what waits is counted in pixels; beyond a bound the answer is 503.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from app.errors import ApiError, Code
from app.request_files import from_base64
from app.uploads import checked_header

P = ParamSpec("P")
R = TypeVar("R")

AT_ONCE = 2


class Decoding:
    """Not thread-safe: of one event loop.

    Args:
        max_file_pixels: a larger file is refused by its header, so it does not count.
        max_request_pixels: as many requests of that size as there are threads may wait or be decoded at once: whoever
            comes then has waited as long as one of them takes, 4 s.
    """

    def __init__(self, max_file_pixels: int, max_request_pixels: int) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="decoding")
        # A header is read in 0.3 ms, and not behind the pictures that wait.
        self._headers = ThreadPoolExecutor(1, thread_name_prefix="headers")
        self._max_file_pixels, self._max_pixels = max_file_pixels, AT_ONCE * max_request_pixels
        self._pixels = 0

    async def run(self, files: Sequence[bytes | str], work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`work`, which decodes `files` (those that are text are base64). Raises 503 where too much waits already."""
        loop = asyncio.get_running_loop()
        pixels = await loop.run_in_executor(self._headers, self._count, files)
        if self._pixels and self._pixels + pixels > self._max_pixels:
            message = f"{self._pixels} pixels of uploaded pictures wait to be decoded already; try again soon."
            raise ApiError(Code.DECODING_BUSY, message)
        self._pixels += pixels
        try:
            return await loop.run_in_executor(self._threads, partial(work, *args, **kwargs))
        finally:
            self._pixels -= pixels

    def _count(self, files: Sequence[bytes | str]) -> int:
        return sum(pixels_of(file, self._max_file_pixels) for file in files)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._headers.shutdown(wait=False, cancel_futures=True)


def pixels_of(file: bytes | str, max_pixels: int) -> int:
    """As the header says; 0 of what `work` will refuse before it decodes it, in its own words."""
    try:
        data = from_base64(file, "") if isinstance(file, str) else file
        with checked_header(data, "", max_pixels) as image:
            return image.width * image.height
    except ApiError:
        return 0

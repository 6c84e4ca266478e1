"""The one reader of all event streams, against a real Valkey whose streams are written by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
import redis.asyncio

from app.event_feed import TAIL, TAIL_CHARACTERS, Channel, Event, EventFeed
from tests.services import Valkey

Run = Callable[["Scene"], Awaitable[None]]


class Scene:
    """A feed, and a hand that writes to its streams."""

    def __init__(self, feed: EventFeed, client: "redis.asyncio.Redis") -> None:
        self.feed, self.client = feed, client

    async def write(self, job_id: str, *kinds: str, data: str = "{}") -> None:
        for kind in kinds:
            await self.client.xadd(f"stream:{job_id}", {"type": kind, "data": data})

    async def kinds(self, job_id: str, after: str = "0-0", timeout_s: float = 5) -> list[str]:
        async with aclosing(self.feed.follow(job_id, after, timeout_s)) as batches:
            return [event.kind for batch in [batch async for batch in batches] for event in batch]


@asynccontextmanager
async def scene(url: str) -> AsyncIterator[Scene]:
    async with EventFeed(url, lambda job_id: f"stream:{job_id}") as feed, redis.asyncio.from_url(url) as client:
        await client.flushdb()
        yield Scene(feed, client)


@pytest.fixture
def play(valkey: Valkey) -> Callable[[Run], None]:
    def run(act: Run) -> None:
        async def main() -> None:
            async with scene(valkey.url) as the_scene:
                await asyncio.wait_for(act(the_scene), 30)

        asyncio.run(main())

    return run


def test_what_has_happened_is_replayed_and_what_happens_is_followed(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.write("a", "queued", "started")
        listener = asyncio.create_task(scene.kinds("a"))
        await asyncio.sleep(0.1)
        await scene.write("a", "progress", "succeeded")
        assert await listener == ["queued", "started", "progress", "succeeded"]

    play(act)


def test_listeners_of_many_jobs_hear_each_only_its_own(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        listeners = [asyncio.create_task(scene.kinds(f"job-{k}")) for k in range(20) for _ in range(3)]
        for k in range(20):
            await scene.write(f"job-{k}", f"own-{k}", "succeeded")
        heard = await asyncio.gather(*listeners)
        assert heard == [[f"own-{k}", "succeeded"] for k in range(20) for _ in range(3)]

    play(act)


def test_an_event_is_heard_at_once(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.kinds("idle", timeout_s=0.05)  # the reader waits now without any stream
        listener = asyncio.create_task(scene.kinds("a"))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await scene.write("a", "succeeded")
        assert await listener == ["succeeded"]
        assert time.monotonic() - began < 0.5

    play(act)


def test_a_listener_that_joins_late_hears_the_beginning_too(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.write("a", "queued")
        queued = await scene.feed.last("a")
        assert queued is not None
        first = asyncio.create_task(scene.kinds("a", after=queued.id))
        await scene.write("a", *["progress"] * (2 * TAIL))
        second = asyncio.create_task(scene.kinds("a"))
        await scene.write("a", "succeeded")
        assert await first == ["progress"] * (2 * TAIL) + ["succeeded"]
        assert await second == ["queued"] + ["progress"] * (2 * TAIL) + ["succeeded"]

    play(act)


def test_a_listener_from_the_far_future_keeps_nothing_from_the_others(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.write("a", "queued")
        early = asyncio.create_task(scene.kinds("a", f"{2**64 - 1}-0"))
        await asyncio.sleep(0.1)
        listener = asyncio.create_task(scene.kinds("a", timeout_s=3))
        await asyncio.sleep(0.1)
        await scene.write("a", "started", "succeeded")
        assert await listener == ["queued", "started", "succeeded"]
        assert await early == ["started", "succeeded"]

    play(act)


def test_a_slow_listener_loses_nothing(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.write("a", "queued")
        heard = 0
        async with aclosing(scene.feed.follow("a", timeout_s=10)) as batches:
            async for events in batches:
                if heard == 0:  # asleep while more is written than the channel keeps
                    await scene.write("a", *["progress"] * (3 * TAIL), "succeeded")
                    await asyncio.sleep(0.1)
                heard += len(events)
        assert heard == 3 * TAIL + 2

    play(act)


@pytest.mark.parametrize("share", [3, 0.5], ids=["each more than a channel keeps", "more together"])
def test_large_events_are_heard_whole_and_not_kept(play: Callable[[Run], None], share: float) -> None:
    async def act(scene: Scene) -> None:
        await scene.write("a", "queued")
        heard = []
        async with aclosing(scene.feed.follow("a", timeout_s=10)) as batches:
            async for events in batches:
                if not heard:
                    await scene.write("a", *["progress"] * 5, "succeeded", data="x" * int(share * TAIL_CHARACTERS))
                    await asyncio.sleep(0.5)  # until the channel has them all
                    (channel,) = scene.feed._channels.values()
                    assert 0 < sum(len(event.data) for event in channel.tail) <= max(1, share) * TAIL_CHARACTERS
                heard += [event.kind for event in events]
        assert heard == ["queued", *["progress"] * 5, "succeeded"]

    play(act)


def test_a_channel_counts_what_it_keeps() -> None:
    channel = Channel("stream:a", (0, 0), "0-0")
    for number in range(1, 1000):
        channel.extend([Event(f"{number}-{k}", "progress", "x" * (number * 40)) for k in range(1 + number % 3)])
        assert channel.characters == sum(len(event.data) for event in channel.tail) <= TAIL_CHARACTERS
        assert len(channel.tail) <= TAIL and channel.tail[-1].id == channel.last
    assert len(channel.tail) < TAIL and channel.start[0] > 0


def test_a_time_limit_ends_the_wait_and_nothing_else(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.write("a", "queued")
        for timeout_s in (0, 0.0005, 0.002, 0.05):
            began = time.monotonic()
            assert await scene.kinds("a", timeout_s=timeout_s) in ([], ["queued"])
            assert time.monotonic() - began < 0.5

    play(act)


def test_a_stream_that_is_gone_ends_without_a_terminal_event(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        assert await scene.kinds("nobody", timeout_s=20) == []

    play(act)


def test_nothing_is_kept_of_jobs_that_nobody_listens_to(play: Callable[[Run], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.write("a", "succeeded")
        await scene.kinds("a")
        assert scene.feed.num_channels == 0

    play(act)


def test_the_feed_goes_on_after_redis_was_killed() -> None:
    async def act(valkey: Valkey) -> None:
        async with scene(valkey.url) as the_scene:
            listener = asyncio.create_task(the_scene.kinds("a", timeout_s=20))
            await the_scene.write("a", "queued")
            await asyncio.sleep(1.1)  # until the append-only file has it
            valkey.kill()
            await asyncio.to_thread(valkey.start)
            await the_scene.write("a", "succeeded")
            assert await listener == ["queued", "succeeded"]

    with Valkey() as valkey:
        asyncio.run(act(valkey))

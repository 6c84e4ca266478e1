"""The events of all jobs that anyone in this process listens to, read from Redis by one blocking XREAD.

Each watched job has a channel with its recent events, shared by all its listeners; a listener only remembers how far
it has come. One that is too slow, or begins further back than the channel, reads the stream itself: nothing is lost and
nothing piles up.
"""

import asyncio
import logging
import math
import secrets
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

# Redis answers at the latest after this; a reader that hears nothing for longer has lost its connection.
BLOCK_S = 5
SILENCE_S = BLOCK_S + 5
COMMAND_S = 5
# What a channel keeps, in events and in characters, but always the last event: one may tell many rows of 64 images.
TAIL = 256
TAIL_CHARACTERS = 4 * 2**20
# What is read of a stream at a time. A listener that is behind may hold so much while its client is slow.
BATCH = 16
TERMINAL = frozenset({"succeeded", "failed", "canceled"})

Position = tuple[int, int]


def position(event_id: str) -> Position:
    milliseconds, _, sequence = event_id.partition("-")
    return int(milliseconds), int(sequence or 0)


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is JSON text."""

    id: str
    kind: str
    data: str

    @property
    def is_terminal(self) -> bool:
        return self.kind in TERMINAL


@dataclass(slots=True)
class Channel:
    """The events of one job after `start` up to `last`."""

    key: str
    start: Position
    last: str
    listeners: int = 0
    characters: int = 0
    tail: deque[Event] = field(default_factory=deque)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def extend(self, events: list[Event]) -> None:
        self.tail.extend(events)
        self.characters += sum(len(event.data) for event in events)
        self.last = events[-1].id
        while len(self.tail) > TAIL or (self.characters > TAIL_CHARACTERS and len(self.tail) > 1):
            dropped = self.tail.popleft()
            self.characters -= len(dropped.data)
            self.start = position(dropped.id)
        self.changed.set()
        self.changed = asyncio.Event()


class EventFeed:
    """Use as `async with`. `key_of` names a job's stream."""

    def __init__(self, url: str, key_of: Callable[[str], str]) -> None:
        self._key_of = key_of
        # redis-py types its answers as a union over protocol versions; these are lists of (id, fields).
        self._reader: Any = redis.asyncio.from_url(url, socket_timeout=SILENCE_S)
        # Blocking: a crowd of new listeners queues for a connection, where the plain pool would refuse some.
        pool = BlockingConnectionPool.from_url(url, max_connections=16, timeout=COMMAND_S, socket_timeout=COMMAND_S)
        self._client: Any = redis.asyncio.Redis.from_pool(pool)
        self._channels: dict[str, Channel] = {}
        self._wake_key = f"scanline:feed:{secrets.token_hex(8)}"
        self._woken = "0-0"
        self._closing = False

    async def __aenter__(self) -> "EventFeed":
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._closing = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._reader.aclose()
        await self._client.aclose()

    @property
    def num_channels(self) -> int:
        """Jobs that someone listens to."""
        return len(self._channels)

    async def last(self, job_id: str) -> Event | None:
        entries = await self._client.xrevrange(self._key_of(job_id), count=1)
        return to_event(entries[0]) if entries else None

    async def follow(
        self, job_id: str, after: str = "0-0", timeout_s: float | None = None
    ) -> AsyncGenerator[list[Event], None]:
        """Lists of events after `after`, oldest first, as they come.

        Ends with the terminal event; without one when the stream is gone or `timeout_s` has passed. Do not cancel it to
        the same end: redis-py may swallow a cancellation that meets it in the middle of a command.
        """
        loop = asyncio.get_running_loop()
        deadline = math.inf if timeout_s is None else loop.time() + timeout_s
        if after != "0-0" and (last := await self.last(job_id)) and position(after) > position(last.id):
            after = last.id  # the channel begins here, and its other listeners would hear nothing before `after`
        async with self._listening(self._key_of(job_id), after) as channel:
            reached = position(after)
            while True:
                changed = channel.changed
                events = await self._after(channel, reached)
                if events:
                    reached = position(events[-1].id)
                    yield events
                    if events[-1].is_terminal:
                        return
                    continue
                in_time = await happens(changed, min(BLOCK_S, deadline - loop.time()))
                if loop.time() >= deadline or not (in_time or await self.last(job_id)):
                    return

    @asynccontextmanager
    async def _listening(self, key: str, after: str) -> AsyncIterator[Channel]:
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(key, position(after), after)
        channel.listeners += 1
        try:
            await self._wake()
            yield channel
        finally:
            channel.listeners -= 1
            if channel.listeners == 0:
                self._channels.pop(key, None)

    async def _wake(self) -> None:
        """End the reader's present wait, so that it takes up a new channel at once."""
        pipe = self._client.pipeline(transaction=False)
        pipe.xadd(self._wake_key, {"wake": 1}, maxlen=1, approximate=False)
        pipe.expire(self._wake_key, 60)
        await pipe.execute()

    async def _after(self, channel: Channel, reached: Position) -> list[Event]:
        if reached >= channel.start:
            return [event for event in channel.tail if position(event.id) > reached]
        entries = await self._client.xrange(channel.key, f"({reached[0]}-{reached[1]}", "+", count=BATCH)
        return [to_event(entry) for entry in entries]

    async def _read(self) -> None:
        while not self._closing:
            try:
                await self._read_once()
            except (RedisError, OSError) as failure:
                log.warning("events cannot be read, trying again: %s", failure)
                await asyncio.sleep(1)

    async def _read_once(self) -> None:
        positions: dict[Any, Any] = {channel.key: channel.last for channel in self._channels.values()}
        positions[self._wake_key] = self._woken
        for key, entries in await self._reader.xread(positions, count=BATCH, block=BLOCK_S * 1000):
            events = [to_event(entry) for entry in entries]
            if key.decode() == self._wake_key:
                self._woken = events[-1].id
            elif channel := self._channels.get(key.decode()):
                fresh = [event for event in events if position(event.id) > position(channel.last)]
                if fresh:
                    channel.extend(fresh)


def to_event(entry: Any) -> Event:
    event_id, fields = entry
    return Event(event_id.decode(), fields.get(b"type", b"").decode(), fields.get(b"data", b"").decode())


async def happens(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    return True

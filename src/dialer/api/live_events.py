"""Live events: the outbox read once for the whole process, and handed to all who listen."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from typing import TYPE_CHECKING

import structlog

from dialer.api import event_models
from dialer.store import events
from dialer.store.errors import StoreError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from dialer.clock import Clock
    from dialer.store.pool import Pool
    from dialer.store.records import Event

PAGE = 500  # events read at a time
BUFFER = 2000  # messages that may wait for a listener; one who is slower is sent away
HEARTBEAT_SECONDS = 15.0  # between signs of life on a stream on which nothing happens
LOOK_SECONDS = 15.0  # between looks without a notification
HELD_BACK_SECONDS = 0.05  # between looks while events wait for a transaction that is open
AWAY_SECONDS = (0.2, 5.0)  # between tries while the database is away, first and longest

HEARTBEAT = b":\n\n"

log = structlog.get_logger(__name__)

Cursor = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a listener wants: of its account, and of these campaigns and kinds, if any.

    A kind that ends with a dot stands for all that begin so.
    """

    account_id: int
    campaign_ids: frozenset[int] = frozenset()
    kinds: tuple[str, ...] = ()

    def takes(self, event: Event) -> bool:
        """Whether an event is wanted."""
        return (
            event.account_id == self.account_id
            and (not self.campaign_ids or event.campaign_id in self.campaign_ids)
            and (not self.kinds or any(_is(event.kind, kind) for kind in self.kinds))
        )


class Listener:
    """One stream: what waits to be sent on it.

    `after` is the cursor above which it wants events. `cut` ends its connection, whatever is being
    sent: it is called once more waits than may. `to_check` says that it is time to look whether
    its token still works, and `idle` that nothing is being sent.
    """

    def __init__(self, wanted: Wanted, after: Cursor, cut: Callable[[], None]) -> None:
        self.wanted = wanted
        self.after = after
        self.to_check = False
        self.idle = False
        self._cut = cut
        self._waiting: collections.deque[bytes] = collections.deque()
        self._news = asyncio.Event()
        self.closed = False

    def offer(self, message: bytes) -> None:
        """Let a message wait to be sent."""
        if self.closed:
            return
        if len(self._waiting) >= BUFFER:
            self.close()
            self._cut()
            return
        self._waiting.append(message)
        self._news.set()

    def close(self) -> None:
        """End the stream; what waits is not sent."""
        self.closed = True
        self._waiting.clear()
        self._news.set()

    def end(self) -> None:
        """End the stream at once, even where its reader takes nothing."""
        self.close()
        if not self.idle:
            self._cut()

    def beat(self) -> None:
        """Let the token be checked, and a sign of life be sent where nothing else waits."""
        self.to_check = True
        if not self._waiting:
            self.offer(HEARTBEAT)

    async def take(self) -> bytes:
        """Return what waits, as soon as something does; nothing once the stream has ended."""
        self.idle = True
        await self._news.wait()
        self.idle = False
        self._news.clear()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        return b"" if self.closed else taken


class LiveEvents:
    """Reads what the outbox gets, and offers each event to the listeners who want it."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._cursor: Cursor | None = None
        self._known = asyncio.Event()  # whether there is a cursor
        self.closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def listeners(self) -> frozenset[Listener]:
        """Those whose streams are open."""
        return frozenset(self._listeners)

    def start(self) -> None:
        """Begin to read."""
        for name, loop in (("live-events", self._read_on), ("heartbeat", self._beat)):
            self._tasks.append(asyncio.create_task(loop(), name=name))

    def end_streams(self) -> None:
        """End every stream at once: the service shuts down."""
        self.closed = True
        self._known.set()
        for listener in self._listeners:
            listener.end()

    async def stop(self) -> None:
        """Read no more."""
        self.end_streams()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.contextmanager
    def joined(
        self, wanted: Wanted, after: Cursor | None, cut: Callable[[], None]
    ) -> Iterator[tuple[Listener, Cursor]]:
        """Give a listener and the cursor above which it is offered all that it wants.

        `after`, where given, is what it has seen already: it may have been told by a node that
        was ahead of us. What lies between the two is to be read with `gap`.
        """
        assert self._cursor is not None, "wait until ready() first"
        from_here = self._cursor
        listener = Listener(wanted, max(from_here, after or from_here), cut)
        self._listeners.add(listener)
        if self.closed:
            listener.close()
        try:
            yield listener, from_here
        finally:
            self._listeners.discard(listener)

    async def ready(self) -> None:
        """Wait until events can be listened to. Raises `Unavailable` if the service ends first."""
        await self._known.wait()
        if self._cursor is None:
            raise Unavailable("the service ended before the database could be read")

    async def gap(self, wanted: Wanted, after: Cursor, until: Cursor) -> AsyncIterator[list[bytes]]:
        """Yield pages of messages missed between two cursors. Raises `Unavailable`."""
        while after < until:
            page = await events.read(
                self._pool, after, account_id=wanted.account_id, limit=PAGE, until=until
            )
            yield [message(event) for event in page if wanted.takes(event)]
            if len(page) < PAGE:
                return
            after = page[-1].cursor

    async def _read_on(self) -> None:
        """Read whenever there is news, for ever; a database that is away comes back."""
        pause, longest = AWAY_SECONDS
        while True:
            try:
                async with events.listening(self._pool, self._news.set) as lost:
                    # from here on nothing is missed; what came before is read first
                    pause = AWAY_SECONDS[0]
                    self._news.set()
                    while not lost():
                        await self._read_news()
            except StoreError as error:
                log.warning("live events wait for the database", reason=str(error))
            except Exception:
                log.exception("live events could not be read")
            await self._clock.sleep(pause)
            pause = min(2 * pause, longest)

    async def _read_news(self) -> None:
        """Wait for news, and offer all there is."""
        await self._wait(LOOK_SECONDS)
        self._news.clear()
        while True:
            # what is below the horizon is complete, so a page that is not full has all of it
            horizon, more_to_come = await events.held_back(self._pool)
            if self._cursor is None:
                self._cursor = horizon
                self._known.set()
            while self._cursor < horizon:
                page = await events.read(self._pool, self._cursor, limit=PAGE, until=horizon)
                for event in page:
                    self._offer(event)
                self._cursor = page[-1].cursor if len(page) == PAGE else horizon
            if not more_to_come:
                return
            await self._clock.sleep(HELD_BACK_SECONDS)

    def _offer(self, event: Event) -> None:
        text: bytes | None = None
        for listener in tuple(self._listeners):
            if event.cursor > listener.after and listener.wanted.takes(event):
                text = text or message(event)
                listener.offer(text)

    async def _wait(self, seconds: float) -> None:
        """Wait for news, but no longer than `seconds`."""
        timer = self._clock.call_at(self._clock.monotonic() + seconds, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            for listener in tuple(self._listeners):
                listener.beat()


def message(event: Event) -> bytes:
    """Return an event as a message of an event stream (WHATWG HTML, server-sent events)."""
    shown = event_models.LiveEvent(
        id=cursor_text(event.cursor),
        kind=event.kind,
        at=event.at,
        campaign_id=event.campaign_id,
        call_id=event.call_id,
        attempt_id=event.attempt_id,
        data=dict(event.data),
    )
    return of_kind(event.kind, shown.id, shown.model_dump_json())


def of_kind(kind: str, id_: str, data: str) -> bytes:
    """Return a message; `data` is one line."""
    return f"id: {id_}\nevent: {kind}\ndata: {data}\n\n".encode()


def cursor_text(cursor: Cursor) -> str:
    """Return a cursor as the id of a message."""
    return f"{cursor[0]}-{cursor[1]}"


def _is(kind: str, wanted: str) -> bool:
    return kind.startswith(wanted) if wanted.endswith(".") else kind == wanted

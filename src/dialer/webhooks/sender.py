"""Sends what is due: reads events, takes deliveries, sends them side by side, writes what came."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import random
from typing import TYPE_CHECKING, TypeVar

import structlog

from dialer.store import events, webhook_claims, webhook_queue, webhook_secrets
from dialer.store.errors import Unavailable
from dialer.store.secret_box import SecretSealed
from dialer.store.webhook_claims import Room
from dialer.store.webhook_records import AttemptReport
from dialer.webhooks import payload, signature
from dialer.webhooks.attempt import Attempt
from dialer.webhooks.backoff import Result, result_of
from dialer.webhooks.circuit import State
from dialer.webhooks.limits import LATE
from dialer.webhooks.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from dialer.clock import Clock
    from dialer.metrics import Metrics
    from dialer.store.pool import Pool
    from dialer.store.secret_box import SecretBox
    from dialer.store.webhook_records import ClaimedDelivery
    from dialer.webhooks.limits import Limits
    from dialer.webhooks.transport import Transport

log = structlog.get_logger(__name__)

T = TypeVar("T")

POLL = 1.0  # seconds between looks while nothing is heard
AWAY = 0.5  # seconds before another try while Postgres is away
GOODBYE = 5.0  # seconds that what is under way gets at the end


@dataclasses.dataclass(frozen=True, slots=True)
class _Done:
    """A delivery that was sent, and what came of it."""

    delivery: ClaimedDelivery
    attempt: Attempt


class Sender:
    """One node's part in the sending of webhooks.

    Nothing waits in memory but what is being sent, at most `limits.concurrency`. `now` gives the
    time for the database, None for its own clock; `chance` random numbers from 0 up to 1.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        clock: Clock,
        transport: Transport,
        box: SecretBox,
        limits: Limits,
        metrics: Metrics,
        now: Callable[[], dt.datetime | None] = lambda: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._transport = transport
        self._box = box
        self._limits = limits
        self._metrics = metrics
        self._now = now
        self._chance = chance
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._in_flight: collections.Counter[int] = collections.Counter()
        self._done: list[_Done] = []
        self.upkeep = Upkeep(pool, clock, limits, metrics, now)
        self._running: list[asyncio.Task[None]] = []
        metrics.webhooks_in_flight.set_function(lambda: len(self._sending))

    def start(self) -> None:
        """Begin to take turns."""
        for name, work in (("webhooks", self._run), ("webhooks listen", self._listen)):
            self._running.append(asyncio.create_task(work(), name=name))

    async def stop(self) -> None:
        """Take nothing more, let what is under way end for a moment, and write what came of it."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._first_of(self.settled(), GOODBYE)
        for sending in self._sending:
            sending.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        try:
            await self._write()
        except Unavailable as error:
            log.warning("some webhooks will be sent again", reason=str(error))

    async def settled(self) -> None:
        """Wait until nothing is being sent."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def run_once(self) -> bool:
        """Take a turn, and return whether there is more to do at once; raises `Unavailable`."""
        await self._write()
        read = await webhook_queue.fan_out(self._pool, self._limits.window, self._now())
        took = await self._take()
        more = await self.upkeep.run_once()
        return read == webhook_queue.BATCH or took or more

    async def _run(self) -> None:
        """Take turns; what fails is logged, and the next turn tries again."""
        away = False
        while True:
            self._wake.clear()
            try:
                more = await self.run_once()
                if away:
                    log.info("the database is back", loop="webhooks")
                away = False
            except Unavailable as error:
                if not away:
                    log.warning("the database is away", loop="webhooks", reason=str(error))
                self._metrics.store_errors.labels("webhooks").inc()
                away, more = True, False
                await self._clock.sleep(AWAY)
            except Exception:
                log.exception("a turn of the webhooks failed")
                more = False
                await self._clock.sleep(POLL)
            if not more:
                await self._first_of(self._woken(), POLL)

    async def _listen(self) -> None:
        """Have a turn taken whenever events were committed."""
        while True:
            try:
                async with events.listening(self._pool, self._wake.set) as lost:
                    while not lost():
                        await self._clock.sleep(POLL)
            except Unavailable:
                await self._clock.sleep(POLL)
            except Exception:
                log.exception("webhooks cannot listen for events")
                await self._clock.sleep(POLL)

    async def _woken(self) -> None:
        await self._wake.wait()

    async def _first_of(self, work: Awaitable[None], seconds: float) -> None:
        """Wait for `work`, or for so many seconds."""
        waiting = asyncio.ensure_future(work)
        patience = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({waiting, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, patience):
                task.cancel()
            await asyncio.gather(waiting, patience, return_exceptions=True)

    async def _take(self) -> bool:
        """Take what is due, as much as there is room for, and begin to send it."""
        limits = self._limits
        room = Room(
            places=limits.concurrency - self._in_flight.total(),
            per_receiver=limits.per_receiver,
            threshold=limits.circuit.threshold,
            lease=limits.lease,
            in_flight=self._in_flight,
        )
        if room.places <= 0:
            return False
        taken_at = self._clock.monotonic()
        taken = await webhook_claims.claim(self._pool, room, self._now())
        own: dict[int, str] = {}
        for delivery in taken:
            ours = delivery
            if delivery.of_campaigns and not delivery.secrets:
                if delivery.account_id not in own:
                    own[delivery.account_id] = await webhook_secrets.ensure(
                        self._pool, self._box, delivery.account_id
                    )
                ours = dataclasses.replace(delivery, secrets=(own[delivery.account_id],))
            self._in_flight[delivery.endpoint_id] += 1
            task = asyncio.create_task(self._send(ours, taken_at), name=f"webhook {delivery.id}")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return len(taken) == room.places

    async def _send(self, delivery: ClaimedDelivery, taken_at: float) -> None:
        """Send one, and keep what came of it for the next turn."""
        attempt = None
        try:
            # what was taken and then held up may be another node's by now
            if self._clock.monotonic() - taken_at < LATE:
                attempt = await self._attempt(delivery)
        except Exception as error:
            log.exception("a webhook could not be sent", delivery=delivery.id)
            attempt = Attempt(problem=f"an error of the dialer's own: {type(error).__name__}")
        finally:
            if attempt is None:
                self._forget_in_flight(delivery)
            else:
                self._done.append(_Done(delivery, attempt))
            self._wake.set()

    async def _attempt(self, delivery: ClaimedDelivery) -> Attempt:
        if delivery.gone:
            return Attempt(problem="the event is not kept any more")
        if delivery.url is None:
            return Attempt(problem="the campaign has no webhook_url any more")
        try:
            secrets = self._opened(delivery.secrets)
        except SecretSealed as error:
            return Attempt(problem=f"nothing was sent: {error}")
        body = payload.body(delivery)
        headers = signature.headers(
            secrets, delivery.message_id, int(self._clock.now().timestamp()), body
        )
        began = self._clock.monotonic()
        attempt = await self._transport.send(delivery.url, headers, body)
        self._metrics.webhook_seconds.observe(self._clock.monotonic() - began)
        return attempt

    def _opened(self, stored: Sequence[str]) -> list[str]:
        """Return the secrets that can be opened; raises SecretSealed where the newest cannot."""
        newest, *former = stored
        secrets = [self._box.open(newest)]
        for one in former:
            with contextlib.suppress(SecretSealed):
                secrets.append(self._box.open(one))
        return secrets

    async def _write(self) -> None:
        """Write what came of what was sent; raises `Unavailable`, and keeps it then."""
        done = self._done[: webhook_queue.BATCH]
        if not done:
            return
        reports = [self._report(one) for one in done]
        try:
            await webhook_queue.record(
                self._pool, reports, self._limits.window, self._move(done), self._now()
            )
        except Unavailable:
            raise
        except Exception:
            # their claims run out, and they are sent again; others are not to wait for these
            log.exception("what came of webhooks could not be written", webhooks=len(done))
            reports = []
        del self._done[: len(done)]
        for one in done:
            self._forget_in_flight(one.delivery)
        for one, report in zip(done, reports, strict=False):
            self._tell(one, report)

    def _report(self, done: _Done) -> AttemptReport:
        delivery, attempt = done.delivery, done.attempt
        wait = self._limits.back_off.wait(
            delivery.attempts + 1, self._chance(), attempt.retry_after
        )
        next_at = (self._now() or self._clock.now()) + dt.timedelta(seconds=wait)
        result = result_of(attempt, next_at, delivery.expires_at)
        again = result is Result.RETRY and _can_be_sent(delivery)
        return AttemptReport(
            id=delivery.id,
            claim=delivery.claim,
            endpoint_id=delivery.endpoint_id,
            delivered=result is Result.DELIVERED,
            wait=wait if again else None,
            gone=result is Result.GONE,
            answer_status=attempt.status,
            answer=attempt.answer,
            problem=attempt.problem,
        )

    def _move(self, done: list[_Done]) -> webhook_queue.CircuitMove:
        """Return what moves the circuits of receivers by what came of the deliveries."""

        def move(
            endpoint_id: int, failures: int, open_until: dt.datetime | None, now: dt.datetime
        ) -> tuple[int, dt.datetime | None]:
            state = State(failures, open_until)
            for one in done:
                if one.delivery.endpoint_id == endpoint_id and _can_be_sent(one.delivery):
                    state = self._limits.circuit.after(
                        state, one.attempt, now, probe=one.delivery.probe
                    )
            return state.failures, state.open_until

        return move

    def _forget_in_flight(self, delivery: ClaimedDelivery) -> None:
        self._in_flight[delivery.endpoint_id] -= 1
        if not self._in_flight[delivery.endpoint_id]:
            del self._in_flight[delivery.endpoint_id]

    def _tell(self, done: _Done, report: AttemptReport) -> None:
        if report.delivered:
            result = "delivered"
        else:
            result = "failed" if report.wait is not None else "dead"
            log.info(
                "webhook not taken",
                delivery=done.delivery.id,
                webhook=done.delivery.endpoint_id,
                account=done.delivery.account_id,
                result=result,
                reason=done.attempt.problem,
            )
        self._metrics.webhook_attempts.labels(result).inc()


def _can_be_sent(delivery: ClaimedDelivery) -> bool:
    return not delivery.gone and delivery.url is not None

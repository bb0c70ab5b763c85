"""The engine of one node: its loops, how they start, and how they end."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import structlog

from dialer.campaign.system_failure import Thresholds
from dialer.engine.automatic_pause import AutomaticPause
from dialer.engine.call_recordings import WRITE_EVERY as WRITE_RECORDINGS_EVERY
from dialer.engine.dispatcher import Dispatcher
from dialer.engine.failover import Failover
from dialer.engine.lease import NodeLease
from dialer.engine.live_calls import LiveCalls
from dialer.engine.publishing import Publisher
from dialer.engine.recorder import Recorder
from dialer.engine.recording_delivery import LOOK_EVERY
from dialer.engine.recording_upkeep import SWEEP_EVERY
from dialer.engine.rescue import Rescue
from dialer.engine.second_legs import SecondLegs
from dialer.engine.trace_writer import FORGET_EVERY, WRITE_EVERY
from dialer.engine.trunk_choice import TrunkChoice
from dialer.engine.undialed import UndialedCalls
from dialer.store import attempts, audit, census, idempotency, imports, retention
from dialer.store.errors import StoreError, Unavailable

if TYPE_CHECKING:
    import datetime as dt
    import re
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from uuid import UUID

    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.campaign.windows import Span
    from dialer.clock import Clock
    from dialer.conversation.ending import ConversationEnd
    from dialer.engine.call_recordings import CallRecordings
    from dialer.engine.recording_delivery import RecordingDelivery
    from dialer.engine.recording_upkeep import RecordingUpkeep
    from dialer.engine.trace_writer import TraceWriter
    from dialer.engine.trunk_set import TrunkSet, TrunkState
    from dialer.metrics import Metrics
    from dialer.store.attempt_records import ClaimedCall
    from dialer.store.pool import Pool
    from dialer.ua.agent import UserAgent
    from dialer.ua.outbound import OutboundCall

log = structlog.get_logger(__name__)

BUSY_TURN = 0.02  # seconds between turns while calls are being placed
IDLE_TURN = 0.25  # seconds between turns while there is nothing to place
HANG_UP_EVERY = 0.5  # seconds
PAUSE_EVERY = 1.0  # seconds between looks for campaigns that should pause by themselves
FORGET_CALLS_EVERY = 600.0  # seconds
FORGET_PAUSE = 0.1  # seconds between batches, which leave room for the calls
CENSUS_EVERY = 10.0  # seconds between looks at what stands in the database, for the metrics
DELIVER_SECONDS = 10.0  # that stopping waits for recordings to get to their place
PUBLISH_EVERY = 1.0  # seconds between looks at what has changed of the trunks


class Engine:
    """Places the calls of every campaign in progress, over the trunks of this node."""

    def __init__(  # noqa: PLR0913 - what a node is made of
        self,
        *,
        pool: Pool,
        clock: Clock,
        agent: UserAgent,
        trunks: TrunkSet,
        table: OutcomeTable,
        metrics: Metrics,
        converse: Callable[[ClaimedCall, UUID, OutboundCall], Coroutine[Any, Any, ConversationEnd]],
        node: str,
        lease_seconds: float = 15.0,
        batch: int = 50,
        traces: TraceWriter | None = None,
        recordings: RecordingUpkeep | None = None,
        call_recordings: CallRecordings | None = None,
        recording_delivery: RecordingDelivery | None = None,
        pauses: Thresholds | None = None,
        quiet: Span | None = None,
        keep_calls: dt.timedelta | None = None,
        keep_keys: dt.timedelta = retention.KEEP_KEYS,
        keep_audit: dt.timedelta | None = None,
        internal_numbers: re.Pattern[str] | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._agent = agent
        self._trunks = trunks
        self._watched: set[str] = set()
        self._metrics = metrics
        self._traces = traces
        self._recordings = recordings
        self._call_recordings = call_recordings
        self._recording_delivery = recording_delivery
        self._keep_calls = keep_calls
        self._keep_keys = keep_keys
        self._keep_audit = keep_audit
        self._wake = asyncio.Event()
        self._draining = False
        self._tasks: list[asyncio.Task[None]] = []
        self._dispatching: asyncio.Task[None] | None = None
        self._overslept = False
        self._late_frames = 0
        self.lease = NodeLease(pool, clock, node, lease_seconds)
        agent.invite_only_while(self.lease.safe)
        self.recorder = Recorder(pool, clock, self.lease, self._lost)
        choice = TrunkChoice(trunks)
        self.live = LiveCalls(
            agent=agent,
            clock=clock,
            lease=self.lease,
            recorder=self.recorder,
            trunks=trunks,
            failover=Failover(
                pool=pool,
                clock=clock,
                lease=self.lease,
                agent=agent,
                choice=choice,
                may_dial=self._may_dial,
            ),
            table=table,
            metrics=metrics,
            converse=converse,
            on_free=self._wake.set,
            traces=traces,
        )
        self.second_legs = SecondLegs(
            pool=pool,
            clock=clock,
            lease=self.lease,
            agent=agent,
            trunks=trunks,
            recorder=self.recorder,
            table=table,
            may_dial=self._may_dial,
            traces=traces,
            internal_numbers=internal_numbers,
        )
        self.dispatcher = Dispatcher(
            pool=pool,
            clock=clock,
            lease=self.lease,
            agent=agent,
            choice=choice,
            live=self.live,
            undialed=UndialedCalls(pool, self.lease, table),
            batch=batch,
            may_dial=self._may_dial,
            quiet=quiet,
        )
        self.publisher = Publisher(pool, clock, self.lease, trunks)
        self.rescue = Rescue(
            pool=pool,
            lease=self.lease,
            agent=agent,
            table=table,
            trunks=trunks,
        )
        self.automatic_pause = AutomaticPause(
            pool, self.lease, table, pauses or Thresholds(), call_recordings
        )

    def not_ready(self) -> str | None:
        """Return why no call can be placed now, None when all is well."""
        if self._draining:
            return "the node is shutting down"
        if not self.lease.safe():
            return "the node's lease on the database could not be renewed"
        if not self.recorder.healthy:
            return "results wait for the database"
        return None

    def _may_dial(self) -> bool:
        return self.not_ready() is None

    async def start(self) -> None:
        """Join the nodes and start the loops; raises store errors."""
        self.watch_trunks()
        await self.lease.join()
        loops = {
            "lease": (self._renew, self.lease.interval),
            "rescue": (self._rescue, self.lease.interval),
            "hang-up": (self._hang_up, HANG_UP_EVERY),
            "publish": (self._publish, PUBLISH_EVERY),
            "automatic-pause": (self._pause, PAUSE_EVERY),
            "forget-calls": (self._forget_calls, FORGET_CALLS_EVERY),
            "census": (self._take_census, CENSUS_EVERY),
        }
        if self._traces is not None:
            loops["write-traces"] = (self._traces.write, WRITE_EVERY)
            loops["forget-traces"] = (self._traces.forget, FORGET_EVERY)
        if self._recordings is not None:
            loops["delete-recordings"] = (self._recordings.run_once, SWEEP_EVERY)
        if self._call_recordings is not None:
            turn = self._call_recordings.run_once
            loops["write-recordings"] = (turn, WRITE_RECORDINGS_EVERY)
        if self._recording_delivery is not None:
            loops["deliver-recordings"] = (self._recording_delivery.run_once, LOOK_EVERY)
        for name, (turn, pause) in loops.items():
            self._tasks.append(asyncio.create_task(self._loop(name, turn, pause), name=name))
        self._tasks.append(asyncio.create_task(self.recorder.run(), name="record"))
        self._dispatching = asyncio.create_task(
            self._loop("dispatch", self._dispatch, 0.0), name="dispatch"
        )

    def watch_trunks(self) -> None:
        """Have every trunk registered and probed; to be called again when the set has changed."""
        for name in self._watched - self._trunks.keys():
            self._metrics.trunk_up.remove(name)
        self._agent.unwatch(self._watched - self._trunks.keys())
        for name, trunk in self._trunks.items():
            trunk.status = functools.partial(self._agent.status, name)
            up = functools.partial(self._trunk_up, trunk)
            self._metrics.trunk_up.labels(name).set_function(up)
        self._agent.watch([trunk.trunk for trunk in self._trunks.values()])
        self._watched = set(self._trunks)

    def _trunk_up(self, trunk: TrunkState) -> float:
        return float(trunk.usable(self._clock.monotonic()))

    async def drain(self, seconds: float) -> None:
        """Place no more calls; let those that are up end, at the latest after `seconds`."""
        await self._stop_dispatching()
        log.info("draining", calls=len(self.live), seconds=seconds)
        if len(self.live):
            await self._wait(self.live.ended(), seconds)

    async def stop(self) -> None:
        """Hang up what is left, record it, give the lease back, end the loops."""
        await self._stop_dispatching()
        self.live.hang_up_all()
        if not await self._wait(self.live.ended(), 5.0):
            self.live.abandon_all()
            await self.live.ended()
        if not await self._wait(self.recorder.drained(), 10.0):
            log.error("some results could not be recorded; another node will rescue the calls")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end_recordings()
        if self._traces is not None:
            try:
                await self._traces.write()
            except StoreError as error:
                log.warning("traces of the last calls are lost", reason=str(error))
        try:
            await self.lease.leave()
        except StoreError as error:
            log.warning("the lease could not be given back", reason=str(error))

    async def _end_recordings(self) -> None:
        """Take what was recorded to its place; what does not get there waits in the spool."""
        if self._call_recordings is not None and not await self._wait(
            self._call_recordings.close(), DELIVER_SECONDS
        ):
            log.error("the disk is too slow: the last of some recordings is lost")
        if self._recording_delivery is not None:
            delivered = self._wait(self._recording_delivery.deliver(), DELIVER_SECONDS)
            if not await delivered:
                log.warning("some recordings wait in the spool for the next start")

    async def _stop_dispatching(self) -> None:
        """Let the turn under way end, so that what it has committed is sent or taken back."""
        self._draining = True
        self._wake.set()
        if self._dispatching is not None:
            await self._wait(asyncio.shield(self._dispatching), 5.0)
            self._dispatching.cancel()
            await asyncio.wait({self._dispatching})

    async def _wait(self, event: Awaitable[None], seconds: float) -> bool:
        waiting = asyncio.ensure_future(event)
        patience = asyncio.ensure_future(self._clock.sleep(seconds))
        done, pending = await asyncio.wait({waiting, patience}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return waiting in done

    async def _loop(self, name: str, turn: Callable[[], Awaitable[float]], pause: float) -> None:
        """Take turns; `turn` returns seconds to wait before the next, 0 for `pause`.

        The dispatcher's end with the draining, all others when they are cancelled.
        """
        away = False
        while not (self._draining and name == "dispatch"):
            try:
                wait = await turn() or pause
                if away:
                    log.info("the database is back", loop=name)
                away = False
            except Unavailable as error:
                if not away:
                    log.warning("the database is away", loop=name, reason=str(error))
                self._metrics.store_errors.labels(name).inc()
                away, wait = True, 0.5
            except Exception:
                log.exception("a turn of the engine failed", loop=name)
                wait = 1.0
            until = self._clock.monotonic() + wait
            await self._clock.sleep(wait)
            if name == "hang-up":  # which turns at regular times
                self._metrics.engine_loop_lag.set(max(0.0, self._clock.monotonic() - until))

    async def _renew(self) -> float:
        self._overslept = self._overslept or not self.lease.safe()
        if not await self.lease.renew():
            log.error("lease lost: hanging up all calls and joining anew", node=self.lease.name)
            self.live.lose_all()
            await self.automatic_pause.lost_commits(self.live.attempts())
            await self.lease.join()
        elif self._overslept:
            await self._let_go()
        self._overslept = False
        return self.lease.interval

    async def _let_go(self) -> None:
        """Hang up what another node has rescued while our lease had run out."""
        up = self.live.attempts()
        held = await attempts.held(self._pool, self.lease.name, self.lease.epoch)
        await self._lost({one: call_id for one, call_id in up.items() if one not in held})

    async def _dispatch(self) -> float:
        self._wake.clear()
        placed = await self.dispatcher.run_once()
        if placed:
            return BUSY_TURN
        # A call that ends frees a place: no need to wait for the next turn. Nor may one come late
        # for a token: the bucket holds a tenth of a second's, and the rest would be lost.
        pace = self.dispatcher.token_at() - self._clock.monotonic() - BUSY_TURN
        await self._wait(self._free(), max(0.0, min(IDLE_TURN, pace)))
        return BUSY_TURN

    async def _free(self) -> None:
        await self._wake.wait()

    async def _rescue(self) -> float:
        await self.rescue.run_once()
        return self.lease.interval

    async def _publish(self) -> float:
        await self.publisher.run_once()
        return PUBLISH_EVERY

    async def _pause(self) -> float:
        await self.automatic_pause.run_once()
        return PAUSE_EVERY

    async def _forget_calls(self) -> float:
        """Delete what is older than it is to be kept, with a breath between two batches.

        Before that, end the imports that cannot go on since their keys are gone.
        """
        await imports.end_abandoned(self._pool, self._keep_keys)
        while (
            await retention.forget_contacts(self._pool)
            or await idempotency.forget(self._pool, self._keep_keys)
            or (self._keep_audit is not None and await audit.forget(self._pool, self._keep_audit))
            or (
                self._keep_calls is not None
                and await retention.forget_calls(self._pool, self._keep_calls)
            )
        ):
            await self._clock.sleep(FORGET_PAUSE)
        return FORGET_CALLS_EVERY

    async def _take_census(self) -> float:
        """Show what stands in the database; a kind of campaign that is gone goes from the gauge."""
        found = await census.take(self._pool)
        self._metrics.campaigns.clear()
        for kind, count in found.campaigns.items():
            self._metrics.campaigns.labels(*kind).set(count)
        self._metrics.ready_calls.set(found.ready)
        self._metrics.oldest_call.set(found.oldest_call_seconds)
        late = self._agent.late_frames
        self._metrics.rtp_late_frames.inc(late - self._late_frames)
        self._late_frames = late
        return CENSUS_EVERY

    async def _hang_up(self) -> float:
        if len(self.live):
            for attempt_id in await attempts.to_hang_up(
                self._pool, self.lease.name, self.lease.epoch
            ):
                self.live.hang_up(attempt_id)
        return HANG_UP_EVERY

    async def _lost(self, calls: Mapping[UUID, int | None]) -> None:
        """Let go of attempts, by their calls, that are not ours by what is on record."""
        for attempt_id in calls:
            self.live.lost(attempt_id)
        await self.automatic_pause.lost_commits(calls)

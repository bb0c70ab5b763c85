"""The calls that this node has up: from the INVITE to the record of what became of it."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import structlog

from dialer.campaign.evidence import LocalCause
from dialer.engine import placer
from dialer.store.records import AttemptResult
from dialer.ua.call import Answered

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from dialer.campaign.evidence import Evidence
    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.clock import Clock
    from dialer.engine.lease import NodeLease
    from dialer.engine.recorder import Recorder
    from dialer.engine.trace_writer import TraceWriter
    from dialer.engine.trunk_set import TrunkState
    from dialer.metrics import Metrics
    from dialer.store.records import ClaimedCall
    from dialer.ua.agent import UserAgent
    from dialer.ua.call import CallEvent, CallResult
    from dialer.ua.outbound import OutboundCall, PreparedCall

log = structlog.get_logger(__name__)


@dataclasses.dataclass(slots=True)
class LiveCall:
    """One call of ours; `override` replaces the local cause when we ended it for a reason."""

    claimed: ClaimedCall
    attempt_id: UUID
    trunk: TrunkState
    outbound: OutboundCall | None = None
    answered: bool = False
    override: LocalCause | None = None
    lost: bool = False


class LiveCalls:
    """Places calls, follows them, and hands their records to the recorder.

    `converse` is run for each answered call and ends it by hanging up. `on_free` is told of every
    call that is over. `traces`, if any, keep what passes of each call.
    """

    def __init__(  # noqa: PLR0913 - the parts that a call touches while it is up
        self,
        *,
        agent: UserAgent,
        clock: Clock,
        lease: NodeLease,
        recorder: Recorder,
        table: OutcomeTable,
        metrics: Metrics,
        converse: Callable[[ClaimedCall, OutboundCall], Coroutine[Any, Any, None]],
        on_free: Callable[[], None],
        traces: TraceWriter | None = None,
    ) -> None:
        self._agent = agent
        self._clock = clock
        self._lease = lease
        self._recorder = recorder
        self._table = table
        self._metrics = metrics
        self._converse = converse
        self._on_free = on_free
        self._traces = traces
        self._calls: dict[UUID, LiveCall] = {}
        self._conversations: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._calls)

    def attempts(self) -> set[UUID]:
        """Return the attempts whose calls are up."""
        return set(self._calls)

    async def ended(self) -> None:
        """Wait until no call is up."""
        await self._empty.wait()

    def place(
        self, claimed: ClaimedCall, attempt_id: UUID, prepared: PreparedCall, trunk: TrunkState
    ) -> None:
        """Send the INVITE of a call whose leg is committed, and follow it from here on."""
        live = LiveCall(claimed, attempt_id, trunk)
        self._calls[attempt_id] = live
        self._empty.clear()
        self._metrics.attempts.labels(trunk.trunk.name).inc()
        if self._traces is not None:
            self._traces.begin(attempt_id, prepared.identity.call_id)
        live.outbound = self._agent.place(prepared, lambda event: self._happened(live, event))
        live.outbound.result.add_done_callback(lambda result: self._over(live, result.result()))

    def lost(self, attempt_id: UUID) -> None:
        """Hang up a call that another node has taken over, and forget it."""
        live = self._calls.get(attempt_id)
        if live is not None and not live.lost:
            live.lost = True
            log.warning("call lost to another node", call=live.claimed.id, attempt=str(attempt_id))
            self._end(live)

    def lose_all(self) -> None:
        """Hang up and forget everything: our lease is gone."""
        for attempt_id in list(self._calls):
            self.lost(attempt_id)

    def hang_up(self, attempt_id: UUID) -> None:
        """End a call because a person asked for it at Finish."""
        live = self._calls.get(attempt_id)
        if live is not None and live.override is None:
            live.override = LocalCause.CANCELLED
            self._end(live)

    def hang_up_all(self) -> None:
        """End every call at the end of a drain; one that still rings is `interrupted`."""
        for live in list(self._calls.values()):
            if not live.answered and live.override is None:
                live.override = LocalCause.NODE_LOST
            self._end(live)

    def abandon_all(self) -> None:
        """Wait no longer for the far ends of calls that were hung up."""
        for live in list(self._calls.values()):
            if live.outbound is not None:
                live.outbound.abandon()

    def _end(self, live: LiveCall) -> None:
        if live.outbound is not None:
            if live.answered:
                live.outbound.hang_up()
            else:
                live.outbound.cancel()

    def _happened(self, live: LiveCall, event: CallEvent) -> None:
        if live.lost:
            return
        self._recorder.progress(placer.progress(live.claimed.id, live.attempt_id, event))
        if isinstance(event, Answered):
            live.answered = True
            # the event comes from within the user agent, before place() may have returned
            asyncio.get_running_loop().call_soon(self._begin_conversation, live)

    def _begin_conversation(self, live: LiveCall) -> None:
        if live.outbound is None or live.outbound.result.done():
            return
        task = asyncio.create_task(
            self._converse(live.claimed, live.outbound), name=f"conversation-{live.attempt_id}"
        )
        self._conversations.add(task)
        task.add_done_callback(self._conversation_over(live))

    def _conversation_over(self, live: LiveCall) -> Callable[[asyncio.Task[None]], None]:
        def over(task: asyncio.Task[None]) -> None:
            self._conversations.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("conversation failed", call=live.claimed.id, error=str(error))
                live.override = live.override or LocalCause.BOT_FAILED
                self._end(live)

        return over

    def _over(self, live: LiveCall, result: CallResult) -> None:
        del self._calls[live.attempt_id]
        if not self._calls:
            self._empty.set()
        if self._traces is not None:
            self._traces.end(live.claimed.id, live.attempt_id, 0, result.call_id)
        if not live.lost:
            self._record(live, result)
        self._on_free()

    def _record(self, live: LiveCall, result: CallResult) -> None:
        if result.sent_at and result.first_provisional_at:
            waited = (result.first_provisional_at - result.sent_at).total_seconds()
            self._metrics.first_provisional.labels(live.trunk.trunk.name).observe(waited)
        evidence = self._evidence(live, result)
        rule, verdict = placer.judge(
            live.trunk.definition.table or self._table,
            evidence,
            live.claimed.history,
            live.claimed.retry,
            self._lease.database_now(),
        )
        live.trunk.ended(rule, result.retry_after, self._clock.monotonic())
        self._metrics.calls.labels(verdict.outcome, verdict.status.value).inc()
        log.info(
            "call over",
            campaign_id=live.claimed.campaign_id,
            call=live.claimed.id,
            trunk=live.trunk.trunk.name,
            sip_call_id=result.call_id,
            code=result.code,
            outcome=verdict.outcome,
            rule=verdict.rule,
            status=verdict.status.value,
        )
        self._recorder.result(
            AttemptResult(
                call_id=live.claimed.id,
                attempt_id=live.attempt_id,
                verdict=verdict,
                evidence=placer.leg_evidence(result),
                flags=placer.flags_of(rule, result),
            )
        )

    def _evidence(self, live: LiveCall, result: CallResult) -> Evidence:
        evidence = placer.evidence_of(result)
        if live.override is None or evidence.local_cause not in {None, LocalCause.CANCELLED}:
            return evidence  # it had ended for another reason: rung out, answered late
        decided = result.code is not None and 300 <= result.code != 487
        if not decided:
            return dataclasses.replace(evidence, local_cause=live.override)
        if evidence.local_cause is LocalCause.CANCELLED:
            # The far end's word crossed our CANCEL: it stands.
            return dataclasses.replace(evidence, local_cause=None)
        return evidence

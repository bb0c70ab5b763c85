"""The calls that this node has up: from the INVITE to the record of what became of it."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import structlog

from dialer.campaign import failover
from dialer.campaign.evidence import LocalCause
from dialer.conversation.ending import Cause, ConversationEnd
from dialer.engine import alarms, placer
from dialer.store.attempt_records import AttemptResult, FailedLeg
from dialer.store.errors import Unavailable
from dialer.ua.call import Answered

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from dialer.campaign.evidence import Evidence
    from dialer.campaign.outcome import Rule
    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.clock import Clock
    from dialer.engine.failover import Failover, NextLeg
    from dialer.engine.lease import NodeLease
    from dialer.engine.recorder import Recorder
    from dialer.engine.trace_writer import TraceWriter
    from dialer.engine.trunk_set import TrunkSet, TrunkState
    from dialer.metrics import Metrics
    from dialer.store.attempt_records import ClaimedCall
    from dialer.ua.agent import UserAgent
    from dialer.ua.call import CallEvent, CallResult
    from dialer.ua.outbound import OutboundCall, PreparedCall

log = structlog.get_logger(__name__)


@dataclasses.dataclass(slots=True)
class LiveCall:
    """One call of ours; `override` replaces the local cause when we ended it for a reason.

    `said` is what came of its `conversation`, once that is over.
    `trunk` and `outbound` are those of the latest leg, `tried` the trunks of all, `failed` the
    rules by which the earlier ones ended.
    """

    claimed: ClaimedCall
    attempt_id: UUID
    trunk: TrunkState
    outbound: OutboundCall | None = None
    answered: bool = False
    override: LocalCause | None = None
    conversation: asyncio.Task[ConversationEnd] | None = None
    said: ConversationEnd = dataclasses.field(default_factory=ConversationEnd)
    lost: bool = False
    tried: list[str] = dataclasses.field(default_factory=list)
    failed: list[Rule] = dataclasses.field(default_factory=list)

    @property
    def ordinal(self) -> int:
        """The number of the leg under way, from 0."""
        return len(self.tried) - 1


class LiveCalls:
    """Places calls, follows them, and hands their records to the recorder.

    `converse` is run for each answered call and ends it by hanging up; a call is over when its
    conversation is, which may outlast it a little. `on_free` is told of every call that is over.
    `traces`, if any, keep what passes of each call.
    """

    def __init__(  # noqa: PLR0913 - the parts that a call touches while it is live
        self,
        *,
        agent: UserAgent,
        clock: Clock,
        lease: NodeLease,
        recorder: Recorder,
        trunks: TrunkSet,
        failover: Failover,
        table: OutcomeTable,
        metrics: Metrics,
        converse: Callable[[ClaimedCall, UUID, OutboundCall], Coroutine[Any, Any, ConversationEnd]],
        on_free: Callable[[], None],
        traces: TraceWriter | None = None,
    ) -> None:
        self._agent = agent
        self._clock = clock
        self._lease = lease
        self._recorder = recorder
        self._trunks = trunks
        self._failover = failover
        self._table = table
        self._metrics = metrics
        self._converse = converse
        self._on_free = on_free
        self._traces = traces
        self._calls: dict[UUID, LiveCall] = {}
        self._going_on: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._calls)

    def attempts(self) -> dict[UUID, int]:
        """Return the attempts whose calls are up, with the ids of those."""
        return {attempt_id: live.claimed.id for attempt_id, live in self._calls.items()}

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
        self._send(live, trunk, prepared)

    def _send(self, live: LiveCall, trunk: TrunkState, prepared: PreparedCall) -> None:
        live.trunk = trunk
        live.tried.append(trunk.trunk.name)
        if self._traces is not None:
            self._traces.begin(prepared)
        live.outbound = self._agent.place(prepared, lambda event: self._happened(live, event))
        live.outbound.result.add_done_callback(lambda result: self._ended(live, result.result()))

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
        """Wait no longer for the far ends of calls that were hung up, nor for conversations."""
        for task in self._going_on:
            task.cancel()
        for live in list(self._calls.values()):
            if live.conversation is not None:
                live.conversation.cancel()
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
        self._recorder.progress(
            placer.progress(live.claimed.id, live.attempt_id, live.ordinal, event)
        )
        if isinstance(event, Answered):
            live.answered = True
            # the event comes from within the user agent, before place() may have returned
            asyncio.get_running_loop().call_soon(self._begin_conversation, live)

    def _begin_conversation(self, live: LiveCall) -> None:
        if live.outbound is None or live.outbound.result.done():
            return
        live.conversation = asyncio.create_task(
            self._converse(live.claimed, live.attempt_id, live.outbound),
            name=f"conversation-{live.attempt_id}",
        )
        live.conversation.add_done_callback(lambda task: self._conversation_over(live, task))

    def _conversation_over(self, live: LiveCall, task: asyncio.Task[ConversationEnd]) -> None:
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("conversation failed", call=live.claimed.id, error=str(error))
            live.said = ConversationEnd(Cause.BOT_FAILED, detail=str(error))
            self._end(live)
        else:
            live.said = task.result()
        if live.said.cause is not None:
            live.override = live.override or LocalCause(live.said.cause.value)

    def _ended(self, live: LiveCall, result: CallResult) -> None:
        """Take in the end of a leg once its conversation, if it had one, is over too."""
        if live.conversation is None:
            self._over(live, result)
        else:  # behind _conversation_over, which was there before
            live.conversation.add_done_callback(lambda _: self._over(live, result))

    def _over(self, live: LiveCall, result: CallResult) -> None:
        """Take in the end of a leg: the attempt goes on over another trunk, or ends with it."""
        if self._traces is not None:
            self._traces.end(live.claimed.id, live.attempt_id, live.ordinal, result.call_id)
        if live.lost:
            self._forget(live)
            return
        evidence = self._evidence(live, result)
        rule, verdict = placer.judge(
            live.trunk.definition.table or self._table,
            evidence,
            live.claimed.history,
            live.claimed.retry,
            self._lease.database_now(),
        )
        self._tell_trunk(live, rule, result)
        end = AttemptResult(
            call_id=live.claimed.id,
            attempt_id=live.attempt_id,
            verdict=verdict,
            evidence=placer.leg_evidence(result),
            leg_ordinal=live.ordinal,
            flags=placer.flags_of(rule, result),
            detail=live.said.detail or placer.detail_of(result),
            conversation=live.said.record,
            report_data=live.said.report_data,
            opted_out=live.said.opted_out,
        )
        if live.override is None and self._goes_on(live, rule, evidence):
            task = asyncio.create_task(
                self._go_on(live, rule, end), name=f"failover-{live.attempt_id}"
            )
            self._going_on.add(task)
            task.add_done_callback(self._going_on.discard)
        else:
            self._record(live, end)

    @staticmethod
    def _goes_on(live: LiveCall, rule: Rule, evidence: Evidence) -> bool:
        outcomes = live.trunk.definition.failover_on
        return failover.wanted(rule, evidence, live.failed, outcomes)

    def _tell_trunk(self, live: LiveCall, rule: Rule, result: CallResult) -> None:
        trunk = live.trunk
        if result.sent_at and result.first_provisional_at:
            waited = (result.first_provisional_at - result.sent_at).total_seconds()
            self._metrics.first_provisional.labels(trunk.trunk.name).observe(waited)
        self._trunks.ended(trunk, rule, result.retry_after, self._clock.monotonic())
        alarms.sound(rule, trunk, self._metrics)

    async def _go_on(self, live: LiveCall, rule: Rule, end: AttemptResult) -> None:
        """Go on over another trunk; where there is none, the attempt ends as its last leg did."""
        failed = FailedLeg(end.leg_ordinal, end.verdict.outcome, end.verdict.rule, end.evidence)
        leg: NextLeg | None = None
        try:
            leg = await self._failover.next_leg(
                live.claimed, live.attempt_id, failed, tuple(live.tried)
            )
        except Unavailable as error:
            log.warning("no failover: the database is away", reason=str(error))
        except Exception:
            log.exception("failover failed", call=live.claimed.id)
        finally:
            if leg is not None and (live.lost or live.override is not None):
                leg.prepared.release()
                leg = None
            if leg is None:
                self._record(live, end)
            else:
                self._metrics.failovers.labels(live.trunk.trunk.name).inc()
                self._log("call goes on over another trunk", live, end, to=leg.trunk.trunk.name)
                live.failed.append(rule)
                leg.trunk.started(1, self._clock.monotonic())
                self._send(live, leg.trunk, leg.prepared)
                self._on_free()  # the trunk that failed has room again

    def _record(self, live: LiveCall, end: AttemptResult) -> None:
        if not live.lost:
            status = end.verdict.status.value
            self._metrics.calls.labels(end.verdict.outcome, status).inc()
            self._log("call over", live, end, status=status)
            if end.evidence.answered:
                self._metrics.call_media(live.trunk.trunk.name, end.evidence.media)
            self._recorder.result(end)
        self._forget(live)

    @staticmethod
    def _log(event: str, live: LiveCall, end: AttemptResult, **more: str) -> None:
        log.info(
            event,
            campaign_id=live.claimed.campaign_id,
            call=live.claimed.id,
            trunk=live.trunk.trunk.name,
            sip_call_id=None if live.outbound is None else live.outbound.call_id,
            code=end.evidence.code,
            outcome=end.verdict.outcome,
            rule=end.verdict.rule,
            **more,
        )

    def _forget(self, live: LiveCall) -> None:
        del self._calls[live.attempt_id]
        if not self._calls:
            self._empty.set()
        self._on_free()

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

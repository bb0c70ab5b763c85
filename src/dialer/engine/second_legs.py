"""The second call of a transfer: checked, committed before its INVITE leaves, followed to its end.

It is a call as any other: fenced by the lease, within the limits of its trunk, and its record is
kept. It decides nothing of the attempt that it belongs to.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import structlog

from dialer.campaign import routing
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.number_rewriting import dialled, rewritten
from dialer.conversation.transfer import TransferRefusedError
from dialer.engine import placer
from dialer.store import do_not_call, transfers
from dialer.store.attempt_records import NewLeg
from dialer.store.errors import Unavailable
from dialer.store.records import LegEvidence
from dialer.store.transfers import TransferNews
from dialer.ua.call import Answered, CallRequest, InviteSent
from dialer.ua.media import NoPortAvailable

if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from uuid import UUID

    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.clock import Clock
    from dialer.conversation.transfer import Target
    from dialer.engine.lease import NodeLease
    from dialer.engine.recorder import Recorder
    from dialer.engine.trace_writer import TraceWriter
    from dialer.engine.trunk_set import TrunkSet, TrunkState
    from dialer.store.attempt_records import ClaimedCall
    from dialer.store.pool import Pool
    from dialer.ua.agent import UserAgent
    from dialer.ua.call import CallEvent, CallResult
    from dialer.ua.outbound import OutboundCall, PreparedCall

log = structlog.get_logger(__name__)

PACE_SECONDS = 3.0  # that a transfer waits for its turn in the calls per second of a trunk
_LOOK_EVERY = 0.02
FIRST_TRACE = 100  # the ordinal of the first second leg among an attempt's traces


_UNSENT = LegEvidence(local_cause="cancelled")


class _Leg(NamedTuple):
    claimed: ClaimedCall
    attempt_id: UUID
    ordinal: int
    trunk: TrunkState


@dataclasses.dataclass(frozen=True, slots=True)
class SecondLegs:
    """What the second legs of all calls of a node need."""

    pool: Pool
    clock: Clock
    lease: NodeLease
    agent: UserAgent
    trunks: TrunkSet
    recorder: Recorder
    table: OutcomeTable
    may_dial: Callable[[], bool]
    traces: TraceWriter | None = None
    internal_numbers: re.Pattern[str] | None = None

    def lines_of(self, claimed: ClaimedCall, attempt_id: UUID, call: OutboundCall) -> CallLines:
        """Return where the second calls of one call come from."""
        return CallLines(self, claimed, attempt_id, call)


class CallLines:
    """Where the second calls of one call come from."""

    def __init__(
        self, legs: SecondLegs, claimed: ClaimedCall, attempt_id: UUID, call: OutboundCall
    ) -> None:
        self._all = legs
        self._claimed = claimed
        self._attempt_id = attempt_id
        self._call = call

    def looked_up(self, target: Target) -> Target:
        """Return the target with the number that is meant, checked as those of lists are.

        Raises `TransferRefusedError` where the call's payload has none, or none that can be called.
        """
        column, text = target.number_from, target.number
        where = "number"
        if column:
            text, where = self._claimed.payload.get(column, "").strip(), f"column {column!r}"
            if not text:
                raise TransferRefusedError("no_number", f"{where}: is empty or not there")
        try:
            number = normalise(text, self._all.internal_numbers)
        except NumberError as error:
            raise TransferRefusedError("invalid_number", f"{where}: {error}") from None
        if not number.dialable:
            raise TransferRefusedError("invalid_number", f"{where}: {number.problem}")
        return dataclasses.replace(target, number=number.text)

    async def number(self, target: Target) -> str:
        """Return the target's number as it is dialled over the trunk of the call.

        Raises `TransferRefusedError` as `dial` does.
        """
        trunk = self._trunk(self._call.request.trunk.name)
        await self._wanted(target)
        return _dialled(trunk, target)

    async def dial(self, target: Target, on_event: Callable[[CallEvent], None]) -> OutboundCall:
        """Place the second call; raises `TransferRefusedError` where it may not be placed."""
        trunk = self._trunk(target.trunk or self._call.request.trunk.name)
        await self._wanted(target)
        request = self._request(trunk, target)
        try:
            prepared = await self._all.agent.prepare(request)
        except NoPortAvailable as error:
            raise TransferRefusedError("no_port", str(error)) from None
        except ValueError as error:
            raise TransferRefusedError("invalid_number", str(error)) from None
        try:
            leg = await self._commit(trunk, request, prepared)
        except BaseException:
            prepared.release()
            raise
        return self._place(leg, prepared, on_event)

    # whether it may be

    def _trunk(self, name: str) -> TrunkState:
        trunk = self._all.trunks.get(name)
        account = self._claimed.account_id
        if trunk is None:
            raise TransferRefusedError("no_trunk", f"there is no trunk {name!r} on this node")
        rule = dataclasses.replace(trunk.definition.rule, match=())
        if not routing.takes(rule, "", account):
            raise TransferRefusedError("no_trunk", f"the account may not use the trunk {name!r}")
        return trunk

    async def _wanted(self, target: Target) -> None:
        account = self._claimed.account_id
        try:
            listed = await do_not_call.matches(self._all.pool, account, [target.number])
        except Unavailable as error:
            raise TransferRefusedError("database", f"the database is away: {error}") from None
        if listed:
            raise TransferRefusedError("do_not_call", f"{target.number} is on a do-not-call list")

    def _request(self, trunk: TrunkState, target: Target) -> CallRequest:
        definition, claimed = trunk.definition, self._claimed
        if not routing.takes(definition.rule, target.number, claimed.account_id):
            raise TransferRefusedError(
                "no_route", f"the trunk {trunk.trunk.name!r} does not take {target.number}"
            )
        caller_id = placer.caller_id_for(claimed, definition.caller_id)
        try:
            return CallRequest(
                trunk=definition.trunk,
                number=_dialled(trunk, target),
                caller_id=rewritten(definition.caller_id_rewriting, caller_id),
                ring_timeout=target.ring_seconds,
                max_talk=float(claimed.max_talk_seconds),  # the first call ends sooner
            )
        except ValueError as error:
            raise TransferRefusedError("invalid_number", str(error)) from None

    # the leg

    async def _commit(
        self, trunk: TrunkState, request: CallRequest, prepared: PreparedCall
    ) -> _Leg:
        """Commit the leg within the pace of its trunk; its INVITE may leave at once."""
        every = self._all
        await self._turn(trunk)
        new = NewLeg(
            call_id=self._claimed.id,
            attempt_id=self._attempt_id,
            trunk=request.trunk.name,
            number=request.number,
            caller_id=request.caller_id,
            identity=placer.leg_identity(prepared.identity),
        )
        try:
            done = await transfers.commit(
                every.pool, every.lease.name, every.lease.epoch, new, trunk.definition.max_calls
            )
        except Unavailable as error:
            # it may be committed all the same: the attempt's result ends it
            raise TransferRefusedError("database", f"the database is away: {error}") from None
        if isinstance(done, str):
            raise TransferRefusedError("no_room", done)
        leg = _Leg(self._claimed, self._attempt_id, done, trunk)
        if not every.may_dial() or self._call.result.done():
            every.recorder.transfer(TransferNews(self._attempt_id, done, evidence=_UNSENT))
            raise TransferRefusedError("too_late", "the call ended, or the node may not dial now")
        return leg

    async def _turn(self, trunk: TrunkState) -> None:
        """Wait for a turn in the calls per second of a trunk, and take it."""
        every = self._all
        until = every.clock.monotonic() + PACE_SECONDS
        while True:
            now = every.clock.monotonic()
            if not trunk.usable(now):
                raise TransferRefusedError(
                    "trunk_down", f"the trunk {trunk.trunk.name} is down: {trunk.why_not(now)}"
                )
            if trunk.available(every.lease.share(), now) > 0:
                trunk.started(1, now)
                return
            if now >= until:
                raise TransferRefusedError(
                    "no_room", f"the trunk {trunk.trunk.name} starts no more calls at the moment"
                )
            await every.clock.sleep(_LOOK_EVERY)

    def _place(
        self, leg: _Leg, prepared: PreparedCall, on_event: Callable[[CallEvent], None]
    ) -> OutboundCall:
        every = self._all

        def happened(event: CallEvent) -> None:
            match event:
                case InviteSent(identity):
                    every.recorder.transfer(
                        TransferNews(
                            leg.attempt_id, leg.ordinal, identity=placer.leg_identity(identity)
                        )
                    )
                case Answered(dialog, at):
                    every.recorder.transfer(
                        TransferNews(
                            leg.attempt_id,
                            leg.ordinal,
                            dialog=placer.dialog_to_store(dialog),
                            answered_at=at,
                        )
                    )
            on_event(event)

        if every.traces is not None:
            every.traces.begin(prepared)
        placed = every.agent.place(prepared, happened)
        placed.result.add_done_callback(lambda done: self._ended(leg, done.result()))
        return placed

    def _ended(self, leg: _Leg, result: CallResult) -> None:
        every = self._all
        if every.traces is not None:
            every.traces.end(
                leg.claimed.id, leg.attempt_id, FIRST_TRACE + leg.ordinal, result.call_id
            )
        table = leg.trunk.definition.table or every.table
        rule = table.rule_for(placer.evidence_of(result))
        every.trunks.ended(leg.trunk, rule, result.retry_after, every.clock.monotonic())
        every.recorder.transfer(
            TransferNews(
                leg.attempt_id,
                leg.ordinal,
                evidence=placer.leg_evidence(result),
                outcome=rule.outcome.value,
                rule=rule.name,
            )
        )


def _dialled(trunk: TrunkState, target: Target) -> str:
    definition = trunk.definition
    try:
        return dialled(definition.rewriting, target.number, definition.region)
    except ValueError as error:
        raise TransferRefusedError("invalid_number", str(error)) from None

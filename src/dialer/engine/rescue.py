"""Takes over the calls of nodes that died: ends them at the far end, and records them."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import structlog

from dialer.campaign.evidence import Evidence, LocalCause
from dialer.engine import placer
from dialer.store import attempts, transfers
from dialer.store.attempt_records import AttemptResult
from dialer.store.pool import transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Coroutine

    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.engine.lease import NodeLease
    from dialer.engine.trunk_set import TrunkSet
    from dialer.store.attempt_records import OrphanedCall
    from dialer.store.pool import Pool
    from dialer.store.transfers import OpenTransfer
    from dialer.ua.agent import UserAgent

log = structlog.get_logger(__name__)


class Rescue:
    """One turn: claim back what dead nodes merely held, end and record what they had up."""

    def __init__(
        self,
        *,
        pool: Pool,
        lease: NodeLease,
        agent: UserAgent,
        table: OutcomeTable,
        trunks: TrunkSet,
    ) -> None:
        self._pool = pool
        self._lease = lease
        self._agent = agent
        self._table = table
        self._trunks = trunks
        self._ending: set[asyncio.Task[None]] = set()

    async def run_once(self) -> int:
        """Rescue what there is; return how many calls were under way. Raises `Unavailable`."""
        rescued = 0
        if self._lease.safe():
            await attempts.free_orphans(self._pool)
        while self._lease.safe():
            orphans = await self._take_over()
            rescued += len(orphans)
            if not orphans:
                break
        return rescued

    async def _take_over(self) -> list[OrphanedCall]:
        orphans: list[OrphanedCall] = []
        seconds: list[OpenTransfer] = []
        node, epoch = self._lease.name, self._lease.epoch
        try:
            async with transaction(self._pool) as connection:
                orphans = await attempts.take_over_orphans(connection, node, epoch)
                ids = [orphan.attempt_id for orphan in orphans]
                seconds = await transfers.open_of(connection, ids) if ids else []
                results = [self._result(orphan) for orphan in orphans]
                await attempts.record_results(connection, node, epoch, results)
        finally:
            # Should the commit be lost, they are ended twice: better than not at all.
            for orphan in orphans:
                self._end_at_far_end(orphan)
            for second in seconds:
                self._end_at_far_end(second)
        return orphans

    def _result(self, orphan: OrphanedCall) -> AttemptResult:
        stored = orphan.evidence
        evidence = Evidence(
            local_cause=LocalCause.NODE_LOST,
            code=stored.code,
            phrase=stored.phrase,
            rang=stored.rang,
            provisional=stored.first_provisional_at is not None,
            answered=orphan.answered,
        )
        now = self._lease.database_now()
        rule, verdict = placer.judge(self._table, evidence, orphan.history, orphan.retry, now)
        log.warning(
            "call of a dead node ended",
            campaign_id=orphan.campaign_id,
            call=orphan.id,
            outcome=verdict.outcome,
            status=verdict.status.value,
        )
        return AttemptResult(
            call_id=orphan.id,
            attempt_id=orphan.attempt_id,
            verdict=verdict,
            evidence=dataclasses.replace(
                stored,
                local_cause=LocalCause.NODE_LOST.value,
                ended_at=now,
                talk_seconds=_talked(orphan, now),
            ),
            leg_ordinal=orphan.leg_ordinal,
            flags=placer.flags_of(rule, None),
        )

    def _end_at_far_end(self, orphan: OrphanedCall | OpenTransfer) -> None:
        """Send the BYE or CANCEL that the dead node cannot; best effort."""
        state = self._trunks.get(orphan.trunk)
        trunk = None if state is None else state.trunk
        end: Coroutine[object, object, None]
        if orphan.dialog is not None:
            end = self._agent.hang_up_dialog(placer.stored_dialog(orphan.dialog), trunk)
        else:
            end = self._agent.hang_up_leg(placer.stored_leg(orphan.identity), trunk)
        sip_call_id = orphan.identity.call_id
        task = asyncio.create_task(_quietly(end, sip_call_id), name=f"end-orphan-{sip_call_id}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _talked(orphan: OrphanedCall, now: dt.datetime) -> float:
    """Return for how many seconds a call was up that is hung up only now."""
    answered_at = orphan.evidence.answered_at
    return 0.0 if answered_at is None else max(0.0, (now - answered_at).total_seconds())


async def _quietly(end: Coroutine[object, object, None], sip_call_id: str) -> None:
    try:
        await end
    except Exception as error:  # noqa: BLE001 - nothing of a dead call may stop the rescue
        log.warning(
            "a dead node's call could not be ended", sip_call_id=sip_call_id, error=repr(error)
        )

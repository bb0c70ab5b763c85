"""Claimed calls that end without an INVITE."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from dialer.campaign.evidence import Evidence, LocalCause
from dialer.engine import placer
from dialer.store import attempts
from dialer.store.attempt_records import Refusal, UndialedResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.engine.lease import NodeLease
    from dialer.store.attempt_records import ClaimedCall
    from dialer.store.pool import Pool


class UndialedCalls:
    """Records what becomes of calls that nothing is sent for."""

    def __init__(self, pool: Pool, lease: NodeLease, table: OutcomeTable) -> None:
        self._pool = pool
        self._lease = lease
        self._table = table

    async def record(self, refused: Iterable[tuple[ClaimedCall, Refusal]]) -> None:
        """End calls for a reason of ours; raises `Unavailable`.

        What cannot be dialled at all ends as that, whichever trunk would take it.
        """
        rows = [
            self._result(call, why if call.dialable else Refusal(LocalCause.INVALID_NUMBER, ""))
            for call, why in refused
        ]
        if rows:
            await attempts.record_undialed(self._pool, self._lease.name, self._lease.epoch, rows)

    def _result(self, call: ClaimedCall, why: Refusal) -> UndialedResult:
        rule, verdict = placer.judge(
            self._table,
            Evidence(local_cause=why.cause, phrase=call.problem),
            call.history,
            call.retry,
            self._lease.database_now(),
        )
        return UndialedResult(
            call_id=call.id,
            attempt_id=uuid.uuid4(),
            verdict=verdict,
            flags=placer.flags_of(rule, None),
            detail=why.detail or call.problem,
        )

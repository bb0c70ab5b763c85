"""Keeps what passed of each call that is over, in batches; what cannot be written is let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from dialer.store import traces
from dialer.store.errors import Unavailable
from dialer.store.records import LegTrace, Passage

if TYPE_CHECKING:
    import datetime as dt
    from uuid import UUID

    from dialer.store.pool import Pool
    from dialer.ua.call_trace import CallTrace, CallTraces, TracedMessage, TracedPacket

log = structlog.get_logger(__name__)

WRITE_EVERY = 0.5  # seconds
FORGET_EVERY = 600.0  # seconds
BATCH = 200
WAITING = 5000  # traces in memory while Postgres is away


class TraceWriter:
    """Traces of calls from their INVITE to their end, then to Postgres.

    Unlike results, traces are not worth waiting for: with more than `WAITING` of them in memory
    the oldest are dropped, and the log says how many.
    """

    def __init__(self, pool: Pool, hook: CallTraces, keep: dt.timedelta) -> None:
        self._pool = pool
        self._hook = hook
        self._keep = keep
        self._up: dict[UUID, CallTrace] = {}
        self._waiting: list[LegTrace] = []

    def begin(self, attempt_id: UUID, sip_call_id: str) -> CallTrace:
        """Trace a leg from now on."""
        trace = self._up[attempt_id] = self._hook.begin(sip_call_id)
        return trace

    def end(self, call_id: int, attempt_id: UUID, leg_ordinal: int, sip_call_id: str) -> None:
        """Take a leg's trace, which is over, for writing."""
        self._hook.end(sip_call_id)
        trace = self._up.pop(attempt_id, None)
        if trace is None or not trace.messages:
            return
        self._waiting.append(
            LegTrace(
                call_id=call_id,
                attempt_id=attempt_id,
                leg_ordinal=leg_ordinal,
                messages=tuple(map(_passage, trace.messages)),
                packets=tuple(map(_passage, trace.packets)),
            )
        )
        if len(self._waiting) > WAITING:
            log.warning("traces of calls are lost", traces=WAITING // 2)
            del self._waiting[: WAITING // 2]

    async def write(self) -> float:
        """Write what waits, and return when to come again; raises `Unavailable`."""
        while self._waiting:
            batch = self._waiting[:BATCH]
            try:
                await traces.keep(self._pool, batch)
            except Unavailable:
                raise
            except Exception:
                log.exception("traces of calls could not be kept", traces=len(batch))
            kept = {(one.attempt_id, one.leg_ordinal) for one in batch}
            self._waiting = [
                one for one in self._waiting if (one.attempt_id, one.leg_ordinal) not in kept
            ]
        return WRITE_EVERY

    async def forget(self) -> float:
        """Delete what is older than it is to be kept, and return when to come again."""
        while await traces.forget(self._pool, self._keep):
            pass
        return FORGET_EVERY


def _passage(one: TracedMessage | TracedPacket) -> Passage:
    return Passage(
        at=one.at,
        sent=one.direction == "sent",
        transport=one.peer.transport,
        local_host=one.local.host,
        local_port=one.local.port,
        peer_host=one.peer.host,
        peer_port=one.peer.port,
        data=one.data,
    )

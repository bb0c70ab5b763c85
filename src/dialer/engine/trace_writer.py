"""Keeps what passed of each call that is over, in batches; what cannot be written is let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from dialer.store import traces
from dialer.store.errors import Unavailable
from dialer.store.records import LegTrace, Passage
from dialer.ua.call_trace import MediaTrace

if TYPE_CHECKING:
    import datetime as dt
    from uuid import UUID

    from dialer.clock import Clock
    from dialer.store.pool import Pool
    from dialer.ua.call_trace import CallTrace, CallTraces, TracedMessage, TracedPacket
    from dialer.ua.outbound import PreparedCall

log = structlog.get_logger(__name__)

WRITE_EVERY = 0.5  # seconds
FORGET_EVERY = 600.0  # seconds
BATCH = 200
WAITING = 5000  # traces in memory while Postgres is away
PACKETS_PER_SECOND = 50  # of 20 ms, each way


class TraceWriter:
    """Traces of calls from their INVITE to their end, then to Postgres.

    Unlike results, traces are not worth waiting for: with more than `WAITING` of them in memory
    the oldest are dropped, and the log says how many.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        hook: CallTraces,
        keep: dt.timedelta,
        *,
        rtp_seconds: float = 0.0,
        rtp_audio: bool = False,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._hook = hook
        self._keep = keep
        self._packets = round(rtp_seconds * PACKETS_PER_SECOND)
        self._audio = rtp_audio
        self._up: dict[str, CallTrace] = {}  # by Call-ID
        self._waiting: list[LegTrace] = []

    def begin(self, prepared: PreparedCall) -> None:
        """Trace a leg from now on: its messages, and the first of its RTP."""
        sip_call_id = prepared.identity.call_id
        trace = self._up[sip_call_id] = self._hook.begin(sip_call_id)
        if prepared.route is not None and self._packets:
            stream = prepared.route.session.stream
            stream.on_packet = MediaTrace(
                trace, stream, self._clock, self._packets, audio=self._audio
            )

    def end(self, call_id: int, attempt_id: UUID, leg_ordinal: int, sip_call_id: str) -> None:
        """Take a leg's trace, which is over, for writing."""
        self._hook.end(sip_call_id)
        trace = self._up.pop(sip_call_id, None)
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

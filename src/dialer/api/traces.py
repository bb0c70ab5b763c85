"""What passed of a call over HTTP: its SIP messages, and a capture for Wireshark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from dialer import pcap
from dialer.api import inputs, trace_models
from dialer.api.context import account_of, answer, context_of
from dialer.store import traces

if TYPE_CHECKING:
    from dialer.store.records import LegTrace, Passage


async def messages(request: web.Request) -> web.Response:
    """Read the SIP messages of a call."""
    call_id, found = await _traces(request)
    return answer(trace_models.CallMessages(call_id=call_id, legs=[_leg(one) for one in found]))


async def capture(request: web.Request) -> web.Response:
    """Read the SIP messages and RTP packets of a call as a capture file."""
    call_id, found = await _traces(request)
    passages = [passage for leg in found for passage in (*leg.messages, *leg.packets)]
    return web.Response(
        body=pcap.capture(passages),
        content_type="application/vnd.tcpdump.pcap",
        headers={"Content-Disposition": f'attachment; filename="call-{call_id}.pcap"'},
    )


async def _traces(request: web.Request) -> tuple[int, list[LegTrace]]:
    context = context_of(request)
    call_id = inputs.path_id(request, "call")
    return call_id, await traces.of_call(context.pool, account_of(request), call_id)


def _leg(trace: LegTrace) -> trace_models.LegMessages:
    return trace_models.LegMessages(
        attempt_id=trace.attempt_id,
        leg=trace.leg_ordinal,
        messages=[_message(one) for one in trace.messages],
        rtp_packets=len(trace.packets),
    )


def _message(passage: Passage) -> trace_models.Message:
    return trace_models.Message(
        at=passage.at,
        direction="sent" if passage.sent else "received",
        transport=passage.transport,
        local=_address(passage.local_host, passage.local_port),
        peer=_address(passage.peer_host, passage.peer_port),
        text=passage.data.decode("utf-8", "replace"),
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""The test call of a trunk's check: one that plays a greeting for two seconds and hangs up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable
from dialer.conversation.prompt import HELLO, play_prompt
from dialer.engine.placer import evidence_of
from dialer.trial_call import hint, why_not_reached
from dialer.trunk_check_steps import Step
from dialer.ua.audio import AudioLibrary
from dialer.ua.call import Answered, Progress
from dialer.ua.media_ports import NoPortAvailable

if TYPE_CHECKING:
    import datetime as dt

    from dialer.campaign.outcome import Rule
    from dialer.clock import Clock
    from dialer.ua.agent import UserAgent
    from dialer.ua.call import CallEvent, CallRequest, CallResult
    from dialer.ua.outbound import OutboundCall

SILENCE = 5.0  # seconds for the first response
TALK = 2.0  # seconds
_END = 5.0  # seconds for the answer to our CANCEL or BYE

# the called number's doing, not the trunk's
_TAKEN = frozenset(
    {Outcome.ANSWERED, Outcome.BUSY, Outcome.NO_ANSWER, Outcome.DECLINED, Outcome.UNWANTED}
)


async def call_step(
    agent: UserAgent, clock: Clock, request: CallRequest, table: OutcomeTable | None
) -> Step:
    """Place the call and return what came of it."""
    start = clock.monotonic()
    try:
        result = await _call(agent, request)
    except NoPortAvailable as error:
        return Step("call", "failed", f"no port for RTP: {error}", advice="widen sip.rtp_ports")
    except ValueError as error:
        said = f"cannot be worded: {error}"
        return Step("call", "failed", said, advice="correct `caller_id`, `from_user` or `rewrite`")
    took = (clock.monotonic() - start) * 1000
    said = f"{request.number} over {request.trunk.name}"
    if result is None:
        said += f": no answer to INVITE within {SILENCE:.0f} s"
        advice = "the address may be wrong, or a firewall may drop what is sent"
        return Step("call", "failed", said, took, advice=advice)
    rule = (table or OutcomeTable.default()).rule_for(evidence_of(result))
    response = f"{result.code} {result.phrase}".strip() if result.code else "no final response"
    said += f": {rule.outcome.value}, {response}; decided by rule {rule.name}"
    details, facts = _times(result), _facts(result, rule)
    if rule.outcome not in _TAKEN:
        why_not = await why_not_reached(agent, request.trunk)
        advice = hint(request.trunk, result.local_cause, why_not) or _advice(rule.outcome)
        return Step("call", "failed", said, took, None, details, advice, facts)
    if result.answered and not result.rtp_packets_received:
        advice = (
            "no sound came: does a firewall let UDP pass to sip.rtp_ports, and is"
            " external_address what the trunk sees?"
        )
        return Step("call", "warning", said, took, None, details, advice, facts)
    return Step("call", "ok", said, took, None, details, "", facts)


async def _call(agent: UserAgent, request: CallRequest) -> CallResult | None:
    """Return the result, None where nothing at all was heard of the call."""
    heard, answered = asyncio.Event(), asyncio.Event()

    def happened(event: CallEvent) -> None:
        if isinstance(event, Progress | Answered):
            heard.set()
        if isinstance(event, Answered):
            answered.set()

    call = agent.place(await agent.prepare(request), happened)
    if not await _within(SILENCE, heard, call):
        call.hang_up()
        return None
    await _within(request.ring_timeout + _END, answered, call)
    if answered.is_set() and not call.result.done():
        playing = asyncio.create_task(play_prompt(call, HELLO, AudioLibrary()), name="greeting")
        await asyncio.wait({call.result}, timeout=TALK)
        playing.cancel()  # which hangs up
        await asyncio.gather(playing, return_exceptions=True)
        await asyncio.wait({call.result}, timeout=_END)
    if not call.result.done():
        call.abandon()
    return await call.result


async def _within(seconds: float, event: asyncio.Event, call: OutboundCall) -> bool:
    """Wait until something happened or the call is over; False says that neither did in time."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        ends: set[asyncio.Future[Any]] = {waiting, call.result}
        done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        waiting.cancel()


def _times(result: CallResult) -> tuple[str, ...]:
    moments = (
        ("first response", result.first_provisional_at),
        ("rang", result.ringing_at),
        ("answered", result.answered_at),
    )
    lines = [f"{what} after {_after(result, at):.0f} ms" for what, at in moments if at is not None]
    if result.answered:
        ended = result.hung_up_by.value if result.hung_up_by else "nobody"
        lines.append(f"talked {result.talk_seconds:.1f} s, hung up by {ended}")
        sent, received = result.rtp_packets_sent, result.rtp_packets_received
        lines.append(f"RTP packets: {sent} sent, {received} received")
    return tuple(lines)


def _after(result: CallResult, at: dt.datetime) -> float:
    return 0.0 if result.sent_at is None else (at - result.sent_at).total_seconds() * 1000


def _facts(result: CallResult, rule: Rule) -> dict[str, Any]:
    return {
        "outcome": rule.outcome.value,
        "rule": rule.name,
        "code": result.code,
        "phrase": result.phrase,
        "rtp_packets_sent": result.rtp_packets_sent,
        "rtp_packets_received": result.rtp_packets_received,
    }


def _advice(outcome: Outcome) -> str:
    if outcome in {Outcome.INVALID_NUMBER, Outcome.UNREACHABLE}:
        return "try another number; how it is written is set by `rewrite` and `number_form`"
    if outcome is Outcome.CALLER_IDENTITY_REJECTED:
        return "correct `caller_id`: the trunk takes only numbers that are yours"
    if outcome is Outcome.MEDIA_REJECTED:
        return "correct `codecs`, `ptime` or `srtp`"
    return "see the messages with dialer dial NUMBER --trunk NAME, and ask who runs the trunk"

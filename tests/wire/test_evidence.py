"""What a far end says on the way to its answer is the evidence of the outcome."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from tests.unit.sip.sample_messages import answer_bytes

from dialer.campaign.outcome_table import OutcomeTable
from dialer.clock import SystemClock
from dialer.engine import placer
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, LocalCause, Trunk

T1 = 0.05


class FarEnd(asyncio.DatagramProtocol):
    """Gives these responses to an INVITE: (code, header fields)."""

    def __init__(self, responses):
        self.responses = responses
        self.invite = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        if data.startswith(b"INVITE ") and self.invite is None:
            self.invite = data, address
            for code, fields in self.responses:
                self.say(code, **fields)

    def say(self, code, **fields):
        data, address = self.invite
        self.transport.sendto(answer_bytes(data, code, "Word", **fields), address)


class RingsAgainAndAgain(FarEnd):
    """Says 180 at once and all the time, until a CANCEL comes; then 487."""

    def datagram_received(self, data, address):
        super().datagram_received(data, address)
        if data.startswith(b"INVITE "):
            self.ring()
        elif data.startswith(b"CANCEL "):
            self.again.cancel()
            self.transport.sendto(answer_bytes(data, 200, "OK"), address)
            self.say(487)

    def ring(self):
        self.say(180)
        self.again = asyncio.get_running_loop().call_later(T1, self.ring)


async def called(far_end, **request):
    """Call a far end; return the result, the evidence in it, and the rule that decides."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: far_end, local_addr=("127.0.0.1", 0)
    )
    settings = UserAgentSettings(bind_host="127.0.0.1", t1=T1, t2=8 * T1, t4=4 * T1)
    agent = UserAgent(settings, SystemClock())
    await agent.start()
    try:
        trunk = Trunk("far end", "127.0.0.1", transport.get_extra_info("sockname")[1])
        wanted = CallRequest(trunk, "+15552000000", "+15550001000", **request)
        result = await asyncio.wait_for(agent.call(wanted), 20)
    finally:
        await agent.close()
        transport.close()
    evidence = placer.evidence_of(result)
    return result, evidence, OutcomeTable.default().rule_for(evidence)


def says(code, *reasons):
    return code, ({"reason": list(reasons)} if reasons else {})


@pytest.mark.parametrize(
    ("progress", "rang", "rule"),
    [
        ((100,), False, "unreachable-480"),
        ((100, 181, 182, 183), False, "unreachable-480"),
        ((183, 180), True, "no-answer-480-rang"),
        ((180, 183), True, "no-answer-480-rang"),
    ],
)
async def test_only_a_180_is_ringing_and_181_182_183_are_progress(progress, rang, rule):
    far_end = FarEnd([says(code) for code in (*progress, 480)])
    result, evidence, decided = await called(far_end)
    assert [provisional.code for provisional in result.provisionals] == list(progress)
    assert (evidence.rang, evidence.progressed) == (rang, progress != (100,))
    assert (result.ringing_at is not None) == rang
    assert decided.name == rule


@pytest.mark.parametrize(
    ("responses", "cause", "outcome"),
    [
        ((says(183, "Q.850;cause=17"), says(480)), 17, "busy"),
        ((says(183, "Q.850;cause=17"), says(480, "Q.850;cause=20")), 20, "unreachable"),
        ((says(183, "Q.850;cause=17"), says(480, "SIP;cause=480")), 17, "busy"),
        ((says(480, 'SIP;cause=480, Q.850;cause=19;text="x"'),), 19, "no_answer"),
        ((says(480, "Q.850;cause=16", "Q.850;cause=21"),), 21, "declined"),
        ((says(183, "Q.850;cause=1"), says(486)), 1, "busy"),  # 486 is not overruled
        ((says(183, "Q.850;cause=127"), says(480)), 127, "unreachable"),  # it says nothing
    ],
)
async def test_a_cause_comes_in_any_response_one_of_several_values_and_the_last_counts(
    responses, cause, outcome
):
    result, evidence, decided = await called(FarEnd(responses))
    given = itertools.chain.from_iterable(fields.get("reason", ()) for _, fields in responses)
    assert ", ".join(result.reasons) == ", ".join(given)
    assert (evidence.q850, decided.outcome) == (cause, outcome)


async def test_the_ring_timeout_counts_from_the_invite_and_not_from_the_last_180():
    result, _, decided = await called(RingsAgainAndAgain(()), ring_timeout=20 * T1)
    assert (result.code, result.local_cause, result.rang) == (487, LocalCause.RING_TIMEOUT, True)
    assert len(result.provisionals) > 1
    assert decided.outcome == "no_answer"

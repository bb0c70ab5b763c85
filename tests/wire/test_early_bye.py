"""A person who has picked up and hung up again is recorded so, even where the 200 was lost."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.sip.sample_messages import answer_bytes
from tests.wire.test_answers import bye_of

from dialer.campaign.outcome_table import OutcomeTable
from dialer.clock import SystemClock
from dialer.engine import placer
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, Trunk

T1 = 0.01


class LosesItsAnswer(asyncio.DatagramProtocol):
    """Rings, picks up and hangs up; its 200 gets lost."""

    def connection_made(self, transport):
        self.transport = transport
        self.invited = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        if data.startswith(b"INVITE ") and not self.invited.done():
            self.transport.sendto(answer_bytes(data, 180, "Ringing"), address)
            self.invited.set_result((data, address))

    def bye(self):
        data, address = self.invited.result()
        self.transport.sendto(bye_of(data, "theirs", reason="Q.850;cause=16"), address)


@pytest.mark.parametrize(
    ("cancelled", "outcome", "status", "flags"),
    [
        (False, "answered", "answered", ()),
        (True, "no_answer", "completed_without_answer", ("answered_late",)),
    ],
)
async def test_a_bye_is_an_answer_that_was_over(cancelled, outcome, status, flags):
    loop = asyncio.get_running_loop()
    transport, phone = await loop.create_datagram_endpoint(
        LosesItsAnswer, local_addr=("127.0.0.1", 0)
    )
    settings = UserAgentSettings(bind_host="127.0.0.1", t1=T1, t2=8 * T1, t4=4 * T1)
    agent = UserAgent(settings, SystemClock())
    await agent.start()
    try:
        trunk = Trunk("phone", "127.0.0.1", transport.get_extra_info("sockname")[1])
        call = agent.place(
            await agent.prepare(CallRequest(trunk, "+15552000000", "+15550001000")), lambda _: None
        )
        await asyncio.wait_for(phone.invited, 5)
        if cancelled:
            call.cancel()
        phone.bye()
        result = await asyncio.wait_for(call.result, 5)
    finally:
        await agent.close()
        transport.close()
    assert (result.code, result.rang, result.hung_up_by) == (None, True, "them")
    assert result.answered_late == cancelled
    assert result.q850_cause is None
    rule = OutcomeTable.default().rule_for(placer.evidence_of(result))
    assert (rule.outcome, rule.final, rule.flags) == (outcome, status, flags)

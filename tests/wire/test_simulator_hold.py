"""A far party that changes the session of a call: hold, resume, and a re-INVITE without SDP."""

import asyncio

from tests.wire.simulation import placed, simulation

from dialer.simulator.wire import read
from dialer.ua.call import Answered, HungUpBy


class FarParty:
    """Writes requests within a dialog by hand, from the carrier's socket."""

    def __init__(self):
        self.invite = None
        self.ack = None
        self.answers = asyncio.Queue()

    def __call__(self, passed):
        message = read(passed.data)
        if passed.direction == "sent" and message is not None:
            if message.method == "INVITE" and not message.code:
                self.invite = message
            elif message.method == "ACK" and self.ack is None:
                self.ack = message
            elif message.code and message.method in ("INVITE", "UPDATE"):
                self.answers.put_nowait(message)

    def send(self, s, method, cseq, body=b""):
        host, port = s.carrier.address[:2]
        lines = [
            f"{method} {self.invite.first('contact').strip('<>')} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{cseq}",
            f"From: {self.ack.first('to')}",
            f"To: {self.ack.first('from')}",
            f"Call-ID: {self.ack.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{host}:{port}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        data = "\r\n".join([*lines, "", ""]).encode() + body
        s.carrier.driver.send(data, s.agent.local_address)

    async def ask(self, s, method, cseq, body=b"", ack=b""):
        self.send(s, method, cseq, body)
        while True:
            answer = await self.answers.get()
            if answer.cseq == cseq and answer.code >= 200:
                break
        if method == "INVITE":
            self.send(s, "ACK", cseq, ack)
        return answer


def description(direction, port=40000):
    return (
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
    ).encode()


async def test_a_far_party_that_holds_resumes_and_asks_for_an_offer():
    far = FarParty()
    async with simulation(agent={"on_message": far}) as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        held = await far.ask(s, "INVITE", 1, description("sendonly"))
        assert (held.code, b"a=recvonly" in held.body) == (200, True)
        held = await far.ask(s, "INVITE", 2, description("inactive"))
        assert b"a=inactive" in held.body
        resumed = await far.ask(s, "UPDATE", 3, description("sendrecv"))
        assert (resumed.code, b"a=sendrecv" in resumed.body) == (200, True)
        offered = await far.ask(s, "INVITE", 4, ack=description("sendrecv"))
        assert (offered.code, b"m=audio" in offered.body) == (200, True)
        refreshed = await far.ask(s, "UPDATE", 5)
        assert (refreshed.code, refreshed.body) == (200, b"")
        refused = await far.ask(s, "INVITE", 6, b"v=0\r\nnonsense")
        assert refused.code == 488
        assert not call.result.done()
        call.hang_up()
        result = await call.result
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)

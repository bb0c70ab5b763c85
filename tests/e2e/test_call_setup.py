"""Call setup against SIPp, judged by the messages that SIPp logged."""

from __future__ import annotations

import re

import pytest

from dialer.clock import SystemClock
from dialer.sip.identity import HostPort
from dialer.ua.call import CallRequest, HungUpBy, InviteSent, LocalCause
from dialer.ua.resolver import Found, Resolver

from .calling import place

SHORT_T1 = 0.05


def request(far, **trunk):
    return CallRequest(far.trunk(**trunk), "4711", "15550100", ring_timeout=10.0, max_talk=0.3)


def header(message, name):
    """Return a header of a logged message, "" where it is empty or absent."""
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", message, re.MULTILINE)
    return found[1] if found else ""


def cseq(message):
    return int(header(message, "CSeq").split()[0])


def branch(message):
    return re.search(r"branch=([^;\s]+)", header(message, "Via"))[1]


class Literal(Resolver):
    """Finds the same addresses for every host."""

    def __init__(self, *far_ends):
        super().__init__(SystemClock())
        self.found = Found(tuple(HostPort("127.0.0.1", far.port) for far in far_ends))

    async def find(self, *_host):
        return self.found


# Reliable provisional responses (RFC 3262).


async def test_reliable_responses_are_acknowledged_and_their_sdp_serves(far_end, user_agent):
    far = await far_end("reliable")
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert result.answered  # by the SDP of the 183
    assert result.hung_up_by is HungUpBy.US
    assert [provisional.code for provisional in result.provisionals] == [183, 180]
    [invite] = far.received("INVITE")
    assert header(invite, "Supported") == "100rel, timer"
    pracks, [ack], [bye] = (far.received(method) for method in ("PRACK", "ACK", "BYE"))
    assert [header(prack, "RAck") for prack in pracks] == ["776655 1 INVITE", "776656 1 INVITE"]
    assert [cseq(message) for message in (*pracks, ack, bye)] == [2, 3, 1, 4]
    assert len({branch(message) for message in (invite, *pracks)}) == 3
    assert all(header(prack, "Call-ID") == header(invite, "Call-ID") for prack in pracks)


async def test_a_prack_is_repeated_and_a_repeated_183_is_not(far_end, user_agent):
    far = await far_end("prack-late", "-nr")
    result = await (await user_agent(t1=SHORT_T1)).call(request(far))
    await far.finished()
    assert result.answered
    assert [provisional.code for provisional in result.provisionals] == [183]
    first, second = far.received("PRACK")
    assert first == second


async def test_each_fork_has_its_pracks_and_its_sdp(far_end, user_agent):
    far = await far_end("forked-reliable")
    call, _, _ = await place(await user_agent(), request(far))
    result = await call.result
    await far.finished()
    assert result.answered
    assert call.media.codec == "PCMA"  # the last 183 said PCMU, but did not answer
    assert [provisional.code for provisional in result.provisionals] == [183, 183, 180]
    found = [
        (header(prack, "To").partition("tag=")[2], header(prack, "RAck"), cseq(prack))
        for prack in far.received("PRACK")
    ]
    assert found == [
        ("one", "100 1 INVITE", 2),
        ("two", "7 1 INVITE", 2),
        ("one", "101 1 INVITE", 3),
    ]
    [bye] = far.received("BYE")
    assert (header(bye, "To").partition("tag=")[2], cseq(bye)) == ("one", 4)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_challenged_prack_is_sent_again(far_end, user_agent, algorithm):
    challenge = f'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm={algorithm}'
    far = await far_end(
        "prack-challenge", challenge=challenge, account="dialer", secret="far-secret"
    )
    trunk = {"username": "dialer", "password": "far-secret"}
    result = await (await user_agent()).call(request(far, **trunk))
    await far.finished()  # SIPp has verified the digest
    assert result.answered
    first, second = far.received("PRACK")
    assert header(first, "Authorization") == ""
    assert header(first, "RAck") == header(second, "RAck") == "5 1 INVITE"
    assert (cseq(first), cseq(second)) == (2, 3)
    [bye] = far.received("BYE")
    assert cseq(bye) == 4


# What the user agent answers by itself.


@pytest.mark.parametrize(
    ("status", "answer", "offers", "before", "after"),
    [
        ("420 Bad Extension", "Unsupported: 100rel", True, "100rel, timer", "timer"),
        ("421 Extension Required", "Require: 100rel", False, "timer", "100rel, timer"),
    ],
)
async def test_the_extensions_are_adjusted(
    far_end, user_agent, status, answer, offers, before, after
):
    far = await far_end("refuse-once", status=status, header=answer)
    result = await (await user_agent()).call(request(far, reliable_provisionals=offers))
    await far.finished()
    assert result.answered
    first, second = far.received("INVITE")
    assert [header(invite, "Supported") for invite in (first, second)] == [before, after]
    assert [cseq(invite) for invite in (first, second)] == [1, 2]
    assert header(first, "Call-ID") == header(second, "Call-ID")
    assert branch(first) != branch(second)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("420 Bad Extension", "Unsupported: something"),
        ("421 Extension Required", "Require: something"),
    ],
)
async def test_what_cannot_be_adjusted_stands(far_end, user_agent, status, answer):
    far = await far_end("final", status=status, header=answer)
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert (result.code, result.local_cause) == (int(status[:3]), None)
    assert len(far.received("INVITE")) == 1


# Redirections and old peers.


async def test_a_redirection_to_itself_is_not_followed(far_end, user_agent):
    far = await far_end("final", status="302 Moved Temporarily", header="Server: far")
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert (result.code, result.local_cause) == (302, None)
    assert len(far.received("INVITE")) == 1


async def test_a_redirection_elsewhere_is_not_followed(far_end, user_agent):
    elsewhere = await far_end("silent")
    contact = f"Contact: <sip:4711@127.0.0.1:{elsewhere.port}>"
    far = await far_end("final", status="302 Moved Temporarily", header=contact)
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert result.code == 302
    await elsewhere.stop()
    assert elsewhere.messages == ""


async def test_an_answer_without_a_to_tag(far_end, user_agent):
    far = await far_end("answer-without-tag")
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert result.answered
    assert result.hung_up_by is HungUpBy.US
    for method in ("ACK", "BYE"):
        [message] = far.received(method)
        assert "tag=" not in header(message, "To")


# The next target (RFC 3263 §4.3).


async def test_a_503_sends_the_call_to_the_next_target(far_end, user_agent):
    busy = await far_end("final", status="503 Service Unavailable", header="Retry-After: 5")
    far = await far_end("progress")
    agent = await user_agent(resolver=Literal(busy, far))
    events = []
    result = await agent.call(request(busy), events.append)
    await busy.finished()  # it got its ACK
    await far.finished()
    assert result.answered
    assert (result.code, result.retry_after) == (200, None)
    [first], [second] = busy.received("INVITE"), far.received("INVITE")
    for name in ("Call-ID", "From", "To", "CSeq"):
        assert header(first, name) == header(second, name)
    assert branch(first) != branch(second)
    assert first.split(" ")[1] == second.split(" ")[1]
    legs = [event.identity for event in events if isinstance(event, InviteSent)]
    assert [leg.target_port for leg in legs] == [busy.port, far.port]
    assert branch(second) in legs[1].via


async def test_where_all_targets_refuse_the_last_503_stands(far_end, user_agent):
    refusal = {"status": "503 Service Unavailable", "header": "Retry-After: 5"}
    first, second = await far_end("final", **refusal), await far_end("final", **refusal)
    agent = await user_agent(resolver=Literal(first, second))
    result = await agent.call(request(first))
    await first.finished()
    await second.finished()
    assert (result.code, result.retry_after, result.local_cause) == (503, 5, None)


async def test_a_silent_target_is_left_for_the_next(far_end, user_agent):
    silent, far = await far_end("silent"), await far_end("progress")
    agent = await user_agent(resolver=Literal(silent, far), t1=SHORT_T1)
    result = await agent.call(request(silent))
    await far.finished()
    assert result.answered
    assert len(silent.received("INVITE")) == 4  # RFC 3261 §17.1.1.2: at 0, 1, 3 and 7 T1


async def test_a_target_where_nobody_listens_is_left_at_once(far_end, user_agent):
    gone, far = await far_end("silent"), await far_end("progress")
    await gone.stop()
    agent = await user_agent(resolver=Literal(gone, far))
    result = await agent.call(request(gone))
    await far.finished()
    assert result.answered


async def test_where_nobody_listens_at_any_target_the_call_fails(far_end, user_agent):
    first, second = await far_end("silent"), await far_end("silent")
    await first.stop()
    await second.stop()
    agent = await user_agent(resolver=Literal(first, second))
    result = await agent.call(request(first))
    assert result.local_cause is LocalCause.TRANSPORT

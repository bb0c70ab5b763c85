"""The user agent against SIPp: what a PBX rarely shows, one far end each.

Where a test waits for 64*T1, T1 is 50 ms, so that Timer B is 3.2 s instead of 32.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

import pytest

from dialer.ua.call import Answered, CallRequest, HungUpBy, LocalCause

SHORT_T1 = 0.05
FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
ACCOUNT = {"account": "dialer", "secret": "far-secret"}
CREDENTIALS = {"username": "dialer", "password": "far-secret"}


def request(far, *, number="4711", ring_timeout=10.0, max_talk=0.3, **trunk):
    return CallRequest(
        far.trunk(**trunk), number, "15550100", ring_timeout=ring_timeout, max_talk=max_talk
    )


def authorizations(far, header="Authorization"):
    """Return the credentials in each INVITE that the far end received, None where it has none."""
    found = [
        re.search(rf"^{header}: *Digest (.*)$", message, re.MULTILINE)
        for message in far.received("INVITE")
    ]
    return [
        {name: quoted or bare for name, quoted, bare in FIELD.findall(match[1])} if match else None
        for match in found
    ]


async def test_183_first_then_the_answer(far_end, user_agent):
    far = await far_end("progress")
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert result.answered
    assert not result.rang
    assert [provisional.code for provisional in result.provisionals] == [100, 183]
    assert result.hung_up_by is HungUpBy.US


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ['qop="auth", ', 'qop="auth,auth-int", ', ""])
@pytest.mark.parametrize(
    ("scenario", "challenge", "answer"),
    [
        ("challenge", "WWW-Authenticate", "Authorization"),
        ("proxy-challenge", "Proxy-Authenticate", "Proxy-Authorization"),
    ],
    ids=["401", "407"],
)
async def test_digest(far_end, user_agent, scenario, challenge, answer, algorithm, qop):
    header = f'{challenge}: Digest realm="far end", nonce="a1b2c3", {qop}algorithm={algorithm}'
    far = await far_end(scenario, challenge=header, **ACCOUNT)
    result = await (await user_agent()).call(request(far, **CREDENTIALS))
    await far.finished()  # after 401, SIPp has verified the digest
    assert result.answered
    first, second = authorizations(far, answer)
    assert first is None
    assert second["username"] == "dialer"
    assert (second["realm"], second["nonce"]) == ("far end", "a1b2c3")
    assert second["algorithm"] == algorithm
    assert second.get("nc") == ("00000001" if qop else None)
    assert second["response"] == digest(algorithm, second, CREDENTIALS["password"])


def digest(algorithm, fields, password):
    """RFC 7616 §3.4.1, for an INVITE."""

    def hashed(*parts):
        return hashlib.new(algorithm.replace("-", ""), ":".join(parts).encode()).hexdigest()

    secret = hashed(fields["username"], fields["realm"], password)
    protection = (fields["nc"], fields["cnonce"], fields["qop"]) if "qop" in fields else ()
    return hashed(secret, fields["nonce"], *protection, hashed("INVITE", fields["uri"]))


async def test_of_two_challenges_sha_256_is_answered(far_end, user_agent):
    offered = "\r\n".join(
        f'WWW-Authenticate: Digest realm="far", nonce="{nonce}", qop="auth", algorithm={algorithm}'
        for algorithm, nonce in (("MD5", "weak"), ("SHA-256", "strong"))
    )
    far = await far_end("challenge", challenge=offered, **ACCOUNT)
    result = await (await user_agent()).call(request(far, **CREDENTIALS))
    await far.finished()
    assert result.answered
    assert authorizations(far)[1]["nonce"] == "strong"


async def test_md5_is_refused_where_the_trunk_forbids_it(far_end, user_agent):
    far = await far_end(
        "final",
        status="401 Unauthorized",
        header='WWW-Authenticate: Digest realm="far", nonce="n", algorithm=MD5',
    )
    result = await (await user_agent()).call(request(far, **CREDENTIALS, md5_allowed=False))
    await far.finished()
    assert (result.code, result.local_cause) == (401, LocalCause.AUTHENTICATION)


async def test_a_stale_nonce_is_answered_with_the_new_one(far_end, user_agent):
    far = await far_end("stale-nonce", **ACCOUNT)
    result = await (await user_agent()).call(request(far, **CREDENTIALS))
    await far.finished()
    assert result.answered
    assert len(far.received("INVITE")) == 3


@pytest.mark.parametrize("stale", ["true", "false"])
async def test_challenges_without_end_are_given_up(far_end, user_agent, stale):
    far = await far_end("endless-challenge", stale=stale)
    result = await (await user_agent()).call(request(far, **CREDENTIALS))
    await far.finished()
    assert (result.code, result.local_cause) == (401, LocalCause.AUTHENTICATION)
    if stale == "false":  # a fresh nonce, and the credentials are still not good
        assert len(far.received("INVITE")) == 2


async def test_a_challenge_without_an_account(far_end, user_agent):
    far = await far_end(
        "final",
        status="407 Proxy Authentication Required",
        header='Proxy-Authenticate: Digest realm="far", nonce="n", algorithm=MD5',
    )
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert (result.code, result.local_cause) == (407, LocalCause.AUTHENTICATION)


@pytest.mark.parametrize(
    ("scenario", "status", "header", "cause", "retry_after"),
    [
        ("final", "486 Busy Here", 'Reason: Q.850;cause=17;text="User busy"', 17, None),
        ("final", "480 Temporarily Unavailable", "Reason: SIP;cause=480, Q.850;cause=20", 20, None),
        ("final", "480 Do Not Disturb", "Retry-After: 120 (in a meeting)", None, 120),
        (
            "final",
            "603 Network Blocked",
            'Reason: Q.850;cause=21;text="v=analytics1;url=x"',
            21,
            None,
        ),
        ("final", "503 Service Unavailable", "Retry-After: 7", None, 7),
        ("final", "302 Moved Temporarily", "Contact: <sip:elsewhere@127.0.0.1:9>", None, None),
        ("final", "477 Something Private", "Server: far", None, None),
        ("ring-final", "486 Busy Here", "Reason: Q.850;cause=17", 17, None),
        ("ring-final", "480 No Answer", "Reason: Q.850;cause=19", 19, None),
        ("ring-final", "603 Decline", "Reason: Q.850;cause=21", 21, None),
    ],
)
async def test_a_final_response(far_end, user_agent, scenario, status, header, cause, retry_after):
    far = await far_end(scenario, status=status, header=header)
    result = await (await user_agent()).call(request(far))
    await far.finished()  # it got its ACK
    code, phrase = status.split(" ", 1)
    assert (result.code, result.phrase) == (int(code), phrase)
    assert result.rang is (scenario == "ring-final")
    assert (result.q850_cause, result.retry_after) == (cause, retry_after)
    assert not result.answered
    assert result.local_cause is None
    if header.startswith("Reason"):
        assert header.removeprefix("Reason: ") in ", ".join(result.reasons)


async def test_the_ring_timeout_cancels(far_end, user_agent):
    far = await far_end("cancel")
    result = await (await user_agent()).call(request(far, ring_timeout=0.3))
    await far.finished()
    assert (result.code, result.local_cause) == (487, LocalCause.RING_TIMEOUT)
    assert result.rang


async def test_an_answer_that_crosses_the_cancel_is_hung_up(far_end, user_agent):
    far = await far_end("answer-crosses-cancel")
    result = await (await user_agent()).call(request(far, ring_timeout=0.3))
    await far.finished()  # ACK and BYE came
    assert result.answered_late
    assert not result.answered
    assert result.local_cause in {LocalCause.ANSWERED_LATE, LocalCause.RING_TIMEOUT}


async def test_a_cancelled_invite_without_a_final_response_ends(far_end, user_agent):
    far = await far_end("cancel-without-final")
    agent = await user_agent(t1=SHORT_T1)
    result = await agent.call(request(far, ring_timeout=0.3))
    await far.finished()
    assert (result.code, result.local_cause) == (None, LocalCause.RING_TIMEOUT)
    assert result.rang


async def test_of_two_answers_the_second_is_hung_up(far_end, user_agent):
    far = await far_end("forked-answer")
    answers = []
    result = await (await user_agent()).call(
        request(far), lambda event: answers.append(event) if isinstance(event, Answered) else None
    )
    await far.finished()  # an ACK for each; BYE for the second, then for the first
    assert result.answered
    assert result.extra_forks == 1
    assert len(answers) == 1


@pytest.mark.parametrize(("loss", "calls"), [(10, 40), (30, 12)])
async def test_lost_packets_both_ways(far_end, user_agent, loss, calls):
    far = await far_end("lossy", "-lost", str(loss), "-max_retrans", "20", calls=calls)
    agent = await user_agent(t1=SHORT_T1)
    async with asyncio.timeout(40):
        results = await asyncio.gather(
            *(agent.call(request(far, number=str(4000 + n))) for n in range(calls))
        )
    await far.finished()
    assert all(result.answered for result in results)
    assert all(result.hung_up_by is HungUpBy.US for result in results)
    assert "lost (recv)" in far.messages
    assert "lost (while sending)" in far.messages


async def test_responses_that_come_twice(far_end, user_agent):
    far = await far_end("repeated", "-nr")
    events = []
    result = await (await user_agent()).call(request(far, max_talk=0.5), events.append)
    await far.finished()  # without a second BYE
    assert result.answered
    assert sum(isinstance(event, Answered) for event in events) == 1
    assert [one.code for one in result.provisionals].count(180) <= 2
    assert [len(far.received(method)) for method in ("INVITE", "ACK", "BYE")] == [1, 1, 1]


async def test_no_answer_at_all_is_timer_b(far_end, user_agent):
    far = await far_end("silent")
    agent = await user_agent(t1=2 * SHORT_T1)  # the last INVITE leaves one T1 before the end
    result = await agent.call(request(far, ring_timeout=0.5))
    assert (result.code, result.local_cause) == (None, LocalCause.TIMER_B)
    assert result.provisionals == ()
    await far.finished()
    assert len(far.received("INVITE")) == 7  # RFC 3261 §17.1.1.2: at 0, 1, 3, 7, 15, 31, 63 T1
    assert far.received("CANCEL") == []


async def test_nobody_listens(user_agent, far_end):
    far = await far_end("silent")
    await far.stop()
    agent = await user_agent(t1=SHORT_T1)
    result = await agent.call(request(far))
    assert result.local_cause is LocalCause.TRANSPORT


async def test_an_answer_whose_ack_is_lost_is_acknowledged_again(far_end, user_agent):
    far = await far_end("ack-lost", "-nr")
    answers = []
    result = await (await user_agent()).call(
        request(far, max_talk=1.0),
        lambda event: answers.append(event) if isinstance(event, Answered) else None,
    )
    await far.finished()
    assert result.answered
    assert len(answers) == 1
    assert len(far.received("ACK")) == 3


async def test_the_far_end_hangs_up(far_end, user_agent):
    far = await far_end("hang-up")
    result = await (await user_agent()).call(request(far, max_talk=10))
    await far.finished()
    assert result.hung_up_by is HungUpBy.THEM
    assert any("cause=16" in reason for reason in result.reasons)
    assert 0.2 < result.talk_seconds < 2


async def test_a_bye_before_the_answer_ends_the_call(far_end, user_agent):
    far = await far_end("early-bye")
    result = await (await user_agent()).call(request(far))
    await far.finished()  # it got 200 to the BYE and an ACK for its 487
    assert result.code == 487
    assert not result.answered
    assert result.rang


async def test_hold_and_resume(far_end, user_agent):
    far = await far_end("hold")
    result = await (await user_agent()).call(request(far, max_talk=10))
    await far.finished()
    assert result.answered
    assert result.hung_up_by is HungUpBy.THEM


async def test_an_answer_without_sdp_is_acknowledged_and_hung_up(far_end, user_agent):
    far = await far_end("answer-without-sdp")
    result = await (await user_agent()).call(request(far, max_talk=10))
    await far.finished()
    assert (result.code, result.local_cause) == (200, LocalCause.NO_MEDIA)

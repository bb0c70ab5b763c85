"""Within a dialog, against SIPp: session timers, re-INVITE, UPDATE, glare, digest.

Each is judged by the messages that SIPp logged.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from dialer.clock import SystemClock
from dialer.sip.effects import ReinviteAnswered
from dialer.ua.call import CallRequest, HungUpBy

from .calling import place
from .test_call_setup import cseq, header

BY_US, BY_THEM = "Session-Expires: {};refresher=uac", "Session-Expires: {};refresher=uas"
ACCOUNT = {"account": "dialer", "secret": "far-secret"}
CREDENTIALS = {"username": "dialer", "password": "far-secret"}
CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'


def request(far, max_talk, **trunk):
    return CallRequest(far.trunk(**trunk), "4711", "15550100", ring_timeout=10.0, max_talk=max_talk)


def responses(far, code):
    """Return the responses of ours with `code`, in their order."""
    parts = re.split(r"^-{10,}.*$", far.messages, flags=re.MULTILINE)
    return [
        text.partition("\n\n")[2]
        for text in parts
        if "message received" in text and f"\nSIP/2.0 {code} " in text
    ]


def body(message):
    return re.split(r"\r?\n\r?\n", message, maxsplit=1)[1].strip()


# Session timers (RFC 4028).


async def test_what_the_invite_asks_for(far_end, user_agent):
    far = await far_end("hang-up")
    trunk = {"session_expires": 1200, "min_session_expires": 300}
    await (await user_agent()).call(request(far, 5, **trunk))
    await far.finished()
    [invite] = far.received("INVITE")
    assert "timer" in header(invite, "Supported")
    assert (header(invite, "Session-Expires"), header(invite, "Min-SE")) == ("1200", "300")


async def test_no_timer_is_asked_for_where_the_trunk_wants_none(far_end, user_agent):
    far = await far_end("hang-up")
    await (await user_agent()).call(request(far, 5, session_expires=0))
    await far.finished()
    [invite] = far.received("INVITE")
    assert "timer" not in header(invite, "Supported")
    assert not header(invite, "Session-Expires")


async def test_we_refresh_by_update(far_end, user_agent):
    far = await far_end("refreshed", header=BY_US.format(2))
    result = await (await user_agent()).call(request(far, 1.4))
    await far.finished()
    assert result.hung_up_by is HungUpBy.US
    assert 1.3 < result.talk_seconds < 2
    [update], [bye] = far.received("UPDATE"), far.received("BYE")
    assert header(update, "Session-Expires") == "2;refresher=uac"
    assert (header(update, "Supported"), body(update)) == ("timer", "")
    assert header(update, "Contact") == header(far.received("INVITE")[0], "Contact")
    assert (cseq(update), cseq(bye)) == (2, 3)


async def test_we_refresh_by_reinvite_where_the_far_end_takes_no_update(far_end, user_agent):
    far = await far_end("refreshed-by-reinvite", header=BY_US.format(2))
    result = await (await user_agent()).call(request(far, 1.4))
    await far.finished()
    assert result.hung_up_by is HungUpBy.US
    first, second = far.received("INVITE")
    assert header(second, "Session-Expires") == "2;refresher=uac"
    media = [re.findall(r"^(?:m=|c=).*$", body(invite), re.MULTILINE) for invite in (first, second)]
    assert media[0] == media[1] != []
    assert [cseq(ack) for ack in far.received("ACK")] == [1, 2]
    assert not far.received("UPDATE")


async def test_a_refresh_with_too_short_an_interval_is_sent_again(far_end, user_agent):
    far = await far_end(
        "refresh-refused",
        header=BY_US.format(2),
        status="422 Session Interval Too Small",
        refusal="Min-SE: 600",
    )
    await (await user_agent()).call(request(far, 1.3))
    await far.finished()
    first, second = far.received("UPDATE")
    assert header(first, "Session-Expires") == "2;refresher=uac"
    assert header(second, "Session-Expires") == "600;refresher=uac"
    assert header(second, "Min-SE") == "600"
    assert (cseq(first), cseq(second)) == (2, 3)


async def test_a_far_end_that_has_forgotten_the_call_gets_bye(far_end, user_agent):
    far = await far_end("refresh-unknown", header=BY_US.format(2))
    result = await (await user_agent()).call(request(far, 30))
    await far.finished()
    assert result.hung_up_by is HungUpBy.US
    assert result.talk_seconds < 3
    assert "cause=408" in header(far.received("BYE")[0], "Reason")


async def test_the_far_end_refreshes(far_end, user_agent):
    far = await far_end("refreshing", header=BY_THEM.format(3))
    result = await (await user_agent()).call(request(far, 2.5))
    await far.finished()
    assert result.talk_seconds > 2.4  # the 2 s of the first interval are past
    [refused], [taken] = responses(far, 422), responses(far, 200)
    assert header(refused, "Min-SE") == "90"
    assert header(taken, "Session-Expires") == "90;refresher=uac"
    assert header(taken, "Require") == "timer"
    assert "timer" in header(taken, "Supported")
    assert not far.received("UPDATE")


async def test_a_far_end_that_never_refreshes_gets_bye(far_end, user_agent):
    far = await far_end("session-timer", header=BY_THEM.format(2))
    result = await (await user_agent()).call(request(far, 30))
    await far.finished()
    assert result.hung_up_by is HungUpBy.US
    assert 1.2 < result.talk_seconds < 2
    assert "cause=408" in header(far.received("BYE")[0], "Reason")


async def test_without_a_timer_in_the_answer_none_runs(far_end, user_agent):
    far = await far_end("session-timer", header="Supported: timer")
    result = await (await user_agent()).call(request(far, 0.5))
    await far.finished()
    assert result.hung_up_by is HungUpBy.US
    assert not header(far.received("BYE")[0], "Reason")


async def test_an_invite_with_too_short_an_interval_is_sent_again(far_end, user_agent):
    far = await far_end(
        "refuse-once", status="422 Session Interval Too Small", header="Min-SE: 3600"
    )
    result = await (await user_agent()).call(request(far, 0.3))
    await far.finished()
    assert result.answered
    first, second = far.received("INVITE")
    assert header(first, "Session-Expires") == "1800"
    assert (header(second, "Session-Expires"), header(second, "Min-SE")) == ("3600", "3600")
    assert header(first, "Call-ID") == header(second, "Call-ID")
    assert (cseq(first), cseq(second)) == (1, 2)


async def test_a_422_without_a_longer_interval_stands(far_end, user_agent):
    far = await far_end("final", status="422 Session Interval Too Small", header="Min-SE: 90")
    result = await (await user_agent()).call(request(far, 0.3))
    await far.finished()
    assert result.code == 422
    assert len(far.received("INVITE")) == 1


# re-INVITE and UPDATE.


async def test_all_that_a_far_end_may_ask_for_within_a_call(far_end, user_agent):
    far = await far_end("modifying")
    result = await (await user_agent()).call(request(far, 10))
    await far.finished()
    assert result.hung_up_by is HungUpBy.THEM
    found = {header(ok, "CSeq"): body(ok) for ok in responses(far, 200)}
    described = {number: "m=audio" in text for number, text in found.items()}
    assert described == {
        "1 INVITE": True,  # an answer
        "2 INVITE": True,  # our offer
        "4 UPDATE": True,
        "5 UPDATE": False,
        "8 BYE": False,
    }
    [not_acceptable], [bad_extension] = responses(far, 488), responses(far, 420)
    assert header(not_acceptable, "CSeq") == "3 INVITE"  # T.38
    assert header(bad_extension, "Unsupported") == "replaces"
    [refused] = responses(far, 405)
    assert "REFER" not in header(refused, "Allow")


async def reinvite(call):
    """Send a re-INVITE of ours; return what comes of it."""
    answered = asyncio.get_running_loop().create_future()
    inner = call.on_endpoint_event

    def note(event):
        inner(event)
        if isinstance(event, ReinviteAnswered):
            answered.set_result(event)

    call.on_endpoint_event = note
    driver, offer = call._route.driver, call._route.session.offer()
    driver.perform(driver.endpoint.reinvite(call.call_id, offer, SystemClock().monotonic()))
    async with asyncio.timeout(10):
        return await answered


async def test_glare(far_end, user_agent):
    far = await far_end("glare")
    call, _, up = await place(await user_agent(), request(far, 30))
    async with asyncio.timeout(5):
        await up.wait()
    answered = await reinvite(call)
    call.hang_up()
    await call.result
    await far.finished()
    assert (answered.code, "m=audio" in answered.body.decode()) == (200, True)
    assert header(responses(far, 491)[0], "CSeq") == "1 INVITE"
    assert [cseq(invite) for invite in far.received("INVITE")] == [1, 2, 3]
    assert [cseq(ack) for ack in far.received("ACK")] == [1, 2, 3]
    assert body(far.received("INVITE")[1]) == body(far.received("INVITE")[2])


@pytest.mark.parametrize("transport", ["udp", "tls"])
async def test_asterisk_takes_our_reinvite(asterisk, user_agent, transport):
    trunk = asterisk.trunk() if transport == "udp" else asterisk.trunk_over(transport)
    call, _, up = await place(await user_agent(), CallRequest(trunk, "1001", "15550100"))
    async with asyncio.timeout(5):
        await up.wait()
    answered = await reinvite(call)
    assert (answered.code, "m=audio" in answered.body.decode()) == (200, True)
    call.hang_up()
    assert (await call.result).hung_up_by is HungUpBy.US


async def test_our_reinvite_takes_the_recorded_route(border, user_agent):
    messages = []
    agent = await user_agent(on_message=messages.append)
    call, _, up = await place(agent, CallRequest(border.trunk(), "1001", "15550100"))
    async with asyncio.timeout(5):
        await up.wait()
    assert (await reinvite(call)).code == 200
    call.hang_up()
    await call.result
    sent = [one.data.decode() for one in messages if one.direction == "sent"]
    routed = [(text.split()[0], route) for text in sent if (route := header(text, "Route"))]
    assert [method for method, _ in routed if method != "INVITE"] == ["ACK", "ACK", "BYE"]
    assert "INVITE" in dict(routed)
    assert all(f"127.0.0.1:{border.port}" in route for _, route in routed)


async def test_an_answer_to_our_reinvite_that_cannot_be_read_changes_nothing(far_end, user_agent):
    far = await far_end("answered-strangely")
    call, _, up = await place(await user_agent(), request(far, 30))
    async with asyncio.timeout(5):
        await up.wait()
    codec = call.media.codec
    answered = await reinvite(call)
    assert (answered.code, call.media.codec) == (200, codec)
    call.hang_up()
    assert (await call.result).hung_up_by is HungUpBy.US
    await far.finished()


# Digest within a dialog.


async def test_challenges_of_update_and_bye(far_end, user_agent):
    far = await far_end("dialog-challenge", challenge=CHALLENGE, **ACCOUNT)
    result = await (await user_agent()).call(request(far, 1.3, **CREDENTIALS))
    await far.finished()  # SIPp has verified the digests
    assert result.hung_up_by is HungUpBy.US
    for method, numbers in (("UPDATE", [2, 3]), ("BYE", [4, 5])):
        requests = far.received(method)
        assert [cseq(message) for message in requests] == numbers
        assert f'uri="sip:far@127.0.0.1:{far.port}"' in header(requests[1], "Authorization")


async def test_a_challenge_of_a_reinvite(far_end, user_agent):
    far = await far_end("reinvite-challenge", challenge=CHALLENGE, **ACCOUNT)
    call, _, up = await place(await user_agent(), request(far, 30, **CREDENTIALS))
    async with asyncio.timeout(5):
        await up.wait()
    answered = await reinvite(call)
    call.hang_up()
    await call.result
    await far.finished()
    assert answered.code == 200
    assert [cseq(invite) for invite in far.received("INVITE")] == [1, 2, 3]
    ack = far.received("ACK")[-1]
    assert header(ack, "Authorization") == header(far.received("INVITE")[-1], "Authorization")

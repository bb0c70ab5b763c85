"""Challenges of INVITE and BYE."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import (
    CREDENTIALS,
    STRANGER,
    call_up,
    challenge,
    invite,
    sent,
    told,
)
from tests.unit.sip.sample_messages import (
    PEER,
    answer_bytes,
    as_request,
)

from dialer.sip.effects import (
    CallEnded,
    InviteResent,
)


@pytest.mark.parametrize(("code", "header"), [(401, "authorization"), (407, "proxy-authorization")])
def test_a_challenge_is_answered(dialer, code, header):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    effects = dialer.receive(challenge(data, code=code), PEER, 0.1)
    ack, again = (as_request(one) for one in sent(effects))
    first = as_request(data)
    assert ack.method == "ACK"
    assert (again.call_id, again.from_tag, again.cseq) == (call_id, first.from_tag, 2)
    assert again.via.branch != first.via.branch
    assert again.body == b"offer"
    assert f'username="user", realm="r", nonce="n1", uri="{again.uri}"' in again.first(header)
    [resent] = told(effects)
    assert isinstance(resent, InviteResent)
    assert (resent.code, resent.leg.cseq, resent.leg.via) == (code, 2, again.via.text)
    ok = dialer.receive(answer_bytes(sent(effects)[1], 200, "OK"), PEER, 0.2)
    assert as_request(sent(ok)[0]).first(header) == again.first(header)


def test_an_endless_401_ends(dialer):
    _, data = invite(dialer, credentials=CREDENTIALS)
    for number in range(2):
        effects = dialer.receive(challenge(data, f"n{number}"), PEER, 0.1)
        data = sent(effects)[-1]
    [final] = told(effects)
    assert (final.code, final.challenged) == (401, True)
    assert as_request(data).method == "ACK"


def test_a_stale_nonce_is_replaced(dialer):
    _, data = invite(dialer, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data, "n1"), PEER, 0.1))[1]
    data = sent(dialer.receive(challenge(data, "n2", extra=", stale=true"), PEER, 0.2))[1]
    assert 'nonce="n2"' in as_request(data).first("authorization")
    assert as_request(data).cseq == 3


def test_without_credentials_a_challenge_is_final(dialer):
    _, data = invite(dialer)
    [final] = told(dialer.receive(challenge(data), PEER, 0.1))
    assert final.challenged


def test_a_challenge_of_a_stranger_is_not_answered(dialer):
    _, data = invite(dialer, credentials=CREDENTIALS)
    effects = dialer.receive(challenge(data), STRANGER, 0.1)
    assert "authorization" not in b"".join(sent(effects)).decode().lower()
    assert [final.challenged for final in told(effects)] == [True]


def test_a_cancelled_invite_is_not_sent_again(dialer):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    dialer.cancel(call_id, 0.05)
    effects = dialer.receive(challenge(data), PEER, 0.1)
    assert [final.code for final in told(effects)] == [401]
    assert len(sent(effects)) == 1


def test_cancel_after_a_challenge_names_the_invite_in_force(dialer):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    dialer.receive(answer_bytes(data, 100), PEER, 0.05)
    data = sent(dialer.receive(challenge(data), PEER, 0.1))[1]
    dialer.receive(answer_bytes(data, 180), PEER, 0.2)
    [cancel] = sent(dialer.cancel(call_id, 0.3))
    assert as_request(cancel).via.text == as_request(data).via.text
    assert as_request(cancel).cseq == 2


def test_a_challenged_cancel_is_left_at_that(dialer):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    dialer.receive(answer_bytes(data, 180), PEER, 0.1)
    [cancel] = sent(dialer.cancel(call_id, 0.2))
    assert dialer.receive(challenge(cancel), PEER, 0.3) == []


def test_bye_is_challenged(dialer):
    call_id, _ = call_up(dialer, credentials=CREDENTIALS)
    [bye] = sent(dialer.bye(call_id, 1.0, "Q.850;cause=16"))
    [again] = sent(dialer.receive(challenge(bye), PEER, 1.1))
    request = as_request(again)
    assert (request.cseq, request.first("reason")) == (3, "Q.850;cause=16")
    assert "authorization" in request.headers
    effects = dialer.receive(challenge(again), PEER, 1.2)
    assert effects == [CallEnded(call_id, by_peer=False)]


def test_bye_reuses_the_nonce_of_the_invite(dialer):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data), PEER, 0.1))[1]
    dialer.receive(answer_bytes(data, 200), PEER, 0.2)
    [bye] = sent(dialer.bye(call_id, 1.0))
    authorization = as_request(bye).first("authorization")
    assert 'nonce="n1"' in authorization
    assert authorization.endswith("nc=00000002")

from tests.unit.sip.sample_messages import request_bytes, response_bytes

from dialer.ua.unanswered import KEEP, Unanswered


def request(method, branch):
    return request_bytes(method, via=f"SIP/2.0/TCP 192.0.2.1;branch={branch}")


def response(branch):
    return response_bytes(200, "OK", via=f"SIP/2.0/TCP 192.0.2.1;branch={branch}")


def test_what_ends_a_call_is_kept_until_it_is_answered():
    unanswered = Unanswered()
    for method in ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"):
        unanswered.sent(request(method, f"z9hG4bK{method}"), 1.0)
    unanswered.sent(request("BYE", "z9hG4bKb"), 1.0)
    unanswered.received(response("z9hG4bKb"))
    unanswered.received(request("BYE", "z9hG4bKBYE"))
    expected = [request("BYE", "z9hG4bKBYE"), request("CANCEL", "z9hG4bKCANCEL")]
    assert unanswered.take(2.0) == expected
    assert unanswered.take(2.0) == []


def test_what_was_sent_long_ago_is_left_to_the_transaction():
    unanswered = Unanswered()
    unanswered.sent(request("BYE", "z9hG4bKa"), 0.0)
    unanswered.sent(request("BYE", "z9hG4bKb"), 1.0)
    assert unanswered.take(KEEP + 0.5) == [request("BYE", "z9hG4bKb")]


def test_no_more_is_kept_than_a_thousand():
    unanswered = Unanswered()
    for number in range(1500):
        unanswered.sent(request("BYE", f"z9hG4bK{number}"), 0.0)
    kept = unanswered.take(0.0)
    assert len(kept) == 1000
    assert kept[-1] == request("BYE", "z9hG4bK1499")

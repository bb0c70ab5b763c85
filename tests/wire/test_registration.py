"""REGISTER over the link, with a registrar of the test's own at the other end (RFC 3261 §10)."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sip.sample_messages import answer_bytes, as_request
from tests.wire.link import CALLED, CALLER, Link, Party

from dialer.sip.digest import Authenticator, digest_response, parse_challenge
from dialer.sip.effects import RegisterAnswered
from dialer.sip.identity import Credentials, HostPort
from dialer.sip.register_client import RegisterDraft

SECOND_TARGET = HostPort("192.0.2.3", 5060)
NAT = HostPort("203.0.113.7", 40000)
CREDENTIALS = Credentials("dialer", "secret")
OTHER_NODES = "<sip:dialer-else@192.0.2.77:5060>;expires=7000"


class NoTimers:
    """The endpoint of a party that has none: it only answers."""

    def timer_at(self):
        return None

    def handle_timer(self, _now):
        return []


class Registrar:
    """Answers each REGISTER by `answers`, in their order; the last one stands for all further.

    An answer is (code, headers), or None for silence; a function is given the request.
    """

    def __init__(self, link, address, *answers):
        self.link, self.address = link, address
        self.endpoint = NoTimers()
        self.answers = list(answers)
        self.requests = []
        self.given = {}
        link.parties[address] = self

    def do(self, _effects):
        pass

    def receive(self, data, source):
        request = as_request(data)
        if request.cseq not in self.given:  # else a retransmission
            self.requests.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.given[request.cseq] = answer(request) if callable(answer) else answer
        answer = self.given[request.cseq]
        if answer is not None:
            code, headers = answer
            headers = {"contact": None, **headers}
            self.link.carry(self.address, answer_bytes(data, code, "Said", **headers), source)


def challenge(nonce, extra=""):
    return 401, {"www_authenticate": f'Digest realm="r", nonce="{nonce}", qop="auth"{extra}'}


def verified(nonce, then):
    """Answer by `then` where the digest over `nonce` is right, else by 403."""

    def judge(request):
        value = request.first("authorization")
        given = parse_challenge("www-authenticate", value)
        fields = dict(piece.split("=", 1) for piece in value.replace('"', "").split(", "))
        right = digest_response(
            given, CREDENTIALS, "REGISTER", request.uri, fields["cnonce"], int(fields["nc"], 16)
        )
        good = given.nonce == nonce and f'response="{right}"' in value
        return then if good else (403, {})

    return judge


def lists(*contacts, **headers):
    return 200, {"contact": list(contacts), **headers}


def ours(request, parameters=""):
    return request.values("contact")[0] + parameters


def granting(seconds, **headers):
    return lambda request: lists(OTHER_NODES, ours(request, f";expires={seconds}"), **headers)


class Registering:
    """One registration of a party, REGISTER after REGISTER."""

    def __init__(self, *answers, credentials=CREDENTIALS, **link):
        self.link = Link(**link)
        self.party = Party(self.link, CALLER)
        self.registrar = Registrar(self.link, CALLED, *answers)
        tokens = itertools.count()
        authenticator = (
            Authenticator(credentials, lambda: f"c{next(tokens)}") if credentials else None
        )
        self.draft = RegisterDraft(
            request_uri="sip:registrar.example",
            address_of_record="<sip:dialer@registrar.example>",
            targets=(CALLED,),
            call_id="registration-1",
            cseq=1,
            contact_user="dialer-one",
            expires=300,
            authenticator=authenticator,
        )

    def register(self, **changes):
        """Send the next REGISTER; return what is told of it."""
        self.draft = dataclasses.replace(self.draft, **changes)
        self.party.do(self.party.endpoint.register(self.draft, self.link.now))
        told = len(self.party.told(RegisterAnswered))
        self.link.run()
        (answer,) = self.party.told(RegisterAnswered)[told:]
        self.draft = dataclasses.replace(self.draft, cseq=answer.cseq + 1)
        return answer


def test_the_expires_of_our_own_contact_counts_among_those_of_others():
    one = Registering(granting(240))
    answer = one.register()
    assert (answer.code, answer.expires, answer.cseq) == (200, 240, 1)
    assert answer.target == CALLED
    (request,) = one.registrar.requests
    assert request.uri == "sip:registrar.example"
    assert request.values("contact") == ("<sip:dialer-one@192.0.2.1:5060>",)
    assert request.first("to") == "<sip:dialer@registrar.example>"
    assert request.first("from").startswith("<sip:dialer@registrar.example>;tag=")
    assert request.first("expires") == "300"
    assert one.party.endpoint.idle


@pytest.mark.parametrize(
    ("answer", "expires"),
    [
        (lists("<sip:dialer-one@203.0.113.7:40000;ob>;expires=100", OTHER_NODES), 100),
        (lists("<sip:dialer-one@192.0.2.1>", OTHER_NODES, expires="200"), 200),
        (lists("<sip:dialer-one@192.0.2.1>", OTHER_NODES), 300),
        (lists(expires="250"), 250),
        (lists(OTHER_NODES, expires="junk"), 300),
        (lists(), 300),
        (lists("<sip:dialer-one@192.0.2.1>;expires=0"), 0),
    ],
)
def test_an_expires_is_found_wherever_the_registrar_puts_it(answer, expires):
    assert Registering(answer).register().expires == expires


def test_a_challenge_is_answered_and_its_nonce_serves_the_next_register():
    one = Registering(
        challenge("n1"), verified("n1", lists(expires="60")), verified("n1", lists(expires="60"))
    )
    assert one.register().code == 200
    assert one.register().code == 200
    assert [request.cseq for request in one.registrar.requests] == [1, 2, 3]
    challenged, answered, _ = one.registrar.requests
    assert challenged.first("from") == answered.first("from")
    assert {request.call_id for request in one.registrar.requests} == {"registration-1"}
    assert "nc=00000002" in one.registrar.requests[2].first("authorization")


def test_a_stale_nonce_is_replaced():
    one = Registering(
        challenge("n1"),
        verified("n1", lists()),
        challenge("n2", ", stale=true"),
        verified("n2", lists()),
    )
    assert one.register().code == 200
    answer = one.register()
    assert (answer.code, answer.cseq) == (200, 4)


def test_an_endless_challenge_ends_after_one_answer():
    numbers = itertools.count()
    one = Registering(lambda _request: challenge(f"n{next(numbers)}"))
    answer = one.register()
    assert (answer.code, answer.challenged) == (401, True)
    assert len(one.registrar.requests) == 2


def test_a_challenge_is_not_answered_without_credentials():
    one = Registering(challenge("n1"), credentials=None)
    answer = one.register()
    assert (answer.code, answer.challenged, len(one.registrar.requests)) == (401, True, 1)


def test_a_challenge_from_anyone_but_the_target_is_not_answered():
    one = Registering(None)
    stranger = HostPort("198.51.100.66", 5060)

    def challenge_it():
        data = one.link.messages(CALLER, "REGISTER")[0].data
        code, headers = challenge("stolen")
        one.party.receive(answer_bytes(data, code, "Who", **headers), stranger)

    one.link.after(0.1, challenge_it)
    answer = one.register()
    assert (answer.code, answer.challenged, answer.seen) == (401, True, None)
    assert not any(b"Authorization" in sent.data for sent in one.link.sent)


def test_423_tells_what_the_registrar_asks_for():
    one = Registering((423, {"min_expires": "1800"}), granting(1800))
    assert one.register().min_expires == 1800
    answer = one.register(expires=1800)
    assert (answer.code, answer.expires) == (200, 1800)
    assert one.registrar.requests[1].first("expires") == "1800"


def test_503_tells_for_how_long_to_stay_away():
    answer = Registering((503, {"retry_after": "120 (maintenance);duration=60"})).register()
    assert (answer.code, answer.retry_after, answer.expires) == (503, 120, 0)


def test_silence_ends_after_64_t1():
    one = Registering(None)
    answer = one.register()
    assert (answer.code, answer.phrase) == (None, "")
    assert one.party.told_at(RegisterAnswered) == [32.0]
    assert len(one.registrar.requests) == 1
    assert one.party.endpoint.idle


@pytest.mark.parametrize("first", [(503, {"retry_after": "9"}), None])
def test_the_next_target_is_tried_where_the_first_is_busy_or_silent(first):
    one = Registering(first)
    second = Registrar(one.link, SECOND_TARGET, challenge("n2"), verified("n2", lists()))
    answer = one.register(targets=(CALLED, SECOND_TARGET))
    assert (answer.code, answer.target) == (200, SECOND_TARGET)
    assert [request.cseq for request in one.registrar.requests] == [1]
    assert [request.cseq for request in second.requests] == [2, 3]
    (at,) = one.party.told_at(RegisterAnswered)
    assert at < (0.1 if first else 5.2)
    assert one.party.endpoint.idle


def test_the_next_target_is_tried_where_the_first_cannot_be_reached():
    one = Registering(None)
    Registrar(one.link, SECOND_TARGET, lists())
    one.link.after(
        0.1, lambda: one.party.do(one.party.endpoint.transport_failed(CALLED, one.link.now))
    )
    answer = one.register(targets=(CALLED, SECOND_TARGET))
    assert (answer.code, answer.target) == (200, SECOND_TARGET)


def test_a_refusal_is_not_carried_to_the_next_target():
    one = Registering((404, {}))
    second = Registrar(one.link, SECOND_TARGET, lists())
    assert one.register(targets=(CALLED, SECOND_TARGET)).code == 404
    assert second.requests == []


def test_lost_datagrams_are_sent_again():
    for seed in range(10):
        one = Registering(challenge("n1"), verified("n1", lists(expires="60")), loss=0.3, seed=seed)
        answer = one.register()
        assert (answer.code, answer.expires) == (200, 60)
        assert [request.cseq for request in one.registrar.requests] == [1, 2]


def test_service_route_is_told_within_bounds():
    route = ["<sip:one.example;lr>", "<sip:two.example;lr>, <sip:three.example;lr>"]
    answer = Registering(lists(service_route=route, path="<sip:edge.example;lr>")).register()
    assert answer.service_route == (
        "<sip:one.example;lr>",
        "<sip:two.example;lr>",
        "<sip:three.example;lr>",
    )
    many = Registering(lists(service_route=["<sip:x;lr>"] * 90)).register()
    assert len(many.service_route) == 8
    odd = ["tel:+15550100", "<tel:+15550100>", "junk", "sip:bare.example;lr", "<sips:x;lr>"]
    assert Registering(lists(service_route=odd)).register().service_route == ("<sips:x;lr>",)
    long = Registering(lists(service_route=[f"<sip:{'x' * 900};lr>"])).register()
    assert long.service_route == ()


def test_only_our_own_contact_is_removed():
    one = Registering(lists(OTHER_NODES))
    answer = one.register(expires=0)
    assert answer.code == 200
    (request,) = one.registrar.requests
    assert request.values("contact") == ("<sip:dialer-one@192.0.2.1:5060>",)
    assert request.first("expires") == "0"


def seen_from(address, then):
    """Let the registrar's answer say where the request came from."""

    def judge(request):
        code, headers = then(request) if callable(then) else then
        via = request.first("via").replace("rport", f"rport={address.port}")
        return code, {**headers, "via": f"{via};received={address.host}"}

    return judge


def test_the_address_that_the_registrar_saw_is_told():
    answer = Registering(seen_from(NAT, lists())).register()
    assert answer.seen == NAT
    assert Registering(lists()).register().seen is None


def test_an_address_that_is_learned_from_the_challenge_is_the_one_that_is_registered():
    one = Registering(seen_from(NAT, challenge("n1")), seen_from(NAT, lists()))
    answer = one.register(learn_address=True)
    assert answer.contact_address == ("203.0.113.7", 40000)
    assert one.registrar.requests[1].contact == "sip:dialer-one@203.0.113.7:40000"


def test_a_new_address_removes_the_old_contact():
    one = Registering(lists())
    one.register(contact_address=("203.0.113.7", 40000), gone=(None, ("203.0.113.7", 39999)))
    assert one.registrar.requests[0].values("contact") == (
        "<sip:dialer-one@203.0.113.7:40000>",
        "<sip:dialer-one@192.0.2.1:5060>;expires=0",
        "<sip:dialer-one@203.0.113.7:39999>;expires=0",
    )


@pytest.mark.parametrize("received", ["junk", "", "999.1.1.1", "example.org"])
def test_an_address_that_is_none_is_not_believed(received):
    def judge(request):
        return 200, {"via": f"{request.first('via')};received={received}"}

    assert Registering(judge).register().seen is None


HEADERS = ("contact", "expires", "min_expires", "retry_after", "service_route", "www_authenticate")
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=60
) | st.sampled_from(
    ["<sip:dialer-one@x>;expires=", "Digest realm=r, nonce=n", "<", '"', "-1", "9" * 40, "*"]
)


@given(
    st.sampled_from([200, 299, 302, 401, 407, 423, 503, 699]),
    st.dictionaries(st.sampled_from(HEADERS), TEXTS | st.lists(TEXTS, max_size=3)),
)
def test_no_answer_of_a_registrar_does_harm(code, headers):
    one = Registering((code, headers))
    answer = one.register()
    assert answer.code == code
    assert answer.expires >= 0
    assert one.party.endpoint.idle


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x"])
def test_a_port_that_is_none_is_not_believed(port):
    def judge(request):
        via = request.first("via").replace("rport", f"rport={port}")
        return 200, {"via": f"{via};received=203.0.113.7"}

    assert Registering(judge).register().seen is None


def test_via_and_contact_name_the_transport():
    one = Registering(None)
    secure = HostPort("192.0.2.2", 5061, "tls")
    Registrar(one.link, secure._replace(transport="udp"), lists())  # serves all transports
    assert one.register(targets=(secure,)).code == 200
    request = as_request(one.link.messages(CALLER, "REGISTER")[0].data)
    assert request.first("via").startswith("SIP/2.0/TLS 192.0.2.1:")
    assert request.contact == "sip:dialer-one@192.0.2.1:5060;transport=tls"


def test_a_learned_port_is_not_named_to_the_next_target_over_another_transport():
    one = Registering((503, {}))
    second = Registrar(one.link, SECOND_TARGET, lists())
    answer = one.register(
        targets=(CALLED, SECOND_TARGET._replace(transport="tcp")), contact_address=NAT[:2]
    )
    contacts = [registrar.requests[0].contact for registrar in (one.registrar, second)]
    assert contacts == [
        "sip:dialer-one@203.0.113.7:40000",
        "sip:dialer-one@203.0.113.7:5060;transport=tcp",
    ]
    assert answer.contact_address == (NAT.host, None)


@pytest.mark.parametrize(
    "change",
    [
        {"request_uri": "sip:a\r\nInjected: 1"},
        {"address_of_record": "<sip:a>\r\nInjected: 1"},
        {"contact_user": "a\nb"},
        {"route": ("<sip:a>\r\nX: 1",)},
        {"targets": ()},
    ],
)
def test_a_draft_that_is_none_is_refused_before_anything_is_sent(change):
    one = Registering(lists())
    with pytest.raises(ValueError, match=r"control character|no target|no URI"):
        one.register(**change)
    assert one.link.sent == []
    assert one.party.endpoint.idle

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.header_template import HeaderTemplate, TemplateError, filled
from dialer.sip.endpoint import Endpoint, EndpointSettings, InviteDraft
from dialer.sip.identity import HostPort
from dialer.sip.message import parse
from dialer.ua.call import CallRequest, Trunk
from dialer.ua.invitation import called_uri, invitation

TRUNK = Trunk("t", "pbx.example.com")
ASSERTED = frozenset({"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"})


def worded(number="+4930123456", caller_id="+4940654321", display_name="", headers=(), **trunk):
    request = CallRequest(
        dataclasses.replace(TRUNK, **trunk), number, caller_id, display_name, headers
    )
    return invitation(request)


@pytest.mark.parametrize(
    ("form", "number", "more", "uri"),
    [
        ("sip", "+49301", {}, "sip:+49301@pbx.example.com"),
        ("sip", "+49301", {"port": 5070}, "sip:+49301@pbx.example.com:5070"),
        ("sip", "+49301", {"host": "2001:db8::1"}, "sip:+49301@[2001:db8::1]"),
        ("sip", "+49301", {"transport": "udp"}, "sip:+49301@pbx.example.com"),
        ("sip", "+49301", {"transport": "tls"}, "sip:+49301@pbx.example.com;transport=tls"),
        ("phone", "+49301", {}, "sip:+49301@pbx.example.com;user=phone"),
        ("phone", "ann", {}, "sip:ann@pbx.example.com"),
        ("tel", "+49301", {"transport": "tcp"}, "tel:+49301"),
        ("tel", "100", {}, "tel:100;phone-context=pbx.example.com"),
        ("tel", "ann", {}, "sip:ann@pbx.example.com"),
    ],
)
def test_the_called_number_in_each_form(form, number, more, uri):
    assert called_uri(dataclasses.replace(TRUNK, number_form=form, **more), number) == uri
    assert worded(number, number_form=form, **more).to == f"<{uri}>"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "<sip:+4940654321@pbx.example.com>"),
        ({"from_domain": "example.org"}, "<sip:+4940654321@example.org>"),
        ({"from_domain": "example.org:5070"}, "<sip:+4940654321@example.org:5070>"),
        ({"host": "2001:db8::1"}, "<sip:+4940654321@[2001:db8::1]>"),
        ({"from_user": "account7"}, "<sip:account7@pbx.example.com>"),
        ({"number_form": "phone"}, "<sip:+4940654321@pbx.example.com;user=phone>"),
        ({"privacy": True}, '"Anonymous" <sip:anonymous@anonymous.invalid>'),
    ],
)
def test_who_calls(more, expected):
    assert worded(**more).from_ == expected


def test_who_calls_by_name():
    assert worded(display_name='A "B" \\ C').from_.startswith('"A \\"B\\" \\\\ C" <sip:')


def test_the_caller_id_is_asserted_also_where_from_hides_it():
    shown = dict(worded(asserted_by=ASSERTED, from_user="account7").headers)
    assert shown == {
        "P-Asserted-Identity": "<sip:+4940654321@pbx.example.com>",
        "P-Preferred-Identity": "<sip:+4940654321@pbx.example.com>",
        "Remote-Party-ID": (
            "<sip:+4940654321@pbx.example.com>;party=calling;screen=yes;privacy=off"
        ),
    }
    hidden = dict(worded(asserted_by=ASSERTED, privacy=True).headers)
    assert hidden["P-Asserted-Identity"] == "<sip:+4940654321@pbx.example.com>"
    assert hidden["Remote-Party-ID"].endswith("privacy=full")
    assert hidden["Privacy"] == "id"


# What people, lists and attackers write: anything, and above all what means something in SIP.
nasty = st.text(
    st.one_of(
        st.sampled_from('\r\n\t\0;@?>:<",%&=\\ +*#\x7f\x85\u2028'), st.characters(codec="utf-8")
    ),
    max_size=30,
).map(lambda text: text.replace("crlf", "%0d%0a"))


def on_the_wire(number, caller_id, name, payload, trunk):
    """The INVITE that would leave, parsed; None where it was refused."""
    try:
        templates = [HeaderTemplate.parse("X-Payload", "{payload.a} of {number}")]
        headers = filled(templates, {"number": number}, {"a": payload})
        worded = invitation(CallRequest(trunk, number, caller_id, name, headers))
        endpoint = Endpoint(EndpointSettings("192.0.2.9", 5060), lambda: "token")
        draft = InviteDraft(
            worded.request_uri, worded.to, worded.from_, HostPort("192.0.2.1", 5060),
            body=b"v=0", headers=worded.headers,
        )  # fmt: skip
        return endpoint.prepare_invite(draft).data
    except ValueError:
        return None


HEADERS = {
    "via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "allow", "supported",
    "user-agent", "content-type", "content-length", "x-payload", "p-asserted-identity",
    "remote-party-id", "p-preferred-identity", "privacy", "session-expires", "min-se",
}  # fmt: skip


@given(
    nasty, nasty, nasty, nasty, st.sampled_from(["sip", "phone", "tel"]), st.booleans(),
    st.one_of(st.none(), nasty),
)  # fmt: skip
def test_nothing_can_become_a_header_or_break_out(
    number, caller_id, name, payload, form, privacy, domain
):
    trunk = dataclasses.replace(
        TRUNK, number_form=form, privacy=privacy, asserted_by=ASSERTED, from_domain=domain
    )
    data = on_the_wire(number, caller_id, name, payload, trunk)
    if data is None:
        return
    head, _, body = data.partition(b"\r\n\r\n")
    assert body == b"v=0"
    assert head.replace(b"\r\n", b"").translate(None, bytes(range(32))) == head.replace(
        b"\r\n", b""
    )
    request = parse(data)
    assert request.headers.keys() <= HEADERS
    assert all(len(lines) == 1 for lines in request.headers.values())
    assert request.uri.count("@") <= 1
    assert not set(request.uri) & set(' <>"\r\n')
    assert request.first("to").count("<") == 1
    assert request.contact == "sip:dialer@192.0.2.9:5060"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("Route", "x", "written by the dialer itself"),
        ("content-length", "0", "written by the dialer itself"),
        ("f", "x", "written by the dialer itself"),
        ("X Y", "x", "not the name"),
        ("X:", "x", "not the name"),
        ("", "x", "not the name"),
        ("X-A", "a\r\nVia: b", "control character"),
        ("X-A", "{payload}", "is none of"),
        ("X-A", "{pyload.x}", "is none of"),
    ],
)
def test_headers_that_are_refused(name, value, said):
    with pytest.raises(TemplateError, match=said):
        HeaderTemplate.parse(name, value)


def test_headers_are_filled_in_or_left_out():
    templates = [
        HeaderTemplate.parse("X-Campaign", "{campaign_id}"),
        HeaderTemplate.parse("X-Customer", "id={payload.customer no}; n={number}"),
        HeaderTemplate.parse("X-Plain", "yes"),
    ]
    facts = {"campaign_id": "7", "number": "+49301"}
    assert filled(templates, facts, {"customer no": "A\r\nB: C"}) == (
        ("X-Campaign", "7"),
        ("X-Customer", "id=A B: C; n=+49301"),
        ("X-Plain", "yes"),
    )
    assert [name for name, _ in filled(templates, facts, {})] == ["X-Campaign", "X-Plain"]

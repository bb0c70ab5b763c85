"""Dialogs and the requests within them (RFC 3261 §12)."""

from __future__ import annotations

import dataclasses

import pytest
from tests.unit.sip.sample_messages import (
    PEER,
    as_request,
    as_response,
    request_bytes,
    response_bytes,
)

from dialer.sip.dialog import Dialog
from dialer.sip.identity import HostPort
from dialer.sip.message import is_loose_router

TRUNK = HostPort("198.51.100.1", 5060)
OUR_FROM = "<sip:100@192.0.2.1>;tag=ours"


def of_caller(**headers):
    response = as_response(response_bytes(200, "OK", **headers))
    return Dialog.of_caller(response, OUR_FROM, "sip:200@trunk.example", TRUNK)


def test_the_caller_takes_contact_and_reversed_record_route():
    dialog = of_caller(
        contact="<sip:200@192.0.2.9:5070>", record_route=["<sip:p2;lr>, <sip:p1;lr>", "<sip:p0;lr>"]
    )
    assert dialog.key == ("call-1", "ours", "theirs")
    assert dialog.remote_target == "sip:200@192.0.2.9:5070"
    assert dialog.route == ("<sip:p0;lr>", "<sip:p1;lr>", "<sip:p2;lr>")
    assert (dialog.local, dialog.remote) == (OUR_FROM, "<sip:200@192.0.2.9>;tag=theirs")
    assert (dialog.local_cseq, dialog.remote_cseq) == (1, None)


def test_the_called_takes_contact_and_record_route_as_it_stands():
    request = as_request(request_bytes(record_route="<sip:p1;lr>, <sip:p2;lr>"))
    dialog = Dialog.of_called(request, "ours", PEER)
    assert dialog.key == ("call-1", "ours", "theirs")
    assert dialog.route == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert dialog.local == "<sip:100@192.0.2.1>;tag=ours"
    assert (dialog.local_cseq, dialog.remote_cseq) == (0, 7)


@pytest.mark.parametrize("contact", [None, "", "<>", "nonsense", "<sip:a b@h>", "*"])
def test_without_a_usable_contact_the_request_uri_stays_the_target(contact):
    assert of_caller(contact=contact).remote_target == "sip:200@trunk.example"


def test_headers_in_a_contact_are_dropped():
    contact = "<sip:200@192.0.2.9?Subject=x>"
    assert of_caller(contact=contact).remote_target == "sip:200@192.0.2.9"


@pytest.mark.parametrize(
    ("contact", "destination"),
    [
        ("<sip:200@192.0.2.9:5070>", HostPort("192.0.2.9", 5070)),
        ("<sip:200@[2001:db8::9]>", HostPort("2001:db8::9", 5060)),
        ("<sip:200@pbx.example>", TRUNK),
    ],
)
def test_without_a_route_requests_go_to_the_target(contact, destination):
    assert of_caller(contact=contact).addressing()[1:] == ((), destination)


def test_a_loose_router_stands_in_route():
    dialog = of_caller(contact="<sip:t@192.0.2.9>", record_route="<sip:192.0.2.5:5080;lr>")
    assert dialog.addressing() == (
        "sip:t@192.0.2.9",
        ("<sip:192.0.2.5:5080;lr>",),
        HostPort("192.0.2.5", 5080),
    )


def test_a_strict_router_stands_in_the_request_uri():
    dialog = of_caller(contact="<sip:t@192.0.2.9>", record_route="<sip:p2;lr>, <sip:192.0.2.5>")
    assert not is_loose_router("sip:192.0.2.5")
    assert dialog.addressing() == (
        "sip:192.0.2.5",
        ("<sip:p2;lr>", "<sip:t@192.0.2.9>"),
        HostPort("192.0.2.5", 5060),
    )


def test_cseq_in_both_directions():
    dialog = of_caller()
    requests = [as_request(request_bytes(cseq=f"{number} INVITE")) for number in (5, 6, 5, 6)]
    assert [dialog.in_order(request) for request in requests] == [True, True, False, True]
    assert dialog.headers("BYE", "via", (), 2)[-1] == ("CSeq", "2 BYE")


@pytest.mark.parametrize("blank", ["\u2028", "\u00a0", "\u3000"])
def test_no_blank_of_any_alphabet_gets_into_a_request_line(blank):
    dialog = of_caller(contact=f"<sip:200@192.0.2.9{blank}x>")
    assert dialog.remote_target == "sip:200@trunk.example"


def test_a_target_refresh_replaces_the_target_only():
    dialog = of_caller(contact="<sip:t@192.0.2.9>", record_route="<sip:p;lr>")
    dialog.refresh(as_request(request_bytes(contact="<sip:new@192.0.2.8>", record_route="<sip:q>")))
    assert (dialog.remote_target, dialog.route) == ("sip:new@192.0.2.8", ("<sip:p;lr>",))
    dialog.refresh(as_request(request_bytes(contact=None)))
    assert dialog.remote_target == "sip:new@192.0.2.8"


def test_state_as_text_and_back():
    dialog = of_caller(contact="<sip:t@h>", record_route="<sip:p;lr>")
    state = dialog.state()
    assert all(isinstance(value, str | int | tuple) for value in dataclasses.astuple(state))
    assert Dialog.of_state(state) == dialog


def test_a_strict_router_that_fits_no_request_line_stands_in_route():
    dialog = of_caller(contact="<sip:t@192.0.2.9>", record_route="<no uri>")
    assert dialog.addressing() == ("sip:t@192.0.2.9", ("<no uri>",), TRUNK)

"""An endpoint on its own, and the first steps of a call with it."""

from __future__ import annotations

import itertools

from tests.unit.sip.sample_messages import (
    OURS,
    PEER,
    answer_bytes,
    as_response,
    request_bytes,
)

from dialer.sip.effects import (
    SendDatagram,
)
from dialer.sip.endpoint import Endpoint, EndpointSettings, InviteDraft
from dialer.sip.identity import Credentials, HostPort

STRANGER = HostPort("203.0.113.66", 5060)
REALM = 'Digest realm="r", nonce="{}", qop="auth"'
CREDENTIALS = Credentials("user", "secret")


def make_endpoint(**options):
    counter = itertools.count(1)
    return Endpoint(EndpointSettings(*OURS[:2], **options), lambda: f"token{next(counter)}")


def sent(effects):
    return [effect.data for effect in effects if isinstance(effect, SendDatagram)]


def told(effects):
    return [effect for effect in effects if not isinstance(effect, SendDatagram)]


def only_response(effects):
    [data] = sent(effects)
    return as_response(data)


def draft(**options):
    fields = {
        "request_uri": "sip:200@192.0.2.9:5070",
        "to": "<sip:200@192.0.2.9>",
        "from_": '"Ann" <sip:100@192.0.2.1>',
        "target": PEER,
        "body": b"offer",
        **options,
    }
    return InviteDraft(**fields)


def invite(endpoint, **options):
    """Send an INVITE; return its Call-ID and bytes."""
    prepared = endpoint.prepare_invite(draft(**options))
    [data] = sent(endpoint.invite(prepared, 0.0))
    return prepared.call_id, data


def call_up(endpoint, **options):
    """Set up a call; return its Call-ID and the headers of the callee's requests within it."""
    call_id, data = invite(endpoint, **options)
    [answer] = told(endpoint.receive(answer_bytes(data, 200, "OK"), PEER, 0.1))
    within = {"to": answer.dialog.local, "from": answer.dialog.remote, "call_id": call_id}
    return call_id, within


def challenge(data, nonce="n1", code=401, extra=""):
    name = "www_authenticate" if code == 401 else "proxy_authenticate"
    return answer_bytes(data, code, "Who", **{name: REALM.format(nonce) + extra})


def within(method, headers, number, **more):
    via = f"SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bKin{method}{number}"
    return request_bytes(method, via=via, cseq=f"{number} {method}", **headers, **more)

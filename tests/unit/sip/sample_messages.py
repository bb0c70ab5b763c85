"""SIP messages for the tests, each header replaceable."""

from __future__ import annotations

from dialer.sip.identity import HostPort
from dialer.sip.message import Request, Response, parse

PEER = HostPort("192.0.2.9", 5070)
OURS = HostPort("192.0.2.1", 5060)


def request_bytes(method="INVITE", *, uri="sip:100@192.0.2.1", body=b"", **headers):
    """Return a request; a header is named with underscores, None leaves it out, a list repeats."""
    lines = {
        "Via": "SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bKpeer",
        "From": "<sip:200@192.0.2.9>;tag=theirs",
        "To": "<sip:100@192.0.2.1>",
        "Call-ID": "call-1",
        "CSeq": f"7 {method}",
        "Contact": "<sip:200@192.0.2.9:5070>",
        "Max-Forwards": "70",
        "Content-Length": str(len(body)),
    }
    return _message(f"{method} {uri} SIP/2.0", lines, headers, body)


def response_bytes(code, phrase="", *, method="INVITE", branch="z9hG4bKours", body=b"", **headers):
    """Return a response to a request of ours."""
    lines = {
        "Via": f"SIP/2.0/UDP 192.0.2.1:5060;rport=5060;received=192.0.2.1;branch={branch}",
        "From": "<sip:100@192.0.2.1>;tag=ours",
        "To": "<sip:200@192.0.2.9>" + (";tag=theirs" if code > 100 else ""),
        "Call-ID": "call-1",
        "CSeq": f"1 {method}",
        "Content-Length": str(len(body)),
    }
    return _message(f"SIP/2.0 {code} {phrase}", lines, headers, body)


def answer_bytes(request, code, phrase="", *, tag="theirs", body=b"", **headers):
    """Return a response to `request`, a message that our endpoint sent."""
    parsed = as_request(request)
    to = parsed.first("to")
    lines = {
        "Via": parsed.first("via"),
        "From": parsed.first("from"),
        "To": to if parsed.to_tag or code == 100 else f"{to};tag={tag}",
        "Call-ID": parsed.call_id,
        "CSeq": parsed.first("cseq"),
        "Contact": "<sip:100@192.0.2.9:5070>",
        "Content-Length": str(len(body)),
    }
    return _message(f"SIP/2.0 {code} {phrase}", lines, headers, body)


def _message(start, lines, headers, body):
    for name, value in headers.items():
        key = next((k for k in lines if k.lower() == name.replace("_", "-").lower()), None)
        lines[key or name.replace("_", "-").title()] = value
    text = [start]
    for name, value in lines.items():
        values = value if isinstance(value, list) else [value]
        text += [f"{name}: {one}" for one in values if one is not None]
    return "\r\n".join([*text, "", ""]).encode() + body


def as_request(data):
    message = parse(data)
    assert isinstance(message, Request)
    return message


def as_response(data):
    message = parse(data)
    assert isinstance(message, Response)
    return message

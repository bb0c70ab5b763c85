"""A call's capture as Wireshark sees it: tshark decodes SIP and RTP, each message whole."""

from __future__ import annotations

import datetime as dt
import json
import subprocess

import pytest

from dialer import pcap
from dialer.store.records import Passage

from .programs import program

AT = dt.datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC)
SENT, RECEIVED = True, False


def sip(start, body=b""):
    lines = (
        start,
        b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa",
        b"From: <sip:1@192.0.2.9>;tag=a",
        b"To: <sip:2@192.0.2.1>" + (b";tag=b" if start.startswith(b"SIP") else b""),
        b"Call-ID: one",
        b"CSeq: 1 INVITE",
        b"Contact: <sip:1@192.0.2.9>",
        b"Content-Type: application/sdp",
        b"Content-Length: " + str(len(body)).encode(),
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def description(host, port):
    family = "IP6" if ":" in host else "IP4"
    return (
        f"v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    ).encode()


def rtp(number):
    head = bytes([0x80, 8]) + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big")
    return head + b"\0\0\0\7" + b"\xd5" * 160


def seen(path, *fields, where=""):
    """Return the fields of every packet that fits a display filter."""
    command = [program("tshark"), "-r", path, "-Y", where, "-T", "json", "-n"]
    for field in fields:
        command += ["-e", field]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [
        tuple(",".join(packet["_source"]["layers"].get(field, [])) for field in fields)
        for packet in json.loads(found.stdout)
    ]


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize(
    ("ours", "theirs"), [("192.0.2.9", "192.0.2.1"), ("2001:db8::9", "2001:db8::1")]
)
def test_sip_and_rtp_are_decoded(tmp_path, transport, ours, theirs):
    def message(sent, data, later=0.0):
        at = AT + dt.timedelta(seconds=later)
        return Passage(at, sent, transport, ours, 5060, theirs, 5061, data)

    messages = [
        message(SENT, sip(b"INVITE sip:2@192.0.2.1 SIP/2.0", description(ours, 20000))),
        message(RECEIVED, sip(b"SIP/2.0 200 OK", description(theirs, 30000)), 0.1),
        message(SENT, sip(b"BYE sip:2@192.0.2.1 SIP/2.0"), 1.0),
    ]
    packets = [
        Passage(
            AT + dt.timedelta(seconds=0.2 + number / 50), number % 2 == 0, "udp",
            ours, 20000, theirs, 30000, rtp(number),
        )
        for number in range(6)
    ]  # fmt: skip
    path = tmp_path / "call.pcap"
    path.write_bytes(pcap.capture([*packets, *messages]))
    found = seen(path, "sip.Method", "sip.Status-Code", "sdp.media", where="sip")
    assert [row[0] or row[1] for row in found] == ["INVITE", "200", "BYE"]
    assert "audio 20000 RTP/AVP 8" in found[0][2]
    assert [row[0] for row in seen(path, "rtp.seq", where="rtp")] == list("012345")
    assert seen(path, "frame.number", where="_ws.malformed") == []

"""What passed of a call that is over: its ladder, its messages, its capture."""

from __future__ import annotations

import time

import dpkt
import pytest

PATIENCE = 20  # seconds, for the traces of calls to be written


def kept(command, *options, call=1):
    """Ask for what is kept of a call until it is there."""
    until = time.monotonic() + PATIENCE
    while True:
        code, out, error = command("call", call, *options)
        assert (code, error) == (0, "")
        if "nothing is kept" not in out or time.monotonic() > until:
            return out


@pytest.fixture
def called(command, numbers, service):
    """A campaign whose numbers were called; the first answered, the second was busy."""
    command(
        "campaign", "create", numbers, "--trunk", "carrier", "--max-attempts", 1, "--start",
        "--play", "hello.wav",
    )  # fmt: skip
    command("campaign", "watch", 1)
    return service


@pytest.mark.usefixtures("called")
def test_the_ladder_of_a_call(command):
    out = kept(command, "--ladder")
    steps = [line.split("─ ")[1].split(" ─")[0] for line in out.splitlines() if "─ " in line]
    assert steps[:2] == ["INVITE", "100 Trying"]
    assert "200 OK" in steps
    assert steps[-2:] in (["BYE", "200 OK"], ["200 OK", "BYE"])
    assert "(udp)" in out


@pytest.mark.usefixtures("called")
def test_the_messages_of_a_call_whole_and_its_capture(command, tmp_path):
    out = kept(command, "--messages", call=2)
    assert "    INVITE sip:+15554860000@127.0.0.1" in out
    assert "    SIP/2.0 486 Busy Here" in out
    path = tmp_path / "call.pcap"
    assert command("call", 2, "--pcap", path)[0] == 0
    with path.open("rb") as file:
        packets = [dpkt.ip.IP(data).data.data for _, data in dpkt.pcap.Reader(file)]
    assert packets[0].startswith(b"INVITE sip:+15554860000@127.0.0.1")
    assert packets[-1].startswith(b"ACK ")


@pytest.mark.usefixtures("called")
def test_a_capture_has_the_rtp_of_an_answered_call_without_its_sound(command, tmp_path):
    kept(command, "--ladder")
    path = tmp_path / "call.pcap"
    assert command("call", 1, "--pcap", path)[0] == 0
    with path.open("rb") as file:
        packets = [dpkt.ip.IP(data).data.data for _, data in dpkt.pcap.Reader(file)]
    sound = [packet[12:] for packet in packets if packet[0] == 0x80]
    assert sound
    assert all(set(one) <= {0xD5, 0xFF} for one in sound)


@pytest.mark.usefixtures("service")
def test_a_call_that_is_not_there(refused):
    assert refused("call", 99, "--ladder") == "there is no call 99"


@pytest.mark.usefixtures("called")
def test_a_file_that_cannot_be_written(command, tmp_path):
    kept(command, "--ladder")
    code, _, error = command("call", 1, "--pcap", tmp_path / "no" / "such" / "folder")
    assert (code, "cannot write" in error) == (2, True)

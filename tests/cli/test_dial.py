"""`dialer dial`: one call, its ladder, its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys

import pytest
from tests.authority import Authority, dns
from tests.cli.conftest import in_a_thread
from tests.name_server import name_server

from dialer import dial
from dialer.conversation.prompt import HELLO
from dialer.ua.tls import server_context

PBX = '[[trunk]]\nname = "pbx"\naddress = "{}"\n{}\n'


@pytest.fixture
def trunk(carrier, configured):
    """The options that lead to the simulated carrier."""
    host, port = carrier.address.host, carrier.address.port
    path = configured(
        '[sip]\nhost = "127.0.0.1"\n',
        f'[[trunk]]\nname = "carrier"\naddress = "{host}:{port}"\ncaller_id = "+15550001000"\n',
    )
    return ("--config", path, "--trunk", "carrier")


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        ("+15552000200", 0, "answered: 200 OK; decided by rule answered-2xx"),
        ("+15554860000", 10, "busy: 486 Busy Here; decided by rule busy-486"),
        ("+15554801000", 11, "no_answer: 480 Temporarily Unavailable; decided by rule no-answer"),
        ("+15556030000", 12, "declined: 603 Decline; decided by rule declined-603"),
        ("+15556070000", 12, "unwanted: 607 Unwanted; decided by rule unwanted-607"),
        ("+15554800020", 13, "unreachable: 480 Temporarily Unavailable"),
        ("+15554040001", 14, "invalid_number: 404 Not Found"),
        ("+15555000000", 20, "network_failure: 500 Server Internal Error"),
        ("+15557130000", 20, "the trunk asks for an account"),
        ("+15557020000", 20, "no audio that we can speak; we offer PCMA, PCMU"),
        ("123", 14, "123 cannot be dialled: too short for a number of +1"),
    ],
)
def test_the_exit_code_tells_the_outcome(command, trunk, number, code, said):
    left, out, error = command("dial", number, *trunk)
    assert (left, error) == (code, "")
    assert said in out


def test_a_ring_timeout_cancels(command, trunk):
    left, out, _ = command("dial", "+15551800000", *trunk, "--ring-timeout", 1)
    assert left == 11
    assert rungs(out) == [
        "▶INVITE", "◀100 Trying", "◀180 Ringing", "▶CANCEL", "◀200 OK", "◀487 Request Terminated",
        "▶ACK",
    ]  # fmt: skip
    assert "no_answer: 487 Request Terminated; decided by rule ring-timeout" in out


def test_what_the_carrier_says_before_an_answer_is_told(command, trunk):
    left, out, _ = command("dial", "+15551843000", *trunk, "--ring-timeout", 4)
    assert left == 11
    assert "early media: special information tone (vacant code) at 0." in out
    assert ", then speech " in out


def test_a_prompt_is_played(command, trunk):
    left, out, _ = command("dial", "+15552000000", *trunk, "--play", HELLO)
    assert left == 0
    sent = re.search(r"hung up by us; RTP packets (\d+) sent, \d+ received", out)
    assert sent is not None
    assert int(sent[1]) > 50


def test_nobody_there(command):
    left, out, _ = command("dial", "+15552000000", "--trunk", "127.0.0.1:9")
    assert left == 20
    assert "nothing takes UDP at 127.0.0.1:9" in out


def test_why_there_is_no_connection(command, configured):
    tcp = '[[trunk]]\nname = "pbx"\naddress = "127.0.0.1:9"\ntransport = "tcp"\n'
    path = configured(trunk=tcp)
    left, out, _ = command("dial", "+15552000000", "--trunk", "pbx", "--config", path)
    assert left == 20
    assert "nothing listens on tcp 127.0.0.1:9" in out


def test_the_number_is_rewritten_as_for_a_campaign(command, carrier, configured):
    where = f"{carrier.address.host}:{carrier.address.port}"
    rewrite = 'rewrite = [{ match = "^.+$", replace = "+15554860000" }]'
    trunk = f'[[trunk]]\nname = "pbx"\naddress = "{where}"\n{rewrite}\n'
    path = configured('[sip]\nhost = "127.0.0.1"\n', trunk)
    left, out, _ = command("dial", "+15552000000", "--trunk", "pbx", "--config", path)
    assert (left, "busy: 486 Busy Here" in out) == (10, True)


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        ("udp", "nothing takes UDP at 127.0.0.1:9, or no route leads there"),
        ("tcp", "nothing listens on tcp 127.0.0.1:9"),
        ("tls", "nothing listens on tls 127.0.0.1:9"),
    ],
)
def test_nobody_there_over_the_transport_of_the_trunk(command, configured, transport, said):
    path = configured(trunk=PBX.format("127.0.0.1:9", f'transport = "{transport}"'))
    left, out, _ = command("dial", "+15552000000", "--trunk", "pbx", "--config", path)
    assert left == 20
    assert said in out


@contextlib.asynccontextmanager
async def tls_server(context):
    """Take connections and wait until they are given up; gives the port."""

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("more", ["", 'register = true\nusername = "dialer"'])
def test_a_certificate_that_is_not_taken_is_said(command, configured, tmp_path, more):
    authority = Authority(tmp_path)
    context = server_context(authority.issue("other.pem", dns("sip.example.org")), None)
    with in_a_thread(lambda: tls_server(context)) as port:
        tls = f'transport = "tls"\ntls_ca_file = "{authority.file}"\n{more}'
        path = configured(trunk=PBX.format(f"127.0.0.1:{port}", tls))
        left, out, _ = command("dial", "+15552000000", "--trunk", "pbx", "--config", path)
    assert left == 20
    assert f"the certificate of 127.0.0.1:{port} is for sip.example.org, not 127.0.0.1" in out


def test_what_dns_says_of_a_name_without_an_address(command, configured):
    with in_a_thread(lambda: name_server({("elsewhere.example", "A"): ["127.0.0.1"]})) as names:
        where = "{}:{}".format(*names.address)
        path = configured(f'[sip]\nnameservers = ["{where}"]\n', PBX.format("pbx.example", ""))
        left, out, _ = command("dial", "+15552000000", "--trunk", "pbx", "--config", path)
    assert left == 20
    assert re.search(r"^the name pbx\.example has no address: .+", out, re.MULTILINE)


def test_the_number_is_called_as_the_trunk_wants_it(command, carrier, configured):
    address = f"{carrier.address.host}:{carrier.address.port}"
    path = configured(
        trunk=PBX.format(address, 'rewrite = [{ match = "^999", replace = "+1555" }]')
    )
    internal = '[numbers]\ninternal = "[0-9]{10}"\n'
    path.write_text(internal + path.read_text())
    left, out, _ = command("dial", "9994860000", "--trunk", "pbx", "--config", path)
    assert (left, "busy: 486 Busy Here" in out) == (10, True)


class Registrar(asyncio.DatagramProtocol):
    """Answers REGISTER and INVITE with the two codes; 0 for no answer."""

    def __init__(self, register, invite):
        self.codes = {b"REGISTER": register, b"INVITE": invite}

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, source):
        method = data.partition(b" ")[0]
        code = self.codes.get(method)
        if code:
            lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
            told = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:", b"contact:", b"expires:")
            kept = [line for line in lines if line.lower().startswith(told)]
            status = b"SIP/2.0 %d Said" % code
            self.transport.sendto(b"\r\n".join([status, *kept, b"", b""]), source)


@contextlib.asynccontextmanager
async def registrar(register, invite=0):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Registrar(register, invite), local_addr=("127.0.0.1", 0)
    )
    yield transport.get_extra_info("sockname")[1]
    transport.close()


ACCOUNT = 'register = true\nusername = "dialer"'


def test_it_registers_before_it_calls(command, configured):
    with in_a_thread(lambda: registrar(200, 486)) as port:
        path = configured(trunk=PBX.format(f"127.0.0.1:{port}", ACCOUNT))
        left, out, _ = command("dial", "+15552000000", "--trunk", "pbx", "--config", path)
    assert left == 10
    assert rungs(out) == [
        "▶REGISTER", "◀200 Said", "▶INVITE", "◀486 Said", "▶ACK", "▶REGISTER", "◀200 Said",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "reason"),
    [(405, "REGISTER got 405 Said"), (0, "no answer to REGISTER within 0.5 s")],
)
def test_it_does_not_call_where_it_cannot_register(command, configured, monkeypatch, code, reason):
    if not code:
        monkeypatch.setattr(dial, "REGISTRATION_PATIENCE", 0.5)
    with in_a_thread(lambda: registrar(code)) as port:
        path = configured(trunk=PBX.format(f"127.0.0.1:{port}", ACCOUNT))
        left, out, _ = command("dial", "+15552000000", "--trunk", "pbx", "--config", path)
    assert left == 20
    assert "▶INVITE" not in rungs(out)
    assert f"not registered with 127.0.0.1, so it was not called: {reason}" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("abc;", "--trunk", "pbx"), "NUMBER is not a telephone number: 'abc;'"),
        (("+15552000000", "--trunk", "pxb"), "no trunk is named 'pxb'; configured: pbx"),
        (("+15552000000", "--trunk", "127.0.0.1:99999"), "99999 is not a port number"),
        (("+15552000000", "--trunk", "pbx", "--play", "none.wav"), "none.wav: No such file"),
        (("+15552000000", "--trunk", "pbx", "--play", __file__), "test_dial.py"),
        (("+15552000000", "--trunk", "pbx", "--caller-id", "x\r\ny"), "a control character"),
    ],
)
def test_a_mistake_is_one_line(refused, configured, arguments, said):
    assert said in refused("dial", "--config", configured(), *arguments)


@pytest.mark.parametrize(
    ("number", "when", "then"),
    [
        ("+15551800000", "180 Ringing", ["▶CANCEL", "◀200 OK", "◀487 Request Terminated", "▶ACK"]),
        ("+15552000000", "▶│  CSeq 1 ACK", ["▶BYE", "◀200 OK"]),
    ],
)
async def test_ctrl_c_ends_the_call(trunk, number, when, then):
    """The ladder is seen while the call goes on: the signal is sent at the sight of a message."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer", "dial", number, *trunk, "--play", HELLO,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    seen = b""
    while when not in seen.decode():
        line = await process.stdout.readline()
        assert line, seen
        seen += line
    process.send_signal(signal.SIGINT)
    rest, error = await process.communicate()
    assert rungs(rest.decode()) == then
    assert error == b""
    assert process.returncode == (130 if "CANCEL" in then[0] else 0)


def rungs(text):
    """The messages of a ladder in order, ▶ sent or ◀ received."""
    found = re.findall(r"(?:├─ (.+?) ─*▶│)|(?:│◀─ (.+?) ─*┤)", text)
    return [f"▶{sent}" if sent else f"◀{received}" for sent, received in found]

"""`dialer trunk check`: each step told, with what to change where it fails, and an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys

import pytest
from tests.cli.conftest import LOOPBACK, in_a_thread, steps, unused
from tests.name_server import name_server
from tests.wire.watching import far_end

from dialer import trunk_check, trunk_check_call

TALKS, BUSY, UNKNOWN = "+15552000200", "+15554860000", "+15554040001"


def test_a_trunk_that_works(command, at, far):
    far.answers["OPTIONS"] = (200, {"server": "Switch 1.2"})
    code, out, error = command(*at(far.address))
    assert (code, error) == (0, "")
    told = steps(out)
    where = f"127.0.0.1:{far.address.port}"
    assert list(told) == ["resolve", "connect", "options", "verdict"]
    [[mark, said]] = told["resolve"]
    assert (mark, said.split("  (")[0]) == ("✓", f"127.0.0.1 → {where} UDP")
    [[mark, said]] = told["connect"]
    assert (mark, said.startswith(f"{where} UDP: sent from 127.0.0.1:")) == ("✓", True)
    [[mark, said, software, seen]] = told["options"]
    assert (mark, said.split("  (")[0]) == ("✓", f"{where} UDP: 200 Said")
    assert said.endswith(" ms)")
    assert (software, seen) == (
        "software: Switch 1.2",
        f"sees us at 127.0.0.1:{told['connect'][0][1].split(':')[-1].split(' ')[0]}",
    )
    assert told["verdict"] == [["✓", "works"]]


def test_what_a_peer_says_cannot_reach_the_terminal(command, at, far):
    far.answers["OPTIONS"] = (200, {"server": "Switch \x1b[31m\x9b"})
    _, out, _ = command(*at(far.address))
    assert "software: Switch \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}" in out
    _, out, _ = command(*at(far.address), "--json")
    assert out.isascii()
    assert "\x1b" not in out


@pytest.mark.parametrize("answer", [401, 403, 404, 405])
def test_any_answer_to_options_shows_that_it_lives(command, at, far, answer):
    far.answers["OPTIONS"] = (answer, {})
    code, out, _ = command(*at(far.address))
    assert code == 0
    assert f"{answer} Said" in out


def test_a_trunk_that_says_it_takes_nothing_now(command, at, far):
    far.answers["OPTIONS"] = (503, {})
    code, out, _ = command(*at(far.address))
    assert code == 1
    assert steps(out)["options"][0][0] == "✗"
    assert steps(out)["verdict"] == [["✗", "does not work: nobody answers"]]


def test_a_bare_address_is_a_trunk_without_an_account(command, far):
    code, out, _ = command("trunk", "check", f"127.0.0.1:{far.address.port}")
    assert code == 0
    assert out.endswith("✓ verdict    works\n")


def test_no_answer_to_options(command, at, far, monkeypatch):
    monkeypatch.setattr(trunk_check, "PATIENCE", 1.0)
    far.answers["OPTIONS"] = None
    code, out, _ = command(*at(far.address))
    assert code == 1
    port = far.address.port
    assert f"no answer to OPTIONS from 127.0.0.1:{port} over UDP within 1 s" in out
    assert "→ the address may be wrong, a firewall may drop it, or the trunk does not answer" in out
    assert "try --call" in out


def test_a_closed_port_over_udp(command, at):
    port = unused()
    code, out, _ = command(*at(f"127.0.0.1:{port}"))
    assert code == 1
    assert f"nothing takes UDP at 127.0.0.1:{port}" in out
    assert "✗ verdict    does not work: nobody answers" in out


def test_a_closed_port_over_tcp(command, at):
    port = unused()
    code, out, _ = command(*at(f"127.0.0.1:{port}", 'transport = "tcp"'))
    told = steps(out)
    assert (code, list(told)) == (1, ["resolve", "connect", "verdict"])
    [[mark, said, advice]] = told["connect"]
    assert mark == "✗"
    assert f"127.0.0.1:{port} TCP: nothing listens on tcp 127.0.0.1:{port}" in said
    assert advice == "→ correct the port in `address`, or `transport`"


def test_an_address_without_a_route(command, at):
    code, out, _ = command(*at("192.0.2.1:5060"))
    assert code == 1
    assert "✗ connect    192.0.2.1:5060 UDP: 192.0.2.1:5060 cannot be reached: " in out
    assert "→ give this machine a route there, or correct sip.host" in out


def test_the_address_that_the_trunk_sees_is_compared_with_ours(command, at, far):
    far.seen_at = ("203.0.113.7", 40000)
    code, out, _ = command(*at(far.address))
    assert code == 0
    assert "sees us at 203.0.113.7:40000" in out
    assert 'we name 127.0.0.1 in Contact and SDP: set external_address = "203.0.113.7"' in out
    assert "✓ verdict    works, with one warning" in out
    _, out, _ = command(*at(far.address, 'external_address = "203.0.113.7"'))
    assert out.endswith("✓ verdict    works\n")


def test_a_port_that_a_service_has_is_left_alone(command, at, far):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, out, _ = command(*at(far.address, sip=f"{LOOPBACK}port = {port}\n"))
    assert code == 0
    assert out.startswith(f"! listen     port {port} is taken, by a dialer that runs perhaps")


# names


def records(*ports):
    """SRV records of `trunk.test` by UDP, in this order, all on loopback."""
    return {
        ("_sip._udp.trunk.test", "SRV"): [
            f"{n} 10 {port} host.trunk.test." for n, port in enumerate(ports)
        ],
        ("host.trunk.test", "A"): ["127.0.0.1"],
    }


@contextlib.contextmanager
def named(*ports):
    """The lines that make a trunk's name known: `[sip] nameservers`."""
    with in_a_thread(lambda: name_server(records(*ports))) as server:
        host, port = server.address
        yield f'{LOOPBACK}nameservers = ["{host}:{port}"]\n'


def test_one_dead_target_of_three(command, at, far):
    dead, live = unused(), far.address.port
    with in_a_thread(far_end) as second, named(dead, live, second.address.port) as sip:
        code, out, _ = command(*at("trunk.test", sip=sip))
        other = second.address.port
    told = steps(out)
    assert code == 1
    [[mark, said, *looked_up]] = told["resolve"]
    order = ", ".join(f"127.0.0.1:{port} UDP" for port in (dead, live, other))
    assert (mark, said.split("  (")[0]) == ("✓", f"trunk.test → {order}")
    assert "A host.trunk.test: 127.0.0.1" in looked_up
    assert any(line.startswith("SRV _sip._udp.trunk.test: 0 10 ") for line in looked_up)
    assert [mark for mark, *_ in told["options"]] == ["✗", "✓", "✓"]
    assert told["options"][0][2].startswith("→ this server comes from DNS: ask who runs the trunk")
    assert told["verdict"] == [["✗", "works, with 1 of 3 targets dead"]]


def test_a_name_that_is_unknown(command, at):
    with named() as sip:
        code, out, _ = command(*at("trunk.test", sip=sip))
    told = steps(out)
    assert (code, list(told)) == (1, ["resolve", "verdict"])
    [[mark, said, *_, advice]] = told["resolve"]
    assert (mark, "the name trunk.test has no address: " in said) == ("✗", True)
    assert advice == "→ correct `address`, or set sip.nameservers to name servers that know it"
    assert told["verdict"] == [["✗", "does not work: its address cannot be found"]]


def test_name_servers_that_say_nothing(command, at, monkeypatch):
    monkeypatch.setattr(trunk_check, "LONGEST", 1.0)
    with in_a_thread(lambda: name_server({}, silent=True)) as server:
        sip = f'{LOOPBACK}nameservers = ["127.0.0.1:{server.address[1]}"]\n'
        code, out, _ = command(*at("trunk.test", sip=sip))
    assert code == 1
    assert "✗ resolve    no answer from DNS within 1 s" in out


# registration

ACCOUNT = (
    'register = true\nusername = "dialer"\npassword_env = "DIALER_TEST_TRUNK"\n'
    "registration_seconds = 100\nlearn_address = true"
)


@pytest.fixture(autouse=True)
def _password(monkeypatch):
    monkeypatch.setenv("DIALER_TEST_TRUNK", "secret")


def test_a_registration_is_told_and_removed(command, at, far):
    far.answers["REGISTER"] = (200, {"expires": "90", "service-route": "<sip:192.0.2.7;lr>"})
    code, out, _ = command(*at(far.address, ACCOUNT))
    assert code == 0
    [[mark, said, *details]] = steps(out)["register"]
    assert (mark, said.startswith("registered until ")) == ("✓", True)
    assert details[0] == "Service-Route <sip:192.0.2.7;lr>"
    assert details[1].startswith("the trunk sees us at 127.0.0.1:")
    first, *_, last = far.of("REGISTER")
    assert (first.first("expires"), last.first("expires")) == ("100", "0")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_removes_the_registration(at, far, how):
    far.answers["OPTIONS"] = None
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer", *map(str, at(far.address, ACCOUNT)),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    seen = b""
    while "✓ register" not in seen.decode():
        line = await process.stdout.readline()
        assert line, seen
        seen += line
    process.send_signal(how)
    _, error = await process.communicate()
    assert (process.returncode, error) == (130, b"")
    assert [request.first("expires") for request in far.of("REGISTER")][-1] == "0"


def test_refused_credentials(command, at, far):
    challenge = 'Digest realm="pbx", nonce="abc", algorithm=MD5, qop="auth"'
    far.answers["REGISTER"] = (401, {"www-authenticate": challenge})
    code, out, _ = command(*at(far.address, ACCOUNT), "--call", TALKS)
    assert code == 1
    [[mark, said, advice]] = steps(out)["register"]
    assert mark == "✗"
    assert said.startswith("credentials refused: REGISTER got 401 Said")
    assert advice == "→ correct `username` or the password in DIALER_TEST_TRUNK"
    assert "- call       not tried: without a registration it gets no calls" in out
    assert "✗ verdict    does not work: the registration failed" in out
    assert len(far.of("REGISTER")) == 2


def test_a_registrar_that_says_nothing(command, at, far, monkeypatch):
    monkeypatch.setattr(trunk_check, "LONGEST", 1.0)
    far.answers["REGISTER"] = None
    code, out, _ = command(*at(far.address, ACCOUNT))
    assert code == 1
    assert f"no answer to REGISTER from 127.0.0.1:{far.address.port} UDP within 1 s" in out
    assert "→ the registrar may be another one: see `address`, `proxy` and `registrar`" in out


# calls


@pytest.fixture
def simulated(carrier, at):
    return at(carrier.address, 'caller_id = "+15550001000"')


def test_a_test_call(command, simulated, monkeypatch):
    monkeypatch.setattr(trunk_check_call, "TALK", 0.5)
    code, out, _ = command(*simulated, "--call", TALKS)
    assert code == 0
    [[mark, said, *details]] = steps(out)["call"]
    assert mark == "✓"
    assert said.startswith(f"{TALKS} over pbx: answered, 200 OK; decided by rule answered-2xx")
    assert any(line.startswith("answered after ") for line in details)
    assert details[-1].startswith("RTP packets: ")
    assert out.endswith("✓ verdict    works\n")


@pytest.mark.parametrize(
    ("number", "left", "mark", "said"),
    [
        (BUSY, 0, "✓", "busy, 486 Busy Here; decided by rule busy-486"),
        (UNKNOWN, 1, "✗", "invalid_number, 404 Not Found"),
        ("+15557130000", 1, "✗", "the trunk asks for an account"),
    ],
)
def test_calls_that_are_not_answered(command, simulated, number, left, mark, said):
    code, out, _ = command(*simulated, "--call", number)
    assert (code, steps(out)["call"][0][0]) == (left, mark)
    assert said in out
    assert ("does not work: the test call failed" in out) is bool(left)


def test_a_call_that_nobody_answers_to(command, at, far, monkeypatch):
    monkeypatch.setattr(trunk_check_call, "SILENCE", 1.0)
    code, out, _ = command(*at(far.address), "--call", TALKS)
    assert code == 1
    assert f"✗ call       {TALKS} over pbx: no answer to INVITE within 1 s" in out


def test_calls_are_taken_though_options_is_not(command, at, far, monkeypatch):
    monkeypatch.setattr(trunk_check, "PATIENCE", 0.5)
    far.answers |= {"OPTIONS": None, "INVITE": (486, {})}
    code, out, _ = command(*at(far.address), "--call", TALKS)
    assert code == 1
    assert "✗ verdict    works: it takes calls, though it answers no OPTIONS" in out


def test_the_number_is_rewritten_as_for_a_campaign(command, at, far):
    far.answers["INVITE"] = (486, {})
    rewrite = 'rewrite = [{ match = "^\\\\+", strip = 1, prepend = "00" }]'
    command(*at(far.address, rewrite), "--call", BUSY)
    (invite,) = {request.uri for request in far.of("INVITE")}
    assert invite.startswith("sip:0015554860000@")


# for programs, and mistakes


def test_json_gives_one_object_for_each_step(command, simulated, carrier):
    code, out, _ = command(*simulated, "--call", BUSY, "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [step["step"] for step in told] == ["resolve", "connect", "options", "call", "verdict"]
    assert {step["status"] for step in told} == {"ok"}
    resolve, connect, options, call, verdict = told
    where = f"127.0.0.1:{carrier.address.port} UDP"
    assert resolve["targets"] == [connect["target"]] == [where]
    assert connect["local"].startswith("127.0.0.1:")
    assert (options["code"], options["target"]) == (200, where)
    assert options["milliseconds"] > 0
    assert (call["outcome"], call["rule"], call["code"]) == ("busy", "busy-486", 486)
    assert (verdict["said"], verdict["milliseconds"]) == ("works", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pxb",), "no trunk is named 'pxb'; configured: pbx"),
        (("127.0.0.1:99999",), "NAME: 99999 is not a port number"),
        (("pbx", "--call", "abc;"), "--call is not a telephone number: 'abc;'"),
        (("pbx", "--call", "123"), "--call 123 cannot be dialled: too short for a number of +1"),
    ],
)
def test_a_mistake_is_one_line(refused, configured, arguments, said):
    assert said in refused("trunk", "check", "--config", configured(), *arguments)

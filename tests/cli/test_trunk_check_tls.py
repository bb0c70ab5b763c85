"""`dialer trunk check` of a trunk over TLS: its certificate, ours, and ports that speak none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import pytest
from tests.authority import Authority, address, dns
from tests.cli.conftest import LOOPBACK, in_a_thread, running_carrier, steps, unused
from tests.name_server import name_server

from dialer.ua import connections
from dialer.ua.tls import server_context


@pytest.fixture
def secured(tmp_path):
    """`with secured(dns("a.test"), days=(-1, 90)) as (port, ca)`: a carrier, its TLS port."""
    authority = Authority(tmp_path)

    @contextlib.contextmanager
    def start(*names, **how):
        with in_a_thread(running_carrier) as carrier:
            transport = carrier.driver.transport
            certificate = authority.issue("carrier.pem", *names, **how)
            transport.serve_tls(server_context(certificate, None))
            yield transport.listens("tls").port, authority.file

    return start


def tls(ca, *more):
    return ('transport = "tls"', f'tls_ca_file = "{ca}"', *more)


def test_the_certificate_is_shown(command, at, secured):
    with secured(address("127.0.0.1"), dns("sip.trunk.test"), days=(-1, 91)) as (port, ca):
        code, out, _ = command(*at(f"127.0.0.1:{port}", *tls(ca)))
    assert code == 0
    [[mark, said, certificate, names, issuer]] = steps(out)["connect"]
    assert mark == "✓"
    assert ", TLSv1.3  (" in said
    assert certificate.startswith("certificate CN=somebody, expires on 20")
    assert names == "names: DNS sip.trunk.test, IP 127.0.0.1"
    assert issuer == "issued by CN=test authority"
    assert out.endswith("✓ verdict    works\n")


def test_a_certificate_that_expires_soon_is_a_warning(command, at, secured):
    with secured(address("127.0.0.1"), days=(-1, 12.5)) as (port, ca):
        code, out, _ = command(*at(f"127.0.0.1:{port}", *tls(ca)))
    assert code == 0
    assert "! connect" in out
    assert "→ expires in 12 days: ask whoever runs the trunk for a new certificate" in out
    assert "✓ verdict    works, with one warning" in out


@pytest.mark.parametrize(
    ("names", "how", "said", "advice"),
    [
        (
            [dns("other.test")],
            {},
            "is for other.test, not 127.0.0.1",
            "set `tls_server_name` where that is its right name, or correct `address`",
        ),
        (
            [address("127.0.0.1")],
            {"days": (-9, -2)},
            "expired on 20",
            "ask whoever runs the trunk for a new certificate",
        ),
        (
            [address("127.0.0.1")],
            {"self_signed": True},
            "is self-signed",
            "set `tls_ca_file` to a PEM file with that very certificate",
        ),
    ],
)
def test_a_certificate_that_does_not_do(command, at, secured, names, how, said, advice):
    with secured(*names, **how) as (port, ca):
        code, out, _ = command(*at(f"127.0.0.1:{port}", *tls(ca)))
    assert code == 1
    [[mark, told, further]] = steps(out)["connect"]
    assert (mark, said in told, further) == ("✗", True, f"→ {advice}")


def test_a_certificate_of_ours_that_is_missing(command, at, tmp_path):
    authority = Authority(tmp_path)
    context = server_context(authority.issue("carrier.pem", address("127.0.0.1")), None)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    with in_a_thread(running_carrier) as carrier:
        carrier.driver.transport.serve_tls(context)
        port = carrier.driver.transport.listens("tls").port
        code, out, _ = command(*at(f"127.0.0.1:{port}", *tls(authority.file)))
        own = authority.issue("own.pem", dns("dialer.test"))
        files = (f'tls_certificate_file = "{own}"', f'tls_key_file = "{own}"')
        better, _, _ = command(*at(f"127.0.0.1:{port}", *tls(authority.file, *files)))
    assert (code, better) == (1, 0)
    assert "it may want a certificate of ours" in out
    assert "→ set `tls_certificate_file` and `tls_key_file`" in out


def test_a_port_without_tls(command, at):
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        in_a_thread(lambda: greeting(listener)),
    ):
        port = listener.getsockname()[1]
        code, out, _ = command(*at(f"127.0.0.1:{port}", 'transport = "tls"'))
    assert code == 1
    assert f"127.0.0.1:{port} does not speak TLS" in out
    assert "→ correct `transport`, or the port in `address`" in out


@contextlib.asynccontextmanager
async def greeting(listener):
    """Whoever connects is greeted in plain text."""

    def greet(_, writer):
        writer.write(b"220 welcome\r\n" * 10)
        writer.close()

    server = await asyncio.start_server(greet, sock=listener)
    yield
    server.close()


def test_targets_are_told_in_their_order_whichever_connects_first(
    command, at, secured, monkeypatch
):
    monkeypatch.setattr(connections, "CONNECT", 1.0)
    with secured(dns("trunk.test")) as (port, ca), socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dead = silent.getsockname()[1]
        known = {
            ("_sips._tcp.trunk.test", "SRV"): [
                f"0 0 {dead} host.trunk.test.",
                f"1 0 {port} host.trunk.test.",
                f"2 0 {unused()} host.trunk.test.",
            ],
            ("host.trunk.test", "A"): ["127.0.0.1"],
        }
        with in_a_thread(lambda: name_server(known)) as server:
            sip = f'{LOOPBACK}nameservers = ["127.0.0.1:{server.address[1]}"]\n'
            code, out, _ = command(*at("trunk.test", *tls(ca), sip=sip))
    assert code == 1
    told = steps(out)
    assert [mark for mark, *_ in told["connect"]] == ["✗", "!", "✗"]
    assert f"127.0.0.1:{dead} did not answer within 1 s" in told["connect"][0][1]
    assert len(told["options"]) == 1
    assert told["verdict"] == [["✗", "works, with 2 of 3 targets dead"]]

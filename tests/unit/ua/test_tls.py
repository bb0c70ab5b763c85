"""TLS connections: whom we trust, whom we say we are, and the sentence when it does not work."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import pytest
import uvloop
from tests.authority import Authority, address, dns, today, uri
from tests.driven_clock import DrivenClock
from tests.unit.sip.sample_messages import request_bytes, response_bytes
from tests.unit.ua.stream_peers import listening, transports

from dialer.sip.identity import HostPort
from dialer.ua import connection
from dialer.ua.call import TlsSettings
from dialer.ua.tls import TlsError, client_context, identities, misnamed, server_context

OPTIONS = request_bytes("OPTIONS")
OK = response_bytes(200, "OK")
DOMAIN = "pbx.example.org"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


class Server:
    """What a TLS peer shows, and what it saw."""

    def __init__(self, certificate, *, wants=None, newest=None):
        self.context = server_context(certificate, None)
        self.indicated = []
        self.context.sni_callback = lambda _ssl, name, _context: self.indicated.append(name)
        if wants is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(wants)
        if newest is not None:
            self.context.minimum_version = newest
            self.context.maximum_version = newest


async def attempt(server, settings, domain=DOMAIN, host="127.0.0.1"):
    """Send over TLS; return "" where it arrived, else why not, with WHERE for the peer.

    The peer is a thread with a blocking socket: asyncio's servers send no TLS alerts.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        peer = HostPort(*listening.getsockname()[:2], "tls")
        async with transports(host) as (uses, ours):
            ours.trust(peer, settings, domain)
            received = asyncio.get_running_loop().run_in_executor(None, serve, server, listening)
            failed = asyncio.ensure_future(uses.failures.get())
            ours.send(OPTIONS, peer)
            await asyncio.wait({received, failed}, return_when=asyncio.FIRST_COMPLETED)
            listening.shutdown(socket.SHUT_RDWR)
            if data := await received:
                failed.cancel()
                return "" if data == OPTIONS else "it arrived in pieces"
            assert await failed == peer
            shown = f"[{host}]" if ":" in host else host
            return ours.why_not(peer).replace(f"{shown}:{peer.port}", "WHERE")


def serve(server, listening):
    """Take connections until one brings a message; return b"" where none does before the end."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return b""
        context = server.context
        with context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        ) as stream:
            try:
                stream.do_handshake()
                if data := stream.recv(65536):
                    return data
            except OSError:
                with contextlib.suppress(OSError):
                    # closed with anything unread, it would overtake its alert with RST
                    stream.shutdown(socket.SHUT_WR)
                    while stream.recv(65536):
                        pass


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_good_certificate(loop, host, authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN)))
    settings = TlsSettings(ca_file=authority.file)
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(attempt(server, settings, host=host)) == ""
    assert server.indicated == [DOMAIN]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(
    ("names", "more", "reason"),
    [
        (
            [dns("sip.example.org")],
            {},
            "the certificate of WHERE is for sip.example.org, not pbx.example.org",
        ),
        (
            [dns("*.example.org")],
            {},
            (
                "the certificate of WHERE is for *.example.org, not pbx.example.org; SIP knows "
                'no wildcards, set tls_server_name = "*.example.org" to accept it'
            ),
        ),
        (
            [dns(DOMAIN)],
            {"days": (-9, -3)},
            f"the certificate of WHERE expired on {today():%Y-%m-}",
        ),
        (
            [dns(DOMAIN)],
            {"days": (3, 9)},
            "the certificate of WHERE is not valid before 20",
        ),
        (
            [dns(DOMAIN)],
            {"self_signed": True},
            "the certificate of WHERE is self-signed; set tls_ca_file to trust it",
        ),
    ],
)
def test_a_bad_certificate(loop, names, more, reason, authority):
    if "expired" in reason:
        reason = reason[: reason.index(" on ")] + " on 20"
    server = Server(authority.issue("server.pem", *names, **more))
    with asyncio.Runner(loop_factory=loop) as runner:
        told = runner.run(attempt(server, TlsSettings(ca_file=authority.file)))
    assert told.startswith(reason)


async def test_an_authority_that_nobody_named(authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN)))
    assert await attempt(server, TlsSettings()) == (
        "the certificate of WHERE is signed by an authority that is not known; set tls_ca_file"
    )


async def test_the_date_of_an_expired_certificate_is_told(authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN), days=(-9, -3)))
    expired = today().date().toordinal() - 3
    told = await attempt(server, TlsSettings(ca_file=authority.file))
    date = today().date().fromordinal(expired)
    assert told == f"the certificate of WHERE expired on {date:%Y-%m-%d}"


async def test_a_certificate_that_is_named_itself_is_trusted(authority):
    itself = authority.issue("server.pem", dns(DOMAIN), self_signed=True)
    assert await attempt(Server(itself), TlsSettings(ca_file=itself)) == ""


async def test_what_is_not_verified_may_be_anything(authority):
    server = Server(authority.issue("server.pem", dns("elsewhere"), days=(-9, -3)))
    assert await attempt(server, TlsSettings(verify=False)) == ""


async def test_another_name_may_be_expected(authority):
    server = Server(authority.issue("server.pem", dns("sbc.carrier.example")))
    settings = TlsSettings(ca_file=authority.file, server_name="sbc.carrier.example")
    assert await attempt(server, settings) == ""
    assert server.indicated == ["sbc.carrier.example"]


async def test_a_wildcard_has_to_be_asked_for(authority):
    server = Server(authority.issue("server.pem", dns("*.example.org")))
    settings = TlsSettings(ca_file=authority.file, server_name="*.example.org")
    assert await attempt(server, settings) == ""
    assert server.indicated == [DOMAIN]


async def test_an_address_is_no_name_for_sni(authority):
    server = Server(authority.issue("server.pem", address("127.0.0.1")))
    assert await attempt(server, TlsSettings(ca_file=authority.file), "127.0.0.1") == ""
    assert server.indicated == [None]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_peer_that_wants_a_certificate_of_ours(version, authority):
    server = Server(
        authority.issue("server.pem", dns(DOMAIN)), wants=authority.file, newest=version
    )
    told = await attempt(server, TlsSettings(ca_file=authority.file))
    assert "a certificate of ours" in told
    ours = authority.issue("ours.pem", dns("dialer.example.org"))
    settings = TlsSettings(ca_file=authority.file, certificate_file=ours)
    assert await attempt(server, settings) == ""


async def test_a_peer_that_does_not_know_our_authority(authority, tmp_path):
    server = Server(
        authority.issue("server.pem", dns(DOMAIN)),
        wants=Authority(tmp_path, "another").file,
    )
    settings = TlsSettings(ca_file=authority.file, certificate_file=authority.issue("ours.pem"))
    assert await attempt(server, settings) == "WHERE does not accept our certificate"


async def test_a_peer_that_does_not_speak_tls():
    async with transports() as (uses, ours), listening(transport="tls") as (peer, streams):
        ours.send(OPTIONS, peer)
        (await streams.get()).send(b"SIP/2.0 400 Bad Request\r\n\r\n")
        assert await uses.failures.get() == peer
        assert ours.why_not(peer) == f"127.0.0.1:{peer.port} does not speak TLS"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_a_peer_of_an_old_version(authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN)))
    server.context.minimum_version = ssl.TLSVersion.TLSv1
    server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    told = await attempt(server, TlsSettings(ca_file=authority.file))
    assert told == "WHERE does not speak TLS 1.2 or newer"


async def test_a_renewed_authority_is_read_again(authority, tmp_path):
    server = Server(authority.issue("server.pem", dns(DOMAIN)))
    file = tmp_path / "trusted.pem"
    settings = TlsSettings(ca_file=str(file))
    async with (
        transports() as (uses, ours),
        listening(transport="tls", context=server.context) as (peer, streams),
    ):
        ours.trust(peer, settings, DOMAIN)
        ours.send(OPTIONS, peer)
        await uses.failures.get()
        assert ours.why_not(peer) == f"tls_ca_file {file} cannot be read: No such file or directory"
        file.write_text((tmp_path / "test authority.pem").read_text())
        ours.trust(peer, settings, "another.example.org")
        ours.trust(peer, settings, DOMAIN)  # what is said anew ends the back-off
        ours.send(OPTIONS, peer)
        assert await (await streams.get()).receive(len(OPTIONS)) == OPTIONS


async def test_other_settings_open_another_connection(authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN)))
    async with (
        transports() as (uses, ours),
        listening(transport="tls", context=server.context) as (peer, streams),
    ):
        for settings in (TlsSettings(verify=False), TlsSettings(ca_file=authority.file)):
            ours.trust(peer, settings, DOMAIN)
            for _ in range(2):
                ours.send(OPTIONS, peer)
            assert await (await streams.get()).receive(2 * len(OPTIONS)) == OPTIONS * 2
        assert streams.empty()
        assert uses.failures.empty()


async def test_a_connection_that_other_settings_replaced_is_not_kept_alive(authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN)))
    clock = DrivenClock()
    async with (
        transports(clock=clock) as (_, ours),
        listening(transport="tls", context=server.context) as (peer, streams),
    ):
        ours.keep_alive(peer, 1000.0)
        opened = []
        for domain in (DOMAIN, "sip.example.org"):
            ours.trust(peer, TlsSettings(verify=False), domain)
            ours.send(OPTIONS, peer)
            opened.append(await streams.get())
            await opened[-1].receive(len(OPTIONS))
        clock.advance(connection.IDLE + 1)
        assert await opened[0].ended() == b""
        ours.send(OPTIONS, peer)
        await opened[1].receive(len(OPTIONS))


async def test_an_unknown_destination_is_trusted_like_the_trunk_it_belongs_to(authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN)))
    async with (
        transports() as (_, ours),
        listening(transport="tls", context=server.context) as (peer, streams),
    ):
        ours.trust(peer._replace(port=5061), TlsSettings(ca_file=authority.file), DOMAIN)
        ours.send(OPTIONS, peer)
        assert await (await streams.get()).receive(len(OPTIONS)) == OPTIONS


@pytest.mark.parametrize("known", ["before", "after"])
async def test_no_request_goes_to_one_who_only_connects_from_the_address_of_a_trunk(
    known, authority
):
    settings = TlsSettings(ca_file=authority.file)
    context = server_context(authority.issue("server.pem", dns(DOMAIN)), None)
    async with transports(context=context) as (uses, ours):
        with socket.create_server(("127.0.0.1", 0)) as port_of_the_trunk:
            trunk = HostPort(*port_of_the_trunk.getsockname(), "tls")
        if known == "before":
            ours.trust(trunk, settings, DOMAIN)
        reader, writer = await asyncio.open_connection(
            *ours.listens("tls")[:2],
            ssl=client_context(TlsSettings(verify=False)),
            local_addr=trunk[:2],
        )
        writer.write(OPTIONS)
        assert await uses.messages.get() == (OPTIONS, trunk)
        if known == "after":
            ours.trust(trunk, settings, DOMAIN)
        ours.send(OPTIONS, trunk)
        assert await uses.failures.get() == trunk
        # what he asked is answered where he asked it
        ours.send(OK, trunk)
        assert await reader.readexactly(len(OK)) == OK
        assert "nothing listens" in await ours.connect(trunk)
        writer.transport.abort()


async def test_one_who_connects_from_the_address_of_a_trunk_does_not_take_its_place(authority):
    settings = TlsSettings(ca_file=authority.file)
    context = server_context(authority.issue("server.pem", dns(DOMAIN)), None)
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as bound:
        port = bound.getsockname()[1]
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.bind(("127.0.0.1", port))
    async with (
        transports(context=context) as (uses, ours),
        listening(transport="tls", context=context, port=port, reuse_port=True) as (trunk, streams),
    ):
        ours.trust(trunk, settings, DOMAIN)
        ours.send(OPTIONS, trunk)
        stream = await streams.get()
        await stream.receive(len(OPTIONS))
        own.setblocking(False)  # noqa: FBT003 - the standard library's signature
        await asyncio.get_running_loop().sock_connect(own, ours.listens("tls")[:2])
        _, writer = await asyncio.open_connection(
            sock=own, ssl=client_context(TlsSettings(verify=False)), server_hostname=""
        )
        writer.write(OPTIONS)
        assert await uses.messages.get() == (OPTIONS, trunk)
        ours.send(OPTIONS, trunk)
        assert await stream.receive(len(OPTIONS)) == OPTIONS
        writer.transport.abort()


async def test_both_ways_between_two_of_us(authority):
    context = server_context(authority.issue("server.pem", dns(DOMAIN)), None)
    async with transports(context=context) as (uses, called), transports() as (heard, caller):
        peer = called.listens("tls")
        caller.trust(peer, TlsSettings(ca_file=authority.file), DOMAIN)
        caller.send(OPTIONS, peer)
        data, source = await uses.messages.get()
        assert (data, source) == (OPTIONS, caller.local_towards(peer))
        called.send(OPTIONS, source)
        assert await heard.messages.get() == (OPTIONS, peer)


# whose certificate it is


def certificate(*names, common_name="cn.example.org"):
    subject = ((("commonName", common_name),),)
    return {"subject": subject, "subjectAltName": names} if names else {"subject": subject}


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (certificate(), ("cn.example.org",)),
        (certificate(("DNS", "a.example.org")), ("a.example.org",)),
        (certificate(("DNS", "a"), ("URI", "sip:b.example.org")), ("b.example.org",)),
        (certificate(("DNS", "a"), ("URI", "SIP:b;transport=tls")), ("b",)),
        (certificate(("DNS", "a"), ("URI", "sip:user@b")), ("a",)),
        (certificate(("DNS", "a"), ("URI", "sips:b")), ("a",)),
        (certificate(("URI", "https://b")), ()),
        (certificate(("IP Address", "192.0.2.1"), ("DNS", "a")), ("a", "192.0.2.1")),
        ({}, ()),
    ],
)
def test_the_names_that_count(shown, found):
    assert identities(shown) == found


@pytest.mark.parametrize(
    ("expected", "fits"),
    [
        ("a.example.org", True),
        ("A.Example.ORG", True),
        ("a.example.org.", True),
        ("example.org", False),
        ("b.a.example.org", False),
        ("192.0.2.1", False),
    ],
)
def test_names_are_compared_as_a_whole(expected, fits):
    assert bool(misnamed(certificate(("DNS", "a.example.org")), expected, "it")) is not fits


def test_addresses_are_compared_as_addresses():
    shown = certificate(("IP Address", "2001:DB8:0:0:0:0:0:1"))
    assert not misnamed(shown, "2001:db8::1", "it")
    assert misnamed(shown, "2001:db8::2", "it") == (
        "the certificate of it is for 2001:DB8:0:0:0:0:0:1, not 2001:db8::2"
    )
    assert misnamed({}, "a", "it") == "the certificate of it names nobody, not a"


async def test_a_sip_uri_counts_before_a_dns_name(authority):
    server = Server(authority.issue("server.pem", dns(DOMAIN), uri("sip:example.org")))
    settings = TlsSettings(ca_file=authority.file)
    assert await attempt(server, settings, "example.org") == ""
    assert await attempt(server, settings) == (
        "the certificate of WHERE is for example.org, not pbx.example.org"
    )


# settings that cannot be used


def test_files_that_cannot_be_used(authority, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    good = authority.issue("good.pem", dns(DOMAIN))
    other = authority.issue("other.pem", dns(DOMAIN))
    for settings, reason in (
        ({"ca_file": str(empty)}, f"tls_ca_file {empty} holds no certificate (PEM)"),
        ({"ca_file": "/no"}, "tls_ca_file /no cannot be read: No such file or directory"),
        (
            {"certificate_file": "/no"},
            "tls_certificate_file /no cannot be read: is it there, and may we?",
        ),
        (
            {"certificate_file": str(empty)},
            f"tls_certificate_file {empty}: no certificate and unencrypted key (PEM)",
        ),
        (
            {"certificate_file": good, "key_file": other},
            (
                f"tls_certificate_file {good} with tls_key_file {other}: "
                "the key is not the certificate's"
            ),
        ),
        (
            {"certificate_file": authority.file},
            f"tls_certificate_file {authority.file}: no certificate and unencrypted key (PEM)",
        ),
    ):
        with pytest.raises(TlsError) as raised:
            client_context(TlsSettings(**settings))
        assert str(raised.value) == reason

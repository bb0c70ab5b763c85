"""Where messages go: to checked addresses alone, whatever names, redirects and answers say."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl

import httpx
import pytest
import respx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.name_server import name_server
from tests.webhooks.conftest import LOOPBACK, nobody
from tests.webhooks.receiver import receiving

from dialer.campaign.webhook_url import WebhookRules
from dialer.clock import SystemClock
from dialer.ua.name_look_up import NameLookUp
from dialer.webhooks.names import look_up_by
from dialer.webhooks.transport import ANSWER_BYTES, Refused, Transport

PUBLIC = WebhookRules()
NAME = "hooks.example.com"


@contextlib.asynccontextmanager
async def transport(rules=LOOPBACK, look_up=nobody, clock=None, **more):
    made = Transport(clock or SystemClock(), look_up, rules, 10.0, **more)
    try:
        yield made
    finally:
        await made.close()


def giving(*answers):
    """A look-up that gives one list of addresses after another, then the last for ever."""
    left = list(answers)

    async def look_up(_):
        return left.pop(0) if len(left) > 1 else left[0]

    return look_up


async def send(way, url, body=b"{}"):
    return await way.send(url, {"webhook-id": "evt_1"}, body)


async def test_the_name_stays_in_the_request_though_it_goes_to_the_address(receiver):
    url = f"http://{NAME}:{receiver.port}/hook?a=b"
    async with transport(look_up=giving(["127.0.0.1"])) as way:
        attempt = await send(way, url, b'{"a":1}')
    assert (attempt.taken, attempt.status, attempt.answer) == (True, 200, "thanks")
    [got] = receiver.got
    assert got.headers["host"] == f"{NAME}:{receiver.port}"
    assert (got.path, got.body) == ("/hook", b'{"a":1}')
    assert "authorization" not in got.headers


@pytest.mark.parametrize(
    "found", [["10.0.0.1"], ["93.184.215.14", "::1"], ["64:ff9b::a9fe:a9fe"], ["100.100.100.200"]]
)
@respx.mock
async def test_a_name_with_any_address_that_is_not_public_gets_nothing(found):
    async with transport(PUBLIC, giving(found)) as way:
        attempt = await send(way, f"https://{NAME}/")
    assert "nothing was sent" in attempt.problem
    assert attempt.status is None
    assert not respx.calls


@respx.mock
async def test_a_public_name_is_asked_at_its_address_with_its_own_name_for_tls():
    route = respx.post("https://93.184.215.14/hook").respond(204)
    async with transport(PUBLIC, giving(["93.184.215.14"])) as way:
        assert (await send(way, f"https://{NAME}/hook")).taken
    request = route.calls.last.request
    assert request.extensions["sni_hostname"] == NAME
    assert request.headers["Host"] == NAME


@respx.mock
async def test_the_next_address_is_tried_where_one_takes_no_connection():
    respx.post("https://93.184.215.14/").mock(side_effect=httpx.ConnectError("refused"))
    second = respx.post("https://[2606:2800:21f::1]/").respond(200)
    async with transport(PUBLIC, giving(["93.184.215.14", "2606:2800:21f::1"])) as way:
        assert (await send(way, f"https://{NAME}/")).taken
    assert second.called
    async with transport(PUBLIC, giving(["93.184.215.14"])) as way:
        assert (await send(way, f"https://{NAME}/")).problem == "no connection: refused"


async def test_a_name_that_points_elsewhere_after_the_check_changes_nothing(receiver, clock):
    """DNS rebinding: an answer that passes, then one for an address that would not."""
    records = {(NAME, "A"): ["127.0.0.1"]}
    async with name_server(records, ttl=0) as dns:
        names = NameLookUp(clock, [dns.address], 3.0)
        ask = look_up_by(names)

        async def look_up(host):
            found = await ask(host)
            dns.records[NAME, "A"] = ["127.0.0.2"]  # and nothing listens there
            return found

        async with transport(look_up=look_up) as way:
            assert (await send(way, f"http://{NAME}:{receiver.port}/")).taken
        assert dns.asked.count((NAME, "A")) == 1
        # the next attempt asks anew, and is checked anew
        clock.advance(3600)
        dns.records[NAME, "A"] = ["10.0.0.1"]
        names = NameLookUp(clock, [dns.address], 3.0)
        async with transport(look_up=look_up_by(names)) as way:
            attempt = await send(way, f"http://{NAME}:{receiver.port}/")
        assert attempt.problem.startswith("nothing was sent: 10.0.0.1 is a private address")
    assert len(receiver.got) == 1


async def test_a_name_without_addresses_is_told(clock):
    async with name_server({}) as dns:
        names = NameLookUp(clock, [dns.address], 3.0)
        with pytest.raises(Refused, match="has no address: no such name"):
            await look_up_by(names)("nowhere.example.com")
        async with transport(look_up=look_up_by(names)) as way:
            attempt = await send(way, "http://nowhere.example.com/")
    assert attempt.problem == "the name nowhere.example.com has no address: no such name"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver, status):
    async with receiving() as inside:
        receiver.answers = [(status, {"Location": inside.url}, "")]
        async with transport() as way:
            attempt = await send(way, receiver.url)
        assert attempt.problem == f"it answered {status}: redirects are not followed"
        assert inside.got == []


async def test_a_proxy_of_the_environment_is_not_used(receiver, monkeypatch):
    async with receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with transport() as way:
            assert (await send(way, receiver.url)).taken
        assert proxy.got == []


async def test_of_an_answer_only_the_beginning_is_read(receiver):
    receiver.answers = [(200, {}, "x" * 5_000_000)]
    async with transport() as way:
        attempt = await send(way, receiver.url)
    assert attempt.answer == "x" * ANSWER_BYTES


async def test_retry_after_is_kept(receiver):
    receiver.answers = [(503, {"Retry-After": "30"}, "")]
    async with transport() as way:
        attempt = await send(way, receiver.url)
    assert (attempt.status, attempt.retry_after, attempt.problem) == (503, 30, "it answered 503")


async def test_what_is_no_http_or_no_connection_is_told_in_a_sentence():
    async def babble(reader, writer):
        await reader.read(1)
        writer.write(b"220 smtp.example.com\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with transport() as way:
        assert (await send(way, f"http://127.0.0.1:{port}/")).problem.startswith("no HTTP answer")
        server.close()
        await server.wait_closed()
        attempt = await send(way, f"http://127.0.0.1:{port}/")
    assert attempt.problem.startswith("no connection: ")


async def test_the_address_is_checked_again_when_it_is_sent(receiver):
    """The configuration may have changed since it was set."""
    async with transport(PUBLIC) as way:
        assert "must begin with https" in (await send(way, receiver.url)).problem
        assert "user name" in (await send(way, "https://a:b@example.com/")).problem
    assert receiver.got == []


def certificate(name):
    """(A key and certificate of `name` as PEM, signed by itself.)"""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + made.public_bytes(serialization.Encoding.PEM)


async def test_the_certificate_must_be_of_the_name_though_the_address_is_called(tmp_path):
    path = tmp_path / "server.pem"
    path.write_bytes(certificate(NAME))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    asked = []
    serving.sni_callback = lambda _, name, __: asked.append(name)
    trust = ssl.create_default_context(cafile=path)
    rules = WebhookRules(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    async with receiving(tls=serving) as receiver:
        async with transport(rules, giving(["127.0.0.1"]), tls=trust) as way:
            assert (await send(way, f"https://{NAME}:{receiver.port}/")).taken
            other = await send(way, f"https://other.example.com:{receiver.port}/")
        assert "Hostname mismatch" in other.problem
        assert asked == [NAME, "other.example.com"]
        async with transport(rules, giving(["127.0.0.1"])) as way:
            unknown = await send(way, f"https://{NAME}:{receiver.port}/")
        assert "certificate verify failed" in unknown.problem
        assert len(receiver.got) == 1

"""The ready pairs of sip/trunks, tried: both sides as they stand there, but for their addresses."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil

import pytest
from tests.name_server import name_server

from dialer import config
from dialer.campaign.number_rewriting import rewritten
from dialer.clock import SystemClock
from dialer.engine.trunk_definition import definition_of
from dialer.our_side import start_user_agent
from dialer.sip.message import parse
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, HungUpBy, LocalCause
from dialer.ua.trunk_status import Availability

from .calling import talk
from .peers import running_kamailio
from .programs import SIP, free_port

PAIRS = SIP / "trunks"
SECRET = "a-long-random-secret"  # the one in every pjsip.conf
LISTENING = {"bind = 0.0.0.0:5060": "bind = 127.0.0.1:@SIP@"}
LISTENING_TLS = {
    "bind = 0.0.0.0:5061": "bind = 127.0.0.1:@TLS@",
    "/etc/asterisk/keys/pbx.example.com.pem": "@RUN@/tls/server.pem",
    "/etc/asterisk/keys/pbx.example.com.key": "@RUN@/tls/server.key",
}
THE_DIALER = {"192.0.2.20": "127.0.0.1"}


def copied(file, folder, replaced):
    """Copy a file of a pair with some texts replaced, each of which must stand in it."""
    text = file.read_text()
    for old, new in replaced.items():
        assert old in text, f"{file} says no more {old!r}"
        text = text.replace(old, new)
    copy = folder / file.name
    copy.write_text(text)
    return copy


@dataclasses.dataclass
class OurSide:
    """A user agent as its dialer.toml wants it, the trunk, and what passed on the wire."""

    agent: UserAgent
    definitions: list
    sent: list
    received: asyncio.Queue
    statuses: asyncio.Queue

    @property
    def trunk(self):
        return self.definitions[0].trunk

    def request(self, number, caller_id="15550100"):
        """What the engine asks for where it calls `number`."""
        definition = self.definitions[0]
        return CallRequest(
            definition.trunk,
            rewritten(definition.rewriting, number),
            rewritten(definition.caller_id_rewriting, caller_id),
        )

    async def talked(self):
        """Call 1001, which answers, and hang up."""
        result = await talk(self.agent, self.request("1001"), 0.2)
        return (result.code, result.answered, result.hung_up_by, result.rtp_packets_received > 0)

    async def up(self):
        """Watch the trunk, and wait until it says that it is up."""
        self.agent.watch([self.trunk])
        async with asyncio.timeout(10):
            while (status := await self.statuses.get()).availability is not Availability.UP:
                pass
        return status

    async def probed(self):
        """Watch the trunk, and return the code that it answers a probe with."""
        self.agent.watch([self.trunk])
        async with asyncio.timeout(10):
            while True:
                message = parse((await self.received.get()).data)
                if message.cseq_method == "OPTIONS":
                    return message.code

    def first(self, method):
        requests = [parse(one.data) for one in self.sent]
        return next(one for one in requests if getattr(one, "method", "") == method)


TALKED = (200, True, HungUpBy.US, True)


@pytest.fixture
async def our_side(tmp_path, monkeypatch):
    """Start our side of a pair: `await our_side("asterisk", {"192.0.2.10:5060": …})`."""
    async with contextlib.AsyncExitStack() as exits:

        async def start(pair, replaced):
            monkeypatch.setenv("DIALER_PBX_PASSWORD", SECRET)
            monkeypatch.setenv("DIALER_CARRIER_PASSWORD", SECRET)
            settings = config.load(copied(PAIRS / pair / "dialer.toml", tmp_path, replaced))
            sip = settings.sip.model_copy(update={"host": "127.0.0.1"})
            settings = settings.model_copy(update={"sip": sip})
            sent, received, statuses = [], asyncio.Queue(), asyncio.Queue()

            def passed(one):
                return sent.append(one) if one.direction == "sent" else received.put_nowait(one)

            agent = await start_user_agent(
                settings,
                SystemClock(),
                fraction=lambda: 0.0,  # registrations and probes begin at once
                on_message=passed,
                on_status=lambda _name, _before, after: statuses.put_nowait(after),
            )
            exits.push_async_callback(agent.close)
            definitions = [definition_of(settings, one) for one in settings.trunk]
            return OurSide(agent, definitions, sent, received, statuses)

        yield start


@pytest.fixture
async def stranger():
    """A user agent whose address nobody knows."""
    agent = UserAgent(UserAgentSettings(bind_host="127.0.0.2"), SystemClock())
    await agent.start()
    yield agent
    await agent.close()


async def test_asterisk_by_password(asterisk_with, our_side, tmp_path):
    pbx = asterisk_with(copied(PAIRS / "asterisk" / "pjsip.conf", tmp_path, LISTENING))
    ours = await our_side("asterisk", {"192.0.2.10:5060": f"127.0.0.1:{pbx.port}"})
    assert await ours.talked() == TALKED
    assert ours.first("INVITE").values("p-asserted-identity") == ("<sip:15550100@127.0.0.1>",)
    wrong = dataclasses.replace(ours.trunk, password="guessed")
    result = await ours.agent.call(CallRequest(wrong, "1001", "15550100"))
    assert (result.code, result.local_cause) == (401, LocalCause.AUTHENTICATION)


async def test_asterisk_with_registration(asterisk_with, our_side, tmp_path):
    pjsip = copied(PAIRS / "asterisk-registered" / "pjsip.conf", tmp_path, LISTENING)
    pbx = asterisk_with(pjsip)
    ours = await our_side("asterisk-registered", {"192.0.2.10:5060": f"127.0.0.1:{pbx.port}"})
    await ours.up()
    assert "dialer/sip:" in await asyncio.to_thread(pbx.console, "pjsip", "show", "contacts")
    assert await ours.talked() == TALKED
    await ours.agent.close()
    assert "dialer/sip:" not in await asyncio.to_thread(pbx.console, "pjsip", "show", "contacts")


async def test_asterisk_over_tls(asterisk_with, our_side, tmp_path):
    pbx = asterisk_with(copied(PAIRS / "asterisk-tls" / "pjsip.conf", tmp_path, LISTENING_TLS))
    shutil.copy(pbx.folder / "tls" / "ca.pem", tmp_path)
    address = {"pbx.example.com:5061": f"localhost:{pbx.port + 1}"}
    ours = await our_side("asterisk-tls", address)
    assert await ours.talked() == TALKED
    assert {one.peer.transport for one in ours.sent} == {"tls"}
    assert b" RTP/SAVP " in ours.first("INVITE").body


async def test_asterisk_by_address(asterisk_with, our_side, stranger, tmp_path):
    file = PAIRS / "asterisk-by-address" / "pjsip.conf"
    pbx = asterisk_with(copied(file, tmp_path, LISTENING | THE_DIALER))
    ours = await our_side("asterisk-by-address", {"192.0.2.10:5060": f"127.0.0.1:{pbx.port}"})
    assert await ours.talked() == TALKED
    refused = await stranger.call(ours.request("1001"))
    assert (refused.code, refused.answered) == (401, False)


async def test_kamailio_as_a_border(asterisk_with, our_side, stranger, tmp_path):
    behind = PAIRS / "asterisk-by-address" / "pjsip.conf"
    pbx = asterisk_with(copied(behind, tmp_path, LISTENING | THE_DIALER))
    port = free_port()
    addresses = THE_DIALER | {
        "192.0.2.10:5060": f"127.0.0.1:{port}",
        "192.0.2.11:5060": f"127.0.0.1:{pbx.port}",
    }
    configuration = copied(PAIRS / "kamailio" / "kamailio.cfg", tmp_path, addresses)
    async with running_kamailio(configuration, port):
        ours = await our_side("kamailio", {"192.0.2.10": f"127.0.0.1:{port}"})
        assert await ours.talked() == TALKED
        assert {(one.peer.port, one.peer.transport) for one in ours.sent} == {(port, "tcp")}
        assert ours.first("INVITE").uri.startswith("sip:1001@pbx.example.com")
        assert str(port) in ours.first("BYE").values("route")[0]
        assert await ours.probed() == 200
        refused = await stranger.call(ours.request("1001"))
        assert (refused.code, refused.phrase) == (403, "Forbidden")


async def test_a_carrier_that_knows_our_address(far_end, our_side):
    far = await far_end("carrier-account", account="none", secret="none")
    replaced = {
        'address = "192.0.2.10"': f'address = "127.0.0.1:{far.port}"',
        "port = 5060": f"port = {free_port()}",
    }
    ours = await our_side("carrier-by-address", replaced)
    result = await talk(ours.agent, ours.request("+15550123", "+15550100"), 0.2)
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)
    invite = ours.first("INVITE")
    here = f"127.0.0.1:{far.port}"
    assert invite.uri == f"sip:+15550123@{here};user=phone"
    assert invite.values("p-asserted-identity") == ("<sip:+15550100@127.0.0.1;user=phone>",)
    assert "@192.0.2.20:" in invite.values("contact")[0]
    assert b"c=IN IP4 192.0.2.20" in invite.body
    first, reserve = (one.rule.priority for one in ours.definitions)
    assert first < reserve
    await far.finished()


async def test_a_carrier_with_an_account(far_end, our_side):
    far = await far_end("carrier-account", calls=2, account="4930123456", secret=SECRET)
    host = "sip.carrier.example"
    records = {
        (f"_sip._udp.{host}", "SRV"): [f"10 10 {far.port} a.carrier.example."],
        ("a.carrier.example", "A"): ["127.0.0.1"],
        (host, "A"): ["192.0.2.99"],  # not where its SRV records lead
    }
    async with name_server(records) as names:
        where = "{}:{}".format(*names.address)
        servers = f'[sip]\nnameservers = ["{where}"]\n\n[[trunk]]'
        ours = await our_side("carrier-registered", {"[[trunk]]": servers})
        await ours.up()
        result = await talk(ours.agent, ours.request("+4930987654", "+4930123457"), 0.2)
        assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)
        abroad = ours.request("+15550123")
        await ours.agent.close()
    assert abroad.number == "0015550123"
    invite = ours.first("INVITE")
    assert invite.uri == f"sip:030987654@{host}"
    assert invite.values("from")[0].startswith(f"<sip:4930123456@{host}>")
    assert invite.values("p-preferred-identity") == (f"<sip:+4930123457@{host}>",)
    assert ours.first("REGISTER").uri == f"sip:{host}"
    await far.finished()

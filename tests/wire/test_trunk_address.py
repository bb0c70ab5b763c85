"""What a trunk says of our address and of its routes stands in what we send to it."""

from __future__ import annotations

import dataclasses

import pytest
from tests.wire.watching import NAT, far_end, watching

from dialer.sip.identity import HostPort
from dialer.ua.call import CallRequest
from dialer.ua.resolver import Found


@pytest.fixture
async def scene():
    async with watching() as made:
        yield made


async def test_a_learned_address_is_registered_and_stands_in_contact_and_sdp(scene):
    trunk = await scene.registered(learn_address=True)
    own = scene.far.of("REGISTER")[0].contact
    scene.far.seen_at = NAT
    await scene.next_register()  # the refresh that tells
    await scene.told.until(lambda now: now.learned_address == NAT)
    await scene.clock.elapse(0.0)
    moved = await scene.far.received("REGISTER", 3)
    assert scene.clock.monotonic() == 80.0
    user = own.partition("@")[0]
    assert moved.values("contact") == (f"<{user}@203.0.113.7:40000>", f"<{own}>;expires=0")
    assert scene.agent.status("carrier").usable
    invite = await scene.invite(trunk)
    assert invite.contact == f"{user}@203.0.113.7:40000"
    assert b"c=IN IP4 203.0.113.7\r\n" in invite.body
    await scene.next_register()
    assert scene.clock.monotonic() == 160.0  # no address is registered over and over


async def test_an_address_that_is_our_own_is_not_registered_again(scene):
    await scene.registered(learn_address=True)
    assert scene.agent.status("carrier").learned_address == scene.agent.local_address
    await scene.next_register()
    assert scene.clock.monotonic() == 80.0


async def test_an_address_is_learned_from_probes_too(scene):
    scene.far.seen_at = NAT
    trunk = scene.trunk(options_interval=30.0, learn_address=True)
    scene.agent.watch([trunk])
    await scene.clock.elapse(0.0)
    await scene.told.until(lambda now: now.learned_address == NAT)
    invite = await scene.invite(trunk)
    assert invite.contact == "sip:dialer@203.0.113.7:40000"


async def test_a_fixed_external_address_goes_before_a_learned_one(scene):
    scene.far.seen_at = NAT
    trunk = await scene.registered(learn_address=True, external_address="198.51.100.4")
    port = scene.agent.local_address.port
    (request,) = scene.far.of("REGISTER")
    assert request.contact.endswith(f"@198.51.100.4:{port}")
    assert scene.agent.status("carrier").learned_address is None
    invite = await scene.invite(trunk)
    assert invite.contact == request.contact
    assert b"c=IN IP4 198.51.100.4\r\n" in invite.body


async def test_the_service_route_stands_in_the_invite_behind_the_proxy(scene):
    host, port, _ = scene.far.address
    scene.far.answers["REGISTER"] = (
        200,
        {"expires": "100", "service_route": "<sip:core.example;lr>, <sip:app.example;lr>"},
    )
    proxied = {"proxy": f"sip:{host}:{port}"}
    trunk = await scene.registered(**proxied)
    trunk = dataclasses.replace(trunk, host="trunk.example", port=None)
    proxy = f"<sip:{host}:{port};lr>"
    assert scene.far.of("REGISTER")[0].values("route") == (proxy,)
    invite = await scene.invite(trunk)
    assert invite.values("route") == (proxy, "<sip:core.example;lr>", "<sip:app.example;lr>")
    assert invite.uri == "sip:15550100@trunk.example"


async def test_the_service_route_is_where_a_call_goes_without_a_proxy(scene):
    async with far_end() as core:
        route = f"<sip:core@127.0.0.1:{core.address.port};lr>"
        scene.far.answers["REGISTER"] = (200, {"expires": "100", "service_route": route})
        trunk = await scene.registered()
        prepared = await scene.agent.prepare(CallRequest(trunk, "15550100", "15550199"))
        prepared.release()
        assert prepared.identity.route == (route,)
        assert prepared.identity.target_port == core.address.port


async def test_a_call_keeps_to_the_address_family_of_its_first_target(scene, monkeypatch):
    near, other = scene.far.address, HostPort("127.0.0.2", 5060)

    async def find(*_):
        return Found((near, HostPort("2001:db8::1", 5060), other))

    monkeypatch.setattr(scene.agent._resolver, "find", find)
    prepared = await scene.agent.prepare(CallRequest(scene.trunk(), "15550100", "15550199"))
    prepared.release()
    draft = prepared.route.invite.draft
    assert (draft.target, *draft.alternatives) == (near, other)


async def test_ipv6():
    async with watching("::1") as scene:
        trunk = await scene.registered(learn_address=True)
        port = scene.agent.local_address.port
        (request,) = scene.far.of("REGISTER")
        assert request.uri == "sip:[::1]"
        assert request.contact.endswith(f"@[::1]:{port}")
        assert scene.agent.status("carrier").learned_address == scene.agent.local_address
        invite = await scene.invite(trunk)
        assert invite.contact == request.contact
        assert b"c=IN IP6 ::1\r\n" in invite.body

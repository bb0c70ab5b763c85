from __future__ import annotations

import dataclasses
import datetime as dt

from dialer.campaign.pacing import TokenBucket
from dialer.campaign.routing import TrunkRule
from dialer.engine import publishing
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.engine.trunk_set import TrunkState
from dialer.sip.identity import HostPort
from dialer.ua.call import RegistrationSettings, TlsSettings, Trunk
from dialer.ua.trunk_status import Availability, TrunkStatus

THEN = dt.datetime(2026, 5, 6, tzinfo=dt.UTC)
NOW = 100.0


def state(routing=None, max_calls=5, **changes):
    settings = {"name": "pbx", "host": "192.0.2.1", "password": "hush", "tls": TlsSettings()}
    definition = TrunkDefinition(
        trunk=Trunk(**(settings | changes)),
        max_calls=max_calls,
        calls_per_second=2.0,
        rule=routing or TrunkRule("pbx"),
    )
    return TrunkState(definition, TokenBucket(2.0, 1.0, NOW))


def fingerprint(*arguments, **changes):
    return publishing.definition(state(*arguments, **changes))["definition"]


def test_the_hash_tells_every_difference_but_that_of_a_secret():
    usual = fingerprint()
    assert fingerprint(password="another") == usual
    different = [
        fingerprint(host="192.0.2.2"),
        fingerprint(max_calls=6),
        fingerprint(username="dialer"),
        fingerprint(TrunkRule("pbx", weight=7)),
        fingerprint(tls=TlsSettings(verify=False)),
        fingerprint(registration=RegistrationSettings()),
        fingerprint(asserted_by=frozenset({"P-Asserted-Identity"})),
    ]
    assert len({usual, *different}) == len(different) + 1
    names = ("a", "b", "c", "d", "e")
    one, other = frozenset(names), frozenset(reversed(names))
    assert fingerprint(asserted_by=one) == fingerprint(asserted_by=other)


def test_what_is_worse_of_calls_and_registration_is_told():
    trunk = state()
    status = TrunkStatus(
        Availability.DEGRADED,
        "the registrar is slow",
        THEN,
        registered_until=THEN,
        learned_address=HostPort("198.51.100.1", 5060),
    )
    trunk.status = lambda: status
    told = publishing.health(trunk, NOW)
    assert (told["availability"], told["trouble"], told["since"]) == (
        "degraded",
        "registration",
        THEN,
    )
    assert told["learned_address"] == "198.51.100.1:5060"
    trunk.health.asked_to_wait(30, NOW)
    told = publishing.health(trunk, NOW)
    assert (told["availability"], told["trouble"], told["since"]) == ("down", "retry_after", NOW)
    assert told["registered_until"] == THEN
    down = dataclasses.replace(status, availability=Availability.DOWN, reason="refused")
    trunk.status = lambda: down
    assert publishing.health(trunk, NOW + 60)["reason"] == "refused"
    assert trunk.available(1.0, NOW + 60) == 0
    trunk.status = TrunkStatus
    assert trunk.available(1.0, NOW + 60) == 1

"""Trunks over HTTP: how they stand, and holding and releasing them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

import pytest

from dialer.api.trunks import FAULTS
from dialer.campaign.pacing import TokenBucket
from dialer.campaign.routing import TrunkRule
from dialer.campaign.status import CallStatus
from dialer.clock import SystemClock
from dialer.engine.lease import NodeLease
from dialer.engine.publishing import Publisher
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.engine.trunk_set import TrunkSet, TrunkState
from dialer.store import attempts, promotion, queue
from dialer.store.attempt_records import AttemptResult, NewLeg, Verdict
from dialer.store.records import LegEvidence, LegIdentity
from dialer.ua.call import Trunk

CLOCK = SystemClock()
FAILED = Verdict(
    outcome="trunk_congested",
    rule="trunk-congested-503",
    status=CallStatus.TECHNICAL_ERROR,
    final_status=CallStatus.TECHNICAL_ERROR,
    counted=False,
    next_attempt_at=None,
    technical_in_a_row=1,
    declined=0,
)


def state(name="pbx", *, max_calls=5):
    definition = TrunkDefinition(
        trunk=Trunk(name, "192.0.2.1", 5060, username="dialer", password="hush-hush"),
        max_calls=max_calls,
        calls_per_second=2.0,
        rule=TrunkRule(name, match=("+49",)),
    )
    return TrunkState(definition, TokenBucket(2.0, 1.0, CLOCK.monotonic()))


@pytest.fixture
def publish(pool):
    """`await publish("node", state)` joins a node that has this trunk, and returns its lease."""

    async def join(node, *states):
        lease = NodeLease(pool, CLOCK, node, 60.0)
        await lease.join()
        trunks = TrunkSet({one.trunk.name: one for one in states})
        assert await Publisher(pool, CLOCK, lease, trunks).run_once()
        return lease

    return join


async def test_a_trunk_is_shown_as_a_node_has_it_and_without_its_secrets(api, publish):
    await publish("one", state())
    listed = await api("GET", "/v1/trunks")
    carrier, pbx = listed["items"]
    assert (carrier["name"], carrier["definition"], carrier["availability"]) == (
        "carrier",
        None,
        "down",
    )
    assert carrier["warnings"] == ["no live node has this trunk, so nothing is called over it"]
    assert pbx["definition"].pop("hash")
    assert pbx["definition"] == {
        "host": "192.0.2.1",
        "port": 5060,
        "transport": None,
        "proxy": None,
        "registers": False,
        "max_calls": 5,
        "calls_per_second": 2.0,
        "priority": 0,
        "weight": 1,
        "match": ["+49"],
        "accounts": [],
    }
    assert (pbx["availability"], pbx["hold"], pbx["warnings"]) == ("up", None, [])
    (node,) = pbx["nodes"]
    assert (node["node"], node["calls_up"], node["health"]["rate"]) == ("one", 0, 1.0)
    assert pbx["last_hour"] == {"calls": 0, "ended": 0, "answered": 0, "answer_rate": None}
    assert "hush" not in str(listed)


async def test_the_best_node_says_how_a_trunk_stands_and_a_differing_definition_is_told(
    api, publish
):
    waiting = state(max_calls=6)
    waiting.health.asked_to_wait(60, CLOCK.monotonic())
    await publish("one", state())
    await publish("two", waiting)
    pbx = await api("GET", "/v1/trunks/pbx")
    assert pbx["availability"] == "up"
    assert pbx["warnings"] == [
        "its definition differs between one and two: give all nodes the same configuration"
    ]
    health = pbx["nodes"][1]["health"]
    assert (health["availability"], health["trouble"], health["rate"]) == (
        "down",
        "retry_after",
        0.5,
    )
    assert health["reason"] == "it asked for a pause of 60 s (Retry-After)"
    until, since = (dt.datetime.fromisoformat(health[name]) for name in ("held_until", "since"))
    assert 59 <= (until - since).total_seconds() <= 61
    assert abs((CLOCK.now() - since).total_seconds()) < 30


async def test_a_trunk_is_held_and_released(api, publish):
    await publish("one", state())
    held = await api("POST", "/v1/trunks/pbx/hold", json={"reason": " new SBC ", "by": "ada"})
    assert held["availability"] == "down"
    assert (held["hold"]["reason"], held["hold"]["by"]) == ("new SBC", "ada")
    assert (await api("GET", "/v1/trunks/pbx"))["hold"] == held["hold"]
    released = await api("POST", "/v1/trunks/pbx/release")
    assert (released["hold"], released["availability"]) == (None, "up")
    assert (await api("POST", "/v1/trunks/carrier/hold", json={"reason": "x"}))["hold"][
        "by"
    ] == "api"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/reason"), ({"reason": "  "}, "/reason"), ({"reason": "a\nb"}, "/reason")],
)
async def test_a_hold_without_a_reason_is_refused(api, body, pointer):
    problem = await api("POST", "/v1/trunks/pbx/hold", 422, json=body)
    assert [one["pointer"] for one in problem["errors"]] == [pointer]
    assert (await api("GET", "/v1/trunks/pbx"))["hold"] is None


@pytest.mark.parametrize("name", ["nowhere", "%2e%2e%2f", "PBX"])
async def test_a_trunk_that_nobody_knows_is_not_there(api, name):
    for method, path in (("GET", ""), ("POST", "/hold"), ("POST", "/release")):
        body = {"reason": "x"} if path == "/hold" else {}
        request = {} if method == "GET" else {"json": body}
        problem = await api(method, f"/v1/trunks/{name}{path}", 404, **request)
    assert problem["detail"].startswith("there is no")


async def test_what_a_trunk_carried_and_where_it_failed(api, pool, publish):
    lease = await publish("one", state())
    path = await api.campaign()
    await api.add(path, "+4930123456", "+4930123457")
    await api("POST", f"{path}/start")
    await promotion.promote(pool)
    campaign_id = int(path.rpartition("/")[2])
    claimed = await queue.claim(pool, campaign_id, "one", lease.epoch, 2, {"pbx": 9})
    legs = [
        NewLeg(call.id, uuid.uuid4(), "pbx", call.number, "", identity(str(call.id)))
        for call in claimed
    ]
    await attempts.dial(pool, "one", lease.epoch, legs)
    evidence = LegEvidence(code=503, phrase="Slow Down", q850=34, retry_after=7)
    end = AttemptResult(legs[0].call_id, legs[0].attempt_id, FAILED, evidence)
    await attempts.record_results(pool, "one", lease.epoch, [end])
    found = await api("GET", "/v1/trunks/pbx")
    assert (found["calls_up"], found["nodes"][0]["calls_up"]) == (1, 1)
    assert found["last_hour"] == {"calls": 2, "ended": 1, "answered": 0, "answer_rate": 0.0}
    (failure,) = found["recent_failures"]
    assert failure.pop("at")
    assert failure == {
        "call_id": legs[0].call_id,
        "outcome": "trunk_congested",
        "rule": "trunk-congested-503",
        "code": 503,
        "phrase": "Slow Down",
        "q850": 34,
        "retry_after": 7,
        "local_cause": None,
        "sip_call_id": str(claimed[0].id),
    }


def test_busy_and_unanswered_are_no_faults_of_a_trunk():
    assert {"trunk_congested", "trunk_unreachable", "no_route", "forbidden"} <= FAULTS
    assert not {"busy", "no_answer", "declined", "answered", "invalid_number"} & FAULTS


async def test_a_node_publishes_what_has_changed_and_nothing_else(pool):
    lease = NodeLease(pool, CLOCK, "one", 60.0)
    await lease.join()
    trunk = state()
    publisher = Publisher(pool, CLOCK, lease, TrunkSet({"pbx": trunk}))
    assert await publisher.run_once()
    assert not await publisher.run_once()
    trunk.health.asked_to_wait(60, CLOCK.monotonic())
    assert await publisher.run_once()
    assert not await publisher.run_once()
    trunk.definition = dataclasses.replace(trunk.definition, max_calls=99)
    assert await publisher.run_once()
    lease.epoch = await pool.fetchval("UPDATE nodes SET epoch = epoch + 1 RETURNING epoch")
    assert await publisher.run_once(), "a node that has joined anew starts with nothing"


def identity(call_id):
    return LegIdentity(
        call_id=call_id,
        from_header="<sip:a@dialer>;tag=a",
        to_header="<sip:b@pbx>",
        request_uri="sip:b@pbx",
        via="SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKx",
        cseq=1,
        route=(),
        target_host="127.0.0.1",
        target_port=5060,
    )

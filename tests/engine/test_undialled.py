"""Calls that no INVITE is sent for, and INVITEs that nobody asked for."""

from __future__ import annotations

import asyncio

from tests.engine.scene import TRUNK, eventually, free_even_port, numbers_of

from dialer.sip.identity import HostPort
from dialer.store import accounts, do_not_call
from dialer.store.account_records import NewListing
from dialer.store.records import DEFAULT_ACCOUNT, NewCall
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, Trunk


async def test_a_number_that_cannot_be_dialled_ends_without_an_invite(scene):
    await scene.node()
    campaign = await scene.campaign(
        [
            NewCall("+1555", dialable=False, problem="too short for its country"),
            "+15552000000",
            NewCall(""),  # never from a list: it shows what an impossible URI does
        ],
        max_attempts=3,
    )
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"technical_error": 2, "answered": 1}
    found = await scene.calls(campaign)
    for number in ("+1555", ""):
        (attempt,) = found[number].attempts
        assert (attempt.outcome, attempt.rule) == ("invalid_number", "number-not-dialable")
        assert (attempt.legs, attempt.counted) == ((), True)
    assert scene.ledger.calls_per_number() == {"+15552000000": 1}


async def test_what_the_account_may_not_call_ends_without_an_invite_and_its_record_says_why(scene):
    await accounts.change(
        scene.pool, DEFAULT_ACCOUNT, {"unique_users": 1, "allowed_prefixes": ("+1555",)}
    )
    await do_not_call.add(
        scene.pool, DEFAULT_ACCOUNT, [NewListing("+15552000001", reason="asked so")], "person"
    )
    await scene.node()
    listed = ["+15552000001", "+4930123456", "+15552000000", "+15552000002"]
    campaign = await scene.campaign(listed, max_attempts=3)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {
        "not_dialed": 2,
        "answered": 1,
        "plan_limit_exceeded": 1,
    }
    expected = {
        "+15552000001": ("not_dialed", "suppressed", "suppressed", "asked so"),
        "+4930123456": ("not_dialed", "suppressed", "suppressed", "may not call +4930123456"),
        "+15552000002": ("plan_limit_exceeded", "plan_limit_exceeded", "plan-limit", "1 unique"),
    }
    found = await scene.calls(campaign)
    for number, (status, outcome, rule, why) in expected.items():
        call, (attempt,) = found[number].call, found[number].attempts
        assert (call.status, attempt.status) == (status, status)
        assert (attempt.outcome, attempt.rule) == (outcome, rule)
        assert why in attempt.detail
        assert (attempt.legs, attempt.counted, call.attempts_counted) == ((), False, 0)
        assert (call.due, call.phase) == (None, None)
    told = await scene.pool.fetch(
        "SELECT k.number, e.kind FROM events e JOIN calls k ON k.id = e.call_id"
        " WHERE e.kind <> 'call.in_progress' AND e.campaign_id = $1",
        campaign,
    )
    assert {row["number"]: row["kind"] for row in told} == {
        "+15552000000": "call.answered",
        **{number: f"call.{status}" for number, (status, *_) in expected.items()},
    }
    # who has a place already is called again
    again = await scene.campaign(["+15552000000"])
    await scene.tried(again)
    assert await scene.statuses(again) == {"answered": 1}
    assert scene.ledger.calls_per_number() == {"+15552000000": 2}


async def test_who_answers_607_is_not_called_again_by_any_campaign(scene):
    await scene.node()
    campaign = await scene.campaign(["+15556070000"], max_attempts=3)
    await scene.tried(campaign)
    assert await scene.outcomes(campaign) == {"unwanted": 1}
    later = await scene.campaign(["+15556070000"], max_attempts=3)
    await scene.tried(later)
    assert await scene.statuses(later) == {"not_dialed": 1}
    assert await scene.outcomes(later) == {"suppressed": 1}
    assert scene.ledger.calls_per_number() == {"+15556070000": 1}


async def test_a_prompt_that_is_missing_ends_the_call_as_a_failure_of_the_bot(scene, logged):
    await scene.node()
    campaign = await scene.campaign(
        ["+15552000000"], max_attempts=3, on_answer={"kind": "prompt", "file": "missing.wav"}
    )
    await scene.tried(campaign)
    (details,) = (await scene.calls(campaign)).values()
    (attempt,) = details.attempts
    assert (details.call.status, attempt.outcome) == ("technical_error", "bot_failure")
    assert attempt.legs[0].evidence.answered
    assert any("missing.wav" in entry.get("error", "") for entry in logged)
    await scene.wire_agrees()


async def test_without_a_free_rtp_port_a_call_waits_for_its_turn(scene, logged):
    even = await free_even_port()
    await scene.node(rtp_ports=(even, even + 6))  # four ports
    listed = numbers_of("20002", 24)
    campaign = await scene.campaign(listed, on_answer={"kind": "hang_up", "after_seconds": 5})
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 24}
    assert scene.ledger.max_simultaneous() <= 4
    assert await scene.pool.fetchval("SELECT max(attempts) FROM calls") == 1
    assert any("port" in entry.get("reason", "") for entry in logged)
    await scene.wire_agrees()


async def test_a_trunk_whose_name_does_not_resolve_is_unreachable_and_no_attempt_counts(scene):
    await scene.node("one", scene.trunk(host="trunk.invalid", max_calls=3))
    campaign = await scene.campaign(numbers_of("2000", 3), max_attempts=3)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"retry_scheduled": 3}
    for details in (await scene.calls(campaign)).values():
        (attempt,) = details.attempts
        (leg,) = attempt.legs
        assert (attempt.outcome, attempt.counted) == ("trunk_unreachable", False)
        assert (leg.evidence.local_cause, leg.evidence.sent_at) == ("dns", None)
        assert (leg.trunk, leg.identity.target_host) == (TRUNK, "trunk.invalid")
    assert not scene.ledger.calls


async def test_whoever_calls_the_dialer_hears_480(scene):
    node = await scene.node()
    stranger = UserAgent(UserAgentSettings(bind_host="127.0.0.1"), scene.clock)
    await stranger.start()
    scene.exits.push_async_callback(stranger.close)
    address = node.agent.local_address
    assert isinstance(address, HostPort)
    result = await stranger.call(
        CallRequest(Trunk("dialer", address.host, address.port), "15550001000", "15550002000")
    )
    assert (result.code, result.rang, result.answered) == (480, False, False)
    # and goes on with its own work
    campaign = await scene.campaign(["+15552000000"])
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 1}


async def test_a_campaign_whose_trunks_nobody_has_waits_and_the_log_says_so_once(scene, logged):
    await scene.node()
    campaign = await scene.campaign(["+15552000000"], trunks=("elsewhere",))
    wanted = "no trunk of the campaign is configured on this node"
    await eventually(lambda: any(entry["event"] == wanted for entry in logged))
    await asyncio.sleep(0.6)
    entries = [entry for entry in logged if entry["event"] == wanted]
    assert [(entry["campaign_id"], entry["trunks"]) for entry in entries] == [
        (campaign, ("elsewhere",))
    ]
    assert await scene.statuses(campaign) == {"planned": 1}

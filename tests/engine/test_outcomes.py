"""Every behaviour of the far end ends in the outcome and status that the outcome table promises."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools

import pytest
from tests.engine.scene import TRUNK

from dialer.campaign.moves import CampaignAction
from dialer.store import campaigns, numbers
from dialer.store.records import DEFAULT_ACCOUNT, NewCall

ANSWERED, NO_ANSWER = "answered", "completed_without_answer"
ERROR, RETRY = "technical_error", "retry_scheduled"


@dataclasses.dataclass(frozen=True)
class Row:
    """What is expected of one number in a campaign of one attempt."""

    digits: str
    outcome: str
    status: str
    code: int | None
    rang: bool = False
    q850: int | None = None
    local_cause: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def number(self):
        return f"+1555{self.digits}"


ROWS = [
    Row("2000000", "answered", ANSWERED, 200),
    Row("2001100", "answered", ANSWERED, 200, rang=True),
    Row("1831200", "answered", ANSWERED, 200),
    Row("7301017", "answered", ANSWERED, 200),
    Row("7110000", "answered", ANSWERED, 200),
    Row("7120000", "answered", ANSWERED, 200),
    Row("7201000", "answered", ANSWERED, 200, rang=True),
    Row("7030000", "answered", ANSWERED, 200, rang=True, flags=("extra_forks",)),
    Row("7020000", "media_failure", ERROR, 200, rang=True, local_cause="no_media"),
    Row("1800000", "no_answer", NO_ANSWER, 487, rang=True, local_cause="ring_timeout"),
    Row("1830000", "no_answer", NO_ANSWER, 487, local_cause="ring_timeout"),
    Row("1000000", "unreachable", NO_ANSWER, 487, local_cause="ring_timeout"),
    Row(
        "7010000", "no_answer", NO_ANSWER, 200,
        rang=True, local_cause="answered_late", flags=("answered_late",),
    ),
    Row("7050000", "no_answer", NO_ANSWER, None, rang=True, local_cause="ring_timeout"),
    Row("0000000", "trunk_unreachable", RETRY, None, local_cause="timer_b"),
    Row("4860000", "busy", NO_ANSWER, 486),
    Row("6000000", "busy", NO_ANSWER, 600),
    Row("5030017", "busy", NO_ANSWER, 503, q850=17),
    Row("4800000", "unreachable", NO_ANSWER, 480),
    Row("4801000", "no_answer", NO_ANSWER, 480, rang=True),
    Row("4800020", "unreachable", NO_ANSWER, 480, q850=20),
    Row("4801019", "no_answer", NO_ANSWER, 480, rang=True, q850=19),
    Row("4040001", "invalid_number", ERROR, 404, q850=1),
    Row("4041001", "no_answer", NO_ANSWER, 404, rang=True, q850=1),
    Row("4040003", "no_route", RETRY, 404, q850=3),
    Row("4080000", "unreachable", NO_ANSWER, 408),
    Row("4081000", "no_answer", NO_ANSWER, 408, rang=True),
    Row("4870000", "network_failure", RETRY, 487),
    Row("6030000", "declined", NO_ANSWER, 603),
    Row("6030016", "declined", NO_ANSWER, 603, q850=16),
    Row("6031016", "no_answer", NO_ANSWER, 603, rang=True, q850=16),
    Row("6030021", "declined", NO_ANSWER, 603, q850=21),
    Row("6070000", "unwanted", NO_ANSWER, 607, flags=("do_not_call",)),
    Row("6080000", "blocked", ERROR, 608),
    Row("3020000", "redirected", ERROR, 302),
    Row("4020000", "trunk_no_funds", RETRY, 402),
    Row("4030000", "forbidden", RETRY, 403),
    Row("4280000", "caller_identity_rejected", ERROR, 428),
    Row("4880000", "media_rejected", RETRY, 488),
    Row("4820000", "protocol_error", RETRY, 482),
    Row("4770000", "protocol_error", RETRY, 477),
    Row("5000000", "network_failure", RETRY, 500),
    Row("5000027", "unreachable", NO_ANSWER, 500, q850=27),
    Row("5030034", "trunk_congested", RETRY, 503, q850=34),
    Row("5001000", "network_failure", ERROR, 500, rang=True),
    Row("7040001", "trunk_congested", RETRY, 503),
    Row("7130000", "trunk_auth_failed", RETRY, 407, local_cause="authentication"),
    Row("9990000", "invalid_number", ERROR, 404, q850=1),
]  # fmt: skip


async def test_every_behaviour_in_one_campaign(scene):
    await scene.node()
    # the far end hangs up first where it does so at all
    on_answer = {"kind": "hang_up", "after_seconds": 0.4}
    campaign = await scene.campaign(
        [row.number for row in ROWS], ring_timeout_seconds=3, on_answer=on_answer
    )
    await scene.tried(campaign)
    found = await scene.calls(campaign)
    assert len(found) == len(ROWS)
    for row in ROWS:
        details = found[row.number]
        call, (attempt,) = details.call, details.attempts
        (leg,) = attempt.legs
        evidence = leg.evidence
        assert (call.last_outcome, call.status) == (row.outcome, row.status), row
        assert (attempt.outcome, attempt.status) == (row.outcome, row.status), row
        assert attempt.rule == call.last_rule, row
        assert attempt.counted == (
            row.status != RETRY and row.outcome != "caller_identity_rejected"
        )
        assert (evidence.code, evidence.rang) == (row.code, row.rang), row
        assert evidence.local_cause == row.local_cause, row
        assert attempt.flags == row.flags, row
        if row.outcome != "answered":
            assert evidence.q850 == row.q850, row
        assert (call.due is not None) == (row.status == RETRY), row
        assert evidence.sent_at <= evidence.ended_at <= attempt.ended_at + dt.timedelta(seconds=1)
        assert (evidence.answered_at is not None) == (row.outcome == "answered"), row
        assert bool(evidence.provisionals) == (evidence.first_provisional_at is not None), row
    assert found["+15552001100"].attempts[0].legs[0].evidence.hung_up_by == "them"
    ours = found["+15552000000"].attempts[0].legs[0].evidence
    assert ours.hung_up_by == "us"
    assert 0.3 < ours.talk_seconds < 3
    assert found["+15557040001"].attempts[0].legs[0].evidence.retry_after == 1
    await scene.wire_agrees()


async def test_each_change_of_status_has_its_event_with_rule_and_outcome(scene):
    await scene.node()
    campaign = await scene.campaign(["+15552000000", "+15554860000"])
    await scene.tried(campaign)
    rows = await scene.pool.fetch(
        "SELECT k.number, e.kind, e.data, e.attempt_id = k.attempt_id AS of_attempt"
        " FROM events e JOIN calls k ON k.id = e.call_id WHERE e.campaign_id = $1"
        " ORDER BY e.xid, e.id",
        campaign,
    )
    told = {}
    for row in rows:
        assert row["of_attempt"]
        told.setdefault(row["number"], []).append((row["kind"], row["data"].get("rule")))
    assert told == {
        "+15552000000": [("call.in_progress", None), ("call.answered", "answered-2xx")],
        "+15554860000": [
            ("call.in_progress", None),
            ("call.completed_without_answer", "busy-486"),
        ],
    }


async def test_what_a_person_should_look_at_is_logged_and_counted(scene, logged):
    node = await scene.node()
    told, untold = (
        ["+15556080000", "+15554280000", "+15557020000"],
        ["+15552000000", "+15554860000"],
    )
    campaign = await scene.campaign([*told, *untold])
    await scene.tried(campaign)
    alarms = [(entry["alarm"], entry["rule"]) for entry in logged if "alarm" in entry]
    assert sorted(alarms) == [
        ("caller_id", "blocked-608"),
        ("caller_id", "caller-identity-428-433-436-437-438"),
        ("media", "no-usable-media"),
    ]
    sample = node.engine._metrics.registry.get_sample_value
    assert [
        sample("dialer_alarms_total", {"alarm": alarm, "trunk": TRUNK})
        for alarm in ("caller_id", "media", "busy_burst")
    ] == [2, 1, None]


@pytest.mark.parametrize(
    ("digits", "minutes"),
    [("4860000", 20), ("4800000", 60), ("5000000", 5), ("6030000", 24 * 60), ("4040003", 7)],
)
async def test_an_outcome_to_be_tried_again_waits_as_long_as_the_table_says(scene, digits, minutes):
    await scene.node()
    campaign = await scene.campaign(
        [f"+1555{digits}"], max_attempts=3, retry_interval_seconds=7 * 60
    )
    await scene.tried(campaign)
    (details,) = (await scene.calls(campaign)).values()
    assert details.call.status == "retry_scheduled"
    waits = details.call.due - details.attempts[0].ended_at
    assert abs(waits - dt.timedelta(minutes=minutes)) < dt.timedelta(seconds=5)


async def test_attempts_are_made_until_they_are_used_up(scene):
    await scene.node()
    campaign = await scene.campaign(
        ["+15554860000", "+15555000000"],
        max_attempts=3,
        retry_by_outcome={"busy": 1, "network_failure": 1},
        caller_ids=("+15550001001", "+15550001002"),
    )
    await scene.ledger.until(lambda ledger: len(ledger.of_number("+15555000000")) == 4)
    found = await scene.calls(campaign)
    busy, failing = found["+15554860000"], found["+15555000000"]
    assert (busy.call.status, busy.call.attempts_counted) == ("completed_without_answer", 3)
    assert [attempt.status for attempt in busy.attempts] == [RETRY, RETRY, NO_ANSWER]
    # what is the trunk's fault uses up no attempt, and is called more often than three times
    assert (failing.call.attempts_counted, len(failing.attempts)) == (0, 4)
    callers = [attempt.legs[0].caller_id for attempt in busy.attempts]
    assert callers[0] == callers[2] != callers[1]
    starts = [record.began_at for record in scene.ledger.of_number("+15554860000")]
    assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(starts))


async def test_who_declines_is_called_once_more_and_never_again(scene):
    await scene.node()
    campaign = await scene.campaign(
        ["+15556030000"], max_attempts=5, retry_by_outcome={"declined": 1}
    )
    await scene.ledger.until(lambda ledger: len(ledger.of_number("+15556030000")) == 2)
    await scene.tried(campaign)
    (details,) = (await scene.calls(campaign)).values()
    assert [attempt.status for attempt in details.attempts] == [RETRY, NO_ANSWER]
    assert (details.call.status, details.call.due) == (NO_ANSWER, None)


async def test_after_ten_failures_of_the_trunk_in_a_row_a_call_is_given_up(scene):
    await scene.node()
    campaign = await scene.campaign(
        ["+15555000000"], start=False, max_attempts=2, retry_by_outcome={"network_failure": 1}
    )
    await scene.pool.execute("UPDATE calls SET technical_in_a_row = 8")
    await scene.act(campaign, CampaignAction.START)
    await scene.ledger.until(lambda ledger: len(ledger.of_number("+15555000000")) == 2)
    await scene.tried(campaign)
    (details,) = (await scene.calls(campaign)).values()
    assert [attempt.status for attempt in details.attempts] == [RETRY, ERROR]
    assert (details.call.status, details.call.attempts_counted) == (ERROR, 0)


async def test_a_planned_campaign_calls_nobody_before_its_time_and_all_from_then_on(scene):
    await scene.node()
    starts = await scene.pool.fetchval("SELECT clock_timestamp() + interval '2 seconds'")
    campaign = await scene.campaign(["+15552000000", "+15554860000"], start_at=starts)
    assert (await campaigns.get(scene.pool, DEFAULT_ACCOUNT, campaign)).status == "planned"
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {ANSWERED: 1, NO_ANSWER: 1}
    first = await scene.pool.fetchval("SELECT min(created_at) FROM attempts")
    assert first >= starts
    assert (await campaigns.get(scene.pool, DEFAULT_ACCOUNT, campaign)).started_at >= starts


async def test_a_campaign_with_nothing_left_stays_in_progress_and_dials_what_is_added(scene):
    await scene.node()
    campaign = await scene.campaign(["+15552000000"])
    await scene.tried(campaign)
    assert (await campaigns.get(scene.pool, DEFAULT_ACCOUNT, campaign)).status == "in_progress"
    await numbers.add(scene.pool, DEFAULT_ACCOUNT, campaign, [NewCall("+15554860000")])
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 1, "completed_without_answer": 1}

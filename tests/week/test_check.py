"""The check of the week finds what it is there for: each kind of violation, planted alone."""

from __future__ import annotations

import dataclasses

import pytest
from tests.week import check as checking
from tests.week.planted import (
    ANN,
    BEGAN,
    BOB,
    CAT,
    DAN,
    OFFICE_HOURS,
    TOLD,
    Tried,
    at,
    sound_week,
)
from tests.week.story import Listed, same

TUESDAYS = [{"days": ["tue"], "from": "09:00", "to": "18:00"}]
ANNS_ATTEMPT = f"SELECT a.id FROM attempts AS a JOIN calls AS k ON k.id = a.call_id \
    WHERE k.number = '{ANN}'"


@pytest.fixture
async def week(pool):
    return await sound_week(pool)


async def broken(week, told=TOLD):
    """The rules that the check finds broken."""
    found = await checking.check(week.db, told, [week.ledger])
    return {name for name, places in found.items() if places}


async def call_id(week, number):
    return await week.db.fetchval("SELECT id FROM calls WHERE number = $1", number)


async def test_a_week_in_order_breaks_no_rule(week):
    found = await checking.check(week.db, TOLD, [week.ledger])
    assert {name: places for name, places in found.items() if places} == {}
    assert len(found) == len(checking.RULES) + 1


IN_THE_TABLES = {
    "a call outside its window": "UPDATE campaigns SET dates_without_calls = '{2026-03-09}'",
    "a call before its campaign's start": (
        "UPDATE campaigns SET start_at = '2026-03-09T09:00:10Z'"
    ),
    "an attempt sooner than the wait after the one before": (
        "UPDATE campaigns SET retry_by_outcome = '{\"no_answer\": 7200}'"
    ),
    "more new calls in a minute than allowed": "UPDATE campaigns SET calls_per_minute = 0.5",
    "more attempts than allowed": f"UPDATE calls SET max_attempts = 2 WHERE number = '{CAT}'",
    "more calls at once than allowed": "UPDATE campaigns SET max_simultaneous_calls = 1",
    "an attempt after the minutes were used up": "UPDATE accounts SET minutes = 1",
    "talk time billed wrongly": "UPDATE usage SET billed_seconds = billed_seconds - 30",
    "more unique users than allowed": "UPDATE accounts SET unique_users = 1",
    "a number tried more often than its cap": "UPDATE accounts SET attempts_per_week = 2",
    "a number on the do-not-call list": (
        "INSERT INTO do_not_call (pattern, is_prefix, source, created_at)"
        " VALUES ('+4930', true, 'import', '2026-03-09T08:00Z')"
    ),
    "a destination that the plan does not allow": "UPDATE accounts SET allowed_prefixes = '{+49}'",
    "a call over a trunk or of an account that is not its campaign's": (
        "UPDATE campaigns SET trunks = '{pbx}'"
    ),
    "a status that its attempts do not explain": (
        f"UPDATE calls SET status = 'technical_error' WHERE number = '{CAT}'"
    ),
    "an attempt that its legs do not explain": (
        f"UPDATE attempts SET outcome = 'machine' WHERE id = ({ANNS_ATTEMPT})"
    ),
    "a record that differs from the far end's": "UPDATE legs SET rang = true WHERE code = 486",
    "a campaign stopped without a reason": (
        "UPDATE campaigns SET status = 'paused', paused_from = 'in_progress',"
        " pause_reason = 'system_failure'"
    ),
}
# A status that was written past its events is broken in itself.
PAST_THE_EVENTS = {
    "a status that its attempts do not explain",
    "a campaign stopped without a reason",
}


@pytest.mark.parametrize("rule", IN_THE_TABLES)
async def test_is_found(week, rule):
    await week.db.execute(IN_THE_TABLES[rule])
    assert await broken(week) == {rule} | ({checking.UNSOUND} if rule in PAST_THE_EVENTS else set())


TOLD_OTHERWISE = {
    "a call in quiet hours": {"quiet_hours": "09:30-11:30"},
    "a call while its campaign was stopped": {"stops": ((1, at("14:20"), at("14:40")),)},
    "more calls at once than allowed": {"trunk_limits": {"lab": 1}},
    "an attempt after the minutes were used up": {"minutes": {1: [(BEGAN, 5), (at("11:00"), 1)]}},
    "a number on the do-not-call list": {
        "listed": (Listed(1, BOB, is_prefix=False, since=at("14:10")),)
    },
    "an emergency number": {"emergency": (same(BOB),)},
}


@pytest.mark.parametrize("rule", TOLD_OTHERWISE)
async def test_is_found_by_what_whoever_ran_the_week_knows(week, rule):
    assert await broken(week, dataclasses.replace(TOLD, **TOLD_OTHERWISE[rule])) == {rule}


async def test_nothing_is_found_where_it_was_allowed_at_the_time(week):
    told = dataclasses.replace(
        TOLD,
        minutes={1: [(BEGAN, 1), (at("09:00:20"), 5)]},
        listed=(
            Listed(1, BOB, is_prefix=False, since=at("15:00")),
            Listed(2, ANN, is_prefix=False, since=BEGAN),
        ),
        stops=((1, at("14:31"), None),),
        quiet_hours="19:00-06:00",
        zones={BOB: "America/Chicago"},
    )
    assert await broken(week, told) == set()


async def test_a_number_is_held_against_the_zone_that_it_was_given(week):
    told = dataclasses.replace(TOLD, zones={BOB: "Asia/Tokyo"})
    assert await broken(week, told) == {"a call outside its window"}


async def test_a_next_attempt_told_that_lies_outside_its_window_is_found(week):
    dan = await call_id(week, DAN)
    assert await broken(week, dataclasses.replace(TOLD, shown={dan: at("09:00", day=1)})) == set()
    told = dataclasses.replace(TOLD, shown={dan: at("09:00", day=5)})
    assert await broken(week, told) == {"a next attempt told that lies outside its window"}


async def test_a_number_called_twice_at_once_is_found_over_campaigns_and_accounts(week):
    await week.campaign()
    await week.call(ANN, Tried(at("09:01"), "no_answer"), status="retry_scheduled")
    assert "a number called twice at once" in await broken(week)


async def test_what_only_the_far_end_has_seen_is_found(week):
    week.seen(CAT).ended_at = week.seen(CAT, 1).began_at + 1
    assert await broken(week) == {"a number called twice at once"}


async def test_an_invite_that_reached_the_far_end_outside_the_window_is_found(week):
    week.seen(BOB).began_at -= 2 * 3600
    assert await broken(week) == {"a call outside its window"}


async def test_a_telephone_that_rang_more_often_than_the_tables_know_is_found(week):
    for seen in [week.seen(CAT), week.seen(CAT, 1), week.seen(CAT, 2)]:
        twin = dataclasses.replace(
            seen, call_id=f"twin of {seen.call_id}", began_at=seen.began_at + 1000
        )
        twin.ended_at += 1000
        week.ledger.calls[twin.call_id] = twin
    assert await broken(week) == {
        "more attempts than allowed",
        "a record that differs from the far end's",
    }


async def test_a_leg_that_never_reached_the_far_end_is_found_unless_we_say_so(week):
    gone = week.seen(CAT, 2).call_id
    del week.ledger.calls[gone]
    assert await broken(week) == {"a record that differs from the far end's"}
    await week.db.execute("UPDATE legs SET local_cause = 'node_lost' WHERE sip_call_id = $1", gone)
    assert await broken(week) == set()


async def test_an_answer_that_was_not_recorded_is_found(week):
    week.seen(CAT).answered_at = week.seen(CAT).began_at + 20
    assert await broken(week) == {"a record that differs from the far end's"}


async def test_a_call_that_is_still_up_at_the_far_end_is_found(week):
    week.seen(ANN).live.add("tag")
    assert await broken(week) == {"a record that differs from the far end's"}


async def test_technical_failures_without_end_are_found(week):
    failures = [
        Tried(at("09:00", day=1 + n // 6) + (n % 6) * (at("01:00") - at("00:00")),
              "network_failure", rang=False, counted=False)
        for n in range(11)
    ]  # fmt: skip
    await week.call("+493010006", *failures[:10])
    assert await broken(week) == set()
    await week.call("+493010007", *failures)
    assert await broken(week) == {"technical failures without end"}


async def test_a_number_called_after_it_said_never_is_found_in_another_campaign(week):
    await week.call("+493010006", Tried(at("10:00", day=1), "unwanted"))
    await week.campaign()
    await week.call("+493010006", Tried(at("12:00", day=1), "declined"), status="retry_scheduled")
    assert await broken(week) == {"a number called after it said never"}


async def test_an_attempt_after_the_last_word_is_found(week):
    twice = [Tried(at(f"09:0{day}", day=day), "declined") for day in (1, 2, 3)]
    await week.call("+493010006", *twice[:2])
    assert await broken(week) == set()
    await week.call("+493010007", *twice)
    assert await broken(week) == {"an attempt after the last word"}


async def test_a_call_given_up_with_attempts_left_is_found(week):
    await week.call("+493010006", Tried(at("10:00", day=1), "no_answer"))
    assert await broken(week) == {"a status that its attempts do not explain"}


async def test_finish_ends_what_waits_and_explains_it(week):
    campaign = await week.campaign()
    await week.call("+493010006", Tried(at("10:00", day=1), "no_answer"))
    await week.call("+493010007", status="not_dialed")
    finished = at("12:00", day=1)
    await week.db.execute(
        "UPDATE campaigns SET status = 'finished', finished_at = $2 WHERE id = $1",
        campaign,
        finished,
    )
    data = {"from": "in_progress", "to": "finished", "action": "finish"}
    await week.event("campaign.finished", data, moment=finished)
    await week.event("call.not_dialed", {"from": "planned", "to": "not_dialed"},
                     await call_id(week, "+493010007"))  # fmt: skip
    assert await broken(week) == set()
    await week.db.execute(
        """UPDATE events SET data = data - 'action' WHERE campaign_id = $1""", campaign
    )
    assert await broken(week) == {"a campaign stopped without a reason"}


async def test_a_place_refused_while_places_were_left_is_found(week):
    refused = Tried(at("10:00", day=1), "plan_limit_exceeded", counted=False)
    await week.call("+493010006", refused)
    assert await broken(week) == set()
    await week.db.execute("UPDATE accounts SET unique_users = 3")
    assert await broken(week) == {"more unique users than allowed"}


async def test_a_place_kept_for_nobody_is_found(week):
    await week.db.execute("UPDATE unique_users SET number = '+49' WHERE number = $1", ANN)
    assert await broken(week) == {"more unique users than allowed"}


async def test_a_retry_that_undercuts_retry_after_is_found(week):
    asked = week.seen(BOB).call_id
    await week.db.execute("UPDATE legs SET retry_after = 3600 WHERE sip_call_id = $1", asked)
    assert await broken(week) == {"an attempt sooner than the wait after the one before"}


async def test_windows_of_a_schedule_go_before_the_campaigns(week):
    await week.db.execute("UPDATE campaigns SET windows = $1", TUESDAYS)
    assert await broken(week) == {"a call outside its window"}
    await week.db.execute("UPDATE schedules SET windows = $1", OFFICE_HOURS)
    assert await broken(week) == set()


def test_every_rule_has_a_violation_planted_for_it():
    alone = {
        "a next attempt told that lies outside its window",
        "technical failures without end",
        "a number called twice at once",
        "a number called after it said never",
        "an attempt after the last word",
    }
    assert checking.RULES.keys() == IN_THE_TABLES.keys() | TOLD_OTHERWISE.keys() | alone


async def test_the_report_counts_and_shows_examples(week):
    await week.db.execute(IN_THE_TABLES["a destination that the plan does not allow"])
    found = await checking.check(week.db, TOLD, [week.ledger])
    lines = checking.report(found, examples=1).splitlines()
    assert len(lines) == len(found) + 1
    place = lines.index("      2  a destination that the plan does not allow")
    assert f"{BOB} is none of +49" in lines[place + 1]


async def test_an_invite_that_somebody_watched_leave_is_held_against_that_moment(week):
    left = {seen.call_id: seen.began_at for seen in week.ledger.calls.values()}
    assert await broken(week, dataclasses.replace(TOLD, left=left)) == set()
    left[week.seen(BOB).call_id] -= 7200
    assert await broken(week, dataclasses.replace(TOLD, left=left)) == {
        "a call outside its window",
        "a record that differs from the far end's",
    }
    left[week.seen(BOB).call_id] += 7200
    left["nobody's"] = 1.0
    told = dataclasses.replace(TOLD, left=left)
    assert await broken(week, told) == {"a record that differs from the far end's"}


async def test_a_pause_holds_from_its_event_to_the_next(week):
    for status, clock in (("paused", "14:29:59"), ("in_progress", "14:35")):
        was = "in_progress" if status == "paused" else "paused"
        await week.event(f"campaign.{status}", {"from": was, "to": status}, moment=at(clock))
    assert await broken(week) == {"a call while its campaign was stopped"}


async def test_a_limit_that_was_raised_holds_from_then_on(week):
    await week.db.execute("UPDATE accounts SET unique_users = 9")
    refused = Tried(at("10:00", day=1), "plan_limit_exceeded", counted=False)
    await week.call("+493010006", refused)
    assert await broken(week) == {"more unique users than allowed"}
    raised = {1: [(BEGAN, 2), (at("12:00", day=1), 9)]}
    assert await broken(week, dataclasses.replace(TOLD, unique_users=raised)) == set()

"""The check after a simulated week: every rule, and each place where it was broken.

`await check(db, told, ledgers)` reads the database and the carriers' ledgers once, and asks nothing
of the dialer's own code. `report` prints how often each rule was broken.
"""

from __future__ import annotations

import gc

from tests.audit import find_broken_invariants
from tests.week import rules_of_limits as limits
from tests.week import rules_of_people as people
from tests.week import rules_of_records as records
from tests.week import rules_of_time as time
from tests.week import story

RULES = {
    "a call outside its window": time.outside_its_window,
    "a call in quiet hours": time.in_quiet_hours,
    "a next attempt told that lies outside its window": time.told_outside_its_window,
    "a call before its campaign's start": time.before_the_start,
    "a call while its campaign was stopped": time.while_stopped,
    "an attempt sooner than the wait after the one before": time.too_soon_again,
    "more new calls in a minute than allowed": time.faster_than_allowed,
    "more attempts than allowed": limits.more_attempts_than_allowed,
    "technical failures without end": limits.technical_failures_without_end,
    "more calls at once than allowed": limits.more_calls_at_once_than_allowed,
    "an attempt after the minutes were used up": limits.over_the_minutes,
    "talk time billed wrongly": limits.wrongly_billed,
    "more unique users than allowed": limits.more_unique_users_than_allowed,
    "a number tried more often than its cap": limits.over_a_cap,
    "a number called twice at once": people.twice_at_once,
    "a number on the do-not-call list": people.on_the_do_not_call_list,
    "a number called after it said never": people.after_they_said_never,
    "a destination that the plan does not allow": people.where_the_plan_does_not_allow,
    "an emergency number": people.emergency_numbers,
    "a call over a trunk or of an account that is not its campaign's": people.over_a_strange_trunk,
    "a status that its attempts do not explain": records.statuses_that_nothing_explains,
    "an attempt after the last word": records.tried_after_the_last_word,
    "an attempt that its legs do not explain": records.attempts_that_no_leg_explains,
    "a record that differs from the far end's": records.what_the_far_end_saw_otherwise,
    "a campaign stopped without a reason": records.campaigns_stopped_without_a_reason,
}
UNSOUND = "an invariant of the tables broken"


async def check(db, told, ledgers=()):
    """Return for each rule the places where it was broken, one sentence each."""
    happened = await story.read(db, told, ledgers)
    gc.freeze()  # millions of small objects that stay, and are not worth looking at again
    found = {name: list(broken(happened)) for name, broken in RULES.items()}
    gc.unfreeze()
    return found | {UNSOUND: await find_broken_invariants(db)}


def report(found, examples=3):
    """Return the lines that tell how often each rule was broken, with a few of the places."""
    lines = []
    for name, places in found.items():
        lines.append(f"{len(places):7}  {name}")
        lines += [f"           {place}" for place in places[:examples]]
    return "\n".join(lines)

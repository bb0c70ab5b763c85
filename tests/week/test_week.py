"""A small week of the whole service, in virtual time: nothing is wrong after it."""

from __future__ import annotations

from tests.week.check import report
from tests.week.scenario import scenario
from tests.week.week import database, seen

CALLS = 5000


def test_a_simulated_week_breaks_no_rule():
    with database() as (url, folder):
        clock_file = folder / "clock"
        clock_file.write_text("0")
        played, found = seen(url, clock_file, scenario(1, CALLS))
    assert len(played.network.invites) > CALLS
    assert not any(found.values()), report(found)

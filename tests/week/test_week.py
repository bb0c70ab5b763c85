"""A small week of the whole service, in virtual time: nothing is wrong after it."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

from tests.week.check import RULES

CALLS = 5000


def test_a_simulated_week_breaks_no_rule():
    # a process of its own: it turns the clock, the log and the loop's turns for all that runs in
    # it, and its time is not that of the tests beside it that speak in real time
    week = subprocess.run(
        ["nice", "-n", "10", sys.executable, "-m", "tests.week.week", "--calls", str(CALLS)],
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    told = week.stdout + week.stderr
    assert week.returncode == 0, told
    assert int(re.search(r"(\d+) INVITEs", told)[1]) > CALLS
    assert all(f"      0  {rule}" in told for rule in RULES)

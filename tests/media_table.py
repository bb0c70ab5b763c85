"""A pytest plugin: the tests of what happens on an answered call, and a table of their figures.

A test belongs to them by the fixture `figure` (tests/conftest.py), wherever it stands; it notes
what it has measured by `figure(name, value, bound)`, before it asserts the bound, so that a row
stands in the table whether it holds or not. The other tests are left out of the run. With xdist
the figures travel with the reports of the tests.

With `--bots 200` so many calls led by bots are measured by bench/bots.py once the tests are over,
alone. Their bound holds on a machine of which other programs leave all but a tenth of a core; where
they do not, the row says so and gives the figure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench" / "bots.py"
PUNCTUAL = 0.99  # of the frames, within 5 ms of their time
OTHERS = 0.1  # of a core
ROWS = pytest.StashKey()


def pytest_addoption(parser):
    """Add `--bots`."""
    parser.addoption("--bots", type=int, default=0, help="measure so many calls after the tests")


@pytest.hookimpl(trylast=True)  # when the workers of xdist have ended
def pytest_sessionfinish(session):
    """Measure the calls led by bots, and fail the run where the bound is missed."""
    calls = session.config.getoption("--bots")
    if not calls or hasattr(session.config, "workerinput"):
        return
    command = [sys.executable, str(BENCH), "--calls", str(calls), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    name = f"{calls} calls to bots in one process"
    if done.returncode:
        session.config.stash[ROWS] = [(name, done.stderr.strip()[-200:], "", "FAILED")]
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return
    figures = json.loads(done.stdout.splitlines()[-1])
    held = figures["punctual"] >= PUNCTUAL
    loaded = figures["others"] > OTHERS
    on_time = "ok" if held else "not judged: the machine is loaded" if loaded else "FAILED"
    whole = "FAILED" if figures["failed"] else "ok"
    session.config.stash[ROWS] = [
        (
            f"{name}: frames within 5 ms",
            f"{figures['punctual']:.2%} of {figures['sent']}",
            f"{PUNCTUAL:.0%}",
            on_time,
        ),
        (f"{name}: calls that failed", str(figures["failed"]), "0", whole),
        (f"{name}: frames at the bot within 5 ms", f"{figures['at_bot']:.2%}", "", ""),
        (
            f"{name}: of a core, by it and by others",
            f"{figures['busy']:.0%} and {figures['others']:.0%}; load {figures['load']:.1f}",
            "",
            "",
        ),
    ]
    if "FAILED" in (on_time, whole):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(config, items):
    """Leave out the tests without figures."""
    chosen = [item for item in items if "figure" in getattr(item, "fixturenames", ())]
    left_out = [item for item in items if item not in set(chosen)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = chosen


def pytest_terminal_summary(terminalreporter):
    """Print the table."""
    rows = []
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            figures = [tuple(value) for name, value in report.user_properties if name == "figure"]
            verdict = "ok" if outcome == "passed" else "FAILED"
            if not figures and outcome != "passed":
                figures = [(report.nodeid.rpartition("::")[2], "no figure", "", True)]
            rows += [(*row, verdict if held else "NOT MET") for *row, held in figures]
    rows += terminalreporter.config.stash.get(ROWS, [])
    header = ("what", "measured", "bound", "")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(3)]
    terminalreporter.section("figures of answered calls")
    for row in (header, *sorted(set(rows))):
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        terminalreporter.write_line("  ".join((*cells, row[3])).rstrip())

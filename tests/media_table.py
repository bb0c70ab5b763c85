"""A pytest plugin: the tests of what happens on an answered call, and a table of their figures.

A test belongs to them by the fixture `figure` (tests/conftest.py), wherever it stands; it notes
what it has measured by `figure(name, value, bound)`, before it asserts the bound, so that a row
stands in the table whether it holds or not. The other tests are left out of the run. With xdist
the figures travel with the reports of the tests.
"""

from __future__ import annotations


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
                figures = [(report.nodeid.rpartition("::")[2], "no figure", "")]
            rows += [(*figure, verdict) for figure in figures]
    header = ("what", "measured", "bound", "")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(3)]
    terminalreporter.section("figures of answered calls")
    for row in (header, *sorted(set(rows))):
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        terminalreporter.write_line("  ".join((*cells, row[3])).rstrip())

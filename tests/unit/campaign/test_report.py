from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.report import csv_lines, guard


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "=cmd|' /C calc'!A0", "+cmd", "-cmd", "-", "+", "@SUM(A1)", "\t=1", "\r=1", " =1",
     "\n", "\uff1d1", "+49 30 1", "+4930;x", "--1", "+1+1"],
)  # fmt: skip
def test_what_could_run_is_made_text(cell):
    assert guard(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell", ["", "+493023125000", "-5", "-5.25", "12,5", "busy", "a=b", "'x", "2026-01-01", "486"]
)
def test_what_is_harmless_stays(cell):
    assert guard(cell) == cell


@given(st.lists(st.lists(st.text(), min_size=2, max_size=4), max_size=5))
def test_no_cell_of_a_report_starts_a_formula(rows):
    text = csv_lines(rows)
    back = list(csv.reader(io.StringIO(text, newline="")))
    assert back == [[guard(cell) for cell in row] for row in rows]
    for cell in (cell for row in back for cell in row):
        if cell.lstrip()[:1] in set("=@"):
            pytest.fail(f"{cell!r} could run")


def test_lines_end_as_rfc_4180_says():
    assert csv_lines([["number", "outcome"], ["+4930", 'a "b", c']]) == (
        'number,outcome\r\n+4930,"a ""b"", c"\r\n'
    )

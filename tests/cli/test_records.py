"""Commands about call records against a service, with calls that the store was given."""

from __future__ import annotations

import json

import openpyxl
import pytest


@pytest.fixture
def campaign(service, command, numbers):
    """A campaign whose calls are over, one of each end."""
    assert service
    arguments = ("--trunk", "carrier", "--play", "hello.wav", "--max-attempts", 1, "--start")
    assert command("campaign", "create", numbers, *arguments)[0] == 0
    assert command("campaign", "watch", 1)[0] == 0
    return 1


@pytest.mark.usefixtures("campaign")
def test_records_are_reported_counted_called_again_and_erased(command, refused, tmp_path):
    code, out, _ = command(
        "campaign", "report", 1, "--format", "jsonl", "--per", "attempt", "--status", "answered",
        "--outcome", "answered", "--from", "2020-01-01", "--number", "+15552000200",
    )  # fmt: skip
    (row,) = map(json.loads, out.splitlines())
    assert (code, row["number"], row["outcome"]) == (0, "+15552000200", "answered")
    assert command("campaign", "report", 1, "--to", "2020-01-01")[1].count("\n") == 1
    file = tmp_path / "all.xlsx"
    assert command("campaign", "report", "--format", "xlsx", "--output", file)[0] == 0
    assert openpyxl.load_workbook(file).active.max_row == 4

    code, out, _ = command("campaign", "totals", 1)
    assert code == 0
    shown = [" ".join(line.split()) for line in out.splitlines()]
    for line in ("calls 3", "answered 1 (33.3%)", "Finished with a technical error 1", "busy 1 1",
                 "abandoned 0 (0.0%)", "attempts per answer 3.0"):  # fmt: skip
        assert line in shown
    assert any(line.startswith("carrier 2 1 50.0%") for line in shown)

    wanted = ("--status", "completed_without_answer", "--outcome", "busy")
    assert command("campaign", "pause", 1)[0] == 0
    code, out, _ = command("campaign", "requeue", 1, *wanted)
    assert (code, out) == (0, "campaign 1: 1 calls requeued\n")
    assert "/statuses" in refused("campaign", "requeue", 1, "--status", "answered")

    code, out, _ = command("campaign", "clone", 1, "--name", "Again", "--numbers", "not_answered")
    assert (code, out.splitlines()) == (
        0,
        ["campaign 2: 2 numbers added", "start it with: dialer campaign start 2"],
    )

    code, out, _ = command("person", "erase", "+1 555 486 0000", "--yes")
    assert code == 0
    assert out.startswith("+1 555 486 0000: 2 calls erased, with 1 INVITEs, ")
    assert "+15554860000" not in command("campaign", "report")[1]
    assert command("campaign", "finish", 1)[0] == 0
    assert "clone it to call its numbers again" in refused("campaign", "requeue", 1, *wanted)

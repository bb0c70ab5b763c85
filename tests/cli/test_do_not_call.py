"""Commands that keep the do-not-call lists, against a service."""

from __future__ import annotations

import csv

import pytest

pytestmark = pytest.mark.usefixtures("service")


def test_numbers_are_listed_checked_and_removed(command):
    assert command("do-not-call", "list") == (0, "nobody is listed\n", "")
    added = command("do-not-call", "add", "+49 30 23125000", "+4940111111", "--reason", "asked")
    assert added == (0, "2 added\n", "")
    assert command("do-not-call", "add", "+4989", "--prefix", "--all-accounts")[1] == "1 added\n"
    code, out, _ = command("do-not-call", "add", "+4940111111", "hello")
    assert (code, out.splitlines()) == (
        0,
        [
            "0 added, 1 listed already, 1 rejected:",
            "  2: phone: is not a telephone number: 'hello'",
        ],
    )
    _, out, _ = command("do-not-call", "list")
    assert "+493023125000" in out
    assert "asked" in out
    assert "+4989" not in out
    assert "+4989…" in command("do-not-call", "list", "--all-accounts")[1]
    assert "all accounts" in command("do-not-call", "check", "+498912345")[1]
    assert command("do-not-call", "check", "+4330123456")[1] == "+4330123456 is not listed\n"
    removed = command("do-not-call", "remove", "+493023125000")
    assert removed == (0, "+493023125000: removed\n", "")
    code, _, error = command("do-not-call", "remove", "+493023125000")
    assert (code, error) == (
        2, "dialer: the number +493023125000 is not on this do-not-call list\n"
    )  # fmt: skip


def test_a_list_goes_in_and_out(command, tmp_path):
    given = tmp_path / "list.csv"
    given.write_text("phone,kind,reason\n+493023125000,,by letter\n+4989,prefix,\nxx,,\n")
    code, out, error = command("do-not-call", "import", given)
    assert (code, error) == (0, "")
    assert out.splitlines() == [
        "2 added, 1 rejected:",
        f"  {given}:4: phone: is not a telephone number: 'xx'",
    ]
    output = tmp_path / "out.csv"
    assert command("do-not-call", "export", "--output", output) == (0, "", "")
    with output.open() as file:
        rows = [(row["phone"], row["kind"], row["reason"]) for row in csv.DictReader(file)]
    assert sorted(rows) == [("+493023125000", "number", "by letter"), ("+4989", "prefix", "")]
    assert command("do-not-call", "export")[1].encode() == output.read_bytes()


def test_files_that_cannot_be_used_are_one_line(refused, tmp_path):
    assert "No such file" in refused("do-not-call", "import", tmp_path / "none.csv")
    assert "No such file" in refused("do-not-call", "export", "-o", tmp_path / "none" / "x.csv")

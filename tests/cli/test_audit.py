"""Who did what, from the command line."""

from __future__ import annotations

import pytest


@pytest.mark.usefixtures("service")
def test_what_was_done_is_told(command, refused, numbers):
    assert command("audit") == (0, "nothing\n", "")
    assert command("campaign", "create", numbers, "--trunk", "carrier")[0] == 0
    assert command("campaign", "delete", 1)[0] == 0
    code, out, error = command("audit")
    assert (code, error) == (0, "")
    rows = [line.split() for line in out.splitlines() if "127.0.0.1" in line]
    assert [(row[-3], row[-2], row[-1]) for row in rows] == [
        ("deleteCampaign", "1", "204"),
        ("addNumbers", "1", "200"),
        ("createCampaign", "1", "201"),
    ]
    for narrower, expected in (
        (("--route", "addNumbers"), 1),
        (("--campaign", 1), 3),
        (("--campaign", 2), 0),
        (("--limit", 2), 2),
        (("--since", "2999-01-01"), 0),
        (("--until", "2999-01-01T10:30"), 3),
    ):
        assert command("audit", *narrower)[1].count("127.0.0.1") == expected
    assert "parameter" in refused("audit", "--route", "x" * 101)

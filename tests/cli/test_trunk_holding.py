"""Trunks seen and held from the command line, against a service that calls a simulated carrier."""

from __future__ import annotations

import time

import pytest


@pytest.mark.usefixtures("service")
def test_a_trunk_is_seen_held_and_released(command, tmp_path):
    numbers = tmp_path / "list.csv"
    numbers.write_text("+15552000100\n+15555030034\n")
    assert command("campaign", "create", numbers, "--trunk", "carrier", "--start")[0] == 0
    end = time.monotonic() + 20
    while "2 calls, 50%" not in command("trunk", "show", "carrier")[1]:
        assert time.monotonic() < end
    code, out, error = command("trunk", "list")
    assert (code, error) == (0, "")
    (row,) = [line for line in out.splitlines() if "carrier" in line]
    assert row.split()[:4] == ["carrier", "up", "0", "2"]
    code, out, _ = command("trunk", "show", "carrier")
    lines = out.splitlines()
    assert lines[0] == "trunk carrier: up"
    assert any("up to 10 calls, 100 new ones per second" in line for line in lines)
    assert any("last hour: 2 calls, 50% answered" in line for line in lines)
    assert lines[-1].endswith(
        "call 2: trunk_congested (503 Service Unavailable), rule trunk-congested-q850-34-42-47"
    )
    assert command("trunk", "hold", "carrier", "--reason", "new SBC") == (
        0,
        "trunk carrier: held; 0 calls are up and go on\n",
        "",
    )
    out = command("trunk", "show", "carrier")[1]
    assert "held since" in out
    assert "new SBC" in out
    assert "new SBC" in command("trunk", "list")[1]
    assert command("trunk", "release", "carrier") == (0, "trunk carrier: up\n", "")


@pytest.mark.usefixtures("service")
def test_a_trunk_that_is_not_there_is_one_line(refused):
    expected = "there is no trunk 'carier'; there is carrier"
    assert refused("trunk", "show", "carier") == expected
    assert refused("trunk", "hold", "carier", "--reason", "x") == expected
    assert "reason" in refused("trunk", "hold", "carrier", "--reason", " ")

"""Campaign commands against a service that calls the simulated carrier."""

from __future__ import annotations

import csv
import io
import re

import pytest
from tests.cli.conftest import in_a_thread, running

from dialer import config


@pytest.mark.usefixtures("service")
def test_from_a_list_to_a_report(command, numbers, tmp_path):
    assert command("campaign", "list") == (0, "no campaigns\n", "")
    code, out, error = command(
        "campaign", "create", numbers, "--trunk", "carrier", "--play", "hello.wav",
        "--max-attempts", 1,
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert out.splitlines() == [
        "campaign 1: 3 numbers added, 1 of them cannot be dialled, 1 duplicates, 1 rejected:",
        f"  {numbers}:4: phone: is not a telephone number: 'xx'",
        "every skipped row: dialer campaign import-report 1",
        "start it with: dialer campaign start 1",
    ]
    assert command("campaign", "start", 1) == (0, "campaign 1: In progress\n", "")
    code, out, _ = command("campaign", "watch", 1)
    assert code == 0
    assert out.splitlines()[-1] == "1 answered · 1 without answer · 1 technical error"

    output = tmp_path / "report.csv"
    assert command("campaign", "report", 1, "--output", output)[0] == 0
    rows = {row["number"]: row for row in csv.DictReader(io.StringIO(output.read_text()))}
    assert {number: row["last_outcome"] for number, row in rows.items()} == {
        "+15552000200": "answered",
        "+15554860000": "busy",
        "+123": "invalid_number",
    }
    _, out, _ = command("campaign", "report", 1)
    assert list(csv.DictReader(io.StringIO(out))) == list(rows.values())

    _, out, _ = command("call", rows["+15554860000"]["call_id"])
    assert re.search(r"busy, decided by rule busy-486\n  status then: Completed without", out)
    assert re.search(r"INVITE over trunk carrier as anonymous: sip:\+15554860000@", out)
    assert re.search(r"   0\.000 s  INVITE sent\n +\d\.\d+ s  100 Trying\n.* 486 Busy Here\n", out)
    _, out, _ = command("call", rows["+15552000200"]["call_id"])
    assert "talked 0.2 s" in out
    assert "hung up by the other side" in out
    _, out, _ = command("call", rows["+123"]["call_id"])
    assert "the number cannot be dialled: too short for a number of +1" in out
    assert "no INVITE was sent" in out

    assert "spring" in command("campaign", "list")[1]
    assert command("campaign", "pause", 1)[1] == "campaign 1: Paused\n"
    assert command("campaign", "resume", 1)[1] == "campaign 1: In progress\n"
    numbers.write_text("+15554860001\n")
    assert command("campaign", "add", 1, numbers)[1] == "campaign 1: 1 numbers added\n"
    assert command("campaign", "finish", 1, "--hang-up")[1] == "campaign 1: Finished\n"
    assert command("campaign", "delete", 1)[1] == "campaign 1: deleted\n"
    assert command("campaign", "list")[1] == "no campaigns\n"


@pytest.mark.usefixtures("service")
def test_lists_are_tried_added_reported_and_taken_out_again(command, refused, numbers, tmp_path):
    create = ("campaign", "create", numbers, "--trunk", "carrier")
    said = "3 numbers would be added, 1 of them cannot be dialled, 1 duplicates, 1 rejected:"
    code, out, _ = command(*create, "--dry-run")
    assert (code, out.splitlines()[0]) == (0, f"dry run: {said}")
    assert command("campaign", "list")[1] == "no campaigns\n"
    assert command(*create)[0] == 0
    _, out, _ = command("campaign", "add", 1, numbers, "--dry-run", "--encoding", "cp1252")
    assert out.startswith("dry run: 0 numbers would be added, 4 duplicates, 1 rejected:\n")

    skipped = tmp_path / "skipped.csv"
    assert command("campaign", "import-report", 1, "-o", skipped) == (0, "", "")
    assert [row["line"] for row in csv.DictReader(io.StringIO(skipped.read_text()))] == ["4", "5"]
    assert refused("campaign", "import-report", 9) == "there is no import 9"
    assert refused("campaign", "add", 1, numbers, "--sheet", "Leads").startswith("the list is CSV")

    _, out, _ = command("campaign", "remove", 1, "+15552000200", "+15552000201")
    assert out == (
        "campaign 1: 1 numbers removed, 1 kept:\n  +15552000201: is not in this campaign\n"
    )
    _, out, _ = command("campaign", "remove", 1, "--call", 999)
    assert out == ("campaign 1: 0 numbers removed, 1 kept:\n  call 999: is not in this campaign\n")
    _, out, _ = command("campaign", "remove", 1, "--import", 1)
    assert out == "campaign 1: 2 numbers removed\n"
    assert "say what to remove" in refused("campaign", "remove", 1)


@pytest.mark.usefixtures("service")
def test_calls_led_by_a_bot_say_what_became_of_it(command, refused, numbers):
    both = ("--play", "hello.wav", "--bot", "wss://b.example/")
    line = refused("campaign", "create", numbers, "--trunk", "carrier", *both)
    assert line == "--play and --bot: calls are led by one of the two"
    line = refused("campaign", "create", numbers, "--trunk", "carrier", "--bot", "ws://127.0.0.1:9")
    assert "127.0.0.1 is not a public address; bots may be there where" in line

    name = "ws://bot.invalid/"  # which has no address
    numbers.write_text("+15552000000\n")
    assert command("campaign", "create", numbers, "--trunk", "carrier", "--bot", name)[0] == 0
    assert command("campaign", "start", 1)[0] == 0
    assert command("campaign", "watch", 1)[1].splitlines()[-1] == "1 technical error"
    call_id = next(csv.DictReader(io.StringIO(command("campaign", "report", 1)[1])))["call_id"]
    _, out, _ = command("call", call_id)
    assert "bot_failure, decided by rule bot-failed" in out
    assert "\n  the bot failed: the name bot.invalid has no address: " in out
    said = re.search(r"^  conversation: (.*)$", out, re.MULTILINE)[1].split(", ")
    assert {"kind bot", "connect_ms None", "seconds_to_bot 0.0", "ended_by failure"} <= set(said)


@pytest.mark.usefixtures("service")
def test_what_the_api_refuses_is_one_line(refused, command, numbers, tmp_path):
    line = refused("campaign", "create", numbers, "--trunk", "carier")
    assert "there is no trunk 'carier' in the configuration; it has carrier" in line
    line = refused("campaign", "create", numbers, "--trunk", "carrier", "--play", "none.wav")
    assert f"there is no prompt 'none.wav' in {tmp_path}" in line
    assert command("campaign", "list")[1] == "no campaigns\n"  # none of these left one behind

    numbers.write_bytes(b"PK\x03\x04 a workbook")
    line = refused("campaign", "create", numbers, "--trunk", "carrier")
    assert line.startswith(f"{numbers}: ")
    assert "the workbook is damaged" in line
    assert command("campaign", "list")[1] == "no campaigns\n"

    assert refused("campaign", "start", 9) == "there is no campaign 9"
    assert refused("campaign", "report", 9, "-o", tmp_path / "kept") == "there is no campaign 9"
    assert not (tmp_path / "kept").exists()
    assert "no call 9" in refused("call", 9)


def test_a_token_is_asked_for(refused, command, database_url, monkeypatch, tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    settings = config.Config(
        database=config.Database(url=database_url),
        api=config.Api(port=0, token_file=token),
        sip=config.Sip(host="127.0.0.1"),
        trunk=(config.Trunk(name="carrier", address="127.0.0.1:9"),),
    )
    with in_a_thread(lambda: running(settings, engine=False)) as service:
        monkeypatch.setenv("DIALER_API", service.api_url)
        assert "DIALER_API_TOKEN" in refused("campaign", "list")
        monkeypatch.setenv("DIALER_API_TOKEN", "0123456789abcdeF")
        assert "DIALER_API_TOKEN" in refused("campaign", "list")
        monkeypatch.setenv("DIALER_API_TOKEN", "0123456789abcdef")
        assert command("campaign", "list") == (0, "no campaigns\n", "")

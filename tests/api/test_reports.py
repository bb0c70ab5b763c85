"""Reports, totals, requeue, clone and erasure over HTTP."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import openpyxl
import pytest
from tests.db import scene

from dialer.api import report_rows, workbook
from dialer.campaign.status import CallStatus
from dialer.store import promotion

FORMATS = ("csv", "xlsx", "jsonl")
AUDIBLE = {"answered": True, "talk_seconds": 61.5, "rtp_packets_sent": 9}


async def fetched(api, where, **query):
    async with api.client.get(where, params=query) as response:
        text = await response.read()
        assert response.status == 200, text
        assert "attachment" in response.headers["Content-Disposition"]
        return text


async def read(api, where, suffix="jsonl", **query):
    """Read a report as a list of objects, whatever its format."""
    data = await fetched(api, f"{where}/report.{suffix}", **query)
    if suffix == "jsonl":
        return [json.loads(line) for line in data.decode().splitlines()]
    if suffix == "csv":
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    book = openpyxl.load_workbook(io.BytesIO(data))
    head, *rows = book.active.iter_rows()
    return [{h.value: cell for h, cell in zip(head, row, strict=True)} for row in rows]


@pytest.fixture
async def campaign(pool):
    """A campaign of three: busy and then answered, busy for good, planned."""
    made = await scene.campaign(pool, 3)
    node = await scene.node(pool)
    legs = await node.dial_all(made, 2)
    await node.end(legs[:1], scene.busy(scene.soon(0)), code=486, phrase="=Busy; cmd")
    given_up = scene.verdict("busy", CallStatus.COMPLETED_WITHOUT_ANSWER)
    await node.end(legs[1:], given_up, code=486, phrase="+1+1", reasons=("Q.850;cause=17",))
    await promotion.promote(pool, full=True)
    claimed = [call for call in await node.claim(made) if call.id == legs[0].call_id]
    await node.end(await node.dial(claimed), scene.ANSWERED, code=200, **AUDIBLE)
    return made


@pytest.fixture
def path(campaign):
    return f"/v1/campaigns/{campaign.id}"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("per", "rows"), [("call", 3), ("attempt", 3)])
async def test_a_report_comes_per_call_and_per_attempt_in_every_format(
    api, path, suffix, per, rows
):
    found = await read(api, path, suffix, per=per)
    assert len(found) == rows
    columns = report_rows.CALL_COLUMNS if per == "call" else report_rows.ATTEMPT_COLUMNS
    assert tuple(found[0]) == columns
    assert len(await read(api, "/v1/dialogs", suffix, per=per)) == rows


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("per", ["call", "attempt"])
async def test_what_a_conversation_found_out_is_in_every_report(api, pool, path, suffix, per):
    found_out = {"agreed": True, "name": "Ann", "visits": 2}
    await pool.execute(
        "UPDATE attempts SET report_data = $1, conversation = $2 WHERE outcome = 'answered'",
        found_out,
        {"kind": "bot", "barge_ins": 1},
    )
    rows = await read(api, path, suffix, per=per, outcome="answered")
    [row] = [{name: getattr(cell, "value", cell) for name, cell in one.items()} for one in rows]
    for name, value in (
        ("report_data", found_out),
        ("conversation", {"kind": "bot", "barge_ins": 1}),
    ):
        assert (row[name] if suffix == "jsonl" else json.loads(row[name])) == value
    empty = await read(api, path, suffix, per=per, outcome="busy")
    cell = empty[0]["report_data"]
    assert getattr(cell, "value", cell) in ({}, "", None)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("per", ["call", "attempt"])
async def test_what_was_heard_before_the_answer_is_a_sentence_in_every_report(
    api, pool, path, suffix, per
):
    heard = {"kind": "busy", "begin": 0.5, "end": 3.5, "confidence": 0.95}
    await pool.execute(
        "UPDATE legs SET early_media = $1 WHERE phrase = '+1+1'", {"begin": 0.5, "heard": [heard]}
    )
    rows = await read(api, path, suffix, per=per)
    found = [getattr(row["early_media"], "value", row["early_media"]) for row in rows]
    assert sorted(one or "" for one in found) == ["", "", "busy tone 3.0 s"]


@pytest.mark.usefixtures("campaign")
async def test_a_call_shows_what_its_conversations_found_out(api, pool):
    await pool.execute(
        "UPDATE attempts SET report_data = $1, conversation = $2, detail = 'the bot failed: away'",
        {"name": "Ann"},
        {"kind": "bot"},
    )
    call_id = await pool.fetchval("SELECT call_id FROM attempts LIMIT 1")
    [attempt, *_] = (await api("GET", f"/v1/calls/{call_id}"))["attempts"]
    assert attempt["detail"] == "the bot failed: away"
    assert (attempt["report_data"], attempt["conversation"]) == ({"name": "Ann"}, {"kind": "bot"})


async def test_every_attempt_keeps_its_evidence_in_the_report(api, path):
    busy, answered, given_up = await read(api, path, per="attempt")
    assert [(row["number"], row["attempt"]) for row in (busy, answered, given_up)] == [
        ("+4930000100", 1),
        ("+4930000100", 2),
        ("+4930000101", 1),
    ]
    assert (busy["outcome"], busy["rule"], busy["counted"]) == ("busy", "rule of busy", True)
    assert (busy["status"], answered["status"]) == ("retry_scheduled", "answered")
    assert (busy["sip_code"], busy["sip_phrase"]) == (486, "=Busy; cmd")
    assert given_up["reasons"] == ["Q.850;cause=17"]
    assert (answered["talk_seconds"], answered["rtp_packets_sent"]) == (61.5, 9)
    assert (answered["trunk"], answered["number_dialed"]) == ("lab", "+4930000100")
    assert dt.datetime.fromisoformat(busy["created_at"]).tzinfo is not None
    wanted = {
        "outcome", "rule", "sip_code", "sip_phrase", "reasons", "q850", "retry_after", "rang",
        "trunk", "caller_id", "sip_call_id", "hung_up_by", "created_at", "sent_at",
        "first_provisional_at", "ringing_at", "answered_at", "ended_at", "talk_seconds",
    }  # fmt: skip
    assert wanted <= busy.keys()


async def test_cells_never_run_as_formulas_and_numbers_keep_their_plus(api, path):
    for row in await read(api, path, "csv"):
        assert row["number"].startswith("+4930")
    busy, _, other = await read(api, path, "csv", per="attempt")
    assert (busy["sip_phrase"], other["sip_phrase"]) == ("'=Busy; cmd", "'+1+1")
    busy, _, other = await read(api, path, "xlsx", per="attempt")
    assert (busy["sip_phrase"].value, busy["sip_phrase"].data_type) == ("=Busy; cmd", "s")
    assert (other["sip_phrase"].value, other["sip_phrase"].data_type) == ("+1+1", "s")
    assert (busy["number"].value, busy["number"].data_type) == ("+4930000100", "s")
    assert (busy["sip_code"].value, busy["sip_code"].data_type) == (486, "n")
    busy, *_ = await read(api, path, per="attempt")
    assert busy["sip_phrase"] == "=Busy; cmd"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"status": ["answered", "planned"]}, ["100", "102"]),
        ({"outcome": "busy"}, ["101"]),
        ({"outcome": ["busy", "answered"], "status": "answered"}, ["100"]),
        ({"number": "+4930000101"}, ["101"]),
        ({"from": "2020-01-01T00:00:00+00:00"}, ["100", "101", "102"]),
        ({"to": "2020-01-01T00:00:00Z"}, []),
        ({"per": "attempt", "outcome": "busy"}, ["100", "101"]),
        ({"per": "attempt", "status": "answered"}, ["100"]),
    ],
)
async def test_a_report_is_filtered(api, path, suffix, query, numbers):
    rows = await read(api, path, suffix, **query)
    found = [getattr(row["number"], "value", row["number"])[-3:] for row in rows]
    assert found == numbers


async def test_a_plus_in_a_url_may_be_left_as_it_is(api, path):
    where = f"{path}/report.jsonl?number=+4930000101&from=2020-01-01T00:00:00+00:00"
    assert len((await fetched(api, where)).splitlines()) == 1


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"per": "leg"}, "per"),
        ({"status": "done"}, "status"),
        ({"outcome": "other"}, "outcome"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"to": "yesterday"}, "to"),
        ({"number": ""}, "number"),
        ({"since": "2026-01-01T00:00:00Z"}, "since"),
    ],
)
async def test_a_wrong_filter_is_refused_by_its_name(api, path, query, named):
    for where in (path, "/v1/dialogs"):
        refused = await api("GET", f"{where}/report.csv", 422, params=query)
        assert named in refused["detail"]


@pytest.mark.parametrize("suffix", FORMATS)
async def test_there_is_no_report_of_no_campaign(api, suffix):
    refused = await api("GET", f"/v1/campaigns/9/report.{suffix}", 404)
    assert refused["detail"] == "there is no campaign 9"
    assert await read(api, "/v1/dialogs", suffix) == []


async def test_the_calls_of_a_deleted_campaign_stay_readable_by_api_and_in_exports(api, path):
    before = await read(api, path)
    await api("DELETE", path, 204)
    assert (await api("GET", "/v1/campaigns"))["items"] == []
    dialogs = (await api("GET", "/v1/dialogs"))["items"]
    assert [call["id"] for call in dialogs] == [row["call_id"] for row in before][::-1]
    assert (await api("GET", f"/v1/calls/{before[0]['call_id']}"))["attempts"]
    for where in (path, "/v1/dialogs"):
        for suffix in FORMATS:
            assert len(await read(api, where, suffix)) == 3
        assert len(await read(api, where, per="attempt")) == 3
    await api("GET", f"{path}/totals", 404)


async def test_another_sheet_begins_where_one_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "ROWS_OF_SHEET", 3)
    monkeypatch.setattr(workbook, "LONGEST_CELL", 5)
    book = workbook.Workbook(tmp_path / "long.xlsx", ("a", "b"))
    book.add([(place, "=1+1+1") for place in range(5)])
    book.close()
    sheets = openpyxl.load_workbook(tmp_path / "long.xlsx").worksheets
    rows = [[tuple(row) for row in sheet.iter_rows(values_only=True)] for sheet in sheets]
    assert rows == [
        [("a", "b"), (0, "=1+1+"), (1, "=1+1+")],
        [("a", "b"), (2, "=1+1+"), (3, "=1+1+")],
        [("a", "b"), (4, "=1+1+")],
    ]


async def test_totals(api, path):
    found = await api("GET", f"{path}/totals")
    assert (found["calls"], found["calls_tried"], found["attempts"]) == (3, 2, 3)
    assert (found["answer_rate"], found["attempts_per_answer"]) == (0.5, 3.0)
    assert (found["talk_seconds"], found["abandoned"], found["silent"]) == (61.5, 0, 0)
    assert {one["outcome"]: one["attempts"] for one in found["outcomes"]} == {
        "answered": 1,
        "busy": 2,
    }
    assert [(one["trunk"], one["legs"]) for one in found["by_trunk"]] == [("lab", 3)]
    await api("GET", "/v1/campaigns/9/totals", 404)


async def test_requeue(api, path):
    given_up = {"statuses": ["completed_without_answer", "technical_error"]}
    nothing = {**given_up, "outcomes": ["no_route"]}
    assert await api("POST", f"{path}/requeue", json=nothing) == {"requeued": 0}
    assert await api("POST", f"{path}/requeue", json=given_up) == {"requeued": 1}
    assert [row["requeued"] for row in await read(api, path)] == [0, 1, 0]
    await api("POST", f"{path}/finish")
    refused = await api("POST", f"{path}/requeue", 409, json=given_up)
    assert "is finished" in refused["detail"]
    await api("POST", "/v1/campaigns/9/requeue", 404, json=given_up)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"statuses": []},
        {"statuses": ["answered"]},
        {"statuses": ["not_dialed", "answered"]},
        {"statuses": ["planned"]},
        {"statuses": ["not_dialed"], "outcomes": ["other"]},
        {"statuses": ["not_dialed"], "call_ids": [0]},
    ],
)
async def test_answered_calls_and_nonsense_cannot_be_requeued(api, path, body):
    await api("POST", f"{path}/requeue", 422, json=body)
    assert {row["requeued"] for row in await read(api, path)} == {0}


async def test_clone(api, path, campaign):
    body = {"name": "Again", "numbers": "not_answered"}
    made = await api("POST", f"{path}/clone", 201, json=body)
    assert (made["status"], made["name"], made["numbers_added"]) == ("draft", "Again", 2)
    assert made["cloned_from"] == campaign.id
    where = f"/v1/campaigns/{made['id']}"
    assert [row["number"][-3:] for row in await read(api, where)] == ["101", "102"]
    assert {row["status"] for row in await read(api, where)} == {"planned"}
    await api("POST", f"{path}/clone", 422, json={"name": ""})
    await api("POST", f"{path}/clone", 422, json={"name": "x", "numbers": "some"})
    await api("DELETE", path, 204)
    await api("POST", f"{path}/clone", 404, json=body)


async def test_erasure(api, path):
    erased = await api("POST", "/v1/persons/erase", json={"number": "+49 30 000101"})
    assert (erased["calls"], erased["legs"]) == (1, 1)
    _, row, _ = await read(api, path)
    assert row["number"] == f"erased-{row['call_id']}"
    assert (row["status"], row["last_outcome"]) == ("completed_without_answer", "busy")
    assert row["sip_code"] == 486
    assert row["erased_at"] is not None
    refused = await api("POST", "/v1/persons/erase", 422, json={"number": "nobody"})
    assert "/number" in refused["detail"]


async def test_erasure_is_refused_while_a_call_is_up(api, pool, path, campaign):
    await promotion.promote(pool, full=True)
    await scene.Node(pool, "one", 1).dial_all(campaign)
    refused = await api("POST", "/v1/persons/erase", 409, json={"number": "+4930000102"})
    assert "try again when it is over" in refused["detail"]
    assert (await read(api, path))[2]["number"] == "+4930000102"

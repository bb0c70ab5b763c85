"""Campaigns over HTTP, on a real Postgres."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus, CampaignStatus, PauseReason
from dialer.config_bots import Bots, BotSecret
from dialer.store import accounts, campaigns
from dialer.store.records import PauseNote

SETTINGS = {"name": "Spring", "caller_ids": ["+4930123456"], "trunks": ["pbx"]}
FULL = {
    "name": "Summer",
    "caller_ids": ["+4930123456", "200"],
    "trunks": ["carrier", "pbx"],
    "trunk_order": "weighted",
    "max_simultaneous_calls": 20,
    "calls_per_second": 2.5,
    "max_attempts": 5,
    "retry_interval_minutes": 90,
    "retry_by_outcome": {"busy": 15, "no_answer": 120},
    "ring_timeout_seconds": 30,
    "max_talk_seconds": 600,
    "on_answer": {"kind": "prompt", "file": "hello.wav"},
    "start_at": "2031-05-06T07:08:09+02:00",
    "webhook_url": "https://example.com/hook",
    "redial_interrupted": True,
}
DRAFT_MOVES = {"start", "delete"}


async def test_creates_a_draft_with_defaults(api):
    async with api.client.post("/v1/campaigns", json=SETTINGS) as response:
        assert response.status == 201
        created = await response.json()
        assert response.headers["Location"] == f"/v1/campaigns/{created['id']}"
        assert response.headers["Cache-Control"] == "no-store"
    assert created["status"] == "draft"
    assert created["status_label"] == "Draft"
    assert created["max_attempts"] == 3
    assert created["retry_interval_minutes"] == 60
    assert created["ring_timeout_seconds"] == 40
    hang_up = {"kind": "hang_up", "after_seconds": 0, "recording": None}
    assert created["on_answer"] == hang_up
    assert created["pause_reason"] is None
    assert created["started_at"] is None
    read = await api("GET", response.headers["Location"])
    counts = read.pop("counts")
    assert read.pop("next_attempt_at") is None
    assert read.pop("waits_because") is None
    assert read == created
    assert counts == [
        {"status": status.value, "label": status.label, "calls": 0} for status in CallStatus
    ]


async def test_every_setting_goes_in_and_comes_out(api):
    created = await api("POST", "/v1/campaigns", 201, json=FULL)
    start_at = dt.datetime.fromisoformat(created.pop("start_at"))
    assert start_at == dt.datetime.fromisoformat(FULL["start_at"])
    assert {name: created[name] for name in FULL if name != "start_at"} == {
        name: value for name, value in FULL.items() if name != "start_at"
    }


async def test_a_campaign_without_caller_ids_shows_its_trunks_own(api):
    created = await api("POST", "/v1/campaigns", 201, json={"name": "Spring", "trunks": ["pbx"]})
    assert created["caller_ids"] == []


async def test_says_when_the_first_of_the_waiting_calls_is_due(api, pool):
    path = await api.campaign()
    await api.add(path, "+4930123456", "+4930123457")
    due = dt.datetime(2031, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    await pool.execute(
        "UPDATE calls SET due = CASE WHEN number = '+4930123456' THEN $1::timestamptz"
        " ELSE $1 + interval '1 h' END",
        due,
    )
    found = await api("GET", path)
    assert dt.datetime.fromisoformat(found["next_attempt_at"]) == due


@pytest.mark.parametrize("file", ["other.wav", "../secret.wav", "/etc/passwd", "sub", "link.wav"])
async def test_a_prompt_that_is_not_in_the_folders_is_refused(pool, serve, tmp_path, file):
    for name in ("secret.wav", "prompts/hello.wav", "prompts/sub/deep.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    folder = tmp_path / "prompts"
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    async with serve(pool, prompts=(tmp_path / "absent", folder)) as api:
        path = await api.campaign(on_answer={"kind": "prompt", "file": "sub/deep.wav"})
        wrong = {"on_answer": {"kind": "prompt", "file": file}}
        for method, where in (("POST", "/v1/campaigns"), ("PATCH", path)):
            body = {**SETTINGS, **wrong} if method == "POST" else wrong
            problem = await api(method, where, 422, json=body)
            assert problem["errors"][0]["pointer"] == "/on_answer/file"
            assert f"there is no prompt {file!r}" in problem["detail"]
        kept = await api("PATCH", path, json={"on_answer": {"kind": "prompt", "file": "hello.wav"}})
        assert kept["on_answer"]["file"] == "hello.wav"


async def test_a_menu_is_kept_as_given_and_each_prompt_that_is_not_there_is_named(
    pool, serve, tmp_path
):
    (tmp_path / "hello.wav").write_bytes(b"RIFF")
    hello, gone = {"file": "hello.wav"}, {"file": "gone.wav"}
    below = {"name": "below", "prompt": hello, "branches": {"X": {}}}
    menu = {"kind": "gather", "name": "main", "prompt": hello}
    good = menu | {"branches": {"1": {"menu": below, "set": {"n": 1}}, "9": {"opt_out": True}}}
    bad = menu | {"branches": {"1": {"menu": below | {"prompt": gone}, "prompt": gone}}}
    async with serve(pool, prompts=(tmp_path,)) as api:
        path = await api.campaign(on_answer=good)
        kept = (await api("GET", path))["on_answer"]
        assert kept["branches"]["1"]["menu"]["name"] == "below"
        assert (kept["branches"]["1"]["set"], kept["digits"]) == ({"n": 1}, 1)
        assert (await api("PATCH", path, json={"on_answer": kept}))["on_answer"] == kept
        problem = await api("PATCH", path, 422, json={"on_answer": bad})
    assert [error["pointer"] for error in problem["errors"]] == [
        "/on_answer/branches/1/prompt/file",
        "/on_answer/branches/1/menu/prompt/file",
    ]
    assert problem["errors"][0]["detail"].startswith("there is no prompt 'gone.wav' in ")


async def test_texts_can_be_said_where_the_configuration_has_a_speech_command(pool, serve):
    said = {"kind": "prompt", "say": "Hello {name|there}", "voice": "en-gb"}
    for wanted, pointer in (
        (said, "/on_answer/say"),
        (
            {"kind": "bot", "url": "wss://bots.example.com/", "fallback": said},
            "/on_answer/fallback/say",
        ),
        (
            {"kind": "gather", "name": "m", "prompt": {"say": "Hi"}, "branches": {"1": {}}},
            "/on_answer/prompt/say",
        ),
    ):
        async with serve(pool, speaks=False) as api:
            body = {**SETTINGS, "on_answer": wanted}
            problem = await api("POST", "/v1/campaigns", 422, json=body)
            assert [error["pointer"] for error in problem["errors"]] == [pointer]
            assert "there is no speech.command" in problem["errors"][0]["detail"]
        async with serve(pool) as api:
            path = await api.campaign(on_answer=wanted)
            kept = (await api("GET", path))["on_answer"]
            assert (await api("PATCH", path, json={"on_answer": kept}))["on_answer"] == kept


async def test_a_mistake_deep_in_a_menu_is_told_by_a_pointer_into_the_body(pool, serve):
    below = {"name": "", "prompt": {}, "branches": {"Q": {"set": {"x": None}}}}
    menu = {
        "kind": "gather",
        "name": "m",
        "prompt": {"file": "a"},
        "branches": {"1": {"menu": below}},
    }
    async with serve(pool) as api:
        problem = await api("POST", "/v1/campaigns", 422, json={**SETTINGS, "on_answer": menu})
    where = "/on_answer/branches/1/menu"
    assert [error["pointer"] for error in problem["errors"]] == [
        f"{where}/name",
        f"{where}/prompt",
        f"{where}/branches/Q",
        f"{where}/branches/Q/set/x",
    ]


async def test_a_message_for_machines_must_be_there(pool, serve, tmp_path):
    wanted = {"machine": "leave_message", "message": "none.wav"}
    answer = {"kind": "prompt", "file": "hello.wav", "machine_detection": wanted}
    (tmp_path / "hello.wav").touch()
    async with serve(pool, prompts=(tmp_path,)) as api:
        path = await api.campaign()
        problem = await api("PATCH", path, 422, json={"on_answer": answer})
        assert problem["errors"][0]["pointer"] == "/on_answer/machine_detection/message"
        assert "there is no prompt 'none.wav'" in problem["detail"]
        (tmp_path / "none.wav").touch()
        kept = (await api("PATCH", path, json={"on_answer": answer}))["on_answer"]
        assert kept["machine_detection"]["message"] == "none.wav"
        assert kept["machine_detection"]["silence"] == "hang_up"


@pytest.mark.parametrize(
    ("bot", "pointer", "said"),
    [
        ({"url": "ws://127.0.0.1:8080/"}, "/on_answer/url", "127.0.0.1 is not a public address"),
        ({"secret": "other"}, "/on_answer/secret", "no 'other' in bots.secrets"),
        (
            {"url": "wss://evil.example/", "secret": "sales"},
            "/on_answer/secret",
            "no 'sales' in bots.secrets of the configuration covers this URL",
        ),
        (
            {"fallback": {"kind": "prompt", "file": "none.wav"}},
            "/on_answer/fallback/file",
            "there is no prompt 'none.wav'",
        ),
        ({"url": "https://b.example"}, "/on_answer/url", "should match pattern"),
    ],
)
async def test_a_bot_that_the_configuration_does_not_allow_is_refused(
    pool, serve, tmp_path, bot, pointer, said
):
    secret = BotSecret(name="sales", url="wss://bots.example.com/", value_env="X")
    good = {"kind": "bot", "url": "wss://bots.example.com/sales", "secret": "sales"}
    async with serve(pool, prompts=(tmp_path,), bots=Bots(secrets=(secret,))) as api:
        path = await api.campaign(on_answer=good)
        made = await api("GET", path)
        assert made["on_answer"]["fallback"] == {"kind": "hang_up", "after_seconds": 0}
        assert (await api("PATCH", path, json={"on_answer": made["on_answer"]})) is not None
        problem = await api("PATCH", path, 422, json={"on_answer": {**good, **bot}})
        assert problem["errors"][0]["pointer"] == pointer
        assert said in problem["errors"][0]["detail"]


async def test_lists_newest_first_and_by_status(api):
    paths = [await api.campaign(name=f"number {place}") for place in range(4)]
    await api("POST", f"{paths[1]}/start")
    await api("POST", f"{paths[2]}/start")
    await api("POST", f"{paths[2]}/pause")

    async def names(**query):
        found = await api("GET", "/v1/campaigns", params=query)
        assert found["next_cursor"] is None
        return [item["name"] for item in found["items"]]

    assert await names() == ["number 3", "number 2", "number 1", "number 0"]
    assert await names(status="draft") == ["number 3", "number 0"]
    assert await names(status=["in_progress", "paused"]) == ["number 2", "number 1"]
    assert await names(status="finished") == []


async def test_a_list_counts_the_calls_of_each_campaign_where_asked(api):
    path = await api.campaign(name="with calls")
    await api.campaign(name="without")
    await api.add(path, "+4930123456", "+4930123457")

    async def planned(**query):
        found = await api("GET", "/v1/campaigns", params=query)
        return [
            item["counts"] and {one["status"]: one["calls"] for one in item["counts"]}["planned"]
            for item in found["items"]
        ]

    assert await planned(counts="true") == [0, 2]
    assert await planned() == [None, None]


async def test_pages_are_stable_while_campaigns_come_and_go(api):
    paths = [await api.campaign(name=str(place)) for place in range(5)]
    first = await api("GET", "/v1/campaigns", params={"limit": 2})
    assert [item["name"] for item in first["items"]] == ["4", "3"]
    await api.campaign(name="newer")
    await api("DELETE", paths[3], 204)
    await api("DELETE", paths[2], 204)
    second = await api("GET", "/v1/campaigns", params={"limit": 2, "cursor": first["next_cursor"]})
    assert [item["name"] for item in second["items"]] == ["1", "0"]
    assert second["next_cursor"] is None


async def test_a_last_page_that_is_full_has_no_next(api):
    for _ in range(4):
        await api.campaign()
    first = await api("GET", "/v1/campaigns", params={"limit": 2})
    second = await api("GET", "/v1/campaigns", params={"limit": 2, "cursor": first["next_cursor"]})
    assert len(second["items"]) == 2
    assert second["next_cursor"] is None


async def test_changes_one_setting_and_no_other(api):
    for name, value in FULL.items():
        path = await api.campaign()
        before = await api("GET", path)
        after = await api("PATCH", path, json={name: value})
        assert {key for key in after if after[key] != before[key]} == {name, "version"}
        assert {**before, **after} == await api("GET", path)


async def test_null_takes_a_setting_away(api):
    path = (await api("POST", "/v1/campaigns", 201, json=FULL))["id"]
    changes = {"start_at": None, "webhook_url": None, "calls_per_second": None}
    after = await api("PATCH", f"/v1/campaigns/{path}", json=changes)
    assert {name: after[name] for name in changes} == changes


async def test_takes_a_merge_patch(api):
    path = await api.campaign()
    headers = {"Content-Type": "application/merge-patch+json"}
    after = await api("PATCH", path, data=b'{"name": "x"}', headers=headers)
    assert after["name"] == "x"


async def test_changes_at_the_same_time_all_hold(api):
    path = await api.campaign()
    changes = [{"max_attempts": 7}, {"ring_timeout_seconds": 33}, {"name": "all"}]
    await asyncio.gather(*(api("PATCH", path, json=change) for change in changes))
    after = await api("GET", path)
    assert (after["max_attempts"], after["ring_timeout_seconds"], after["name"]) == (7, 33, "all")


async def test_a_trunk_that_left_the_configuration_does_not_stop_other_changes(api, pool, serve):
    path = await api.campaign()
    async with serve(pool, known_trunks=frozenset({"other"})) as later:
        assert (await later("PATCH", path, json={"name": "x"}))["trunks"] == ["pbx"]
        await later("PATCH", path, 422, json={"trunks": ["pbx"]})


async def test_intervals_finer_than_minutes_stay_when_others_change(api, pool):
    path = await api.campaign()
    campaign_id = int(path.rpartition("/")[2])
    record = await campaigns.get(pool, 1, campaign_id)
    settings = record.settings.__class__(
        **{
            **{name: getattr(record.settings, name) for name in record.settings.__slots__},
            "retry_interval_seconds": 90,
        }
    )
    await campaigns.change(pool, 1, campaign_id, settings)
    after = await api("PATCH", path, json={"name": "x"})
    assert after["retry_interval_minutes"] == 1.5


async def test_start_at_once_or_when_its_time_comes(api):
    now = await api.campaign()
    started = await api("POST", f"{now}/start")
    assert started["status"] == "in_progress"
    assert started["status_label"] == "In progress"
    assert started["started_at"] is not None
    later = await api.campaign(start_at="2031-01-01T00:00:00Z")
    assert (await api("POST", f"{later}/start", json={}))["status"] == "planned"
    past = await api.campaign(start_at="2021-01-01T00:00:00Z")
    assert (await api("POST", f"{past}/start"))["status"] == "in_progress"


async def test_pause_resume_and_finish(api):
    path = await api.campaign()
    await api("POST", f"{path}/start")
    paused = await api("POST", f"{path}/pause")
    assert (paused["status"], paused["pause_reason"]) == ("paused", "manual")
    again = await api("POST", f"{path}/pause")
    assert again == paused
    assert (await api("POST", f"{path}/resume"))["status"] == "in_progress"
    assert (await api("GET", path))["pause_reason"] is None
    finished = await api("POST", f"{path}/finish")
    assert finished["status"] == "finished"
    assert finished["finished_at"] is not None


async def test_finish_with_hang_up_asks_the_engines(api, pool):
    for body, expected in ((None, False), ({}, False), ({"hang_up": True}, True)):
        path = await api.campaign()
        await api("POST", f"{path}/start")
        await api("POST", f"{path}/finish", **({} if body is None else {"json": body}))
        record = await campaigns.get(pool, 1, int(path.rpartition("/")[2]))
        assert record.hang_up is expected


async def test_a_pause_by_the_system_says_why(api, pool):
    path = await api.campaign()
    await api("POST", f"{path}/start")
    note = PauseNote(PauseReason.SYSTEM_FAILURE, "trunk pbx does not answer: check its address")
    campaign_id = int(path.rpartition("/")[2])
    await campaigns.act(pool, 1, campaign_id, CampaignAction.PAUSE, pause=note)
    read = await api("GET", path)
    assert read["pause_reason"] == "system_failure"
    assert read["pause_detail"] == note.detail


async def test_resume_without_minutes_left_is_refused_with_the_reason_and_changes_nothing(
    api, pool
):
    path = await api.campaign()
    await api("POST", f"{path}/start")
    await api("POST", f"{path}/pause")
    before = await api("GET", path)
    await accounts.change(pool, 1, {"minutes": 0})
    problem = await api("POST", f"{path}/resume", 409)
    assert "the 0 minutes of the account's plan are used up" in problem["detail"]
    assert "raise the limit, or wait for the next period" in problem["detail"]
    assert await api("GET", path) == before
    await accounts.change(pool, 1, {"minutes": 1})
    assert (await api("POST", f"{path}/resume"))["status"] == "in_progress"


REFUSED = [
    ((), "pause", "draft"),
    ((), "resume", "draft"),
    ((), "finish", "draft"),
    (("start",), "start", "in_progress"),
    (("start",), "resume", "in_progress"),
    (("start", "pause"), "start", "paused"),
    (("start", "finish"), "start", "finished"),
    (("start", "finish"), "pause", "finished"),
    (("start", "finish"), "resume", "finished"),
    (("start", "finish"), "finish", "finished"),
]


async def test_a_refused_move_names_the_status_and_what_it_allows(api):
    for way, move, status in REFUSED:
        path = await api.campaign()
        for step in way:
            await api("POST", f"{path}/{step}")
        before = await api("GET", path)
        problem = await api("POST", f"{path}/{move}", 409)
        assert problem["current_status"] == status
        assert move not in problem["allowed"]
        assert CampaignStatus(status).label.lower() in problem["detail"]
        assert all(allowed in problem["detail"] for allowed in problem["allowed"])
        assert await api("GET", path) == before
        if status == "draft":
            assert set(problem["allowed"]) == DRAFT_MOVES


async def test_a_planned_campaign_keeps_a_start_time(api):
    path = await api.campaign(start_at="2031-01-01T00:00:00Z")
    await api("POST", f"{path}/start")
    problem = await api("PATCH", path, 409, json={"start_at": None})
    assert "start time" in problem["detail"]


async def test_a_finished_campaign_takes_no_changes_and_no_numbers(api):
    path = await api.campaign()
    await api("POST", f"{path}/start")
    await api("POST", f"{path}/finish")
    assert "finished" in (await api("PATCH", path, 409, json={"name": "x"}))["detail"]
    assert "finished" in (await api.add(path, "+4930123456", expect=409))["detail"]


@pytest.mark.parametrize("way", [(), ("start",), ("start", "pause"), ("start", "finish")])
async def test_delete_from_any_status(api, way):
    path = await api.campaign()
    for step in way:
        await api("POST", f"{path}/{step}")
    await api("DELETE", path, 204)
    for method, where in (
        ("GET", path),
        ("DELETE", path),
        ("GET", f"{path}/calls"),
        ("POST", f"{path}/start"),
    ):
        problem = await api(method, where, 404)
        assert problem["detail"] == f"there is no campaign {path.rpartition('/')[2]}"
    await api("PATCH", path, 404, json={"name": "x"})
    await api.add(path, "+4930123456", expect=404)
    assert (await api("GET", "/v1/campaigns"))["items"] == []


async def test_calls_of_a_deleted_campaign_stay_readable_as_dialogs(api):
    path = await api.campaign()
    await api.add(path, "+4930123456", "+4930123457")
    await api("POST", f"{path}/start")
    (call, _) = (await api("GET", f"{path}/calls"))["items"]
    await api("DELETE", path, 204)
    dialogs = (await api("GET", "/v1/dialogs"))["items"]
    assert [dialog["status"] for dialog in dialogs] == ["not_dialed", "not_dialed"]
    assert (await api("GET", f"/v1/calls/{call['id']}"))["number"] == call["number"]
    async with api.client.get(f"{path}/report.csv") as response:
        assert response.status == 200
        assert (await response.text()).count("not_dialed") == 2


async def test_largest_id_is_just_not_there(api):
    for path in ("/v1/campaigns/9223372036854775807", "/v1/calls/9223372036854775807"):
        await api("GET", path, 404)
    await api("GET", "/v1/campaigns/9223372036854775807/report.csv", 404)

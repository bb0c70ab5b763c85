from __future__ import annotations

import datetime as dt

import pytest
import structlog
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import campaigns, deadlines, promotion, schedules

NUMBER = "16502530000"
TRUNKS = {"pbx": 10}
BASE = "/api/calls/campaign"


class Job:
    """A campaign that is reached by its token, in short words."""

    def __init__(self, api, path, token):
        self.api = api
        self.path = path
        self.base = f"{BASE}/{token}"

    async def post(self, what, expect=200, **body):
        return await self.api("POST", f"{self.base}/{what}", expect, json=body or None)

    async def add(self, *phones, expect=200):
        return await self.api("POST", f"{self.base}/addPhones", expect, json=list(phones))

    async def call(self, job_id):
        return await self.api("GET", f"/v1/calls/{job_id}")


@pytest.fixture
async def job(api):
    path = await api.campaign(max_simultaneous_calls=7)
    made = await api("POST", f"{path}/calls-api-token", 201)
    assert made["url"] == f"{BASE}/{made['token']}"
    return Job(api, path, made["token"])


async def test_phones_are_added_with_all_that_can_be_said_of_them(job, pool):
    everything = {
        "phone": 16502530001,
        "payload": {"promo": "20 %", "score": 3, "tags": ["a", "b"]},
        "startDateTime": "2030-03-23T00:00:00Z",
        "finishDateTime": "2030-03-25T00:00:00Z",
        "allowedDays": ["mon", "wed", "fri"],
        "allowedTime": {
            "default": [{"localTimeFrom": "10:00", "localTimeTo": "18:00"}],
            "wed": [
                {"localTimeFrom": "09:00", "localTimeTo": "11:00"},
                {"localTimeFrom": "12:00", "localTimeTo": "13:00"},
            ],
        },
        "retryIntervalInMinutes": 120,
        "maxAttempts": 4,
        "gmtZone": "GMT-5",
        "dialerPriority": 2,
    }
    first, second = await job.add({"phone": NUMBER}, everything)
    assert (await job.call(first))["number"] == f"+{NUMBER}"
    call = await job.call(second)
    assert call["payload"] == {"promo": "20 %", "score": "3", "tags": '["a", "b"]'}
    assert call["priority"] == 2
    row = await pool.fetchrow(
        "SELECT k.*, s.time_zone, s.windows FROM calls AS k"
        " JOIN schedules AS s ON s.id = k.schedule_id WHERE k.id = $1",
        second,
    )
    assert (row["max_attempts"], row["retry_interval_seconds"]) == (4, 7200)
    assert row["time_zone"] == "-05:00"
    assert row["windows"] == [
        {"days": ["mon", "fri"], "from": "10:00", "to": "18:00"},
        {"days": ["wed"], "from": "09:00", "to": "11:00"},
        {"days": ["wed"], "from": "12:00", "to": "13:00"},
    ]
    assert row["due"] == dt.datetime(2030, 3, 23, tzinfo=dt.UTC)
    assert row["not_after"] == dt.datetime(2030, 3, 25, tzinfo=dt.UTC)


async def test_a_phone_that_is_there_already_has_the_job_that_it_has(job):
    [first] = await job.add({"phone": NUMBER})
    again = await job.add({"phone": f"+{NUMBER}"}, {"phone": NUMBER, "payload": {"second": "one"}})
    assert again[0] == first
    assert again[1] != first


@pytest.mark.parametrize(
    ("phone", "pointer", "says"),
    [
        ({"phone": "nobody"}, "/0/phone", "nobody"),
        ({"phone": NUMBER, "gmtZone": "Mars/Olympus"}, "/0/gmtZone", "no time zone"),
        ({"phone": NUMBER, "gmtZone": "+25:00"}, "/0/gmtZone", "no time zone"),
        ({"phone": NUMBER, "allowedDays": []}, "/0/allowedDays", "at least 1"),
        ({"phone": NUMBER, "allowedDays": ["someday"]}, "/0/allowedDays/0", "'mon'"),
        ({"phone": NUMBER, "allowedTime": {}}, "/0", "leave no time"),
        (
            {"phone": NUMBER, "allowedDays": ["mon"], "allowedTime": {"tue": []}},
            "/0",
            "leave no time",
        ),
        ({"phone": NUMBER, "startDateTime": "2030-01-01T00:00:00"}, "/0/startDateTime", "timezone"),
        (
            {
                "phone": NUMBER,
                "startDateTime": "2030-01-02T00:00:00Z",
                "finishDateTime": "2030-01-01T00:00:00Z",
            },
            "/0",
            "is not after startDateTime",
        ),
        ({"phone": NUMBER, "maxAttempts": 0}, "/0/maxAttempts", "greater than or equal to 1"),
        ({"phone": NUMBER, "retries": 3}, "/0/retries", "unknown key"),
        ({"payload": {}}, "/0/phone", "is missing"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_is_added(job, pool, phone, pointer, says):
    refused = await job.add(phone, {"phone": "16502530009"}, expect=422)
    assert refused["errors"][0]["pointer"] == pointer
    assert says in refused["errors"][0]["detail"]
    assert await pool.fetchval("SELECT count(*) FROM calls") == 0


async def test_phones_with_more_time_zones_than_a_campaign_may_have_are_refused_all_of_them(
    job, pool, monkeypatch
):
    monkeypatch.setattr(schedules, "MOST", 1 + 2)
    phones = [{"phone": 16502530000 + place, "gmtZone": f"GMT+{place}"} for place in range(3)]
    problem = await job.add(*phones, expect=422)
    assert problem["errors"] == [{"pointer": "/2", "detail": schedules.TOO_MANY}]
    assert await pool.fetchval("SELECT count(*) FROM calls") == 0
    assert len(await job.add(*phones[:2])) == 2


async def test_a_campaign_is_paused_resumed_stopped_and_seen(job):
    await job.add({"phone": NUMBER})
    seen = await job.api("GET", job.base)
    assert seen["status"] == "planned"
    assert seen["name"] == "Spring"
    assert seen["maxSimultaneousCalls"] == 7
    assert seen["startTime"] is None
    assert seen["shortReport"] == {
        "totalNumbers": 1,
        "processedNumbers": 0,
        "usedTalkingTime": 0.0,
        "inProcessCalls": 0,
        "retryCalls": 0,
    }
    assert (await job.post("control/resume", 409))["current_status"] == "draft"
    await job.api("POST", f"{job.path}/start")
    assert await job.api("GET", f"{job.base}/status") == "inProcess"
    assert (await job.post("control/pause"))["status"] == "paused"
    assert (await job.post("control/resume"))["status"] == "inProcess"
    stopped = await job.post("control/stop")
    assert stopped["status"] == "finished"
    assert stopped["creationDate"] <= stopped["startTime"] <= stopped["endTime"]
    assert stopped["shortReport"]["processedNumbers"] == 1
    await job.add({"phone": NUMBER}, expect=409)
    await job.api("DELETE", job.path, 204)
    assert await job.api("GET", f"{job.base}/status") == "deleted"
    await job.post("control/resume", 404)


async def test_jobs_are_reported_with_their_latest_attempt_and_with_every_one(job, pool):
    answered, waiting = await job.add({"phone": NUMBER}, {"phone": "16502530001"})
    campaign = await campaigns.get(pool, 1, int(job.path.rpartition("/")[2]))
    await scene.act(pool, campaign, CampaignAction.START)
    await promotion.promote(pool)
    node = await scene.node(pool)
    [leg] = await node.dial(await node.claim(campaign, 1, TRUNKS))
    [up] = await job.post("callJob/getReport", ids=[answered])
    assert (up["jobStatus"], up["attempt"], up["finishedAt"]) == ("inProcess", 1, None)
    await node.end([leg])
    reported = await job.post("callJob/getReport", ids=[answered], phones=[16502530001])
    assert [one["id"] for one in reported] == [answered, waiting]
    over, never = reported
    assert over["phone"] == f"+{NUMBER}"
    assert over["jobStatus"] == "longCallWithNoResult"
    assert over["callResult"] == "answered"
    assert over["startedAt"] <= over["finishedAt"]
    assert never["jobStatus"] == "planned"
    assert never["attempt"] is never["startedAt"] is never["callResult"] is None
    await pool.execute("UPDATE attempts SET report_data = $1", {"agreed": True})
    [with_result] = await job.post("callJob/getReport", ids=[answered])
    assert with_result["jobStatus"] == "longCallWithResult"
    assert with_result["reportData"] == {"agreed": True}
    attempts = await job.post("callAttempt/getReport", ids=[answered, waiting])
    assert [one["id"] for one in attempts] == [answered]
    refused = await job.api("POST", f"{job.base}/callJob/getReport", 422, json={"ids": []})
    assert refused["detail"] == "body: give ids, phones, or both"


async def test_cancelled_jobs_get_no_further_attempt(job, pool):
    planned, up, other = await job.add(
        {"phone": NUMBER},
        {"phone": "16502530001", "dialerPriority": 9},
        {"phone": "16502530002"},
    )
    campaign = await campaigns.get(pool, 1, int(job.path.rpartition("/")[2]))
    await scene.act(pool, campaign, CampaignAction.START)
    await promotion.promote(pool)
    node = await scene.node(pool)
    [leg] = await node.dial(await node.claim(campaign, 1, TRUNKS))
    assert leg.call_id == up
    done = await job.post("callJob/cancel", ids=[up, 4711], phones=[NUMBER])
    assert done == [planned, up]
    assert (await job.call(planned))["status"] == "not_dialed"
    assert (await job.call(up))["status"] == "in_progress"
    await node.end([leg], scene.busy(scene.soon(60)))
    await promotion.promote(pool)
    assert (await job.call(up))["status"] == "completed_without_answer"
    reported = await job.post("callJob/getReport", ids=[planned, up, other])
    assert [one["jobStatus"] for one in reported] == ["canceled", "canceled", "planned"]
    assert await job.post("callJob/cancel", ids=[planned, up]) == []


async def test_no_call_is_made_from_its_last_time_on(job, pool):
    now = dt.datetime.now(dt.UTC)
    soon = now + dt.timedelta(hours=1)
    late, other = await job.add(
        {"phone": NUMBER, "finishDateTime": soon.isoformat()}, {"phone": "16502530001"}
    )
    campaign = await campaigns.get(pool, 1, int(job.path.rpartition("/")[2]))
    await scene.act(pool, campaign, CampaignAction.START)
    await promotion.promote(pool)
    # it is ready, and its time passes before anybody claims it
    node = await scene.node(pool)
    await pool.execute("UPDATE calls SET not_after = now() WHERE id = $1", late)
    assert [call.id for call in await node.claim(campaign, 5, TRUNKS)] == [other]
    assert await deadlines.end_overdue(pool) == 1
    assert (await job.call(late))["status"] == "not_dialed"


async def test_who_waits_for_a_window_that_opens_too_late_is_told_so(job):
    now = dt.datetime.now(dt.UTC)
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(now.weekday() + 3) % 7]
    [late] = await job.add(
        {
            "phone": NUMBER,
            "gmtZone": "UTC",
            "allowedDays": [day],
            "finishDateTime": (now + dt.timedelta(hours=1)).isoformat(),
        }
    )
    call = await job.call(late)
    assert call["next_attempt_at"] is None
    assert call["waits_because"].startswith("its last time for a call comes first (")


async def test_a_token_reaches_its_campaign_alone_and_can_be_renewed_and_revoked(job, api):
    await api("GET", f"{BASE}/cc_{'x' * 43}", 404)
    await api("GET", f"{BASE}/nothing", 404)
    renewed = await api("POST", f"{job.path}/calls-api-token", 201)
    await api("GET", job.base, 404)
    await api("GET", renewed["url"])
    await api("DELETE", f"{job.path}/calls-api-token", 204)
    await api("GET", renewed["url"], 404)


async def test_no_token_stands_in_the_log(job):
    with structlog.testing.capture_logs() as logs:
        await job.api("GET", job.base)
        await job.post("control/resume", 409)
    told = [one for one in logs if one["event"] == "request"]
    assert [one["path"] for one in told] == [
        "/api/calls/campaign/{token}",
        "/api/calls/campaign/{token}/control/resume",
    ]
    assert "cc_" not in str(logs)


async def test_a_request_is_done_once_for_its_key_and_entered_without_its_token(pool, api):
    path = await api.campaign()
    made = await api("POST", f"{path}/calls-api-token", 201)
    headers = {"Idempotency-Key": "a"}
    body = [{"phone": "+4930123456"}]
    answers = [
        await api("POST", f"{made['url']}/addPhones", json=body, headers=headers) for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert await pool.fetchval("SELECT count(*) FROM calls") == 1
    entries = (await api("GET", "/v1/audit", params={"campaign_id": 1}))["items"]
    assert [(one["route"], one["token_name"], one["role"]) for one in entries] == [
        ("addPhones", "Calls API of campaign 1", "operator"),
        ("makeCallsApiToken", "no token", "admin"),
        ("createCampaign", "no token", "admin"),
    ]
    rows = await pool.fetch("SELECT a::text FROM audit_log AS a")
    assert not any(made["token"] in row["a"] or "4930123456" in row["a"] for row in rows)


async def test_tokens_in_paths_can_be_guessed_at_no_faster_than_others(pool, serve):
    async with serve(pool, failed_logins_per_minute=3) as api:
        path = await api.campaign()
        made = await api("POST", f"{path}/calls-api-token", 201)
        await api("GET", f"{made['url']}/status")
        for number in range(3):
            await api("GET", f"/api/calls/campaign/cc_{number:043}/status", 404)
        await api("GET", f"/api/calls/campaign/cc_{9:043}/status", 429)
        await api("GET", f"{made['url']}/status")
        await api("DELETE", f"{path}/calls-api-token", 204)
        await api("GET", f"{made['url']}/status", 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/addPhones", 405),
        ("GET", "/nothing", 404),
        ("POST", "/callJob/getReport/", 404),
        ("PUT", "", 405),
    ],
)
async def test_no_token_stands_in_the_log_where_a_path_is_mistyped(job, method, path, status):
    with structlog.testing.capture_logs() as logs:
        await job.api(method, job.base + path, status)
    [told] = [one for one in logs if one["event"] == "request"]
    assert told["path"] == f"/api/calls/campaign/{{token}}{path}"
    assert "cc_" not in str(logs)


async def test_a_token_of_another_kind_in_the_path_is_not_logged_either(api):
    with structlog.testing.capture_logs() as logs:
        await api("GET", f"{BASE}/a.secret/addPhones", 405)
    assert "a.secret" not in str(logs)

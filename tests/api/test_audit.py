"""Who did what: in the audit log, with what was done, and in the log of requests."""

from __future__ import annotations

import dataclasses

import pytest
from structlog.testing import capture_logs
from tests.api.conftest import SETTINGS, served

from dialer.campaign.role import Role
from dialer.store import audit, tokens


def shown(secret):
    return {"Authorization": f"Bearer {secret}"}


async def log_of(api, **query):
    return (await api("GET", "/v1/audit", params=query))["items"]


async def test_what_is_done_is_entered_with_who_did_it(pool, api):
    secret, token = await tokens.create(pool, 1, "the desk", Role.OPERATOR)
    headers = {**shown(secret), "X-Request-Id": "r-7"}
    made = await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers=headers)
    (entry,) = await log_of(api)
    assert entry.pop("at")
    assert entry.pop("id")
    assert entry == {
        "token_id": token.id,
        "token_name": "the desk",
        "role": "operator",
        "address": "127.0.0.1",
        "request_id": "r-7",
        "route": "createCampaign",
        "method": "POST",
        "path": "/v1/campaigns",
        "campaign_id": made["id"],
        "object": str(made["id"]),
        "status": 201,
        "details": {"name": "Spring", "caller_ids": "1 items", "trunks": "1 items"},
    }


async def test_every_change_of_a_campaign_is_found_by_it_and_reading_is_none(api):
    path, other = await api.campaign(), await api.campaign()
    await api("PATCH", path, json={"max_attempts": 2, "webhook_url": "https://example.com/secret"})
    await api.add(path, "+4930123456")
    list_headers = {"Content-Type": "text/csv"}
    await api("POST", f"{path}/numbers", data=b"phone\n+4930123457\n", headers=list_headers)
    await api("POST", "/v1/lists/check", data=b"phone\n+4930123457\n", headers=list_headers)
    await api("POST", f"{path}/start")
    await api("POST", f"{path}/start", 409)
    await api("DELETE", other, 204)
    await api("GET", path)
    campaign_id = int(path.rpartition("/")[2])
    found = await log_of(api, campaign_id=campaign_id)
    assert [(one["route"], one["status"], one["details"]) for one in reversed(found)] == [
        ("createCampaign", 201, {"name": "Spring", "caller_ids": "1 items", "trunks": "1 items"}),
        ("changeCampaign", 200, {"max_attempts": 2, "webhook_url": "…"}),
        ("addNumbers", 200, {"items": 1}),
        ("addNumbers", 200, {"body": "text/csv"}),
        ("startCampaign", 200, {}),
        ("startCampaign", 409, {}),
    ]
    (entry,) = await log_of(api, route="deleteCampaign")
    assert (entry["object"], entry["status"]) == (other.rpartition("/")[2], 204)


async def test_no_secret_and_no_person_is_in_it(pool, api):
    made = await api("POST", "/v1/tokens", 201, json={"name": "shop", "role": "viewer"})
    await api("POST", "/v1/persons/erase", json={"number": "+4930123456"})
    await api("POST", "/v1/do-not-call", json=["+4930123456"])
    await api("DELETE", "/v1/do-not-call", 204, params={"phone": "+4930123456"})
    await api("POST", "/v1/campaigns/1/numbers/remove", 404, json={"numbers": ["+4930123456"]})
    rows = await pool.fetch("SELECT a::text FROM audit_log AS a")
    assert len(rows) == 5
    for row in rows:
        assert "4930123456" not in row["a"]
        assert made["secret"] not in row["a"]


async def test_what_cannot_be_entered_is_not_done(pool, api):
    await pool.execute("ALTER TABLE audit_log RENAME TO elsewhere")
    await api("POST", "/v1/campaigns", 500, json=SETTINGS)
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 0
    await pool.execute("ALTER TABLE elsewhere RENAME TO audit_log")


async def test_a_role_that_does_not_suffice_is_entered(pool, api):
    secret, _ = await tokens.create(pool, 1, "the guest", Role.VIEWER)
    await api("POST", "/v1/campaigns", 403, json=SETTINGS, headers=shown(secret))
    await api("GET", "/v1/audit", 403, headers=shown(secret))
    (entry,) = await log_of(api)
    assert (entry["token_name"], entry["status"]) == ("the guest", 403)


async def test_a_request_that_was_repeated_is_entered_once(api):
    for _ in range(3):
        headers = {"Idempotency-Key": "a"}
        await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers=headers)
    assert len(await log_of(api)) == 1


async def test_pages_and_times(pool, api):
    for _ in range(5):
        await api.campaign()
    await pool.execute(
        "UPDATE audit_log SET at = '2026-01-01T00:00Z'::timestamptz + id * interval '1 h'"
    )
    ids, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = await api("GET", "/v1/audit", params=query)
        ids += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 5
    span = {"from": "2026-01-01T02:00:00Z", "to": "2026-01-01T05:00:00+01:00"}
    assert [one["id"] for one in await log_of(api, **span)] == [3, 2]
    wrong = ({"from": "2026-01-01T02:00:00"}, {"to": "466"}, {"from": "0.0"}, {"to": "2026-01-01"})
    for query in (*wrong, {"route": "x" * 101}, {"campaign_id": "0"}):
        await api("GET", "/v1/audit", 422, params=query)


async def test_the_log_is_forgotten_by_age(pool, api):
    for _ in range(3):
        await api.campaign()
    await pool.execute("UPDATE audit_log SET at = at - interval '366 days' WHERE id < 3")
    year = await pool.fetchval("SELECT interval '365 days'")
    assert [await audit.forget(pool, year) for _ in range(2)] == [2, 0]
    assert len(await log_of(api)) == 1


@pytest.mark.parametrize(
    "given", ["r-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
)
async def test_the_id_of_a_request_is_taken_over(api, given):
    for method, path in (("GET", "/healthz"), ("GET", "/v1/nothing"), ("POST", "/v1/campaigns")):
        async with api.client.request(method, path, headers={"X-Request-Id": given}) as response:
            assert response.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'a"', "ä"])
async def test_an_id_that_is_none_is_replaced(api, given):
    seen = set()
    for _ in range(2):
        async with api.client.get("/healthz", headers={"X-Request-Id": given}) as response:
            seen.add(response.headers["X-Request-Id"])
    assert len(seen) == 2
    assert given not in seen


async def test_the_log_of_requests_tells_who_asked(pool):
    secret, _ = await tokens.create(pool, 1, "the desk", Role.OPERATOR)
    async with served(pool) as api:
        with capture_logs() as logged:
            headers = {**shown(secret), "X-Request-Id": "r-7"}
            await api("POST", "/v1/campaigns/7/start", 404, headers=headers)
    (record,) = (one for one in logged if one["event"] == "request")
    assert record.pop("seconds") >= 0
    assert record == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "path": "/v1/campaigns/7/start",
        "status": 404,
        "request_id": "r-7",
        "address": "127.0.0.1",
        "account_id": 1,
        "token_name": "the desk",
    }


async def test_entries_of_an_account_are_its_own(pool, api):
    await api.campaign()
    (entry,) = await audit.list_page(pool, 1)
    new = {field.name: getattr(entry, field.name) for field in dataclasses.fields(audit.NewEntry)}
    other = await pool.fetchval("INSERT INTO accounts (name) VALUES ('other') RETURNING id")
    await audit.write(pool, audit.NewEntry(**{**new, "account_id": other}))
    assert await audit.list_page(pool, 1) == [entry]
    assert len(await audit.list_page(pool, other)) == 1

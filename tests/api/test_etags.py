"""Conditional requests: nothing is sent twice that is known, and no change is lost in another."""

from __future__ import annotations

import asyncio

import pytest

MOVES = ("start", "pause", "resume", "finish")


async def tag_of(api, path, method="GET", **request):
    async with api.client.request(method, path, **request) as response:
        assert response.status == 200, await response.text()
        return response.headers["ETag"]


async def refused(api, path, tag, method="PATCH", **request):
    headers = {"If-Match": tag}
    return await api(method, path, 412, headers=headers, **{"json": {"name": "X"}, **request})


async def test_what_is_known_is_not_sent_again(api):
    path = await api.campaign()
    for where in (path, "/v1/campaigns", f"{path}/calls", "/v1/account"):
        tag = await tag_of(api, where)
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            async with api.client.get(where, headers={"If-None-Match": given}) as response:
                assert (response.status, await response.read()) == (304, b"")
                assert response.headers["ETag"] == tag
        for given in ('"other"', "other", ""):
            await api("GET", where, headers={"If-None-Match": given})


async def test_a_tag_changes_with_the_calls_too(api):
    path = await api.campaign()
    before = await tag_of(api, path)
    await api.add(path, "+4930123456")
    assert await tag_of(api, path) != before
    await api("GET", path, headers={"If-None-Match": before})


async def test_a_change_of_what_has_changed_since_is_refused(api):
    path = await api.campaign()
    read = await tag_of(api, path)
    changed = await tag_of(api, path, "PATCH", json={"name": "One"}, headers={"If-Match": read})
    problem = await refused(api, path, read)
    assert "it has version 2 now" in problem["detail"]
    assert (await api("GET", path))["name"] == "One"
    await tag_of(api, path, "PATCH", json={"name": "Two"}, headers={"If-Match": changed})
    assert (await api("GET", path))["name"] == "Two"


async def test_numbers_that_come_in_between_are_no_change_of_the_campaign(api):
    path = await api.campaign()
    read = await tag_of(api, path)
    await api.add(path, "+4930123456")
    await api("PATCH", path, json={"name": "One"}, headers={"If-Match": read})


@pytest.mark.parametrize("tag", ['"0"', 'W/"1"', '"x"', "1", '"1', '""', '"1-zz"', '"01x"'])
async def test_a_tag_that_is_none_of_its_own_is_refused(api, tag):
    await refused(api, await api.campaign(), tag)


@pytest.mark.parametrize("tag", ["*", '"1"', '"7", "1-0a"'])
async def test_one_of_several_tags_suffices(api, tag):
    await api("PATCH", await api.campaign(), json={"name": "X"}, headers={"If-Match": tag})


async def test_moves_heed_it(api):
    path = await api.campaign()
    stale = await tag_of(api, path)
    await api("PATCH", path, json={"name": "One"})
    tag = await tag_of(api, path)
    for action in MOVES:
        await refused(api, f"{path}/{action}", stale, "POST", json={})
        tag = await tag_of(api, f"{path}/{action}", "POST", json={}, headers={"If-Match": tag})
    await refused(api, path, stale, "DELETE", json=None)
    await api("DELETE", path, 204, headers={"If-Match": tag})
    await api("DELETE", path, 404, headers={"If-Match": tag})


async def test_of_two_who_change_at_once_one_is_refused(api):
    path = await api.campaign()
    tag = await tag_of(api, path)

    async def change(name):
        headers = {"If-Match": tag}
        async with api.client.patch(path, json={"name": name}, headers=headers) as response:
            return response.status

    assert sorted(await asyncio.gather(change("One"), change("Two"))) == [200, 412]


async def test_a_change_with_key_and_tag_is_repeated_and_not_refused(api):
    path = await api.campaign()
    headers = {"If-Match": await tag_of(api, path), "Idempotency-Key": "a"}
    first = await tag_of(api, path, "PATCH", json={"name": "One"}, headers=headers)
    assert await tag_of(api, path, "PATCH", json={"name": "One"}, headers=headers) == first


@pytest.fixture
async def webhook(api):
    """The path of a receiver."""
    made = await api("POST", "/v1/webhooks", 201, json={"url": "https://hooks.example.com/a"})
    return f"/v1/webhooks/{made['id']}"


async def test_a_webhook_is_changed_and_deleted_only_as_it_was_read(api, pool, webhook):
    read = await tag_of(api, webhook)
    headers = {"If-Match": read}
    changed = await tag_of(api, webhook, "PATCH", json={"kinds": ["call.*"]}, headers=headers)
    for method, body in (("PATCH", {"description": "X"}), ("DELETE", None)):
        problem = await refused(api, webhook, read, method, json=body)
        assert "has changed since it was read" in problem["detail"]
    assert (await api("GET", webhook))["kinds"] == ["call.*"]
    # how it fares is no change of a person's
    await pool.execute("UPDATE webhook_endpoints SET failures = 3")
    again = await tag_of(
        api, webhook, "PATCH", json={"enabled": False}, headers={"If-Match": changed}
    )
    await refused(api, webhook, changed, json={"enabled": True})
    await refused(api, webhook, '"1"', "DELETE", json=None)
    await api("DELETE", webhook, 204, headers={"If-Match": again})
    await api("DELETE", webhook, 404, headers={"If-Match": again})


async def test_of_two_who_change_a_webhook_at_once_one_is_refused(api, webhook):
    tag = await tag_of(api, webhook)

    async def change(description):
        headers, body = {"If-Match": tag}, {"description": description}
        async with api.client.patch(webhook, json=body, headers=headers) as response:
            return response.status

    assert sorted(await asyncio.gather(change("One"), change("Two"))) == [200, 412]

"""Receivers of events over the API, and what the client makes of it."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography.fernet import Fernet
from tests.db import scene

from dialer.campaign.webhook_url import WebhookRules
from dialer.client import ApiProblem, Client
from dialer.store import webhook_queue, webhook_secrets, webhook_upkeep
from dialer.store.records import DEFAULT_ACCOUNT
from dialer.store.secret_box import SecretBox

URL = "https://hooks.example.com/dialer"
HOUR = dt.timedelta(hours=1)
DEAD = """
UPDATE webhook_deliveries SET status = 'dead', next_at = NULL, ended_at = clock_timestamp(),
    problem = 'it answered 500', answer_status = 500, attempts = 3
"""


@pytest.fixture
async def client(api):
    async with Client(str(api.client._base_url)) as found:
        yield found


async def test_a_receiver_is_made_read_changed_and_deleted(client):
    made = await client.webhooks.create(URL, kinds=["call.*"], description="CRM")
    assert made.secret.startswith("whsec_")
    read = await client.webhooks.get(made.id)
    assert (read.url, read.kinds, read.description, read.enabled) == (URL, ["call.*"], "CRM", True)
    assert not hasattr(read, "secret")
    changed = await client.webhooks.change(made.id, kinds=[], enabled=False)
    assert (changed.kinds, changed.description) == ([], "CRM")
    assert (changed.enabled, changed.disabled_reason) == (False, "by a person")
    assert (await client.webhooks.change(made.id, enabled=True)).disabled_reason == ""
    assert [one.id for one in (await client.webhooks.page()).items] == [made.id]
    await client.webhooks.delete(made.id)
    with pytest.raises(ApiProblem, match=f"there is no webhook {made.id}"):
        await client.webhooks.get(made.id)


async def test_lists_come_in_pages_newest_first(client):
    made = [(await client.webhooks.create(f"{URL}/{place}")).id for place in range(3)]
    first = await client.webhooks.page(limit=2)
    rest = await client.webhooks.page(limit=2, cursor=first.next_cursor)
    assert [one.id for one in (*first.items, *rest.items)] == made[::-1]
    assert rest.next_cursor is None


@pytest.mark.parametrize(
    ("body", "pointer", "why"),
    [
        ({}, "/url", "is missing"),
        ({"url": "http://example.com"}, "/url", "must begin with https://"),
        ({"url": "https://10.0.0.1"}, "/url", "10.0.0.1 is a private address"),
        ({"url": "https://a:b@example.com"}, "/url", "no user name or password"),
        ({"url": "https://localhost"}, "/url", "not on the public internet"),
        ({"url": URL, "kinds": ["call.anwsered"]}, "/kinds/0", "did you mean call.answered?"),
        ({"url": URL, "description": "a\nb"}, "/description", ""),
        ({"url": URL, "secret": "whsec_mine"}, "/secret", "unknown key"),
    ],
)
async def test_what_cannot_be_is_refused_where_it_is_made_and_changed(api, body, pointer, why):
    problem = await api("POST", "/v1/webhooks", 422, json=body)
    assert problem["errors"][0]["pointer"] == pointer
    assert why in problem["errors"][0]["detail"]
    made = await api("POST", "/v1/webhooks", 201, json={"url": URL})
    problem = await api("PATCH", f"/v1/webhooks/{made['id']}", 422, json=body)
    assert problem["detail"]


async def test_a_campaigns_address_is_held_to_the_same_rules(api):
    problem = await api(
        "POST",
        "/v1/campaigns",
        422,
        json={"name": "Spring", "trunks": ["pbx"], "webhook_url": "http://169.254.169.254/"},
    )
    assert problem["errors"][0]["pointer"] == "/webhook_url"
    path = await api.campaign(webhook_url=URL)
    problem = await api("PATCH", path, 422, json={"webhook_url": "https://[::1]/"})
    assert "::1 is a loopback address" in problem["detail"]


async def test_the_configuration_allows_more(pool, serve):
    rules = WebhookRules(allow_http=True, allow_private=True)
    async with serve(pool, webhook_rules=rules) as api:
        await api("POST", "/v1/webhooks", 201, json={"url": "http://127.0.0.1/hook"})


async def test_no_answer_but_that_of_its_making_holds_a_secret(api):
    made = await api("POST", "/v1/webhooks", 201, json={"url": URL})
    path = f"/v1/webhooks/{made['id']}"
    fresh = await api("POST", f"{path}/secret", 201)
    assert fresh["secret"] != made["secret"]
    account = await api("POST", "/v1/account/webhook-secret", 201, json={"overlap_hours": 0})
    delivery = await api("POST", f"{path}/test", 202)
    shown = [
        await api("GET", "/v1/webhooks"),
        await api("GET", path),
        await api("PATCH", path, json={"description": "x"}),
        await api("GET", f"{path}/deliveries"),
        await api("GET", f"/v1/webhooks/deliveries/{delivery['id']}"),
    ]
    for one in (made, fresh, account):
        assert one["secret"] not in str(shown)
    assert "whsec_" not in str(shown)


async def test_secrets_are_sealed_where_there_is_a_key_and_what_was_clear_is_at_the_next_start(
    pool, serve, api
):
    await api("POST", "/v1/webhooks", 201, json={"url": URL})
    box = SecretBox(Fernet.generate_key().decode())
    async with serve(pool, secret_box=box) as sealing:
        made = await sealing("POST", "/v1/webhooks", 201, json={"url": URL})
    query = "SELECT secret FROM webhook_secrets ORDER BY id"
    clear, sealed = (row["secret"] for row in await pool.fetch(query))
    assert clear.startswith("whsec_")
    assert (box.open(sealed), "whsec_" in sealed) == (made["secret"], False)
    assert await webhook_secrets.seal_all(pool, box) == 0
    assert [box.open(row["secret"]) for row in await pool.fetch(query)] == [clear, made["secret"]]
    assert "whsec_" not in str(await pool.fetch(query))
    assert await webhook_secrets.seal_all(pool, SecretBox()) == 2


async def test_a_test_is_sent_once_and_can_be_looked_at(client, pool):
    made = await client.webhooks.create(URL)
    sent = await client.webhooks.test(made.id)
    assert (sent.kind, sent.status, sent.message_id) == (
        "webhook.test", "pending", f"test-{sent.id}",
    )  # fmt: skip
    assert await client.webhooks.delivery(sent.id) == sent
    with pytest.raises(ApiProblem, match="is pending, and will be sent by itself"):
        await client.webhooks.resend(sent.id)
    await client.webhooks.change(made.id, enabled=False)
    with pytest.raises(ApiProblem, match=r"is disabled \(by a person\); enable it first"):
        await client.webhooks.test(made.id)
    assert await webhook_upkeep.close(pool, HOUR) == 1
    dead = await client.webhooks.delivery(sent.id)
    assert (dead.status, dead.problem) == ("dead", "the receiver is disabled: by a person")
    await client.webhooks.delete(made.id)
    with pytest.raises(ApiProblem, match=f"there is no delivery {sent.id}"):
        await client.webhooks.delivery(sent.id)
    assert await webhook_upkeep.delete(pool) == 1
    assert await pool.fetchval("SELECT count(*) FROM webhook_endpoints") == 0


async def test_dead_deliveries_are_listed_and_sent_again(client, pool):
    made = await client.webhooks.create(URL)
    await scene.campaign(pool)
    while await pool.fetchval("SELECT count(*) FROM webhook_deliveries") < 2:
        await webhook_queue.fan_out(pool, HOUR)
    await pool.execute(DEAD)
    page = await client.webhooks.deliveries(made.id, status="dead", limit=1)
    [last] = page.items
    assert (last.kind, last.problem, last.attempts) == (
        "campaign.in_progress", "it answered 500", 3,
    )  # fmt: skip
    [first] = (await client.webhooks.deliveries(made.id, limit=1, cursor=page.next_cursor)).items
    assert first.kind == "campaign.draft"
    assert await client.webhooks.resend_dead(made.id) == 2
    # in their order: the second waits for the first
    assert (await client.webhooks.delivery(first.id)).next_attempt_at is not None
    assert (await client.webhooks.delivery(last.id)).next_attempt_at is None
    assert (await client.webhooks.deliveries(made.id, status="dead")).items == []
    await pool.execute(DEAD)
    assert (await client.webhooks.resend(last.id)).status == "pending"
    await client.webhooks.change(made.id, enabled=False)
    with pytest.raises(ApiProblem, match="enable it first"):
        await client.webhooks.resend(first.id)
    with pytest.raises(ApiProblem, match="enable it first"):
        await client.webhooks.resend_dead(made.id)


async def test_a_receiver_of_campaigns_is_listed_and_belongs_to_them(api, client):
    path = await api.campaign(webhook_url=URL)
    other = await api.campaign(webhook_url=URL)
    [found] = (await client.webhooks.page()).items
    assert (found.url, found.of_campaigns) == (URL, True)
    with pytest.raises(ApiProblem, match="change it there"):
        await client.webhooks.change(found.id, url=f"{URL}/2")
    with pytest.raises(ApiProblem, match="set that to null first"):
        await client.webhooks.delete(found.id)
    await client.webhooks.change(found.id, enabled=False)
    # naming it anew means that it is wanted again
    await api("PATCH", path, json={"webhook_url": None})
    assert (await client.webhooks.get(found.id)).enabled is False
    await api("PATCH", path, json={"webhook_url": URL})
    assert (await client.webhooks.get(found.id)).enabled is True
    for one in (path, other):
        await api("PATCH", one, json={"webhook_url": None})
    await client.webhooks.delete(found.id)


async def test_an_account_has_so_many_receivers_and_no_more(client, pool):
    await pool.execute(
        "INSERT INTO webhook_endpoints (account_id, url) SELECT $1, $2 FROM generate_series(1, 50)",
        DEFAULT_ACCOUNT,
        URL,
    )
    with pytest.raises(ApiProblem, match="50 webhooks at the most") as refused:
        await client.webhooks.create(URL)
    assert refused.value.status == 409

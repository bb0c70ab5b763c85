"""One account never sees or touches what is another's, by any route of the table."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re
import zipfile

import pytest
from tests.api.conftest import served
from tests.db import scene

from dialer.api.routes import ROUTES
from dialer.campaign.moves import CampaignAction
from dialer.campaign.role import Role
from dialer.recordings.folder_place import FolderPlace
from dialer.store import (
    accounts,
    audit,
    calls,
    campaigns,
    do_not_call,
    imports,
    numbers,
    promotion,
    recordings,
    tokens,
    traces,
    webhook_endpoints,
    webhook_queue,
)
from dialer.store.account_records import AccountSettings, NewListing
from dialer.store.records import LegTrace, NewCall, Passage, SkippedRow
from dialer.store.secret_box import SecretBox

NUMBER = "+49307654321"
TRUNK = "carrier"  # which only acme may use
MARKS = (NUMBER, "acme", TRUNK)  # what only answers to acme may hold

SENT = True

# What a route is sent where it needs a body or a query to get as far as looking for something.
BODIES = {
    "createCampaign": {"name": "Summer", "trunks": ["pbx"], "caller_ids": ["+4930123456"]},
    "changeCampaign": {"name": "Summer"},
    "addNumbers": ["+493012345"],
    "removeNumbers": {"numbers": [NUMBER]},
    "checkList": ["+493012345"],
    "openSession": {"token": "none-of-theirs"},
    "createToken": {"name": "another", "role": "viewer"},
    "addDoNotCall": ["+493012345"],
    "finishCampaign": {"hang_up": True},
    "requeueCalls": {"statuses": ["completed_without_answer"]},
    "cloneCampaign": {"name": "Summer"},
    "erasePerson": {"number": NUMBER},
    "createWebhook": {"url": "https://example.com/hook"},
    "changeWebhook": {"description": "theirs"},
}
QUERIES = {"removeDoNotCall": {"phone": NUMBER}, "streamEvents": {"last_event_id": "1-1"}}
# Routes without an id in their path that make something in the account of the token.
MAKE = {
    "createCampaign", "createToken", "addDoNotCall", "createWebhook",
    "replaceAccountWebhookSecret",
}  # fmt: skip
# Routes that say only something of what they are sent.
SAY = {"checkList", "erasePerson"}
# Routes that say the same to all accounts: what the configuration has for all.
SHARED = {"listPrompts", "listBotSecrets"}
# Routes without an id that look for something by their query: it is not there for others.
LOOK = {"removeDoNotCall"}
FINE = {200, 201, 202, 204, 409}  # the state of what was found may not allow it
SNAPSHOT = """
SELECT string_agg((to_jsonb(t) - 'last_used_at')::text, '|' ORDER BY t::text)
FROM {} AS t WHERE t.account_id = $1
"""


def _readable(content):
    """The text of an answer; a workbook is a ZIP file of texts."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            content = b"".join(book.read(name) for name in book.namelist())
    return content.decode("latin-1")


async def _answered(route, response):
    """The text of an answer; of a stream, what has happened so far."""
    if route.answer == "text/event-stream" and response.status == 200:
        return (await response.content.readuntil(b"event: hello")).decode()
    return _readable(await response.read())


@dataclasses.dataclass
class World:
    """An account that has one of everything, and another that has nothing."""

    pool: object
    api: object
    acme: int
    ids: dict
    tokens: dict

    async def ask(self, route, whose):
        """Return the status, and which marks stand in the answer that did not in the request."""
        path = re.sub(r"{\w+}", self._place, route.path)
        body = BODIES.get(route.name)
        sent = f"{path} {body} {QUERIES.get(route.name)}"
        async with self.api.client.request(
            route.method,
            path,
            params=QUERIES.get(route.name),
            headers={"Authorization": f"Bearer {self.tokens[whose]}"},
            **({} if body is None else {"json": body}),
        ) as response:
            text = await _answered(route, response)
            return response.status, [mark for mark in MARKS if mark in text and mark not in sent]

    def _place(self, found):
        """Whose id stands in a path, by the word before it."""
        before = found.string[: found.start()].rstrip("/").rpartition("/")[2]
        return str(self.ids[before])

    async def snapshot(self):
        tables = await self.pool.fetch("""
            SELECT table_name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name = 'account_id' ORDER BY 1""")
        assert len(tables) > 5
        return {
            table: await self.pool.fetchval(SNAPSHOT.format(table), self.acme)
            for (table,) in tables
        }


@pytest.fixture
async def world(pool, tmp_path):
    acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
    other = (await accounts.create(pool, AccountSettings(name="other"))).id
    secrets = {
        "acme": (await tokens.create(pool, acme, "acme's shop", Role.ADMIN))[0],
        "other": (await tokens.create(pool, other, "shop", Role.ADMIN))[0],
    }
    settings = dataclasses.replace(scene.SETTINGS, name="acme's spring", trunks=(TRUNK,))
    _, webhook = await webhook_endpoints.create(
        pool, SecretBox(), acme, "https://acme.example.com", description="acme's"
    )
    campaign = await campaigns.create(pool, acme, settings)
    made = await imports.begin(pool, acme, campaign.id, NUMBER)
    skipped = [SkippedRow(3, NUMBER, "a reason")]
    await numbers.add(
        pool,
        acme,
        campaign.id,
        [NewCall(NUMBER), NewCall("+4930333333")],
        import_id=made,
        rejected=skipped,
    )
    await campaigns.act(pool, acme, campaign.id, CampaignAction.START)
    await promotion.promote(pool)
    node = await scene.node(pool)
    [leg] = await node.dial(await node.claim(campaign, 1, {TRUNK: 1}))
    await do_not_call.add(pool, acme, [NewListing(NUMBER)], "api")
    await pool.execute("UPDATE legs SET outcome = 'trunk_congested', rule = 'a rule'")
    passage = Passage(
        dt.datetime.now(dt.UTC), SENT, "udp", "192.0.2.9", 5060, "192.0.2.1", 5060,
        b"INVITE sip:" + NUMBER.encode(),
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO events (account_id, kind, data) VALUES ($1, 'call.planned', $2)",
        acme,
        {"number": NUMBER},
    )
    await traces.keep(pool, [LegTrace(leg.call_id, leg.attempt_id, 0, (passage,))])
    await audit.write(
        pool,
        audit.NewEntry(
            acme, None, "acme's shop", "admin", "192.0.2.7", "r1", "startCampaign", "POST",
            f"/v1/campaigns/{campaign.id}/start", campaign.id, str(campaign.id), 200, {},
        ),
    )  # fmt: skip
    while not await pool.fetchval("SELECT count(*) FROM webhook_deliveries"):
        await webhook_queue.fan_out(pool, dt.timedelta(hours=1))
    recording = scene.recording(
        (await calls.get(pool, acme, leg.call_id)).call, consent_detail=NUMBER, sealed=False
    )
    (tmp_path / "sound").write_bytes(bytes(recording.octets))
    place = FolderPlace(tmp_path / "kept")
    await place.put(recording.place_key, tmp_path / "sound")
    assert await recordings.add(pool, recording)
    ids = {
        "recordings": recording.id,
        "campaigns": campaign.id,
        "campaign": "cc_nobody",
        "calls": leg.call_id,
        "imports": made,
        "tokens": await pool.fetchval("SELECT id FROM tokens WHERE account_id = $1", acme),
        "trunks": TRUNK,
        "webhooks": webhook.id,
        "deliveries": await pool.fetchval("SELECT min(id) FROM webhook_deliveries"),
    }
    async with served(pool, trunk_accounts={TRUNK: {acme}}, recordings=place) as api:
        yield World(pool, api, acme, ids, secrets)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_one_account_never_sees_anothers_data(world, route):
    before = await world.snapshot()
    status, seen = await world.ask(route, "other")
    assert seen == []
    assert await world.snapshot() == before
    if route.public:
        return
    if route.instance:
        assert status == 403
        return
    looks = "{" in route.path or route.name in LOOK
    assert status in ({404} if looks else {200, 201})
    # and none of this is so because the request would come to nothing for anybody
    status, seen = await world.ask(route, "acme")
    assert status in FINE
    if not looks and route.name not in MAKE | SAY | SHARED:
        assert seen != []


async def test_another_account_sees_of_a_trunk_its_own_calls_only(world):
    await world.pool.execute("UPDATE campaigns SET trunks = '{pbx}'")
    await world.pool.execute("UPDATE calls SET trunk = 'pbx' WHERE trunk IS NOT NULL")
    await world.pool.execute("UPDATE legs SET trunk = 'pbx'")

    async def seen(whose):
        headers = {"Authorization": f"Bearer {world.tokens[whose]}"} if whose else {}
        trunk = await world.api("GET", "/v1/trunks/pbx", headers=headers)
        return trunk["calls_up"], trunk["last_hour"]["calls"], len(trunk["recent_failures"])

    assert await seen("acme") == (1, 1, 1)
    assert await seen("other") == (0, 0, 0)
    assert await seen(None) == (1, 1, 1)  # the default account, whose people run the instance


async def test_a_campaign_cannot_name_a_trunk_that_its_account_may_not_use(world):
    settings = {"name": "Spring", "caller_ids": ["+4930123456"], "trunks": [TRUNK]}
    for whose, status in (("acme", 201), ("other", 422)):
        headers = {"Authorization": f"Bearer {world.tokens[whose]}"}
        answer = await world.api("POST", "/v1/campaigns", status, json=settings, headers=headers)
    assert answer["errors"] == [{
        "pointer": "/trunks/0",
        "detail": "there is no trunk 'carrier' in the configuration; it has pbx",
    }]  # fmt: skip
    headers = {"Authorization": f"Bearer {world.tokens['other']}"}
    made = await world.api(
        "POST", "/v1/campaigns", 201, json={**settings, "trunks": ["pbx"]}, headers=headers
    )
    path = f"/v1/campaigns/{made['id']}"
    await world.api("PATCH", path, 422, json={"trunks": [TRUNK]}, headers=headers)


async def test_a_lesser_role_is_refused_by_every_route_with_the_role_that_it_needs(pool):
    secrets = {role: (await tokens.create(pool, 1, f"the {role}", role))[0] for role in Role}
    async with served(pool) as api:
        for route in ROUTES:
            path = re.sub(r"{\w+}", "999999", route.path)
            for role, secret in secrets.items():
                headers = {"Authorization": f"Bearer {secret}"}
                async with api.client.request(route.method, path, headers=headers) as response:
                    text = await _answered(route, response)
                    enough = route.public or role.may(route.role)
                    assert (response.status == 403) is not enough, (route.name, role, text)
                    if not enough and route.method != "HEAD":  # whose answer has no body
                        assert f"needs the role {route.role};" in text
                        assert f"'the {role}' has the role {role}" in text


def test_who_only_reads_needs_no_more_than_a_viewer_and_who_changes_does():
    for route in ROUTES:
        if not route.public and route.name not in {"listTokens", "listAudit", "getRecordingAudio"}:
            assert (route.role is Role.VIEWER) is (route.method == "GET"), route.name

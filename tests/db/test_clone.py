from __future__ import annotations

import json

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import campaigns, clone
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT, NewCall

# Of each setting a value that is not its default, where the table's type does not say one.
UNUSUAL = {
    "trunk_order": "'weighted'",
    "window_zone": "'campaign'",
    "time_zone": "'Europe/Berlin'",
    "retry_jitter_percent": "17",
}
BY_TYPE = {
    "text": "'unusual'",
    "text[]": "'{unusual}'",
    "integer": "91",
    "bigint": "91",
    "double precision": "9.25",
    "boolean": "true",
    "jsonb": """'{"unusual": 1}'""",
    "timestamp with time zone": "'2030-01-02T03:04:05Z'",
    "date[]": "'{2030-01-02}'",
}


async def cloned(pool, campaign, which="none", name="Again"):
    return await clone.clone(pool, DEFAULT_ACCOUNT, campaign.id, name, which)


async def listed(pool, campaign, *columns):
    found = await pool.fetch(
        f"SELECT {', '.join(columns)} FROM calls WHERE campaign_id = $1 ORDER BY id", campaign.id
    )
    return [tuple(row) for row in found]


async def test_a_clone_is_a_draft_with_every_setting_of_its_campaign(pool):
    campaign = await campaigns.create(pool, DEFAULT_ACCOUNT, scene.SETTINGS)
    columns = {
        row["name"]: row["type"]
        for row in await pool.fetch(
            """SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
            WHERE attrelid = 'campaigns'::regclass AND attnum > 0 AND NOT attisdropped"""
        )
    }
    settings = columns.keys() - clone.CAMPAIGN_STATE - {"account_id"}
    unusual = {name: UNUSUAL.get(name, BY_TYPE[columns[name]]) for name in settings}
    sets = ", ".join(f"{name} = {value}" for name, value in unusual.items())
    await pool.execute(f"UPDATE campaigns SET {sets} WHERE id = $1", campaign.id)
    made, added = await cloned(pool, campaign)
    assert added == 0
    query = "SELECT to_jsonb(campaigns) FROM campaigns WHERE id = $1"
    before, after = [await pool.fetchval(query, one.id) for one in (campaign, made)]
    assert {name: after[name] for name in settings} == {name: before[name] for name in settings}
    usual = await campaigns.create(pool, DEFAULT_ACCOUNT, scene.SETTINGS)
    fresh = await pool.fetchval(query, usual.id)
    assert [name for name in settings if after[name] == fresh[name]] == [], json.dumps(after)
    assert (after["status"], after["version"], after["name"]) == ("draft", 1, "Again")
    assert (after["cloned_from"], after["account_id"]) == (campaign.id, DEFAULT_ACCOUNT)


async def test_what_is_no_setting_is_named_as_it_is_in_the_tables(pool):
    for table, state in (("campaigns", clone.CAMPAIGN_STATE), ("calls", clone.CALL_STATE)):
        found = await pool.fetch(clone.COLUMNS, table)
        assert state <= {row["attname"] for row in found}


async def of_two_ends(pool):
    """A campaign in progress: answered, busy for good, erased, still planned."""
    campaign = await scene.campaign(pool)
    rows = [
        NewCall("+49301", payload={"a": "1"}, priority=3, max_attempts=7),
        NewCall("+49302", retry_interval_seconds=60),
        NewCall("+49303"),
        NewCall("+49304", dialable=False, problem="too short"),
    ]
    await scene.numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, rows)
    await scene.promotion.promote(pool)
    node = await scene.node(pool)
    first, second = await node.dial_all(campaign, 2)
    await node.end([first])
    await node.end([second], scene.verdict("busy", scene.CallStatus.COMPLETED_WITHOUT_ANSWER))
    await pool.execute("UPDATE calls SET erased_at = now() WHERE number = '+49303'")
    return campaign


@pytest.mark.parametrize(
    ("which", "expected"),
    [("none", []), ("all", ["+49301", "+49302", "+49304"]), ("not_answered", ["+49302", "+49304"])],
)
async def test_its_numbers_come_as_planned_and_never_tried(pool, which, expected):
    campaign = await of_two_ends(pool)
    made, added = await cloned(pool, campaign, which)
    found = await listed(pool, made, "number", "status", "attempts", "attempt_id", "position")
    assert added == len(expected)
    assert found == [(number, "planned", 0, None, i) for i, number in enumerate(expected, 1)]
    own = ("payload", "priority", "max_attempts", "retry_interval_seconds", "dialable", "problem")
    theirs = dict(zip(*await columns_of(pool, campaign, own), strict=True))
    for number, *rest in await listed(pool, made, "number", *own):
        assert theirs[number] == tuple(rest)
    next_numbers = await listed(pool, made, "next_number")
    assert next_numbers == [(number,) for number in expected]


async def test_a_last_time_that_has_passed_is_not_cloned_and_one_to_come_is(pool):
    campaign = await scene.campaign(pool)
    passed, to_come = scene.soon(-1), scene.soon(1)
    rows = [NewCall("+49301", not_after=passed), NewCall("+49302", not_after=to_come)]
    await scene.numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, rows)
    made, _ = await cloned(pool, campaign, "all")
    assert await listed(pool, made, "number", "not_after") == [
        ("+49301", None),
        ("+49302", to_come),
    ]


async def columns_of(pool, campaign, own):
    rows = await listed(pool, campaign, "number", *own)
    return [row[0] for row in rows], [row[1:] for row in rows]


async def test_a_finished_campaign_can_be_cloned_and_the_clone_is_dialled(pool):
    campaign = await of_two_ends(pool)
    await scene.act(pool, campaign, CampaignAction.FINISH)
    made, _ = await cloned(pool, campaign, "all")
    await scene.act(pool, made, CampaignAction.START)
    await scene.promotion.promote(pool)
    claimed = await scene.Node(pool, "one", 1).claim(made)
    assert [call.number for call in claimed] == ["+49301", "+49302", "+49304"]


async def test_a_deleted_campaign_and_another_accounts_cannot_be_cloned(pool):
    campaign = await scene.campaign(pool, 1)
    with pytest.raises(NotFound):
        await clone.clone(pool, 2, campaign.id, "Theirs", "all")
    await scene.act(pool, campaign, CampaignAction.DELETE)
    with pytest.raises(NotFound):
        await cloned(pool, campaign, "all")


async def test_a_long_list_is_cloned_in_batches_in_list_order_with_its_schedules(pool, monkeypatch):
    monkeypatch.setattr(clone, "BATCH", 10)
    campaign = await scene.campaign(pool, 25)
    zone = await pool.fetchval(
        "INSERT INTO schedules (campaign_id, time_zone) VALUES ($1, 'Asia/Tokyo') RETURNING id",
        campaign.id,
    )
    await pool.execute("UPDATE calls SET schedule_id = $1 WHERE position % 2 = 0", zone)
    made, added = await cloned(pool, campaign, "all")
    assert added == 25
    assert [n for (n,) in await listed(pool, made, "number")] == [
        n for (n,) in await listed(pool, campaign, "number")
    ]
    found = await pool.fetch(
        """SELECT k.position, s.campaign_id, s.time_zone FROM calls k
        JOIN schedules s ON s.id = k.schedule_id
        WHERE k.campaign_id = $1 AND k.position % 2 = 0""",
        made.id,
    )
    assert len(found) == 12
    assert {(row["campaign_id"], row["time_zone"]) for row in found} == {(made.id, "Asia/Tokyo")}

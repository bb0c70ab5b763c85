from __future__ import annotations

import datetime as dt

from tests.engine.scene import eventually, numbers_of

from dialer.campaign.moves import CampaignAction


async def test_an_engine_forgets_the_calls_of_finished_campaigns_when_their_time_is_over(scene):
    listed = numbers_of("4860", 5)
    going_on, finished = await scene.campaign(listed), await scene.campaign(listed)
    await scene.act(going_on, CampaignAction.PAUSE)
    await scene.act(finished, CampaignAction.FINISH)
    for change in (
        "UPDATE calls SET updated_at = now() - interval '31 days'",
        "UPDATE campaigns SET finished_at = finished_at - interval '31 days'",
    ):
        await scene.pool.execute(change)
    await scene.node(keep=dt.timedelta(days=30))

    async def forgotten():
        return not await scene.statuses(finished)

    await eventually(forgotten)
    assert await scene.statuses(going_on) == {"planned": 5}


async def test_an_engine_forgets_keys_after_a_day_and_who_did_what_when_it_is_told_to(scene):
    pool = scene.pool
    await pool.execute("""
        INSERT INTO idempotency_keys (account_id, key_hash, fingerprint, created_at)
        SELECT 1, n::text::bytea, '', now() - n * interval '20 hours' FROM generate_series(1, 3) n
    """)
    await pool.execute("""
        INSERT INTO audit_log (account_id, at, token_name, role, address, request_id, route, method,
            path, status)
        SELECT 1, now() - n * interval '20 days', '', 'admin', '', '', '', '', '', 200
        FROM generate_series(1, 3) n
    """)
    await scene.node()

    async def keys_forgotten():
        return await pool.fetchval("SELECT count(*) FROM idempotency_keys") == 1

    await eventually(keys_forgotten)
    assert await pool.fetchval("SELECT count(*) FROM audit_log") == 3
    await scene.node(name="another", keep_audit=dt.timedelta(days=30))

    async def log_forgotten():
        return await pool.fetchval("SELECT count(*) FROM audit_log") == 1

    await eventually(log_forgotten)

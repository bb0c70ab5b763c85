from __future__ import annotations

import asyncio
import dataclasses

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.role import Role
from dialer.store import accounts, campaigns, tokens
from dialer.store.account_records import AccountSettings
from dialer.store.errors import NotFound, Refused
from dialer.store.pool import transaction
from dialer.store.records import DEFAULT_ACCOUNT

PLAN = AccountSettings(
    name="acme",
    time_zone="Europe/Berlin",
    minutes=1000,
    unique_users=50,
    increment_seconds=6,
    period="week",
    anchor_day=15,
    max_simultaneous_calls=7,
    allowed_prefixes=("+49", "+43"),
    attempts_per_day=2,
    attempts_per_week=5,
)


async def test_an_account_has_its_plan(pool):
    made = await accounts.create(pool, PLAN)
    assert made.settings == PLAN
    assert await accounts.get(pool, made.id) == made
    assert await accounts.find(pool, "acme") == made
    assert await accounts.find(pool, str(made.id)) == made


async def test_the_default_account_has_no_limits(pool):
    found = await accounts.get(pool, DEFAULT_ACCOUNT)
    assert found.settings == AccountSettings(name="default")


async def test_an_account_that_is_not_there(pool):
    for name in ("acme", "9", "9" * 30, "\0", "\u0663"):
        with pytest.raises(NotFound, match="there is no account"):
            await accounts.find(pool, name)
    with pytest.raises(NotFound):
        await accounts.get(pool, 9)
    with pytest.raises(NotFound):
        await accounts.change(pool, 9, {"minutes": 1})


async def test_only_what_is_named_is_changed(pool):
    made = await accounts.create(pool, PLAN)
    changed = await accounts.change(pool, made.id, {"minutes": None, "allowed_prefixes": ()})
    assert changed.settings == dataclasses.replace(PLAN, minutes=None, allowed_prefixes=())
    assert await accounts.get(pool, made.id) == changed


async def test_two_accounts_never_have_one_name(pool):
    made = await accounts.create(pool, PLAN)
    with pytest.raises(Refused, match="there is an account acme already"):
        await accounts.create(pool, PLAN)
    with pytest.raises(Refused, match="there is an account default already"):
        await accounts.change(pool, made.id, {"name": "default"})


async def test_closing_is_refused_while_campaigns_are_not_finished(pool):
    made = await accounts.create(pool, PLAN)
    drafts = [await campaigns.create(pool, made.id, scene.SETTINGS) for _ in range(7)]
    five = ", ".join(str(one.id) for one in drafts[:5])
    with pytest.raises(Refused, match=f"not finished: {five} and others"):
        await accounts.close(pool, made.id)
    for one in drafts:
        await campaigns.act(pool, made.id, one.id, CampaignAction.DELETE)
    closed = await accounts.close(pool, made.id)
    assert closed.closed_at is not None
    last = "SELECT kind FROM events WHERE account_id = $1 ORDER BY id DESC LIMIT 1"
    assert await pool.fetchval(last, made.id) == "account.closed"


async def test_a_closed_account_takes_nothing_new(pool):
    made = await accounts.create(pool, PLAN)
    await accounts.close(pool, made.id)
    with pytest.raises(NotFound, match="closed"):
        await campaigns.create(pool, made.id, scene.SETTINGS)
    with pytest.raises(Refused, match="closed"):
        await tokens.create(pool, made.id, "late", Role.ADMIN)
    for action in (accounts.close(pool, made.id), accounts.change(pool, made.id, {"minutes": 1})):
        with pytest.raises(Refused, match="was closed on"):
            await action
    assert [one.id for one in await accounts.list_all(pool)] == [DEFAULT_ACCOUNT]
    assert [one.id for one in await accounts.list_all(pool, closed=True)] == [1, made.id]


async def test_no_campaign_slips_into_an_account_that_is_being_closed(pool):
    made = await accounts.create(pool, PLAN)
    async with pool.acquire() as held, transaction(held):
        await accounts.close(held, made.id)
        creating = asyncio.create_task(campaigns.create(pool, made.id, scene.SETTINGS))
        await scene.waiting_for_a_lock(pool)
    with pytest.raises(NotFound):
        await creating


async def test_no_account_is_closed_under_a_campaign_that_is_being_created(pool):
    made = await accounts.create(pool, PLAN)
    async with pool.acquire() as held, transaction(held):
        await campaigns.create(held, made.id, scene.SETTINGS)
        closing = asyncio.create_task(accounts.close(pool, made.id))
        await scene.waiting_for_a_lock(pool)
    with pytest.raises(Refused, match="not finished"):
        await closing


async def test_the_default_account_is_never_closed(pool):
    with pytest.raises(Refused, match="the default one"):
        await accounts.close(pool, DEFAULT_ACCOUNT)

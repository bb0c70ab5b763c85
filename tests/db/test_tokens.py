from __future__ import annotations

import datetime as dt

import pytest

from dialer.campaign.role import Role
from dialer.store import accounts, tokens
from dialer.store.account_records import AccountSettings, Bearer
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


async def made(pool, role=Role.OPERATOR, **more):
    return await tokens.create(pool, DEFAULT_ACCOUNT, "shop", role, **more)


async def last_used(pool):
    return await pool.fetchval("SELECT last_used_at FROM tokens")


async def test_a_token_is_shown_once_and_kept_as_a_hash(pool):
    secret, token = await made(pool)
    assert secret.startswith("dialer_")
    assert tokens.well_formed(secret)
    assert secret not in str(await pool.fetch("SELECT * FROM tokens"))
    assert secret not in repr(token)
    other, _ = await made(pool)
    assert other != secret


async def test_a_token_says_who_shows_it(pool):
    secret, token = await made(pool, Role.VIEWER)
    shows = await tokens.bearer(pool, secret)
    assert shows == Bearer(DEFAULT_ACCOUNT, Role.VIEWER, "shop", token.id)
    assert await tokens.bearer(pool, secret[:-1] + ("A" if secret[-1] != "A" else "B")) is None


@pytest.mark.parametrize(
    "text", ["", "dialer_", "dialer_" + "x" * 42, "x" * 50, "dialer_" + "ä" * 43]
)
def test_what_is_no_token_is_seen_without_the_database(text):
    assert not tokens.well_formed(text)


async def test_a_token_works_until_it_expires(pool):
    secret, _ = await made(pool, expires_at=NOW)
    assert await tokens.bearer(pool, secret, NOW - SECOND) is not None
    assert await tokens.bearer(pool, secret, NOW) is None


async def test_a_revoked_token_works_no_more(pool):
    secret, token = await made(pool)
    revoked = await tokens.revoke(pool, DEFAULT_ACCOUNT, token.id, NOW)
    assert revoked.revoked_at == NOW
    assert await tokens.bearer(pool, secret) is None
    again = await tokens.revoke(pool, DEFAULT_ACCOUNT, token.id, NOW + SECOND)
    assert again.revoked_at == NOW


async def test_tokens_of_a_closed_account_work_no_more(pool):
    account = await accounts.create(pool, AccountSettings(name="acme"))
    secret, _ = await tokens.create(pool, account.id, "shop", Role.ADMIN)
    assert await tokens.bearer(pool, secret) is not None
    await accounts.close(pool, account.id)
    assert await tokens.bearer(pool, secret) is None


async def test_nobody_revokes_or_lists_the_tokens_of_another_account(pool):
    account = await accounts.create(pool, AccountSettings(name="acme"))
    secret, token = await made(pool)
    with pytest.raises(NotFound):
        await tokens.revoke(pool, account.id, token.id)
    assert await tokens.bearer(pool, secret) is not None
    assert await tokens.list_all(pool, account.id) == []
    assert [one.id for one in await tokens.list_all(pool, DEFAULT_ACCOUNT)] == [token.id]


async def test_use_is_written_once_a_minute_and_not_at_each_request(pool):
    secret, _ = await made(pool)
    assert await last_used(pool) is None
    await tokens.bearer(pool, secret, NOW)
    assert await last_used(pool) == NOW
    await tokens.bearer(pool, secret, NOW + 59 * SECOND)
    assert await last_used(pool) == NOW
    await tokens.bearer(pool, secret, NOW + 61 * SECOND)
    assert await last_used(pool) == NOW + 61 * SECOND

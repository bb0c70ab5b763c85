"""Tokens of accounts: who may ask, how long one works, and what is said where it does not."""

from __future__ import annotations

import pytest
from tests.driven_clock import DrivenClock

from dialer.api.bearers import KEPT_SECONDS, MOST_KEPT, Bearers
from dialer.campaign.role import Role
from dialer.store import accounts, tokens
from dialer.store.account_records import AccountSettings, Bearer
from dialer.store.records import DEFAULT_ACCOUNT

CONFIGURED = "t0ken-with-more-than-16-characters"


def shown(secret):
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def clock():
    return DrivenClock()


async def made(pool, role=Role.ADMIN, name="shop", account=DEFAULT_ACCOUNT):
    return await tokens.create(pool, account, name, role)


async def test_a_token_is_of_one_account_and_has_one_role(pool, serve):
    acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
    secret, _ = await made(pool, Role.VIEWER, account=acme)
    async with serve(pool, token=CONFIGURED) as api:
        account = await api("GET", "/v1/account", headers=shown(secret))
        assert (account["id"], account["settings"]["name"]) == (acme, "acme")
        assert account["token"] == {"name": "shop", "role": "viewer"}


async def test_the_token_of_the_configuration_is_an_admin_of_the_default_account(pool, serve):
    async with serve(pool, token=CONFIGURED) as api:
        account = await api("GET", "/v1/account", headers=shown(CONFIGURED))
        assert account["id"] == DEFAULT_ACCOUNT
        assert account["token"] == {"name": "of the configuration", "role": "admin"}
        await api("GET", "/v1/account", 401)


async def test_on_loopback_without_a_token_everybody_is_an_admin_of_the_default_account(api):
    account = await api("GET", "/v1/account")
    assert (account["id"], account["token"]["role"]) == (DEFAULT_ACCOUNT, "admin")


@pytest.mark.parametrize(
    "secret", ["", "x", CONFIGURED, "dialer_" + "A" * 43, "dialer_" + "A" * 42, "dialer_\xff"]
)
async def test_a_bearer_token_that_is_given_is_always_checked(api, secret):
    problem = await api("GET", "/v1/campaigns", 401, headers=shown(secret))
    assert problem["headers"]["WWW-Authenticate"].startswith("Bearer")
    assert not secret or secret not in problem["detail"]


async def test_what_works_is_not_asked_again_for_a_few_seconds(pool, clock):
    bearers = Bearers(pool, None, clock)
    secret, token = await made(pool)
    assert await bearers.find(secret) == Bearer(DEFAULT_ACCOUNT, Role.ADMIN, "shop", token.id)
    await tokens.revoke(pool, DEFAULT_ACCOUNT, token.id)  # as on another node
    clock.advance(KEPT_SECONDS - 0.1)
    assert await bearers.find(secret) is not None
    clock.advance(0.1)
    assert await bearers.find(secret) is None


async def test_a_token_that_did_not_work_is_asked_again_each_time(pool, clock):
    bearers = Bearers(pool, None, clock)
    secret, token = await made(pool)
    await pool.execute("UPDATE tokens SET revoked_at = created_at")
    assert await bearers.find(secret) is None
    await pool.execute("UPDATE tokens SET revoked_at = NULL WHERE id = $1", token.id)
    assert await bearers.find(secret) is not None


async def test_few_tokens_are_kept_in_mind(pool, clock):
    bearers = Bearers(pool, None, clock)
    secret, _ = await made(pool)
    bearers._kept = {str(number): (0.0, None) for number in range(MOST_KEPT)}
    await bearers.find(secret)
    assert len(bearers._kept) == MOST_KEPT
    assert secret in bearers._kept


async def test_a_token_that_is_revoked_here_works_no_more_at_once(pool, api):
    secret, token = await made(pool)
    await api("GET", "/v1/campaigns", headers=shown(secret))
    await api("DELETE", f"/v1/tokens/{token.id}", 204, headers=shown(secret))
    await api("GET", "/v1/campaigns", 401, headers=shown(secret))


async def test_a_token_that_was_made_works_and_is_shown_once(api):
    asked = {"name": " Shop ", "role": "operator", "expires_at": "2999-01-01T00:00:00+01:00"}
    token = await api("POST", "/v1/tokens", 201, json=asked)
    secret = token.pop("secret")
    await api("GET", "/v1/campaigns", headers=shown(secret))
    problem = await api("GET", "/v1/tokens", 403, headers=shown(secret))
    assert problem["detail"] == (
        "listTokens needs the role admin; the token 'Shop' has the role operator"
    )
    [listed] = (await api("GET", "/v1/tokens"))["items"]
    assert listed.pop("last_used_at") is not None
    assert token.pop("last_used_at") is None
    assert listed == token
    assert (token["name"], token["expires_at"]) == ("Shop", "2998-12-31T23:00:00Z")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"name": "x", "role": "root"}, "/role"),
        ({"name": " ", "role": "admin"}, "/name"),
        ({"name": "x", "role": "admin", "expires_at": "2001-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "role": "admin", "expires_at": "2999-01-01T00:00:00"}, "/expires_at"),
        ({"name": "x", "role": "admin", "account_id": 2}, "/account_id"),
    ],
)
async def test_a_token_that_cannot_be_made(api, asked, pointer):
    problem = await api("POST", "/v1/tokens", 422, json=asked)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await api("GET", "/v1/tokens"))["items"] == []


async def test_what_is_about_the_instance_needs_the_default_account(pool, api):
    acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
    secret, _ = await made(pool, account=acme)
    for method, path in (("GET", "/metrics"), ("POST", "/v1/trunks/pbx/hold")):
        problem = await api(method, path, 403, headers=shown(secret))
        assert "needs a token of the default account" in problem["detail"]


async def test_without_postgres_a_token_of_an_account_is_not_known(serve, pool):
    secret, _ = await made(pool)
    async with serve(pool) as api:
        await pool.close()
        await api("GET", "/v1/campaigns", 503, headers=shown(secret))

"""Signing in with a browser, and what its cookie may do."""

from __future__ import annotations

import pytest

from dialer.campaign.role import Role
from dialer.store import accounts, tokens
from dialer.store.account_records import AccountSettings

TOKEN = "t0ken/with-more+than.16~characters=="
COOKIE = "dialer_session"


@pytest.fixture
async def guarded(pool, serve):
    async with serve(pool, token=TOKEN) as api:
        api.origin = f"http://127.0.0.1:{api.port}"
        yield api


async def sign_in(api, token, **headers):
    """The cookie that a browser gets, with all its attributes."""
    async with api.client.post("/v1/session", json={"token": token}, headers=headers) as response:
        assert response.status == 200
        return response.cookies[COOKIE]


def by_cookie(cookie, **headers):
    return {"headers": {"Cookie": f"{COOKIE}={cookie.coded_value}", **headers}}


async def test_a_browser_signs_in_reads_changes_and_signs_out(guarded):
    cookie = await sign_in(guarded, TOKEN)
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert not cookie["secure"]
    session = await guarded("GET", "/v1/session", **by_cookie(cookie))
    assert session == {
        "signed_in": True,
        "token_needed": True,
        "account": {"id": 1, "name": "default"},
        "role": "admin",
        "token": "of the configuration",
        "runs_instance": True,
    }
    await guarded("GET", "/v1/campaigns", **by_cookie(cookie))
    settings = {"name": "Spring", "trunks": ["pbx"]}
    await guarded(
        "POST", "/v1/campaigns", 201, json=settings, **by_cookie(cookie, Origin=guarded.origin)
    )
    async with guarded.client.delete(
        "/v1/session", **by_cookie(cookie, Origin=guarded.origin)
    ) as response:
        assert response.status == 204
        gone = response.cookies[COOKIE]
        assert (gone.value, gone["max-age"], gone["path"]) == ("", "0", "/")


async def test_the_cookie_is_secure_where_the_browser_speaks_https(pool, serve):
    async with serve(pool, token=TOKEN, allowed_hosts=("dialer.example.com",)) as api:
        cookie = await sign_in(
            api, TOKEN, Host="dialer.example.com", Origin="https://dialer.example.com"
        )
    assert cookie["secure"]


async def test_a_token_that_does_not_work_signs_nobody_in(guarded):
    for wrong in ("wrong", "dialer_" + 43 * "x"):
        problem = await guarded("POST", "/v1/session", 401, json={"token": wrong})
        assert "does not work" in problem["detail"]
        assert "Set-Cookie" not in problem["headers"]
    assert await guarded("GET", "/v1/session") == {
        "signed_in": False,
        "token_needed": True,
        "account": None,
        "role": None,
        "token": None,
        "runs_instance": False,
    }


async def test_where_no_token_is_needed_everybody_is_signed_in_even_with_a_strange_cookie(api):
    for headers in ({}, {"Cookie": f"{COOKIE}=of-another-service"}):
        session = await api("GET", "/v1/session", headers=headers)
        assert (session["signed_in"], session["token_needed"]) == (True, False)
        assert (session["role"], session["token"]) == ("admin", "no token")
        await api("GET", "/v1/campaigns", headers=headers)


async def test_a_change_by_cookie_needs_a_header_that_says_where_it_comes_from(guarded):
    cookie = await sign_in(guarded, TOKEN)
    settings = {"name": "Spring", "trunks": ["pbx"]}

    async def create(expect, **headers):
        return await guarded(
            "POST", "/v1/campaigns", expect, json=settings, **by_cookie(cookie, **headers)
        )

    assert "Origin or Sec-Fetch-Site" in (await create(403))["detail"]
    await create(403, Origin="http://evil.example")
    await create(403, **{"Sec-Fetch-Site": "cross-site"})
    await create(201, **{"Sec-Fetch-Site": "same-origin"})
    await create(201, Authorization=f"Bearer {TOKEN}")


async def test_a_header_goes_before_the_cookie(guarded):
    cookie = await sign_in(guarded, TOKEN)
    wrong = by_cookie(cookie, Authorization="Bearer wrong")
    await guarded("GET", "/v1/campaigns", 401, **wrong)


async def test_a_session_ends_with_its_token_and_has_its_role_and_account(pool, guarded):
    acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
    secret, made = await tokens.create(pool, acme, "wallboard", Role.VIEWER)
    cookie = await sign_in(guarded, secret)
    session = await guarded("GET", "/v1/session", **by_cookie(cookie))
    assert (session["account"]["name"], session["role"]) == ("acme", "viewer")
    assert (session["token"], session["runs_instance"]) == ("wallboard", False)
    refused = by_cookie(cookie, Origin=guarded.origin)
    await guarded("POST", "/v1/campaigns", 403, json={}, **refused)
    admin, _ = await tokens.create(pool, acme, "admin", Role.ADMIN)
    async with guarded.client.delete(
        f"/v1/tokens/{made.id}", headers={"Authorization": f"Bearer {admin}"}
    ) as response:
        assert response.status == 204
    await guarded("GET", "/v1/campaigns", 401, **by_cookie(cookie))
    assert not (await guarded("GET", "/v1/session", **by_cookie(cookie)))["signed_in"]

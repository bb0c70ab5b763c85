"""Signing in with a browser: the token goes into a cookie that no script can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import inputs, session_models
from dialer.api.context import COOKIE, Context, answer, context_of
from dialer.api.guard import shown_token
from dialer.api.problem import Problem
from dialer.store import accounts
from dialer.store.records import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from dialer.store.account_records import Bearer

KEPT_SECONDS = 7 * 24 * 3600
"""For which a browser keeps the cookie; a token that is revoked or expires ends it before."""


async def open_session(request: web.Request) -> web.Response:
    """Check a token, and let the browser keep it."""
    context = context_of(request)
    asked = await inputs.json_body(request, session_models.SIGN_IN, context.settings)
    context.limits.check_login(request)
    bearer = await context.bearers.find(asked.token)
    if bearer is None:
        context.limits.login_failed(request)
        raise Problem(
            401,
            "this token does not work: it is mistyped, revoked or expired;"
            " an admin of the account can make another",
        )
    response = answer(await _told(context, bearer))
    response.set_cookie(
        COOKIE,
        asked.token,
        max_age=KEPT_SECONDS,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=_encrypted(request),
    )
    return response


async def read_session(request: web.Request) -> web.Response:
    """Say who the browser's person is, and whether there is a need to sign in."""
    context = context_of(request)
    given = shown_token(request)
    if given is not None and not context.bearers.has_worked(given):
        context.limits.check_login(request)
    bearer = await context.bearers.of_request(request)
    if bearer is None:
        response = answer(session_models.Session(signed_in=False, token_needed=True))
        if given is not None:
            context.limits.login_failed(request)
            _forget(request, response)
        return response
    return answer(await _told(context, bearer))


async def close_session(request: web.Request) -> web.Response:
    """Let the browser forget the token, which itself goes on working."""
    response = web.Response(status=204)
    _forget(request, response)
    return response


def _forget(request: web.Request, response: web.Response) -> None:
    response.del_cookie(
        COOKIE, path="/", httponly=True, samesite="Strict", secure=_encrypted(request)
    )


async def _told(context: Context, bearer: Bearer) -> session_models.Session:
    account = await accounts.get(context.pool, bearer.account_id)
    return session_models.Session(
        signed_in=True,
        token_needed=context.bearers.nobody is None,
        account=session_models.SessionAccount(id=account.id, name=account.settings.name),
        role=bearer.role,
        token=bearer.name,
        runs_instance=bearer.account_id == DEFAULT_ACCOUNT,
    )


def _encrypted(request: web.Request) -> bool:
    """Whether the browser speaks https, be it to a proxy before us: its Origin says so."""
    return request.secure or request.headers.get("Origin", "").lower().startswith("https://")

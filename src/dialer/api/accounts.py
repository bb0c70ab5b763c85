"""The account of the token over HTTP: its plan, its usage, its tokens."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from dialer.api import account_models, inputs
from dialer.api.context import account_of, after_commit, answer, bearer_of, context_of
from dialer.api.problem import invalid
from dialer.campaign.account_settings import AccountSettings
from dialer.store import accounts, plan_limits, tokens
from dialer.store.pool import session


async def read(request: web.Request) -> web.Response:
    """Read the account with what it has used of its plan."""
    async with session(context_of(request).pool) as connection:
        account = await accounts.get(connection, account_of(request))
        state = await plan_limits.read(connection, account.id)
    return answer(
        account_models.OwnAccount(
            id=account.id,
            settings=AccountSettings.model_validate(
                dataclasses.asdict(account.settings)
                | {"allowed_prefixes": list(account.settings.allowed_prefixes)}
            ),
            created_at=account.created_at,
            period=account_models.PlanPeriod.model_validate(state.period),
            usage=usage_of(state),
            token=account_models.OwnToken.model_validate(bearer_of(request)),
        )
    )


def usage_of(state: plan_limits.AccountState) -> account_models.PlanUsage:
    """Return what is used of a plan, and what is left."""
    spent, limits = state.billed_seconds + state.running_seconds, state.limits
    places = limits.used + limits.reserved
    users = None if limits.unique_users is None else max(0, limits.unique_users - places)
    left = None if state.minutes is None else max(0, state.minutes * 60 - spent)
    return account_models.PlanUsage(
        billed_minutes=round(state.billed_seconds / 60, 2),
        talking_minutes=round(state.running_seconds / 60, 2),
        minutes_left=None if left is None else round(left / 60, 2),
        unique_users=limits.used,
        unique_users_reserved=limits.reserved,
        unique_users_left=users,
        live_calls=state.live,
    )


async def list_tokens(request: web.Request) -> web.Response:
    """List the account's tokens."""
    found = await tokens.list_all(context_of(request).pool, account_of(request))
    items = [account_models.Token.model_validate(one) for one in found]
    return answer(account_models.TokenList(items=items))


async def create_token(request: web.Request) -> web.Response:
    """Make a token and show its secret."""
    context = context_of(request)
    asked = await inputs.json_body(request, account_models.NEW_TOKEN, context.settings)
    if asked.expires_at is not None and asked.expires_at <= context.clock.now():
        raise invalid([("/expires_at", "has passed")], "body")
    secret, made = await tokens.create(
        context.pool, account_of(request), asked.name, asked.role, asked.expires_at
    )
    shown = account_models.MadeToken(
        secret=secret, **account_models.Token.model_validate(made).model_dump()
    )
    response = answer(shown, status=201)
    response.headers["Location"] = f"/v1/tokens/{made.id}"
    return response


async def revoke_token(request: web.Request) -> web.Response:
    """Let a token work no more: here at once, on other nodes within seconds."""
    context = context_of(request)
    token_id = inputs.path_id(request, "token")
    await tokens.revoke(context.pool, account_of(request), token_id)
    after_commit(request, context.bearers.forget)
    return web.Response(status=204)

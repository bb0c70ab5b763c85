"""Who shows a token: that of the configuration, or one of an account's."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from dialer.api.context import COOKIE
from dialer.campaign.role import Role
from dialer.store import calls_api, tokens
from dialer.store.account_records import Bearer
from dialer.store.records import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from aiohttp import web

    from dialer.clock import Clock
    from dialer.store.pool import Pool

KEPT_SECONDS = 5.0
"""How long a token that was revoked, or has expired, may still work on another node."""

MOST_KEPT = 1000


class Bearers:
    """Knows tokens, those that work for a few seconds without asking the database again.

    `token` is the configuration's: an admin of the default account. Without it, so is whoever
    shows none.
    """

    def __init__(self, pool: Pool, token: str | None, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._configured = None if token is None else token.encode()
        self._configured_worked = False
        self._kept: dict[str, tuple[float, Bearer]] = {}
        self.nobody = None if token else Bearer(DEFAULT_ACCOUNT, Role.ADMIN, "no token")
        """Who shows no token, None where one must be shown."""

    async def of_request(self, request: web.Request) -> Bearer | None:
        """Return who sent a request; None where a token is needed and none that works is shown.

        A token in `Authorization: Bearer …` (RFC 6750) must work, even where none is needed. The
        cookie of a browser is looked at where there is no such header; it may be of another
        service on this host, since cookies know no ports.
        """
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self.find(given.strip())
        cookie = request.cookies.get(COOKIE)
        found = await self.find(cookie) if cookie else None
        return found or self.nobody

    async def find(self, secret: str) -> Bearer | None:
        """Return who shows a token, None where it does not work. Raises `Unavailable`."""
        if self._is_configured(secret):
            self._configured_worked = True
            return Bearer(DEFAULT_ACCOUNT, Role.ADMIN, "of the configuration")
        if not tokens.well_formed(secret):
            return None
        now = self._clock.monotonic()
        until, kept = self._kept.get(secret, (now, None))
        if kept is not None and now < until:
            return kept
        found = await tokens.bearer(self._pool, secret)
        self._kept.pop(secret, None)
        if found is not None:
            self._keep(secret, found)
        return found

    def _keep(self, secret: str, found: Bearer) -> None:
        if len(self._kept) >= MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[secret] = (self._clock.monotonic() + KEPT_SECONDS, found)

    async def of_campaign(self, secret: str) -> Bearer:
        """Return who shows a campaign's token of the Calls API. Raises `NotFound`."""
        now = self._clock.monotonic()
        until, kept = self._kept.get(secret, (now, None))
        if kept is not None and now < until:
            return kept
        self._kept.pop(secret, None)
        campaign = await calls_api.find(self._pool, secret)
        name = f"Calls API of campaign {campaign.id}"
        found = Bearer(campaign.account_id, Role.OPERATOR, name, campaign_id=campaign.id)
        self._keep(secret, found)
        return found

    def has_worked(self, secret: str) -> bool:
        """Whether a token was shown here before, and worked."""
        return secret in self._kept or (self._configured_worked and self._is_configured(secret))

    def _is_configured(self, secret: str) -> bool:
        given = secret.encode("utf-8", "surrogateescape")
        return self._configured is not None and hmac.compare_digest(given, self._configured)

    def forget(self) -> None:
        """Ask the database again for every token: one was revoked here."""
        self._kept.clear()

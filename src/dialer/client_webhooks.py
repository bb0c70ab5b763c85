"""The part of the API's client that is about webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pydantic

from dialer.api import webhook_models

if TYPE_CHECKING:
    from collections.abc import Iterable

Model = TypeVar("Model", bound=pydantic.BaseModel)
ROOT = "/v1/webhooks"


class Ask(Protocol):
    """Sends a request and reads its answer; raises ApiProblem."""

    async def __call__(self, model: type[Model], method: str, path: str, **request: Any) -> Model:
        """Return the answer as a model."""


class Tell(Protocol):
    """Sends a request whose answer has no body; raises ApiProblem."""

    async def __call__(self, method: str, path: str) -> object:
        """Send it."""


class WebhookClient:
    """Receivers of events, their secrets and deliveries; every method raises ApiProblem."""

    def __init__(self, ask: Ask, tell: Tell) -> None:
        self._ask = ask
        self._tell = tell

    async def create(
        self, url: str, *, kinds: Iterable[str] = (), description: str = "", enabled: bool = True
    ) -> webhook_models.MadeWebhook:
        """Make a receiver; its `secret` can never be read again. No kinds: all events."""
        asked = {"url": url, "kinds": list(kinds), "description": description, "enabled": enabled}
        return await self._ask(webhook_models.MadeWebhook, "POST", ROOT, json=asked)

    async def page(
        self, *, limit: int = 50, cursor: str | None = None
    ) -> webhook_models.WebhookPage:
        """Read a page of receivers, newest first."""
        return await self._ask(
            webhook_models.WebhookPage, "GET", ROOT, params=_given(limit=limit, cursor=cursor)
        )

    async def get(self, webhook_id: int) -> webhook_models.Webhook:
        """Read a receiver."""
        return await self._ask(webhook_models.Webhook, "GET", f"{ROOT}/{webhook_id}")

    async def change(self, webhook_id: int, **changes: Any) -> webhook_models.Webhook:
        """Change `url`, `kinds`, `description` or `enabled`."""
        path = f"{ROOT}/{webhook_id}"
        return await self._ask(webhook_models.Webhook, "PATCH", path, json=changes)

    async def delete(self, webhook_id: int) -> None:
        """Delete a receiver with its deliveries."""
        await self._tell("DELETE", f"{ROOT}/{webhook_id}")

    async def replace_secret(
        self, webhook_id: int | None = None, *, overlap_hours: float = 24
    ) -> webhook_models.MadeSecret:
        """Make a new signing secret, without a receiver that of the account's campaigns."""
        path = f"{ROOT}/{webhook_id}/secret" if webhook_id else "/v1/account/webhook-secret"
        return await self._ask(
            webhook_models.MadeSecret, "POST", path, json={"overlap_hours": overlap_hours}
        )

    async def test(self, webhook_id: int) -> webhook_models.Delivery:
        """Send a test event, once; `delivery` tells what came of it."""
        return await self._ask(webhook_models.Delivery, "POST", f"{ROOT}/{webhook_id}/test")

    async def deliveries(
        self,
        webhook_id: int,
        *,
        status: webhook_models.Status | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> webhook_models.DeliveryPage:
        """Read a page of a receiver's deliveries, newest first."""
        return await self._ask(
            webhook_models.DeliveryPage,
            "GET",
            f"{ROOT}/{webhook_id}/deliveries",
            params=_given(status=status, limit=limit, cursor=cursor),
        )

    async def delivery(self, delivery_id: int) -> webhook_models.Delivery:
        """Read a delivery."""
        path = f"{ROOT}/deliveries/{delivery_id}"
        return await self._ask(webhook_models.Delivery, "GET", path)

    async def resend(self, delivery_id: int) -> webhook_models.Delivery:
        """Send a delivery that is over again."""
        path = f"{ROOT}/deliveries/{delivery_id}/resend"
        return await self._ask(webhook_models.Delivery, "POST", path)

    async def resend_dead(self, webhook_id: int) -> int:
        """Send all dead deliveries of a receiver again, and return how many."""
        path = f"{ROOT}/{webhook_id}/resend"
        return (await self._ask(webhook_models.Resent, "POST", path)).resent


def _given(**parameters: Any) -> dict[str, Any]:
    """Return query parameters without those that are not given."""
    return {name: value for name, value in parameters.items() if value is not None}

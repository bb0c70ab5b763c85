"""One line of the route table: what a request is, who answers it, and with what."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import pydantic

    from dialer.campaign.role import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """An operation of the API, for the router and for the OpenAPI document alike.

    `bodies`: what the request's body may be, shape by content type, None for a file.
    `answer`: the shape of the answer, or its content type where it is not JSON; None: no body.
    `refusals`: what a status means here, besides the statuses that any request may get.
    `role`: what a token must at least have; None: no token is needed. `instance`: only for the
    default account, since it is about the instance and not about an account.
    """

    method: str
    path: str
    name: str
    handler: Handler
    summary: str
    answer: type[pydantic.BaseModel] | str | None
    status: int = 200
    query: type[pydantic.BaseModel] | None = None
    bodies: Mapping[str, pydantic.TypeAdapter[Any] | None] = dataclasses.field(default_factory=dict)
    body_required: bool = True
    refusals: Mapping[int, str] = dataclasses.field(default_factory=dict)
    role: Role | None = dataclasses.field(kw_only=True)
    instance: bool = False

    @property
    def public(self) -> bool:
        """Whether anybody may ask, without a token."""
        return self.role is None

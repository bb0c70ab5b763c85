"""One line of the route table: what a request is, who answers it, and with what."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import pydantic

    from dialer.campaign.role import Role

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """An operation of the API, for the router and for the OpenAPI document alike.

    `bodies`: what the request's body may be, shape by content type, None for a file.
    `answer`: the shape of the answer, or its content type where it is not JSON; None: no body.
    `refusals`: what a status means here, besides the statuses that any request may get.
    `in_steps`: it takes several transactions, since one would hold others up; the handler notes its
    `progress_of(request)` in each, so that a repeated request goes on. `audited`: it is entered in
    the audit log. `role`: what a token must at least have; None: no token is needed. `instance`:
    only for the default account, since it is about the instance and not about an account.
    `versioned`: it heeds If-Match. `in_parts`: it heeds Range, and is entered in the audit log.
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
    in_steps: bool = False
    audited: bool = True
    versioned: bool = False
    in_parts: bool = False

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method not in SAFE_METHODS

    @property
    def tagged(self) -> bool:
        """Whether its answers have entity tags: what is read, as JSON, with a token."""
        return not self.changes and isinstance(self.answer, type) and not self.public

    @property
    def limited(self) -> bool:
        """Whether it is known who asks: by a token in the head, or by a campaign's in the path."""
        return not self.public or "{token}" in self.path

    @property
    def public(self) -> bool:
        """Whether anybody may ask, without a token."""
        return self.role is None

"""What every handler works with: the application's parts, and the making of an answer.

`pool` of `context_of(request)` is the request's transaction where it changes something.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.store.idempotency import Progress
from dialer.store.records import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pydantic

    from dialer.api.bearers import Bearers
    from dialer.api.limits import Limits
    from dialer.api.settings import ApiSettings
    from dialer.clock import Clock
    from dialer.metrics import Metrics
    from dialer.store.account_records import Bearer
    from dialer.store.pool import Database


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The parts that handlers use; `document` is the OpenAPI one, `bearers` who shows tokens.

    `dry_runs` and `workbooks` bound those that go on at a time, since each of the ones holds a
    connection, and each of the others the memory of a sheet.
    """

    pool: Database
    settings: ApiSettings
    clock: Clock
    metrics: Metrics
    document: bytes
    bearers: Bearers
    limits: Limits
    dry_runs: asyncio.Semaphore = dataclasses.field(default_factory=lambda: asyncio.Semaphore(2))
    workbooks: asyncio.Semaphore = dataclasses.field(default_factory=lambda: asyncio.Semaphore(2))


# A campaign's token, and whatever else is given where one belongs.
_TOKEN = re.compile(r"(?<=/calls/campaign/)[^/]+|cc_[A-Za-z0-9_-]+")

CONTEXT: web.AppKey[Context] = web.AppKey("context")
COOKIE = "dialer_session"
"""In which a browser keeps the token that a person signed in with."""

BEARER: web.RequestKey[Bearer] = web.RequestKey("bearer")
"""Under which the guard puts who sent a request."""
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id")
RATE: web.RequestKey[Mapping[str, str]] = web.RequestKey("rate")
"""Under which the guard puts the RateLimit fields of the answer."""
OWN: web.RequestKey[Context] = web.RequestKey("own context")
"""The context of a request that changes something, with its transaction as the pool."""
PROGRESS: web.RequestKey[Progress] = web.RequestKey("progress")
AFTER: web.RequestKey[list[Callable[[], None]]] = web.RequestKey("after")


def context_of(request: web.Request) -> Context:
    """Return the application's context, by which the request asks the store."""
    return request.get(OWN) or request.app[CONTEXT]


def progress_of(request: web.Request) -> Progress:
    """Return how far an earlier try of the request has come."""
    return request.get(PROGRESS) or Progress()


def after_commit(request: web.Request, do: Callable[[], None]) -> None:
    """Have something done once what the request changes is committed."""
    request.setdefault(AFTER, []).append(do)


def bearer_of(request: web.Request) -> Bearer:
    """Return who sent the request, which is of a route that is not public."""
    return request[BEARER]


def account_of(request: web.Request) -> int:
    """Return the account whose data the request is about."""
    return bearer_of(request).account_id


def runs_instance(request: web.Request) -> bool:
    """Whether the request is of the default account, whose people run the instance."""
    return account_of(request) == DEFAULT_ACCOUNT


def told_path(request: web.Request) -> str:
    """Return the path of a request for the log, without a token that stands in it.

    Nor is one told of a path that is mistyped, or not for this method.
    """
    return _TOKEN.sub("{token}", request.path)


def answer(model: pydantic.BaseModel, *, status: int = 200) -> web.Response:
    """Return `model` as JSON."""
    return web.Response(
        status=status, body=model.model_dump_json().encode(), content_type="application/json"
    )

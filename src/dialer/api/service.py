"""What watches over the service: is it alive, is it ready, what does it count."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

import asyncpg
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from dialer.api import models
from dialer.api.context import answer, context_of
from dialer.api.problem import RETRY_AFTER, Problem
from dialer.store import migrate
from dialer.store.errors import StoreError
from dialer.store.pool import session

if TYPE_CHECKING:
    from dialer.store.pool import Pool

POSTGRES_SECONDS = 2.0  # within which Postgres must answer

newest_revision = functools.cache(migrate.head)


async def alive(_request: web.Request) -> web.Response:
    """Say that the process lives, whatever else does not."""
    return answer(models.Health())


async def ready(request: web.Request) -> web.Response:
    """Say whether calls can be placed: Postgres answers, its schema is ours, the engine is up."""
    context = context_of(request)
    try:
        async with asyncio.timeout(POSTGRES_SECONDS):
            reason = await _schema_problem(context.pool) or context.settings.engine_ready()
    except TimeoutError:
        reason = f"Postgres did not answer within {POSTGRES_SECONDS:g} s"
    except StoreError as error:
        reason = str(error)
    if reason is not None:
        raise Problem(503, reason, headers={"Retry-After": str(RETRY_AFTER)})
    return answer(models.Health())


async def _schema_problem(pool: Pool) -> str | None:
    """Return why the database's schema is not the one that this program needs, if it is not."""
    async with session(pool) as connection:
        try:
            found = await connection.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:
            found = None
    needed = newest_revision()
    if found == needed:
        return None
    return f"the database has schema {found}, this program needs {needed}: run dialer db upgrade"


async def metrics(request: web.Request) -> web.Response:
    """Give every counter and gauge in Prometheus's text format."""
    return web.Response(
        body=context_of(request).metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


async def document(request: web.Request) -> web.Response:
    """Give the OpenAPI document."""
    return web.Response(body=context_of(request).document, content_type="application/json")

"""The database for commands that speak to it themselves, beside a service or without one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

from dialer import config, log
from dialer.command import run
from dialer.store import migrate
from dialer.store.embedded import EmbeddedPostgres, FolderInUse, url_of_running
from dialer.store.errors import SchemaMismatch
from dialer.store.pool import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from dialer.config import Config
    from dialer.store.pool import Connection


def run_with_database(file: Path | None, work: Callable[[Connection], Awaitable[None]]) -> NoReturn:
    """Run a command on the database of the configuration; raises one-line errors."""

    async def with_database() -> None:
        log.configure(level="error")
        async with _address(config.load(file)) as url:
            connection = await connect(url)
            try:
                await work(connection)
            finally:
                await connection.close()

    run(with_database())


@contextlib.asynccontextmanager
async def _address(settings: Config) -> AsyncIterator[str]:
    """Give the address of a database whose schema is this program's.

    The configured one; failing that the private one of a service that runs; and where none runs,
    the private one under a server of our own, brought up to date.
    """
    if url := settings.database_url():
        await _check_schema(url)
        yield url
        return
    folder = settings.path(settings.database.data)
    server = EmbeddedPostgres(folder)
    try:
        url = await server.start()
    except FolderInUse:
        running = url_of_running(folder)
        if running is None:
            raise
        await _check_schema(running)
        yield running
        return
    try:
        await migrate.upgrade(url)
        yield url
    finally:
        await server.stop()


async def _check_schema(url: str) -> None:
    found, needed = await migrate.current(url), migrate.head()
    if found != needed:
        raise SchemaMismatch(
            f"the database has schema {found or 'none'}, this program needs {needed}:"
            " run dialer db upgrade, or the program that the service runs"
        )

"""Bring the schema of a database to what this version of the program needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from dialer.store.errors import SchemaMismatch, Unavailable
from dialer.store.pool import connect, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

Result = TypeVar("Result")

OLDEST_SERVER = 140_000  # as `SHOW server_version_num` says it
LOCK = 0x6469616C  # "dial": one migration of a database at a time


async def upgrade(url: str) -> str:
    """Apply all revisions that are missing, in one transaction; return the one then in force.

    Raises `SchemaMismatch` for a server that is too old, or a database that a newer version of
    the program has upgraded, and `Unavailable`.
    """
    return await _run(url, _upgrade)


async def current(url: str) -> str | None:
    """Return the revision of the database, None where it has no schema. Raises `Unavailable`."""
    return await _run(url, _current)


def head() -> str:
    """Return the revision that this version of the program needs."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


async def _run(url: str, work: Callable[[Connection], Result]) -> Result:
    raw = await connect(url)

    async def given() -> object:
        return raw

    try:
        with translated():
            if int(await raw.fetchval("SHOW server_version_num")) < OLDEST_SERVER:
                version = await raw.fetchval("SHOW server_version")
                raise SchemaMismatch(f"Postgres {version} is too old: dialer needs 14 or newer")
            await raw.execute("SELECT pg_advisory_lock($1)", LOCK)
            engine = create_async_engine(
                "postgresql+asyncpg://", async_creator=given, poolclass=NullPool
            )
            async with engine.begin() as connection:
                return await connection.run_sync(work)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable(f"the database is unavailable: {error.orig}") from error
        raise
    finally:
        raw.terminate()


def _upgrade(connection: Connection) -> str:
    found = _current(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatch(
            f"the database has schema {found}, which this version of dialer does not know: "
            "a newer version has upgraded it; run that version, or a newer one"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return head()


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    location = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", location.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config

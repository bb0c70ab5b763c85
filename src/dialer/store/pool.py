"""Connections to Postgres, and the one place where asyncpg's errors become the store's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from dialer.store.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool


class Work:
    """A transaction that begins once something is asked of the database; made by `work`.

    Who uses it shares one connection, and so takes turns.
    """

    def __init__(self, pool: Pool, stack: contextlib.AsyncExitStack) -> None:
        self._pool = pool
        self._stack = stack
        self._connection: Connection | None = None

    @property
    def begun(self) -> bool:
        """Whether the database was asked."""
        return self._connection is not None

    async def connection(self) -> Connection:
        """Return the connection of the transaction."""
        if self._connection is None:
            self._connection = await self._stack.enter_async_context(transaction(self._pool))
        return self._connection


class Steps:
    """The pool, for work that takes several transactions; tells whether it was asked."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.begun = False


Database: TypeAlias = asyncpg.Pool | asyncpg.Connection | Work | Steps
"""What every function of the store takes first."""

CONNECT_TIMEOUT = 10.0  # seconds
# Compiling our short queries would cost more than running them.
SESSION = {"application_name": "dialer", "jit": "off"}

# Lost, refused, starting, stopping, full, too slow, a disk that fails, or a deadlock that another
# one won: it passes.
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    # the server's farewell came between two steps of asyncpg's: nobody shares a connection here
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_NOT_OURS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise `Unavailable` for what says that the database is away, and the rest unchanged."""
    try:
        yield
    except _AWAY as error:
        raise _unavailable(error) from error
    except asyncpg.InterfaceError as error:
        # asyncpg's word for wrong use, which is our fault, and for what was closed under our hands;
        # a pool takes back a lost connection at once.
        if not re.search("closed|closing|released back", str(error)):
            raise
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"the database is unavailable: {str(error).strip() or type(error).__name__}")


@contextlib.contextmanager
def _connecting() -> Iterator[None]:
    """As `translated`, and `Misconfigured` for an address that cannot serve."""
    try:
        with translated():
            yield
    except (*_NOT_OURS, asyncpg.ClientConfigurationError, ValueError) as error:
        raise Misconfigured(f"cannot use the database: {error}; see DATABASE_URL") from error


async def open_pool(
    url: str, *, size: int = 10, command_timeout: float = 10.0, connect_timeout: float | None = None
) -> Pool:
    """Open a pool of up to `size` connections to `url`; times in seconds.

    Raises `Unavailable` when no connection can be made within `connect_timeout` (default 10 s),
    and `Misconfigured`.
    """
    with _connecting():
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            timeout=connect_timeout or CONNECT_TIMEOUT,
            command_timeout=command_timeout,
            init=prepare_connection,
            reset=_reset,
            server_settings=SESSION,
        )


async def connect(url: str, *, command_timeout: float | None = None) -> Connection:
    """Open one connection outside of any pool. Raises `Unavailable` and `Misconfigured`."""
    with _connecting():
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT,
            command_timeout=command_timeout,
            server_settings=SESSION,
        )
        await prepare_connection(connection)
        return connection


async def prepare_connection(connection: Connection) -> None:
    """Let json and jsonb values pass as Python values."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=_to_json, decoder=json.loads, schema="pg_catalog"
        )


async def close_pool(pool: Pool, patience: float = 5.0) -> None:
    """Close the pool, waiting up to `patience` seconds for queries under way."""
    try:
        async with asyncio.timeout(patience):
            await pool.close()
    except _AWAY:
        pool.terminate()


@contextlib.asynccontextmanager
async def session(db: Database) -> AsyncIterator[Connection]:
    """Give a connection: `db` itself, that of its transaction, or one from the pool."""
    with translated():
        if isinstance(db, asyncpg.Pool):
            async with db.acquire(timeout=CONNECT_TIMEOUT) as connection:
                try:
                    yield connection
                except asyncpg.InternalClientError:
                    connection.terminate()
                    raise
        elif isinstance(db, Work):
            yield await db.connection()
        elif isinstance(db, Steps):
            db.begun = True
            async with session(db.pool) as connection:
                yield connection
        else:
            yield db


@contextlib.asynccontextmanager
async def transaction(db: Database) -> AsyncIterator[Connection]:
    """Give a connection in a transaction (READ COMMITTED), or in a savepoint of the caller's."""
    async with session(db) as connection, connection.transaction():
        yield connection


@contextlib.asynccontextmanager
async def work(pool: Pool) -> AsyncIterator[Work]:
    """Give a transaction for all that is done in a `with` block; an exception undoes it."""
    async with contextlib.AsyncExitStack() as stack:
        yield Work(pool, stack)


async def _reset(connection: Connection) -> None:
    """Spare the round trip of asyncpg's own reset: the store leaves no session state behind."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

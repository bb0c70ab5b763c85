"""The outbox: status changes in the order in which readers may rely on them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dialer.store.pool import Database, Pool
    from dialer.store.records import Event

CHANNEL = "dialer_events"


async def read(
    db: Database,
    after: tuple[int, int] = (0, 0),
    *,
    account_id: int | None = None,
    limit: int = 500,
) -> list[Event]:
    """Read events after a cursor, oldest first; none is ever skipped by reading on.

    Events of transactions still open, and those behind them, come in a later read.
    """
    raise NotImplementedError


@contextlib.asynccontextmanager
async def listening(pool: Pool, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` whenever events were committed, and once when the connection is lost."""
    del pool, wake
    raise NotImplementedError
    yield

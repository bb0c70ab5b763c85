"""Leases: which engine process is alive, and the epoch that fences its writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.pool import Database
    from dialer.store.records import Lease


async def join(db: Database, name: str, lease: dt.timedelta) -> int:
    """Take the node name for `lease` and return its new epoch.

    Raises `NodeNameInUse` while another process's lease of that name runs.
    """
    raise NotImplementedError


async def renew(db: Database, name: str, epoch: int, lease: dt.timedelta) -> Lease | None:
    """Extend the lease from now on; None when the name was taken over under a later epoch.

    A lease that ran out may be renewed as long as nobody else took the name: calls that another
    node rescued meanwhile are gone from this epoch, each by itself.
    """
    raise NotImplementedError


async def leave(db: Database, name: str, epoch: int) -> None:
    """End the lease at once; whatever the node still held is open to rescue."""
    raise NotImplementedError

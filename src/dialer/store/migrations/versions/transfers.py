"""The second legs of calls that are transferred."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table."""
    run_sql("transfers.sql")

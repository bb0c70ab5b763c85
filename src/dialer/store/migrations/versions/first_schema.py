"""The first schema: accounts, campaigns, calls, their queue and their attempts, the outbox."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    run_sql("first_schema.sql")

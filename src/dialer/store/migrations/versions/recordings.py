"""Recordings of calls: what is known of each, while its sound is kept elsewhere."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the table."""
    run_sql("recordings.sql")

"""Idempotency keys of requests, and the log of who did what."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables."""
    run_sql("guarded_api.sql")

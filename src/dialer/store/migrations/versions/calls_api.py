"""Deadlines of calls, and the tokens by which programs reach single campaigns."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    run_sql("calls_api.sql")

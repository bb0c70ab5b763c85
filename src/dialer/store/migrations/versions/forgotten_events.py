"""Events that were forgotten: up to which one, so that late readers are told."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the mark, and what moves it."""
    run_sql("forgotten_events.sql")

"""The record of a conversation, and the fields that it found out."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Give attempts the two columns."""
    run_sql("conversations.sql")

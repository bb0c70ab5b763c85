"""What was heard of each leg before its answer."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Give legs a column for it."""
    run_sql("early_media.sql")

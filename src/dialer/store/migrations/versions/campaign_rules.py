"""Plans of accounts, tokens, schedules, alternate numbers, imports, and the do-not-call list."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables, and give the old ones their new columns."""
    run_sql("campaign_rules.sql")

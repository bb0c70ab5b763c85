"""What passed of each leg: its SIP messages and the first of its RTP."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    run_sql("traces.sql")

"""Webhooks: receivers of events, their secrets, and what is delivered to them."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables; deliveries begin with the events that come from now on."""
    run_sql("webhooks.sql")

"""Trunks that are held by a person, chosen by weight, and judged by their last legs."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what failover, holding and showing trunks need."""
    run_sql("trunk_steering.sql")

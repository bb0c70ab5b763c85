"""How the media of each leg was, in figures."""

from __future__ import annotations

from dialer.store.migrations import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Give legs a column for it."""
    run_sql("leg_media.sql")

"""How far a campaign has come, in figures and in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.api import models


def progress_of(found: models.CampaignWithCounts) -> tuple[int, int, str]:
    """Return how many calls there are, how many are over, and a line that says how they stand."""
    calls = {count.status: count.calls for count in found.counts}
    over = sum(number for status, number in calls.items() if status.final)
    parts = [f"{status.label} {number}" for status, number in calls.items() if number]
    return sum(calls.values()), over, ", ".join(parts) or "no calls"

"""When a call that waits may be made: never outside its window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.campaign.calendar import Interval
from dialer.store import schedules

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from dialer.api.context import Context
    from dialer.campaign.calendar import Calendar
    from dialer.store.records import Call


def next_attempt(
    calendar: Calendar, due: dt.datetime, now: dt.datetime, not_after: dt.datetime | None = None
) -> tuple[dt.datetime | None, str | None]:
    """Return when a call that is `due` may be made, None if never, and what it waits for."""
    at = max(due, now)
    found = calendar.next_open(at)
    if not isinstance(found, Interval):
        return None, found.reason
    if not_after is not None and max(at, found.opens) >= not_after:
        return None, f"its last time for a call comes first ({not_after:%Y-%m-%d %H:%M} UTC)"
    if found.opens <= at:
        return due if found.opens <= due else at, None
    zone = " and ".join(calendar.zones)
    return found.opens, f"its calling window is closed until then ({zone})"


async def next_attempts(
    context: Context, calls: Sequence[Call]
) -> dict[int, tuple[dt.datetime | None, str | None]]:
    """Return the same for each of some calls that waits, by its id."""
    wait = [(call, call.due) for call in calls if call.due is not None]
    ids = {call.schedule_id for call, _ in wait if call.schedule_id is not None}
    calendars = await schedules.calendars(context.pool, ids, context.settings.quiet) if ids else {}
    now = context.clock.now()
    return {
        call.id: next_attempt(calendars[call.schedule_id], due, now, call.not_after)
        for call, due in wait
        if call.schedule_id in calendars
    }

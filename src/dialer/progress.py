"""How far a campaign has come: in one line, and as a bar that moves until all is over."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import rich.console
import rich.live
import rich.progress
import rich.text

from dialer.campaign.status import CallStatus, CampaignStatus
from dialer.client import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.api import models
    from dialer.client import Client

POLL = 0.5  # seconds
QUIET = 5.0  # seconds between lines where there is no terminal to draw a bar on
SHORT = {
    CallStatus.PLANNED: "planned",
    CallStatus.IN_PROGRESS: "in progress",
    CallStatus.RETRY_SCHEDULED: "to be tried again",
    CallStatus.ANSWERED: "answered",
    CallStatus.COMPLETED_WITHOUT_ANSWER: "without answer",
    CallStatus.TECHNICAL_ERROR: "technical error",
    CallStatus.NOT_DIALED: "not dialed",
    CallStatus.PLAN_LIMIT_EXCEEDED: "plan limit",
}


def counts_line(found: models.CampaignWithCounts) -> str:
    """Return how many calls have which status, those that have any."""
    parts = [f"{count.calls} {SHORT[count.status]}" for count in found.counts if count.calls]
    return " · ".join(parts) or "no numbers yet"


def remark(found: models.CampaignWithCounts) -> str:
    """Return what a person who waits for the campaign should know, or nothing."""
    match found.status:
        case CampaignStatus.DRAFT:
            return f"a draft: dialer campaign start {found.id}"
        case CampaignStatus.PLANNED:
            return f"starts at {clock_time(found.start_at)}"
        case CampaignStatus.PAUSED:
            detail = f" ({found.pause_detail})" if found.pause_detail else ""
            return f"paused{detail}: dialer campaign resume {found.id}"
        case CampaignStatus.FINISHED:
            return "finished"
    calls = {count.status: count.calls for count in found.counts}
    if calls[CallStatus.PLANNED] or calls[CallStatus.IN_PROGRESS] or not found.next_attempt_at:
        return ""
    return f"nothing to call before {clock_time(found.next_attempt_at)}; Ctrl-C leaves it running"


def clock_time(when: dt.datetime | None) -> str:
    """Return a time as the local clock shows it, with the date where that is not today's."""
    if when is None:
        return "an unknown time"
    local = when.astimezone()
    same_day = local.date() == dt.datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if same_day else f"{local:%Y-%m-%d %H:%M:%S}"


async def follow(
    client: Client,
    campaign_id: int,
    console: rich.console.Console,
    over: Callable[[CallStatus], bool],
) -> None:
    """Show a bar until every call's status is `over`.

    Without a terminal, a line every few seconds where something has changed. An API that goes
    away meanwhile is waited for; raises ApiProblem where it refuses, or is away from the start.
    """
    bar = rich.progress.Progress(
        rich.progress.BarColumn(bar_width=30),
        "{task.completed}/{task.total}",
        rich.progress.TimeElapsedColumn(),
        console=console,
    )
    said, said_at = "", 0.0
    now = asyncio.get_running_loop().time
    found = await client.campaign(campaign_id)
    task = bar.add_task("", total=sum(count.calls for count in found.counts))
    with rich.live.Live(bar, console=console, refresh_per_second=4, transient=True) as live:
        while True:
            total = sum(count.calls for count in found.counts)
            done = sum(count.calls for count in found.counts if over(count.status))
            line = counts_line(found)
            if more := remark(found):
                line += f"\n{more}"
            if done == total:
                break
            bar.update(task, total=total, completed=done)
            live.update(rich.console.Group(bar, rich.text.Text(line)))
            if not console.is_terminal and line != said and now() - said_at >= QUIET:
                one_line = line.replace("\n", "; ")
                console.print(one_line, markup=False, highlight=False, soft_wrap=True)
                said, said_at = line, now()
            await asyncio.sleep(POLL)
            try:
                found = await client.campaign(campaign_id)
            except ApiProblem as problem:
                if problem.status is not None and problem.status < 500:
                    raise
                live.update(rich.console.Group(bar, rich.text.Text(f"waiting: {problem}")))
    console.print(counts_line(found), markup=False, highlight=False, soft_wrap=True)

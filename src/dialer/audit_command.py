"""The command that tells who did what over the API."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from dialer.command import LOCAL_API, Api, run_with_client

if TYPE_CHECKING:
    from dialer.api.audit_models import AuditEntry
    from dialer.client import Client

PAGE = 500
Day = Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"])]


def audit(
    api: Api = LOCAL_API,
    since: Day = None,
    until: Day = None,
    route: Annotated[str | None, typer.Option(help="An operation, such as pauseCampaign.")] = None,
    campaign: Annotated[int | None, typer.Option(min=1, help="What was done with it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At the most.")] = 50,
) -> None:
    """Tell who did what over the API, newest first.

    --since and --until are days, or minutes, in UTC. It needs a token of an admin.
    """

    async def work(client: Client) -> None:
        found: list[AuditEntry] = []
        cursor = None
        while len(found) < limit:
            page = await client.audit(
                limit=min(PAGE, limit - len(found)),
                cursor=cursor,
                since=_in_utc(since),
                until=_in_utc(until),
                route=route,
                campaign_id=campaign,
            )
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        if found:
            rich.console.Console().print(_table(found))
        else:
            typer.echo("nothing")

    run_with_client(api, work)


def _table(found: list[AuditEntry]) -> rich.table.Table:
    table = rich.table.Table(
        "at (UTC)", "who", "from", "what", "of", "status", box=rich.box.SIMPLE_HEAD
    )
    for one in found:
        cells = (
            f"{one.at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}",
            one.token_name,
            one.address,
            one.route,
            one.object or "",
            str(one.status),
        )
        table.add_row(*map(rich.text.Text, cells))
    return table


def _in_utc(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.replace(tzinfo=dt.UTC).isoformat()

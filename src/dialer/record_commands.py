"""Commands about call records: report, totals, and calling again."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - typer reads the annotations
import enum
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from dialer.campaign.outcome import Outcome  # noqa: TC001 - typer reads the annotations
from dialer.campaign.status import CallStatus  # noqa: TC001 - as above
from dialer.command import LOCAL_API, Api, Mistake, run_with_client, written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.api import report_models
    from dialer.client import Client

CampaignId = Annotated[int, typer.Argument(help="Number of the campaign.")]


class Format(enum.StrEnum):
    """How a report is written."""

    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


class Per(enum.StrEnum):
    """What a row of a report is."""

    CALL = "call"
    ATTEMPT = "attempt"


class Numbers(enum.StrEnum):
    """Which numbers a clone gets."""

    NONE = "none"
    ALL = "all"
    NOT_ANSWERED = "not_answered"


def add_to(app: typer.Typer) -> None:
    """Add the commands to those of campaigns."""
    for command in (report, totals, requeue, clone):
        app.command()(command)


def report(  # noqa: PLR0913, PLR0917 - one option per filter
    campaign_id: Annotated[
        int | None, typer.Argument(help="Number of the campaign; default: all, deleted ones too.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: stdout.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Of the file.")] = Format.CSV,
    per: Annotated[Per, typer.Option(help="A row for each of these.")] = Per.CALL,
    status: Annotated[list[CallStatus] | None, typer.Option(help="Only these; repeat.")] = None,
    outcome: Annotated[list[Outcome] | None, typer.Option(help="Only these; repeat.")] = None,
    since: Annotated[
        dt.datetime | None, typer.Option("--from", help="Only from this local time on.")
    ] = None,
    until: Annotated[
        dt.datetime | None, typer.Option("--to", help="Only before this local time.")
    ] = None,
    number: Annotated[str | None, typer.Option(help="Only this one, as +4930…")] = None,
    api: Api = LOCAL_API,
) -> None:
    """Write calls or attempts with their evidence."""
    if form is Format.XLSX and output is None and sys.stdout.isatty():
        raise Mistake("a workbook is no text for a terminal: name a file with --output")

    async def work(client: Client) -> None:
        pieces = client.report(
            campaign_id,
            form,
            per=per,
            status=status,
            outcome=outcome,
            since=since and since.astimezone().isoformat(),
            until=until and until.astimezone().isoformat(),
            number=number,
        )
        first = await anext(pieces, b"")  # a refusal comes before the file is touched
        with written(output) as out:
            out.write(first)
            async for piece in pieces:
                out.write(piece)

    run_with_client(api, work)


def totals(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Show a campaign's figures.

    Calls by status and outcome, answers, talk time, abandoned and silent calls, hours, trunks.
    """

    async def work(client: Client) -> None:
        found = await client.totals(campaign_id)
        console = rich.console.Console()
        for table in _tables(found):
            if table.rows:
                console.print(table)

    run_with_client(api, work)


def requeue(
    campaign_id: CampaignId,
    status: Annotated[
        list[CallStatus],
        typer.Option(
            help="Final status: not_dialed, technical_error, plan_limit_exceeded or"
            " completed_without_answer; repeat for more."
        ),
    ],
    outcome: Annotated[
        list[Outcome] | None, typer.Option(help="Only with this last outcome; repeat.")
    ] = None,
    call: Annotated[list[int] | None, typer.Option(help="Only this call; repeat.")] = None,
    api: Api = LOCAL_API,
) -> None:
    """Dial calls that are over again, their attempts counted from 0."""

    async def work(client: Client) -> None:
        done = await client.requeue(
            campaign_id, status, outcomes=list(outcome or ()), call_ids=call or None
        )
        typer.echo(f"campaign {campaign_id}: {done} calls requeued")

    run_with_client(api, work)


def clone(
    campaign_id: CampaignId,
    name: Annotated[str, typer.Option(help="Of the new campaign.")],
    numbers: Annotated[Numbers, typer.Option(help="That it gets.")] = Numbers.NONE,
    api: Api = LOCAL_API,
) -> None:
    """Create a draft with the settings of a campaign, and its numbers where wanted."""

    async def work(client: Client) -> None:
        made = await client.clone(campaign_id, name, numbers)
        typer.echo(f"campaign {made.id}: {made.numbers_added} numbers added")
        typer.echo(f"start it with: dialer campaign start {made.id}")

    run_with_client(api, work)


def _tables(found: report_models.Totals) -> Iterable[rich.table.Table]:
    """Yield the tables in which a campaign's figures are shown."""
    yield _table(
        ("figure", ""),
        [
            ("calls", found.calls),
            ("tried", found.calls_tried),
            ("answered", f"{found.calls_answered} ({_percent(found.answer_rate)})"),
            ("attempts", found.attempts),
            ("attempts per answer", _shown(found.attempts_per_answer)),
            ("talk time", _duration(found.talk_seconds)),
            ("billed", _duration(found.billed_seconds)),
            ("abandoned", f"{found.abandoned} ({_percent(found.abandoned_rate)})"),
            ("silent", f"{found.silent} ({_percent(found.silent_rate)})"),
            ("requeued", found.requeued),
        ],
    )
    yield _table(("status", "calls"), [(one.label, one.calls) for one in found.statuses])
    yield _table(
        ("outcome", "attempts", "calls"),
        [(one.outcome.value, one.attempts, one.calls) for one in found.outcomes],
    )
    yield _table(
        ("trunk", "INVITEs", "answered", "rate", "talk time"),
        [
            (
                one.trunk,
                one.legs,
                one.answered,
                _percent(one.answer_rate),
                _duration(one.talk_seconds),
            )
            for one in found.by_trunk
        ],
    )
    yield _table(
        (f"hour ({found.time_zone})", "attempts", "answered", "talk time"),
        [
            (
                f"{one.hour:%Y-%m-%d %H:%M%z}",
                one.attempts,
                one.answered,
                _duration(one.talk_seconds),
            )
            for one in found.by_hour
        ],
    )


def _table(head: tuple[str, ...], lines: list[tuple[object, ...]]) -> rich.table.Table:
    """Return a table whose first column is words, and the others figures."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for place, name in enumerate(head):
        table.add_column(name, justify="right" if place else "left")
    for line in lines:
        table.add_row(*(rich.text.Text(str(cell)) for cell in line))
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _duration(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}"

"""Commands that speak to the API: campaigns, and why a call came out as it did."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from dialer.call_ladder import drawn
from dialer.call_record import explain
from dialer.campaign.status import CampaignStatus
from dialer.client import ApiProblem
from dialer.command import LOCAL_API, Api, CampaignId, Mistake, run_with_client
from dialer.list_commands import (
    DryRun,
    Encoding,
    NumbersFile,
    Reading,
    Sheet,
    import_report,
    opened,
    remove,
    send_list,
)
from dialer.progress import clock_time, follow

if TYPE_CHECKING:
    from dialer.api import models
    from dialer.client import Client

app = typer.Typer(help="Create and steer campaigns.", no_args_is_help=True)
app.command("import-report")(import_report)
app.command()(remove)


@app.command()
def create(  # noqa: PLR0913, PLR0917 - one option per common setting
    numbers: NumbersFile,
    trunk: Annotated[list[str], typer.Option(help="Trunk to call over; repeat for more.")],
    name: Annotated[str, typer.Option(help="Default: the list's file name.")] = "",
    caller_id: Annotated[
        list[str] | None, typer.Option(help="Repeat for more, used in turn; default: the trunk's.")
    ] = None,
    play: Annotated[
        str | None, typer.Option(help="Prompt in the prompts folder; without, it hangs up.")
    ] = None,
    bot: Annotated[
        str | None, typer.Option(help="WebSocket of a bot that leads the calls: ws:// or wss://.")
    ] = None,
    max_calls: Annotated[int, typer.Option(help="Calls at the same time.")] = 10,
    rate: Annotated[float | None, typer.Option(help="New calls per second.")] = None,
    max_attempts: Annotated[int, typer.Option(help="First call included.")] = 3,
    retry_minutes: Annotated[int, typer.Option(help="Between attempts.")] = 60,
    ring_timeout: Annotated[int, typer.Option(help="Seconds to let ring, 15 to 120.")] = 40,
    sheet: Sheet = None,
    encoding: Encoding = None,
    api: Api = LOCAL_API,
    *,
    start_now: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Create a campaign from a list in CSV or XLSX."""
    settings: dict[str, Any] = {
        "name": name or numbers.stem,
        "trunks": trunk,
        "caller_ids": caller_id or [],
        "max_simultaneous_calls": max_calls,
        "calls_per_second": rate,
        "max_attempts": max_attempts,
        "retry_interval_minutes": retry_minutes,
        "ring_timeout_seconds": ring_timeout,
    }
    if play and bot:
        raise Mistake("--play and --bot: calls are led by one of the two")
    if play:
        settings["on_answer"] = {"kind": "prompt", "file": play}
    if bot:
        settings["on_answer"] = {"kind": "bot", "url": bot}
    reading = Reading(sheet, encoding)

    async def work(client: Client) -> None:
        with opened(numbers) as file:
            if dry_run:
                await send_list(client, None, file, reading)
                return
            made = await client.create_campaign(settings)
            try:
                await send_list(client, made.id, file, reading)
            except ApiProblem as problem:
                raise await _half_created(client, made.id, f"{numbers}: {problem}") from None
        if start_now:
            typer.echo(_said(await client.start(made.id)))
        else:
            typer.echo(f"start it with: dialer campaign start {made.id}")

    run_with_client(api, work)


@app.command()
def add(
    campaign_id: CampaignId,
    numbers: NumbersFile,
    sheet: Sheet = None,
    encoding: Encoding = None,
    api: Api = LOCAL_API,
    *,
    dry_run: DryRun = False,
) -> None:
    """Add a list in CSV or XLSX to a campaign.

    Numbers that it has already, with the same other columns, are skipped.
    """

    async def work(client: Client) -> None:
        with opened(numbers) as file:
            await send_list(client, campaign_id, file, Reading(sheet, encoding, dry_run=dry_run))

    run_with_client(api, work)


@app.command("list")
def list_campaigns(
    status: Annotated[list[CampaignStatus] | None, typer.Option(help="Only these.")] = None,
    api: Api = LOCAL_API,
) -> None:
    """List the newest campaigns."""

    async def work(client: Client) -> None:
        table = rich.table.Table("id", "name", "status", "created", box=rich.box.SIMPLE_HEAD)
        for one in (await client.campaigns(*(status or []))).items:
            created = f"{one.created_at.astimezone():%Y-%m-%d %H:%M}"
            table.add_row(str(one.id), rich.text.Text(one.name), one.status_label, created)
        if table.rows:
            rich.console.Console().print(table)
        else:
            typer.echo("no campaigns")

    run_with_client(api, work)


@app.command()
def start(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Start a campaign."""
    _move("start", campaign_id, api)


@app.command()
def pause(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Pause a campaign; calls that are up go on."""
    _move("pause", campaign_id, api)


@app.command()
def resume(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Let a paused campaign go on."""
    _move("resume", campaign_id, api)


@app.command()
def finish(
    campaign_id: CampaignId,
    api: Api = LOCAL_API,
    *,
    hang_up: Annotated[bool, typer.Option("--hang-up", help="End calls that are up.")] = False,
) -> None:
    """Finish a campaign for good."""
    _move("finish", campaign_id, api, hang_up=hang_up)


@app.command()
def delete(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Finish and delete a campaign; its call records stay."""

    async def work(client: Client) -> None:
        await client.delete_campaign(campaign_id)
        typer.echo(f"campaign {campaign_id}: deleted")

    run_with_client(api, work)


@app.command()
def watch(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Show the progress of a campaign.

    Until all its calls are over; Ctrl-C ends the watching only.
    """

    async def work(client: Client) -> None:
        console = rich.console.Console()
        await follow(client, campaign_id, console, lambda status: status.final)

    run_with_client(api, work)


def call(
    call_id: Annotated[int, typer.Argument(help="Number of the call, as in a report.")],
    pcap: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write its SIP and RTP for Wireshark.")
    ] = None,
    api: Api = LOCAL_API,
    *,
    ladder: Annotated[bool, typer.Option("--ladder", help="Draw its SIP messages.")] = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="Print its SIP messages whole.")
    ] = False,
) -> None:
    """Tell why a call came out as it did.

    Its attempts, what the network said to each INVITE and when, and the rule that decided; or the
    SIP messages themselves, as long as they are kept.
    """

    async def work(client: Client) -> None:
        if pcap is not None:
            data = await client.call_capture(call_id)
            try:
                pcap.write_bytes(data)
            except OSError as error:
                raise Mistake(f"cannot write {pcap}: {error.strerror}") from None
            typer.echo(f"{pcap}: {len(data)} bytes")
        if ladder or messages:
            kept = await client.call_messages(call_id)
            for line in drawn(kept, whole=messages):
                typer.echo(line)
        elif pcap is None:
            for line in explain(await client.call(call_id)):
                typer.echo(line)

    run_with_client(api, work)


def _move(action: str, campaign_id: int, api: str, **options: Any) -> None:
    async def work(client: Client) -> None:
        typer.echo(_said(await getattr(client, action)(campaign_id, **options)))

    run_with_client(api, work)


def _said(moved: models.Campaign) -> str:
    starts = moved.status is CampaignStatus.PLANNED
    when = f", starts at {clock_time(moved.start_at)}" if starts else ""
    return f"campaign {moved.id}: {moved.status_label}{when}"


async def _half_created(client: Client, campaign_id: int, why: str) -> Mistake:
    """Delete a campaign whose list could not be read at all; keep one that has numbers."""
    kept = sum(count.calls for count in (await client.campaign(campaign_id)).counts)
    if kept:
        return Mistake(
            f"{why}; campaign {campaign_id} has the {kept} numbers before that: mend the list, and"
            f" add it again with dialer campaign add {campaign_id}"
        )
    await client.delete_campaign(campaign_id)
    return Mistake(why)

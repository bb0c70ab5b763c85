"""The command line: serve, demo, dial, campaign, db."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import rich.console
import rich.progress
import rich.table
import typer

from dialer import __version__, config, log
from dialer.api.settings import SettingsError
from dialer.campaign.status import CampaignStatus
from dialer.client import ApiProblem, Client
from dialer.progress import progress_of
from dialer.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from dialer.api import models

app = typer.Typer(
    help="Places real SIP calls for call campaigns and says what became of each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
campaign = typer.Typer(help="Create and steer campaigns over the API.", no_args_is_help=True)
database = typer.Typer(help="Look after the database.", no_args_is_help=True)
app.add_typer(campaign, name="campaign")
app.add_typer(database, name="db")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="DIALER_CONFIG", help="The configuration file."),
]
Api = Annotated[str, typer.Option("--api", envvar="DIALER_API", help="Address of the API.")]
CampaignId = Annotated[int, typer.Argument(help="Number of the campaign.")]
LOCAL_API = "http://127.0.0.1:8080"
READ_SIZE = 256 * 1024


def main() -> None:
    """Run a command; whatever a person can mend is one line on stderr and exit code 2."""
    try:
        app()
    except (config.ConfigError, SettingsError, ApiProblem, StoreError) as error:
        fail(str(error))


def fail(line: str) -> NoReturn:
    """End with one line for a person."""
    print(f"dialer: {line}", file=sys.stderr)
    raise SystemExit(2)


def run(work: Coroutine[Any, Any, int | None]) -> NoReturn:
    """Run a command's coroutine on the fastest loop at hand, and exit with what it returns."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        code = asyncio.run(work)
    else:
        code = uvloop.run(work)
    raise SystemExit(code or 0)


def settings_of(file: Path | None) -> config.Config:
    """Read the configuration and set the log up."""
    settings = config.load(file)
    wanted = settings.log.format
    human = sys.stderr.isatty() if wanted == "auto" else wanted == "console"
    log.configure(fmt="console" if human else "json", level=settings.log.level)
    return settings


@app.callback(invoke_without_command=True)
def version(
    *, show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Print the version, when asked."""
    if show:
        print(__version__)
        raise typer.Exit


@app.command()
def serve(
    file: ConfigFile = None,
    *,
    engine: Annotated[bool, typer.Option(help="Place calls from this process.")] = True,
    api: Annotated[bool, typer.Option(help="Serve the API from this process.")] = True,
) -> None:
    """Run the service: engine and API, with a private Postgres unless one is configured."""
    from dialer.service import Service, serve_until_signal  # noqa: PLC0415 - slow to import

    run(serve_until_signal(Service(settings_of(file), engine=engine, api=api)))


@app.command()
def demo(
    *,
    leave: Annotated[bool, typer.Option("--exit", help="Leave when the calls are over.")] = False,
    numbers: Annotated[int, typer.Option(min=1, max=5000, help="How many to call.")] = 200,
) -> None:
    """Call simulated numbers of every behaviour, and compare with the far end's own ledger."""
    from dialer.demo import demonstrate  # noqa: PLC0415 - slow to import

    log.configure(level="error")
    run(demonstrate(numbers, leave=leave))


@app.command()
def dial(
    number: Annotated[str, typer.Argument(help="The number, or an extension of the PBX.")],
    trunk: Annotated[
        str, typer.Option(help="A trunk of the configuration, or host[:port] without digest.")
    ],
    file: ConfigFile = None,
    play: Annotated[Path | None, typer.Option(help="Audio file to play on answer.")] = None,
    caller_id: Annotated[str | None, typer.Option(help="Caller ID; default: the trunk's.")] = None,
    ring_timeout: Annotated[float, typer.Option(min=1, max=120, help="Seconds to let ring.")] = 40,
) -> None:
    """Place one call, print its SIP ladder as it happens; the exit code tells the outcome.

    0 answered, 10 busy, 11 no answer, 12 declined, 13 unreachable, 14 invalid number,
    20 any trouble of the trunk or the network, 2 a mistake in the command.
    """
    from dialer.dial import dial_once  # noqa: PLC0415 - slow to import

    log.configure(level="error")
    run(
        dial_once(
            config.load(file),
            number=number,
            trunk_name=trunk,
            play=play,
            caller_id=caller_id,
            ring_timeout=ring_timeout,
        )
    )


@database.command()
def upgrade(file: ConfigFile = None) -> None:
    """Bring the database's schema to this version's."""
    from dialer.service import database_of  # noqa: PLC0415 - slow to import
    from dialer.store import migrate  # noqa: PLC0415

    async def work() -> None:
        async with database_of(settings_of(file)) as url:
            print(f"the schema is at {await migrate.upgrade(url)}")

    run(work())


@campaign.command()
def create(  # noqa: PLR0913, PLR0917 - one option per common setting
    numbers: Annotated[Path, typer.Argument(help="CSV list: first column or `phone`.")],
    trunk: Annotated[list[str], typer.Option(help="Trunk to call over; repeat for more.")],
    name: Annotated[str, typer.Option(help="Default: the list's file name.")] = "",
    caller_id: Annotated[list[str] | None, typer.Option(help="Repeat for rotation.")] = None,
    play: Annotated[str | None, typer.Option(help="Prompt in the prompts folder.")] = None,
    max_calls: Annotated[int, typer.Option(help="Calls at the same time.")] = 10,
    rate: Annotated[float | None, typer.Option(help="New calls per second.")] = None,
    max_attempts: Annotated[int, typer.Option(help="First call included.")] = 3,
    api: Api = LOCAL_API,
    *,
    start: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
) -> None:
    """Create a campaign from a CSV list."""
    settings: dict[str, Any] = {
        "name": name or numbers.stem,
        "trunks": trunk,
        "caller_ids": caller_id or [],
        "max_simultaneous_calls": max_calls,
        "calls_per_second": rate,
        "max_attempts": max_attempts,
    }
    if play:
        settings["on_answer"] = {"kind": "prompt", "file": play}

    async def work(client: Client) -> None:
        made = await client.create_campaign(settings)
        report = await client.add_list(made.id, _pieces(numbers))
        print(
            f"campaign {made.id}: {report.added} numbers added, "
            f"{report.duplicates} duplicates, {report.rejected} rejected"
        )
        for row in report.rejected_rows:
            print(f"  line {row.line}: {row.phone!r}: {row.reason}")
        if start:
            print(f"campaign {made.id}: {(await client.start(made.id)).status_label}")

    if not numbers.is_file():
        fail(f"{numbers}: no such file")
    _with_client(api, work)


@campaign.command("list")
def list_campaigns(
    status: Annotated[list[CampaignStatus] | None, typer.Option(help="Only these.")] = None,
    api: Api = LOCAL_API,
) -> None:
    """List the newest campaigns."""

    async def work(client: Client) -> None:
        table = rich.table.Table("id", "name", "status", "created")
        for one in (await client.campaigns(*(status or []))).items:
            created = one.created_at.astimezone().isoformat(" ", "minutes")
            table.add_row(str(one.id), one.name, one.status_label, created)
        rich.console.Console().print(table)

    _with_client(api, work)


def _move(action: str, campaign_id: int, api: str, **options: Any) -> None:
    async def work(client: Client) -> None:
        moved: models.Campaign = await getattr(client, action)(campaign_id, **options)
        print(f"campaign {moved.id}: {moved.status_label}")

    _with_client(api, work)


@campaign.command("start")
def start_campaign(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Start a campaign."""
    _move("start", campaign_id, api)


@campaign.command()
def pause(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Pause a campaign; calls that are up run to their end."""
    _move("pause", campaign_id, api)


@campaign.command()
def resume(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Let a paused campaign go on."""
    _move("resume", campaign_id, api)


@campaign.command()
def finish(
    campaign_id: CampaignId,
    api: Api = LOCAL_API,
    *,
    hang_up: Annotated[bool, typer.Option("--hang-up", help="End calls that are up.")] = False,
) -> None:
    """Finish a campaign for good."""
    _move("finish", campaign_id, api, hang_up=hang_up)


@campaign.command()
def delete(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Delete a campaign, finishing it first; its call records stay."""

    async def work(client: Client) -> None:
        await client.delete_campaign(campaign_id)
        print(f"campaign {campaign_id}: deleted")

    _with_client(api, work)


@campaign.command()
def watch(campaign_id: CampaignId, api: Api = LOCAL_API) -> None:
    """Show the progress of a campaign until no call of it is left to make."""

    async def work(client: Client) -> None:
        columns = ("{task.description}", rich.progress.BarColumn(), "{task.completed}/{task.total}")
        with rich.progress.Progress(*columns) as progress:
            bar = progress.add_task("calls over", total=None)
            while True:
                found = await client.campaign(campaign_id)
                total, over, line = progress_of(found)
                progress.update(bar, total=total, completed=over, description=line)
                if total == over or found.status is CampaignStatus.FINISHED:
                    return
                await asyncio.sleep(0.5)

    _with_client(api, work)


@campaign.command()
def report(
    campaign_id: CampaignId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: stdout.")] = None,
    api: Api = LOCAL_API,
) -> None:
    """Write the campaign's calls as CSV."""

    async def work(client: Client) -> None:
        out = output.open("wb") if output else sys.stdout.buffer
        with out:
            async for piece in client.report(campaign_id):
                out.write(piece)

    _with_client(api, work)


def _with_client(api: str, work: Any) -> NoReturn:
    async def with_client() -> None:
        async with Client(api, os.environ.get("DIALER_API_TOKEN")) as client:
            await work(client)

    run(with_client())


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, READ_SIZE):
            yield piece

"""Commands about recordings, over the API."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import rich.box
import rich.console
import rich.table
import typer

from dialer import config
from dialer.client import ApiProblem
from dialer.command import LOCAL_API, Api, ConfigFile, Mistake, run, run_with_client
from dialer.recordings.configured import keys_of, place_of
from dialer.recordings.place import PlaceError

if TYPE_CHECKING:
    from dialer.api.recording_models import Recording
    from dialer.client import Client

app = typer.Typer(
    help="Listen to recordings of calls, and delete them (docs/recordings.md).",
    no_args_is_help=True,
)
RecordingId = Annotated[UUID, typer.Argument(help="As in the list.")]
PAGE = 500
PIECE = 1024 * 1024  # bytes
TRIES = 5  # of a transfer that breaks off, as long as each brings something


@app.command("list")
def list_recordings(
    campaign: Annotated[int | None, typer.Option(min=1, help="Only of this one.")] = None,
    call: Annotated[int | None, typer.Option(min=1, help="Only of this one.")] = None,
    since: Annotated[
        dt.datetime | None, typer.Option("--from", help="Only begun from this local time on.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At the most.")] = 50,
    api: Api = LOCAL_API,
) -> None:
    """List recordings, the last added first, those that were deleted too."""

    async def work(client: Client) -> None:
        found: list[Recording] = []
        cursor = None
        while len(found) < limit:
            page = await client.recordings.page(
                limit=min(PAGE, limit - len(found)),
                cursor=cursor,
                campaign_id=campaign,
                call_id=call,
                since=since and since.astimezone().isoformat(),
            )
            found += page.items
            if not (cursor := page.next_cursor):
                break
        if not found:
            typer.echo("no recordings")
            return
        table = rich.table.Table(
            "recording",
            "call",
            "begun (UTC)",
            "length",
            "consent",
            "kept",
            box=rich.box.SIMPLE_HEAD,
        )
        table.columns[0].no_wrap = True
        for one in found:
            began = f"{one.started_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
            length = f"{one.seconds:.0f} s" if one.whole else f"{one.seconds:.0f} s, with gaps"
            table.add_row(str(one.id), str(one.call_id), began, length, one.consent, _kept(one))
        rich.console.Console(width=max(rich.console.Console().width, 120)).print(table)

    run_with_client(api, work)


@app.command()
def check(file: ConfigFile = None) -> None:
    """Try the place that the configuration names, by a small file that is deleted again."""
    settings = config.load(file)
    place, keys = place_of(settings), keys_of(settings)

    async def work() -> None:
        try:
            await place.probe()
        except PlaceError as error:
            raise Mistake(str(error)) from None
        typer.echo(f"{place}: can be written to and deleted from")
        typer.echo(
            "recordings are sealed" if keys.sealing else "recordings are kept in clear: no key"
        )

    run(work())


@app.command()
def get(
    recording_id: RecordingId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file or a folder; default: here, by call and time."),
    ] = None,
    api: Api = LOCAL_API,
) -> None:
    """Write the sound of a recording into a file.

    What breaks off goes on where it was, also when the command is run again.
    """

    async def work(client: Client) -> None:
        found = await client.recordings.get(recording_id)
        file = _target(found, output)
        part = file.with_name(f"{file.name}.part")
        try:
            await _fetch(client, found, part)
            if _digest(part) != found.sha256:
                part.unlink()
                raise Mistake(f"{file.name} did not come as it was recorded; try again")
            part.replace(file)
        except OSError as error:
            raise Mistake(f"{file}: {error.strerror}") from None
        typer.echo(f"{file}: {found.seconds:.0f} s, {found.octets} bytes")

    run_with_client(api, work)


@app.command()
def delete(
    recording_id: RecordingId,
    api: Api = LOCAL_API,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a recording for good; that it was there stays on record."""
    if not yes:
        typer.confirm(f"Delete recording {recording_id} for good?", abort=True)

    async def work(client: Client) -> None:
        await client.recordings.delete(recording_id)
        typer.echo(f"recording {recording_id} is deleted")

    run_with_client(api, work)


async def _fetch(client: Client, found: Recording, part: Path) -> None:
    """Add to `part` what it lacks of the sound; raises ApiProblem where nothing more comes."""
    have = _begun(part, found.octets)
    for attempt in range(1, TRIES + 1):
        before = have
        try:
            with part.open("ab") as file:
                if have < found.octets:
                    async for piece in client.recordings.audio(found.id, have):
                        have += file.write(piece)
        except ApiProblem as problem:
            if problem.status is not None or have == before or attempt == TRIES:
                raise
        else:
            return


def _begun(part: Path, octets: int) -> int:
    """Return how much is there already; what is longer than it could be is of something else."""
    if not part.exists():
        return 0
    if part.stat().st_size > octets:
        part.unlink()
        return 0
    return part.stat().st_size


def _target(found: Recording, output: Path | None) -> Path:
    if output is None:
        return Path(found.file_name)
    return output / found.file_name if output.is_dir() else output


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _kept(found: Recording) -> str:
    if found.deleted_at is not None:
        because = f" ({found.deleted_because})" if found.deleted_because else ""
        return f"deleted {found.deleted_at.astimezone(dt.UTC):%Y-%m-%d}{because}"
    if found.expires_at is None:
        return "as long as its call"
    return f"until {found.expires_at.astimezone(dt.UTC):%Y-%m-%d}"

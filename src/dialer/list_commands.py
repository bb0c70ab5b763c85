"""Commands for the lists of a campaign: sending them, what became of them, taking numbers out."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from dialer.command import LOCAL_API, Api, CampaignId, Mistake, run_with_client, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dialer.api import models
    from dialer.client import Client

READ_SIZE = 256 * 1024  # bytes

NumbersFile = Annotated[
    Path, typer.Argument(help="List in CSV or XLSX: column `phone`, or the first one.")
]
Sheet = Annotated[
    str | None, typer.Option(metavar="NAME", help="Sheet of a workbook; default: the first.")
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of a CSV list; default: found out.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing; tell what adding the list would do.")
]


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """How a list is read, and whether it is added."""

    sheet: str | None = None
    encoding: str | None = None
    dry_run: bool = dataclasses.field(default=False, kw_only=True)

    def query(self, name: str) -> dict[str, str | bool]:
        """Return the query parameters for a list of that file name."""
        given = {"sheet": self.sheet, "encoding": self.encoding}
        found: dict[str, str | bool] = {key: text for key, text in given.items() if text}
        return found | ({"dry_run": True} if self.dry_run else {}) | {"file_name": name[:200]}


def import_report(
    import_id: Annotated[int, typer.Argument(help="Number of the import, as add tells it.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: stdout.")] = None,
    api: Api = LOCAL_API,
) -> None:
    """Write the rows of a list that did not go in, with line and reason, as CSV."""

    async def work(client: Client) -> None:
        pieces = client.skipped_rows(import_id)
        first = await anext(pieces, b"")  # a refusal comes before the file is touched
        with written(output) as out:
            out.write(first)
            async for piece in pieces:
                out.write(piece)

    run_with_client(api, work)


def remove(
    campaign_id: CampaignId,
    numbers: Annotated[list[str] | None, typer.Argument(help="Numbers to take out.")] = None,
    call: Annotated[
        list[int] | None, typer.Option(help="Number of a call to take out; repeat for more.")
    ] = None,
    imported: Annotated[
        int | None, typer.Option("--import", metavar="ID", help="All that this import brought.")
    ] = None,
    api: Api = LOCAL_API,
) -> None:
    """Take numbers out of a campaign that were never called.

    Those that were called already stay, and it is told why.
    """
    if [bool(numbers), bool(call), imported is not None].count(True) != 1:
        raise Mistake("say what to remove: numbers, or --call, or --import")

    async def work(client: Client) -> None:
        removed = await client.remove_numbers(
            campaign_id, numbers=numbers or None, call_ids=call or None, import_id=imported
        )
        kept = f", {removed.kept} kept:" if removed.kept else ""
        typer.echo(f"campaign {campaign_id}: {removed.removed} numbers removed{kept}")
        for one in removed.kept_calls:
            which = one.phone or f"call {one.call_id}"
            typer.echo(f"  {which}: {one.reason}")
        if removed.kept_calls_truncated:
            typer.echo(f"  and {removed.kept - len(removed.kept_calls)} more")

    run_with_client(api, work)


async def send_list(
    client: Client, campaign_id: int | None, file: BinaryIO, reading: Reading
) -> None:
    """Send a list and tell what became of its rows, or would become.

    No campaign stands for one that is still to be created.
    """
    query = reading.query(Path(file.name).name)
    if campaign_id is None:
        added = await client.check_list(_pieces(file), **query)
    else:
        added = await client.add_list(campaign_id, _pieces(file), **query)
    parts = [f"{added.added} numbers {'would be ' if added.dry_run else ''}added"]
    parts += [f"{added.undialable} of them cannot be dialled"] if added.undialable else []
    parts += [f"{added.duplicates} duplicates"] if added.duplicates else []
    parts += [f"{added.rejected} rejected:"] if added.rejected else []
    where = "dry run" if added.dry_run else f"campaign {campaign_id}"
    typer.echo(f"{where}: {', '.join(parts)}")
    _tell_rows(added, file.name)
    if added.import_id and added.duplicates + added.rejected:
        typer.echo(f"every skipped row: dialer campaign import-report {added.import_id}")


def _tell_rows(added: models.AddedNumbers, name: str) -> None:
    for row in added.rejected_rows:
        typer.echo(f"  {name}:{row.line}: {row.reason}")
    if added.rejected_rows_truncated:
        typer.echo(f"  and {added.rejected - len(added.rejected_rows)} more")


def opened(path: Path) -> BinaryIO:
    """Open a list. Raises Mistake."""
    try:
        return path.open("rb")
    except OSError as error:
        raise Mistake(f"{path}: {error.strerror}") from None


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, READ_SIZE):
        yield piece

"""Commands about a person who was called: the erasure of their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dialer.command import LOCAL_API, Api, run_with_client

if TYPE_CHECKING:
    from dialer.client import Client

app = typer.Typer(help="Erase the data of a person.", no_args_is_help=True)


@app.callback()
def only_a_group() -> None:
    """Erase the data of a person."""


@app.command()
def erase(
    number: Annotated[str, typer.Argument(help="The number, international.")],
    api: Api = LOCAL_API,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase the data of the person with a number.

    In all campaigns: numbers, columns of the lists, messages. Statuses and counts stay, and so
    does an entry in the do-not-call list. It cannot be undone.
    """
    if not yes:
        typer.confirm(f"Erase what is on record of {number} for good?", abort=True)

    async def work(client: Client) -> None:
        gone = await client.erase_person(number)
        typer.echo(
            f"{number}: {gone.calls} calls erased, with {gone.legs} INVITEs,"
            f" {gone.traces} traces, {gone.recordings} recordings and {gone.import_rows} rows of"
            " lists"
        )

    run_with_client(api, work)

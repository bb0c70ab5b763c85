"""Commands that keep the do-not-call lists, over the API."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from dialer.command import LOCAL_API, Api, Mistake, run_with_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dialer.api import account_models
    from dialer.client import Client

READ_SIZE = 256 * 1024  # bytes

app = typer.Typer(help="Keep the list of those who may not be called.", no_args_is_help=True)

Numbers = Annotated[list[str], typer.Argument(help="Numbers, or extensions of the PBX.")]
Prefix = Annotated[
    bool, typer.Option("--prefix", help="They are beginnings of numbers, such as +4989.")
]
Everybody = Annotated[
    bool,
    typer.Option("--all-accounts", help="The list for all accounts, which the default one keeps."),
]


@app.command("list")
def list_entries(
    api: Api = LOCAL_API,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The newest so many.")] = 50,
    *,
    all_accounts: Everybody = False,
) -> None:
    """List the newest entries."""

    async def work(client: Client) -> None:
        page = await client.do_not_call(scope=_scope(all_accounts), limit=limit)
        if not page.items:
            typer.echo("nobody is listed")
            return
        _print(page.items)
        if page.next_cursor:
            typer.echo("there are more: dialer do-not-call export writes all")

    run_with_client(api, work)


@app.command()
def check(number: Annotated[str, typer.Argument(help="The number.")], api: Api = LOCAL_API) -> None:
    """Tell whether a number may be called, and what lists it."""

    async def work(client: Client) -> None:
        if found := (await client.do_not_call(number=number)).items:
            _print(found)
        else:
            typer.echo(f"{number} is not listed")

    run_with_client(api, work)


@app.command()
def add(
    numbers: Numbers,
    reason: Annotated[str, typer.Option(help="Why; calls that are not made show it.")] = "",
    api: Api = LOCAL_API,
    *,
    prefix: Prefix = False,
    all_accounts: Everybody = False,
) -> None:
    """Let numbers be called no more.

    Calls that are up go on.
    """
    kind = "prefix" if prefix else "number"
    entries = [{"phone": number, "kind": kind, "reason": reason} for number in numbers]

    async def work(client: Client) -> None:
        _tell("", await client.add_do_not_call(entries, scope=_scope(all_accounts)))

    run_with_client(api, work)


@app.command()
def remove(
    numbers: Numbers,
    api: Api = LOCAL_API,
    *,
    prefix: Prefix = False,
    all_accounts: Everybody = False,
) -> None:
    """Take entries off the list, as they stand there."""
    kind: account_models.Kind = "prefix" if prefix else "number"

    async def work(client: Client) -> None:
        for number in numbers:
            await client.remove_do_not_call(number, kind=kind, scope=_scope(all_accounts))
            typer.echo(f"{number}: removed")

    run_with_client(api, work)


@app.command("import")
def import_list(
    file: Annotated[
        Path, typer.Argument(help="CSV list: column `phone`, or the first; `kind`, `reason`.")
    ],
    api: Api = LOCAL_API,
    *,
    all_accounts: Everybody = False,
) -> None:
    """Add the entries of a CSV list.

    `kind` is number or prefix. What is listed already stays as it is.
    """

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(opened.read, READ_SIZE):
            yield piece

    async def work(client: Client) -> None:
        scope = _scope(all_accounts)
        _tell(f"{file}:", await client.import_do_not_call(pieces(), scope=scope))

    try:
        opened = file.open("rb")
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    with opened:
        run_with_client(api, work)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: stdout.")] = None,
    api: Api = LOCAL_API,
    *,
    all_accounts: Everybody = False,
) -> None:
    """Write the list as CSV, in the form in which it can be imported."""

    async def work(client: Client) -> None:
        pieces = client.export_do_not_call(scope=_scope(all_accounts))
        first = await anext(pieces, b"")  # a refusal comes before the file is touched
        with contextlib.ExitStack() as stack:
            try:
                out = stack.enter_context(output.open("wb")) if output else sys.stdout.buffer
                out.write(first)
                async for piece in pieces:
                    out.write(piece)
                out.flush()
            except OSError as error:
                raise Mistake(f"{output or 'stdout'}: {error.strerror}") from None

    run_with_client(api, work)


def _scope(all_accounts: bool) -> account_models.Scope:  # noqa: FBT001 - an option as typer has it
    return "all" if all_accounts else "account"


def _tell(where: str, added: account_models.AddedListings) -> None:
    parts: list[Any] = [f"{added.added} added"]
    parts += [f"{added.already_listed} listed already"] if added.already_listed else []
    parts += [f"{added.rejected} rejected:"] if added.rejected else []
    typer.echo(", ".join(parts))
    for row in added.rejected_rows:
        typer.echo(f"  {where}{row.line}: {row.reason}")
    if added.rejected_rows_truncated:
        typer.echo(f"  and {added.rejected - len(added.rejected_rows)} more")


def _print(entries: list[account_models.Listing]) -> None:
    table = rich.table.Table("phone", "list of", "since", "from", "why", box=rich.box.SIMPLE_HEAD)
    for one in entries:
        table.add_row(
            one.phone + ("…" if one.kind == "prefix" else ""),
            "all accounts" if one.scope == "all" else "the account",
            f"{one.created_at.astimezone():%Y-%m-%d}",
            one.source,
            rich.text.Text(one.reason),
        )
    rich.console.Console().print(table)

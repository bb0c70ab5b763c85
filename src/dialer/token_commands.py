"""Commands that make and revoke tokens; they speak to the database themselves."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from dialer.campaign.role import Role
from dialer.clock import SystemClock
from dialer.command import ConfigFile, Mistake
from dialer.command_database import run_with_database
from dialer.store import accounts, tokens

if TYPE_CHECKING:
    from dialer.store.account_records import Token
    from dialer.store.pool import Connection

LONGEST_NAME = 100

app = typer.Typer(help="Make and revoke tokens of accounts.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="Name of the account, or its number.")]


@app.command()
def create(
    account: Account,
    name: Annotated[str, typer.Option(help="Who or what will use it.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.OPERATOR,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Until it expires.")] = None,
    file: ConfigFile = None,
) -> None:
    """Make a token and print it, this once.

    A viewer reads; an operator also creates, changes and steers campaigns; an admin also makes
    tokens, and of the default account steers trunks.
    """
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise Mistake(f"--name has 1 to {LONGEST_NAME} printable characters, not {name[:120]!r}")

    async def work(connection: Connection) -> None:
        owner = await accounts.find(connection, account)
        until = None if days is None else SystemClock().now() + dt.timedelta(days=days)
        secret, made = await tokens.create(connection, owner.id, name.strip(), role, until)
        typer.echo(secret)
        typer.echo(
            f"token {made.id} of account {owner.settings.name}, {made.role}; keep it: it is"
            " shown this once",
            err=True,
        )

    run_with_database(file, work)


@app.command("list")
def list_tokens(account: Account, file: ConfigFile = None) -> None:
    """List an account's tokens, without their secrets."""

    async def work(connection: Connection) -> None:
        owner = await accounts.find(connection, account)
        now = SystemClock().now()
        table = rich.table.Table(
            "number", "name", "role", "last used", "state", box=rich.box.SIMPLE_HEAD
        )
        for one in await tokens.list_all(connection, owner.id):
            used = "never" if one.last_used_at is None else f"{one.last_used_at:%Y-%m-%d %H:%M}"
            table.add_row(str(one.id), rich.text.Text(one.name), one.role, used, _state(one, now))
        if table.rows:
            rich.console.Console().print(table)
        else:
            typer.echo("no tokens")

    run_with_database(file, work)


@app.command()
def revoke(
    account: Account,
    token: Annotated[int, typer.Argument(help="Number of the token, as in the list.")],
    file: ConfigFile = None,
) -> None:
    """Let a token work no more, within seconds on every node."""

    async def work(connection: Connection) -> None:
        owner = await accounts.find(connection, account)
        gone = await tokens.revoke(connection, owner.id, token)
        typer.echo(f"token {gone.id} ({gone.name}): revoked")

    run_with_database(file, work)


def _state(token: Token, now: dt.datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.expires_at is None:
        return "works"
    return f"{'expired' if token.expires_at <= now else 'until'} {token.expires_at:%Y-%m-%d}"

"""Commands that keep accounts; they speak to the database themselves, on its own machine."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import rich.box
import rich.console
import rich.table
import typer

from dialer.campaign.account_settings import AccountSettings
from dialer.command import ConfigFile, Mistake
from dialer.command_database import run_with_database
from dialer.store import account_records, accounts, plan_limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dialer.store.account_records import Account
    from dialer.store.pool import Connection

NONE = "none"  # what lifts a limit

app = typer.Typer(help="Keep accounts and their plans.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the account, or its number.")]
Minutes = Annotated[str | None, typer.Option(help="Of talk time in a period.")]
Users = Annotated[str | None, typer.Option(help="Numbers spoken with in a period.")]
Increment = Annotated[str | None, typer.Option(help="Seconds that talk time is rounded up to.")]
Period = Annotated[str | None, typer.Option(help="day, week or month.")]
Anchor = Annotated[str | None, typer.Option(help="Day on which a monthly period begins.")]
Zone = Annotated[str | None, typer.Option(help="Time zone at whose midnight periods begin.")]
Calls = Annotated[str | None, typer.Option(help="Calls at the same time.")]
Prefixes = Annotated[
    list[str] | None, typer.Option(help="How numbers begin that may be called; repeat for more.")
]
PerDay = Annotated[str | None, typer.Option(help="Attempts at one number in a day.")]
PerWeek = Annotated[str | None, typer.Option(help="Attempts at one number in a week.")]


@app.command()
def create(  # noqa: PLR0913, PLR0917 - one option per limit
    name: Annotated[str, typer.Argument(help="Small letters, digits, - and _.")],
    minutes: Minutes = None,
    unique_users: Users = None,
    increment_seconds: Increment = None,
    period: Period = None,
    anchor_day: Anchor = None,
    time_zone: Zone = None,
    max_simultaneous_calls: Calls = None,
    allowed_prefixes: Prefixes = None,
    attempts_per_day: PerDay = None,
    attempts_per_week: PerWeek = None,
    file: ConfigFile = None,
) -> None:
    """Create an account.

    What is not named is not limited.
    """
    given = _given(locals())

    async def work(connection: Connection) -> None:
        settings = _checked(given)
        made = await accounts.create(connection, account_records.AccountSettings(**settings))
        typer.echo(f"account {made.settings.name}: number {made.id}")
        typer.echo(f"give it a token with: dialer token create {made.settings.name} --name NAME")

    run_with_database(file, work)


@app.command()
def change(  # noqa: PLR0913, PLR0917 - one option per limit
    account: Name,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    minutes: Minutes = None,
    unique_users: Users = None,
    increment_seconds: Increment = None,
    period: Period = None,
    anchor_day: Anchor = None,
    time_zone: Zone = None,
    max_simultaneous_calls: Calls = None,
    allowed_prefixes: Prefixes = None,
    attempts_per_day: PerDay = None,
    attempts_per_week: PerWeek = None,
    file: ConfigFile = None,
) -> None:
    """Change an account.

    "none" lifts a limit; what is not named stays. Calls that are claimed from now on go by it.
    """
    given = _given(locals())
    if not given:
        raise Mistake("name what is to be changed; dialer account change --help lists it")

    async def work(connection: Connection) -> None:
        before = await accounts.find(connection, account)
        wanted = _checked(dataclasses.asdict(before.settings) | given)
        changes = {key: wanted[key] for key in given}
        _tell(await accounts.change(connection, before.id, changes))

    run_with_database(file, work)


@app.command("list")
def list_accounts(
    file: ConfigFile = None,
    *,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones too.")] = False,
) -> None:
    """List the accounts."""

    async def work(connection: Connection) -> None:
        table = rich.table.Table(
            "number", "name", "period", "minutes", "users", "closed", box=rich.box.SIMPLE_HEAD
        )
        for one in await accounts.list_all(connection, closed=closed):
            plan = one.settings
            table.add_row(
                str(one.id), plan.name, plan.period, _limit(plan.minutes),
                _limit(plan.unique_users), f"{one.closed_at:%Y-%m-%d}" if one.closed_at else "",
            )  # fmt: skip
        rich.console.Console().print(table)

    run_with_database(file, work)


@app.command()
def show(account: Name, file: ConfigFile = None) -> None:
    """Show an account's plan."""

    async def work(connection: Connection) -> None:
        _tell(await accounts.find(connection, account))

    run_with_database(file, work)


@app.command()
def usage(account: Name, file: ConfigFile = None) -> None:
    """Tell what an account has used of this period."""

    async def work(connection: Connection) -> None:
        found = await accounts.find(connection, account)
        state = await plan_limits.read(connection, found.id)
        for line in _used(found.settings.name, state):
            typer.echo(line)

    run_with_database(file, work)


@app.command()
def close(account: Name, file: ConfigFile = None) -> None:
    """Close an account for good.

    Its campaigns must be finished. Its tokens stop working, within seconds on every node; what it
    has is kept.
    """

    async def work(connection: Connection) -> None:
        found = await accounts.find(connection, account)
        closed = await accounts.close(connection, found.id)
        typer.echo(f"account {closed.settings.name}: closed")

    run_with_database(file, work)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among a command's arguments that are given; "none" lifts a limit."""
    given: dict[str, Any] = {}
    for key in AccountSettings.model_fields:
        value = options[key]
        if value == NONE:
            given[key] = None
        elif value == [NONE]:
            given[key] = []
        elif value is not None:
            given[key] = value
    return given


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as the store takes them; raises Mistake."""
    try:
        found = AccountSettings.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "" if first["loc"] == ("name",) else f"--{str(first['loc'][0]).replace('_', '-')} "
        sentence = first["msg"].removeprefix("Value error, ")
        raise Mistake(f"{where or 'NAME '}{first['input']!r}: {sentence}") from None
    return found.model_dump() | {"allowed_prefixes": tuple(found.allowed_prefixes)}


def _tell(account: Account) -> None:
    plan = account.settings
    closed = f", closed on {account.closed_at:%Y-%m-%d}" if account.closed_at else ""
    begins = f" on day {plan.anchor_day}" if plan.period == "month" else ""
    lines = {
        "period": f"{plan.period}, beginning{begins} at midnight of {plan.time_zone}",
        "minutes": f"{_limit(plan.minutes)}, billed by {plan.increment_seconds} s",
        "unique users": _limit(plan.unique_users),
        "calls at once": _limit(plan.max_simultaneous_calls),
        "prefixes": ", ".join(plan.allowed_prefixes) or "all",
        "attempts at a number": f"{_limit(plan.attempts_per_day)} a day,"
        f" {_limit(plan.attempts_per_week)} a week",
    }
    typer.echo(f"account {plan.name}: number {account.id}{closed}")
    for name, line in lines.items():
        typer.echo(f"  {name}: {line}")


def _used(name: str, state: plan_limits.AccountState) -> Iterator[str]:
    spent, limits = state.billed_seconds + state.running_seconds, state.limits
    yield (
        f"account {name}: period from {state.period.begins_at:%Y-%m-%d %H:%M} to"
        f" {state.period.ends_at:%Y-%m-%d %H:%M} UTC"
    )
    yield (
        f"  minutes: {spent / 60:.1f} of {_limit(state.minutes)},"
        f" {state.running_seconds / 60:.1f} of them in calls that are up"
    )
    yield (
        f"  unique users: {limits.used} of {_limit(limits.unique_users)},"
        f" {limits.reserved} more reserved by attempts under way"
    )
    yield f"  calls under way: {state.live} of {_limit(state.max_simultaneous_calls)}"


def _limit(value: int | None) -> str:
    return "any" if value is None else str(value)

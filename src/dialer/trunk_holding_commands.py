"""Commands that show trunks as the nodes have them, and hold and release them."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Annotated

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from dialer.command import LOCAL_API, Api, run_with_client
from dialer.progress import clock_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dialer.api import trunk_models
    from dialer.client import Client

app = typer.Typer(help="Try, see and hold trunks.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the trunk, as in the configuration.")]


@app.command("list")
def list_trunks(api: Api = LOCAL_API) -> None:
    """List the trunks and how they stand."""

    async def work(client: Client) -> None:
        table = rich.table.Table(
            "trunk", "state", "calls", "last hour", "why", box=rich.box.SIMPLE_HEAD
        )
        for one in (await client.trunks()).items:
            table.add_row(
                one.name, _state(one), str(one.calls_up), _traffic(one), rich.text.Text(_why(one))
            )
        if table.rows:
            rich.console.Console().print(table)
        else:
            typer.echo("no trunks")

    run_with_client(api, work)


@app.command()
def show(name: Name, api: Api = LOCAL_API) -> None:
    """Tell how a trunk stands on every node, and what failed last."""

    async def work(client: Client) -> None:
        for line in _described(await client.trunk(name)):
            typer.echo(line)

    run_with_client(api, work)


@app.command()
def hold(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; everybody who looks at the trunk sees it.")],
    api: Api = LOCAL_API,
) -> None:
    """Give a trunk no more calls, on all nodes at once.

    Calls that are up go on.
    """

    async def work(client: Client) -> None:
        held = await client.hold_trunk(name, reason, _who())
        typer.echo(f"trunk {held.name}: held; {held.calls_up} calls are up and go on")

    run_with_client(api, work)


@app.command()
def release(name: Name, api: Api = LOCAL_API) -> None:
    """Give calls to a trunk again."""

    async def work(client: Client) -> None:
        released = await client.release_trunk(name)
        typer.echo(f"trunk {released.name}: {_state(released)}")

    run_with_client(api, work)


def _described(trunk: trunk_models.TrunkWithFailures) -> Iterator[str]:
    yield f"trunk {trunk.name}: {_state(trunk)}"
    if trunk.hold is not None:
        held = trunk.hold
        yield f"  held since {clock_time(held.at)} by {held.by}: {held.reason}"
    yield from (f"  warning: {warning}" for warning in trunk.warnings)
    if (facts := trunk.definition) is not None:
        port = "" if facts.port is None else f":{facts.port}"
        yield f"  {facts.host}{port} over {facts.transport or 'what DNS says'}"
        yield f"  up to {facts.max_calls} calls, {facts.calls_per_second:g} new ones per second"
        if facts.match:
            yield f"  numbers that begin with {', '.join(facts.match)}"
    yield f"  {trunk.calls_up} calls up; last hour: {_traffic(trunk)}"
    for node in trunk.nodes:
        found = node.health
        since = f" since {clock_time(found.since)}" if found.since else ""
        reason = f": {found.reason}" if found.reason else ""
        yield f"  on {node.node}: {found.availability}{since}{reason}"
        if found.held_until is not None:
            yield f"    no call until {clock_time(found.held_until)}"
        if found.rate < 1:
            yield f"    at {found.rate:.0%} of its calls per second"
        if found.registered_until is not None:
            yield f"    registered until {clock_time(found.registered_until)}"
    if trunk.recent_failures:
        yield "  last failures:"
    for one in trunk.recent_failures:
        said = one.local_cause if one.code is None else f"{one.code} {one.phrase}"
        yield (
            f"    {clock_time(one.at)}  call {one.call_id}: {one.outcome.value}"
            f" ({_printable(said or 'no final response')}), rule {one.rule}"
        )


def _state(trunk: trunk_models.Trunk) -> str:
    return "held" if trunk.hold is not None else trunk.availability


def _why(trunk: trunk_models.Trunk) -> str:
    reasons = [] if trunk.hold is None else [trunk.hold.reason]
    reasons += [f"{node.node}: {node.health.reason}" for node in trunk.nodes if node.health.reason]
    return "; ".join([*reasons, *trunk.warnings])


def _traffic(trunk: trunk_models.Trunk) -> str:
    carried = trunk.last_hour
    rate = carried.answer_rate
    return f"{carried.calls} calls" + ("" if rate is None else f", {rate:.0%} answered")


def _who() -> str:
    """Return who holds: the user of this shell."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def _printable(text: str) -> str:
    """Keep a peer's control characters away from the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)

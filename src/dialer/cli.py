"""The command line: each command, and what is said of a mistake."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer needs it at run time
from typing import Annotated

import typer

from dialer import (
    __version__,
    account_commands,
    audit_command,
    campaign_commands,
    config,
    do_not_call_commands,
    event_commands,
    log,
    person_commands,
    record_commands,
    recording_commands,
    token_commands,
    trunk_check_command,
    trunk_holding_commands,
    webhook_commands,
)
from dialer.api.settings import SettingsError
from dialer.client import ApiProblem
from dialer.command import ConfigFile, Mistake, run
from dialer.store.errors import StoreError

app = typer.Typer(
    help="Places real SIP calls for call campaigns and says what became of each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
database = typer.Typer(help="Look after the database.", no_args_is_help=True)

MISTAKES = (config.ConfigError, SettingsError, ApiProblem, StoreError, Mistake)


def main() -> None:
    """Run a command; whatever a person can mend is one line on stderr and exit code 2."""
    try:
        app()
    except MISTAKES as error:
        print(f"dialer: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


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
    """Run the service: engine and API.

    With a private Postgres unless DATABASE_URL or the configuration names one. SIGTERM or
    Ctrl-C lets calls that are up end; a second one hangs them up.
    """
    from dialer.service import Service, serve_until_signal  # noqa: PLC0415 - slow to import

    run(serve_until_signal(Service(settings_of(file), engine=engine, api=api)))


@app.command()
def demo(
    *,
    leave: Annotated[bool, typer.Option("--exit", help="Leave when the calls are over.")] = False,
    numbers: Annotated[int, typer.Option(min=1, max=1000, help="How many to call.")] = 200,
) -> None:
    """Call a simulated carrier.

    Numbers of every behaviour are called over SIP on loopback, and the dialer's record is
    compared with the carrier's own. Exit code 0 when both records agree on every number, else 1.
    """
    from dialer.demo import demonstrate  # noqa: PLC0415 - slow to import

    log.configure(level="error")
    run(demonstrate(numbers, leave=leave))


@app.command()
def dial(
    number: Annotated[str, typer.Argument(help="The number, or an extension of the PBX.")],
    trunk: Annotated[
        str, typer.Option(help="A trunk of the configuration, or host[:port] without an account.")
    ],
    file: ConfigFile = None,
    play: Annotated[
        Path | None, typer.Option(help="Audio file to play on answer; without, it hangs up.")
    ] = None,
    bot: Annotated[
        str | None, typer.Option(help="WebSocket of a bot that leads the call: ws:// or wss://.")
    ] = None,
    caller_id: Annotated[str | None, typer.Option(help="Caller ID; default: the trunk's.")] = None,
    ring_timeout: Annotated[float, typer.Option(min=1, max=120, help="Seconds to let ring.")] = 40,
) -> None:
    """Place one call and show its SIP messages.

    Each as it passes; Ctrl-C ends the call. The exit code tells the outcome:

    \b
      0  answered           13  unreachable
     10  busy               14  invalid number
     11  no answer          20  any trouble of the trunk or the network
     12  declined          130  ended by Ctrl-C before an answer
      2  a mistake in the command or the configuration
    """  # noqa: D301 - \b keeps the table's lines
    from dialer.dial import dial_once  # noqa: PLC0415 - slow to import

    log.configure(level="error")
    run(
        dial_once(
            config.load(file),
            number=number,
            trunk_name=trunk,
            play=play,
            bot=bot,
            caller_id=caller_id,
            ring_timeout=ring_timeout,
        )
    )


app.add_typer(campaign_commands.app, name="campaign")
record_commands.add_to(campaign_commands.app)
app.command()(event_commands.events)
app.add_typer(person_commands.app, name="person")
app.command("call")(campaign_commands.call)
app.command()(audit_command.audit)
app.add_typer(do_not_call_commands.app, name="do-not-call")
app.add_typer(account_commands.app, name="account")
app.add_typer(token_commands.app, name="token")
app.add_typer(webhook_commands.app, name="webhook")
app.add_typer(recording_commands.app, name="recordings")
app.add_typer(trunk_holding_commands.app, name="trunk")
trunk_holding_commands.app.command("check")(trunk_check_command.check)
app.add_typer(database, name="db")


@database.callback()
def only_a_group() -> None:
    """Look after the database."""


@database.command()
def upgrade(file: ConfigFile = None) -> None:
    """Bring the database's schema to this version's."""
    from dialer import service  # noqa: PLC0415 - slow to import

    async def work() -> None:
        async with service.database_of(settings_of(file)) as url:
            print(f"the schema is at {await service.upgrade(url)}")

    run(work())

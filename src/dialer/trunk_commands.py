"""The command that tries a trunk out."""

from __future__ import annotations

from typing import Annotated

import typer

from dialer import config, log
from dialer.command import ConfigFile, run


def check(
    name: Annotated[
        str, typer.Argument(help="A trunk of the configuration, or host[:port] without an account.")
    ],
    file: ConfigFile = None,
    call: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Place a test call too, of two seconds.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per step.")] = False,
) -> None:
    """Try a trunk out, step by step.

    Its name in DNS, a connection to each of its servers, the registration, OPTIONS, and on request
    a call; with what to change where a step fails. Exit code 0 when every step is fine, 1 when one
    failed, 2 for a mistake in the command or the configuration.
    """
    from dialer.trunk_check import check_trunk  # noqa: PLC0415 - slow to import

    log.configure(level="error")
    run(check_trunk(config.load(file), name, call=call, as_json=as_json))

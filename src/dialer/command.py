"""What every command shares: options, how it runs, and how it ends on a mistake."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NoReturn

import typer

from dialer.client import ApiProblem, Client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

TOKEN = "DIALER_API_TOKEN"  # noqa: S105 - the name of a variable, not a secret
LOCAL_API = "http://127.0.0.1:8080"

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="DIALER_CONFIG", metavar="FILE", help="The configuration file."
    ),
]
Api = Annotated[
    str, typer.Option("--api", envvar="DIALER_API", metavar="URL", help="Address of the API.")
]

CampaignId = Annotated[int, typer.Argument(help="Number of the campaign.")]


class Mistake(Exception):  # noqa: N818 - it is the person's, and the text says what to do
    """What was asked for cannot be done; the text is one line."""


def run(work: Coroutine[Any, Any, int | None]) -> NoReturn:
    """Run a command's coroutine on the fastest loop at hand, and exit with what it returns."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        code = asyncio.run(work)
    else:
        code = uvloop.run(work)
    raise SystemExit(code or 0)


def run_with_client(api: str, work: Callable[[Client], Awaitable[None]]) -> NoReturn:
    """Run a command that speaks to the API, with the token of the environment."""

    async def with_client() -> None:
        try:
            async with Client(api, os.environ.get(TOKEN)) as client:
                await work(client)
        except ApiProblem as problem:
            if problem.status is None:
                raise Mistake(f"{problem}; is dialer serve running there?") from None
            if problem.status == 401:
                raise Mistake(f"{problem}; the environment variable {TOKEN} holds it") from None
            raise

    run(with_client())


@contextlib.contextmanager
def written(path: Path | None) -> Iterator[BinaryIO]:
    """Give where a report goes: a file, or stdout, whose reader may leave."""
    if path is None:
        with contextlib.suppress(BrokenPipeError):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise Mistake(f"{path}: {error.strerror}") from None

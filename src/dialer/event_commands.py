"""The command that follows what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dialer.command import LOCAL_API, Api, run_with_client

if TYPE_CHECKING:
    from dialer.client import Client


def events(
    campaign: Annotated[list[int] | None, typer.Option(help="Of this one; repeat.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Such as campaign.paused, or call. for all; repeat.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="Go on after the event with this id.")] = None,
    api: Api = LOCAL_API,
) -> None:
    """Write changes of status as they happen.

    One JSON object a line, until Ctrl-C. A connection that is lost is taken up where it was.
    """

    async def work(client: Client) -> None:
        async for event in client.events(
            campaign_ids=campaign or (), kinds=kind or (), after=after
        ):
            typer.echo(event.model_dump_json())

    run_with_client(api, work)

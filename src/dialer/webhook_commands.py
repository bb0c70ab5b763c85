"""Commands about webhooks, over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from dialer.command import LOCAL_API, Api, Mistake, run_with_client

if TYPE_CHECKING:
    from dialer.api import webhook_models
    from dialer.client import Client

app = typer.Typer(
    help="Have events sent to a web address, signed (docs/webhooks.md).", no_args_is_help=True
)

WebhookId = Annotated[int, typer.Argument(help="Number of the webhook, as in the list.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Such as call.answered or 'call.*'; repeat it. Default: all."),
]
ONCE = "keep it: it is shown this once"


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where events go.")],
    kind: Kinds = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    api: Api = LOCAL_API,
) -> None:
    """Make a receiver and print its signing secret, this once."""

    async def work(client: Client) -> None:
        made = await client.webhooks.create(url, kinds=kind or (), description=description)
        typer.echo(made.secret)
        typer.echo(f"the secret of webhook {made.id}; {ONCE}", err=True)

    run_with_client(api, work)


@app.command("list")
def list_webhooks(api: Api = LOCAL_API) -> None:
    """List receivers, those of campaigns' webhook_url too."""

    async def work(client: Client) -> None:
        table = _table("number", "address", "events", "state")
        cursor = None
        while True:
            page = await client.webhooks.page(limit=500, cursor=cursor)
            for one in page.items:
                kinds = "of campaigns" if one.of_campaigns else ", ".join(one.kinds) or "all"
                table.add_row(str(one.id), rich.text.Text(one.url), kinds, _state(one))
            if not (cursor := page.next_cursor):
                break
        _print(table, "no webhooks")

    run_with_client(api, work)


@app.command()
def change(
    webhook: WebhookId,
    url: Annotated[str | None, typer.Option(help="Where events go.")] = None,
    kind: Kinds = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    api: Api = LOCAL_API,
    *,
    all_kinds: Annotated[bool, typer.Option("--all-kinds", help="Send all events.")] = False,
) -> None:
    """Change a receiver; what is not named stays."""
    given = {"url": url, "kinds": [] if all_kinds else kind, "description": description}
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise Mistake("name what to change: --url, --kind, --all-kinds or --description")
    _change(api, webhook, changes)


@app.command()
def enable(webhook: WebhookId, api: Api = LOCAL_API) -> None:
    """Send a receiver events again, from now on; resend sends what died meanwhile."""
    _change(api, webhook, {"enabled": True})


@app.command()
def disable(webhook: WebhookId, api: Api = LOCAL_API) -> None:
    """Send a receiver nothing more; what waits for it is dead, and can be sent again."""
    _change(api, webhook, {"enabled": False})


@app.command()
def delete(webhook: WebhookId, api: Api = LOCAL_API) -> None:
    """Delete a receiver with its deliveries."""

    async def work(client: Client) -> None:
        await client.webhooks.delete(webhook)
        typer.echo(f"webhook {webhook}: deleted")

    run_with_client(api, work)


@app.command()
def secret(
    webhook: Annotated[
        int | None,
        typer.Argument(help="Number of the webhook; without, that of campaigns' webhook_url."),
    ] = None,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=720, help="For how long the former one signs too.")
    ] = 24,
    api: Api = LOCAL_API,
) -> None:
    """Make a new signing secret and print it, this once."""

    async def work(client: Client) -> None:
        made = await client.webhooks.replace_secret(webhook, overlap_hours=overlap_hours)
        typer.echo(made.secret)
        until = f"{made.former_signs_until:%Y-%m-%d %H:%M %Z}"
        typer.echo(f"the former secret signs too until {until}; {ONCE}", err=True)

    run_with_client(api, work)


@app.command("test")
def send_test(webhook: WebhookId, api: Api = LOCAL_API) -> None:
    """Have a test event sent; `dialer webhook delivery` tells what came of it."""

    async def work(client: Client) -> None:
        made = await client.webhooks.test(webhook)
        typer.echo(f"delivery {made.id} is on its way: dialer webhook delivery {made.id}")

    run_with_client(api, work)


@app.command()
def deliveries(
    webhook: WebhookId,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The newest so many.")] = 50,
    api: Api = LOCAL_API,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
) -> None:
    """List the newest deliveries of a receiver."""

    async def work(client: Client) -> None:
        page = await client.webhooks.deliveries(
            webhook, status="dead" if dead else None, limit=limit
        )
        table = _table("number", "event", "status", "attempts", "last answer")
        for one in page.items:
            table.add_row(
                str(one.id),
                f"{one.kind} of call {one.call_id}" if one.call_id else one.kind,
                f"next {one.next_attempt_at:%H:%M:%S}" if one.next_attempt_at else one.status,
                str(one.attempts),
                rich.text.Text(_answer(one)),
            )
        _print(table, "no deliveries")

    run_with_client(api, work)


@app.command()
def delivery(
    number: Annotated[int, typer.Argument(help="Number of the delivery.")], api: Api = LOCAL_API
) -> None:
    """Tell what came of a delivery."""

    async def work(client: Client) -> None:
        found = await client.webhooks.delivery(number)
        typer.echo(f"{found.kind} {found.message_id}: {found.status}, attempts: {found.attempts}")
        if found.attempts:
            typer.echo(f"last answer: {_answer(found)}")
        if found.answer:
            typer.echo(found.answer)

    run_with_client(api, work)


@app.command()
def resend(
    webhook: Annotated[
        int | None, typer.Argument(help="Number of the webhook: all that is dead of it.")
    ] = None,
    delivery: Annotated[int | None, typer.Option(help="Number of one delivery.")] = None,
    api: Api = LOCAL_API,
) -> None:
    """Send again what was given up: all of a receiver, or one delivery."""
    if (webhook is None) == (delivery is None):
        raise Mistake("name either the webhook or --delivery")

    async def work(client: Client) -> None:
        if delivery is not None:
            await client.webhooks.resend(delivery)
            typer.echo(f"delivery {delivery} is on its way")
        elif webhook is not None:
            count = await client.webhooks.resend_dead(webhook)
            typer.echo(f"{count} deliveries are on their way")

    run_with_client(api, work)


def _change(api: str, webhook: int, changes: dict[str, Any]) -> None:
    async def work(client: Client) -> None:
        changed = await client.webhooks.change(webhook, **changes)
        typer.echo(f"webhook {changed.id} ({changed.url}): {_state(changed)}")

    run_with_client(api, work)


def _state(webhook: webhook_models.Webhook) -> str:
    if not webhook.enabled:
        return f"disabled: {webhook.disabled_reason}"
    if webhook.failures:
        return f"enabled, {webhook.failures} failures in a row"
    return "enabled"


def _answer(found: webhook_models.Delivery) -> str:
    return found.problem or (f"it answered {found.answer_status}" if found.answer_status else "")


def _table(*columns: str) -> rich.table.Table:
    return rich.table.Table(*columns, box=rich.box.SIMPLE_HEAD)


def _print(table: rich.table.Table, nothing: str) -> None:
    if table.rows:
        rich.console.Console().print(table)
    else:
        typer.echo(nothing)

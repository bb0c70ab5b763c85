"""The demonstration: a simulated carrier called over real SIP, and both sides' records compared."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import rich.console
import rich.progress
import rich.table

from dialer import config
from dialer.campaign.status import CallStatus
from dialer.client import Client
from dialer.progress import progress_of
from dialer.service import Service
from dialer.simulator.behaviours import demo_numbers
from dialer.simulator.carrier import Carrier, CarrierSettings

if TYPE_CHECKING:
    from dialer.api import models
    from dialer.simulator.ledger import CallRecord, Ledger

T1 = 0.2  # seconds; a shorter Timer B, so that a silent far end shows within the minute
TRUNK = "simulator"


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """A number on which the two records disagree."""

    number: str
    what: str
    ours: str
    theirs: str


async def demonstrate(count: int, *, leave: bool) -> int:
    """Run it; return 0, or 1 where our records and the far end's differ."""
    console = rich.console.Console()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dialer-demo-")))
        carrier = Carrier(CarrierSettings(t1=T1))
        await carrier.start()
        stack.push_async_callback(carrier.close)
        console.print(f"simulated carrier at {carrier.address.host}:{carrier.address.port}")
        service = Service(_settings(carrier, folder), t1=T1)
        began = time.monotonic()
        await service.start()
        stack.push_async_callback(service.stop)
        console.print(
            f"Postgres, engine and API up after {time.monotonic() - began:.1f} s: {service.api_url}"
        )
        client = await stack.enter_async_context(Client(service.api_url))
        campaign_id = await _create(client, count)
        began = time.monotonic()
        await _watch(client, campaign_id, console)
        console.print(f"every number called within {time.monotonic() - began:.1f} s\n")
        calls = await _calls(client, campaign_id)
        _tabulate(console, calls)
        differences = compare(calls, carrier.ledger)
        _judge(console, calls, carrier.ledger, differences)
        if not leave:
            await _stay(console, service.api_url, campaign_id, calls)
    return 1 if differences else 0


def _settings(carrier: Carrier, folder: Path) -> config.Config:
    password = folder / "password"
    password.write_text(carrier.settings.password)
    return config.Config(
        database=config.Database(data=folder / "postgres"),
        api=config.Api(port=0),
        sip=config.Sip(host="127.0.0.1"),
        engine=config.Engine(drain_seconds=5),
        trunk=(
            config.Trunk(
                name=TRUNK,
                address=f"{carrier.address.host}:{carrier.address.port}",
                username=carrier.settings.username,
                password_file=password,
                caller_id="+15550001000",
                max_calls=200,
                calls_per_second=50,
            ),
        ),
    )


async def _create(client: Client, count: int) -> int:
    campaign = await client.create_campaign(
        {
            "name": "Demonstration",
            "trunks": [TRUNK],
            "caller_ids": ["+15550001000", "+15550001001"],
            "max_simultaneous_calls": 200,
            "max_attempts": 1,
            "ring_timeout_seconds": 15,
            "on_answer": {"kind": "prompt", "file": "hello.wav"},
        }
    )
    await client.add_numbers(campaign.id, demo_numbers(count))
    await client.start(campaign.id)
    return campaign.id


async def _watch(client: Client, campaign_id: int, console: rich.console.Console) -> None:
    """Show progress until every number was tried once and no call is up."""
    columns = (
        rich.progress.BarColumn(bar_width=30),
        "{task.completed}/{task.total}",
        rich.progress.TimeElapsedColumn(),
        "{task.description}",
    )
    with rich.progress.Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=None)
        while True:
            campaign = await client.campaign(campaign_id)
            total, _, line = progress_of(campaign)
            counts = {count.status: count.calls for count in campaign.counts}
            open_calls = counts[CallStatus.PLANNED] + counts[CallStatus.IN_PROGRESS]
            progress.update(bar, total=total, completed=total - open_calls, description=line)
            if not open_calls:
                return
            await asyncio.sleep(0.2)


async def _calls(client: Client, campaign_id: int) -> list[models.CallWithAttempts]:
    found: list[models.CallWithAttempts] = []
    cursor = None
    while True:
        page = await client.calls(campaign_id, limit=100, cursor=cursor)
        found += [await client.call(call.id) for call in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


def _tabulate(console: rich.console.Console, calls: list[models.CallWithAttempts]) -> None:
    by_status = Counter(call.status for call in calls)
    statuses = rich.table.Table("status", "calls", title="Calls by status")
    for status in CallStatus:
        if by_status[status]:
            statuses.add_row(status.label, str(by_status[status]))
    console.print(statuses)
    rows: Counter[tuple[str, str, str]] = Counter()
    for call in calls:
        attempt = call.attempts[-1]
        evidence = attempt.legs[-1].evidence if attempt.legs else None
        code = f"{evidence.code} {evidence.phrase}" if evidence and evidence.code else "—"
        rows[str(attempt.outcome), code, attempt.rule or ""] += 1
    outcomes = rich.table.Table("outcome", "SIP", "rule that decided", "calls")
    for (outcome, code, rule), number in sorted(rows.items()):
        outcomes.add_row(outcome, code, rule, str(number))
    console.print(outcomes)


def compare(calls: list[models.CallWithAttempts], ledger: Ledger) -> list[Difference]:
    """Hold every call against what the far end wrote down, and return where they disagree."""
    differences = []
    for call in calls:
        theirs = ledger.of_number(call.number)
        ours = [leg for attempt in call.attempts for leg in attempt.legs]
        seen = {record.call_id for record in theirs}
        said = {leg.sip_call_id for leg in ours}
        if seen != said:
            differences.append(
                Difference(call.number, "INVITEs (Call-IDs)", str(len(said)), str(len(seen)))
            )
            continue
        by_id = {record.call_id: record for record in theirs}
        for leg in ours:
            differences += _compare_leg(call.number, leg, by_id[leg.sip_call_id])
    return differences


def _compare_leg(number: str, leg: models.Leg, theirs: CallRecord) -> list[Difference]:
    facts, evidence = theirs.facts, leg.evidence
    got_2xx = evidence.code is not None and 200 <= evidence.code < 300
    pairs = {
        "final code": (evidence.code, facts.code),
        "rang": (evidence.rang, facts.rang),
        "answered": (got_2xx, facts.answered),
        "dialogs left open": (0, len(theirs.live)),
    }
    return [
        Difference(number, what, str(ours), str(far))
        for what, (ours, far) in pairs.items()
        if ours != far
    ]


def _judge(
    console: rich.console.Console,
    calls: list[models.CallWithAttempts],
    ledger: Ledger,
    differences: list[Difference],
) -> None:
    invites = len(ledger.calls)
    if not differences:
        console.print(
            f"[green]{len(calls)} numbers, {invites} calls in the carrier's ledger:"
            " both records agree on every one.[/green]"
        )
        return
    table = rich.table.Table("number", "what", "dialer says", "carrier says")
    for one in differences:
        table.add_row(one.number, one.what, one.ours, one.theirs)
    console.print(table)
    console.print(f"[red]{len(differences)} differences[/red]")


async def _stay(
    console: rich.console.Console,
    url: str,
    campaign_id: int,
    calls: list[models.CallWithAttempts],
) -> None:
    busy = next((call.id for call in calls if call.last_outcome == "busy"), calls[0].id)
    console.print(f"\nThe API stays at {url} until Ctrl-C. Try:", highlight=False)
    for command in (
        f"curl -s {url}/v1/campaigns/{campaign_id} | python3 -m json.tool",
        f"curl -s {url}/v1/calls/{busy} | python3 -m json.tool   # why does this call say so?",
        f".venv/bin/dialer campaign report {campaign_id} --api {url}",
    ):
        console.print(f"  {command}", highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()

"""The demonstration: a simulated carrier called over real SIP, and both sides' records compared."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import rich.box
import rich.console
import rich.table

from dialer import config
from dialer.campaign.status import CallStatus
from dialer.client import Client
from dialer.progress import follow
from dialer.service import Service
from dialer.simulator.behaviours import behaviour_of, demo_numbers
from dialer.simulator.carrier import Carrier, CarrierSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dialer.api import call_models
    from dialer.simulator.ledger import CallRecord, Ledger

T1 = 0.2  # seconds; a shorter Timer B, so that a silent far end shows within the minute
TRUNK = "simulator"
UNTRIED = {CallStatus.PLANNED, CallStatus.IN_PROGRESS}


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """A number on which the two records disagree."""

    number: str
    what: str
    ours: str
    theirs: str


async def demonstrate(count: int, *, leave: bool) -> int:
    """Run it; return 0, or 1 where our records and the far end's differ."""
    console = rich.console.Console(highlight=False)
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(_folder())
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
        await follow(client, campaign_id, console, lambda status: status not in UNTRIED)
        console.print(f"every number called within {time.monotonic() - began:.1f} s")
        calls = await _calls(client, campaign_id)
        _tabulate(console, calls)
        differences = compare(calls, carrier.ledger)
        _judge(console, calls, carrier.ledger, differences)
        if not leave:
            await _stay(console, service.api_url, campaign_id, calls)
    return 1 if differences else 0


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dialer-demo-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # started by root, Postgres runs as somebody else
        yield folder


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


async def _calls(client: Client, campaign_id: int) -> list[call_models.CallWithAttempts]:
    found: list[call_models.CallWithAttempts] = []
    cursor = None
    while True:
        page = await client.calls(campaign_id, limit=100, cursor=cursor)
        found += [await client.call(call.id) for call in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


def _tabulate(console: rich.console.Console, calls: list[call_models.CallWithAttempts]) -> None:
    by_status = Counter(call.status for call in calls)
    statuses = rich.table.Table("status", "calls", box=rich.box.SIMPLE_HEAD)
    for status in CallStatus:
        if by_status[status]:
            statuses.add_row(status.label, str(by_status[status]))
    console.print(statuses)
    counts: Counter[tuple[str, str]] = Counter()
    answers: dict[tuple[str, str], Counter[str]] = {}
    for call in calls:
        attempt = call.attempts[-1]
        key = str(attempt.outcome), attempt.rule or ""
        counts[key] += 1
        answers.setdefault(key, Counter())[_answer(attempt)] += 1
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    table.add_column("outcome, rule that decided", no_wrap=True)
    table.add_column("calls", justify="right")
    table.add_column("SIP", overflow="fold")
    for outcome, rules in itertools.groupby(sorted(counts), key=lambda key: key[0]):
        keys = list(rules)
        table.add_row(f"[bold]{outcome}[/bold]", f"[bold]{sum(counts[key] for key in keys)}[/bold]")
        for key in keys:
            table.add_row(f"  {key[1]}", str(counts[key]), _short(answers[key]))
    console.print(table)
    _tabulate_heard(console, calls)


def _tabulate_heard(
    console: rich.console.Console, calls: list[call_models.CallWithAttempts]
) -> None:
    """Print what the carrier said in sound before it answered or refused."""
    table = rich.table.Table("SIP", "heard before the answer", box=rich.box.SIMPLE_HEAD)
    for call in calls:
        attempt = call.attempts[-1]
        early = attempt.legs[-1].evidence.early_media if attempt.legs else None
        if early is not None and any(one.kind != "silence" for one in early.heard):
            table.add_row(_answer(attempt), early.sentence)
    if table.rows:
        console.print(table)


def _answer(attempt: call_models.Attempt) -> str:
    """Return what came back last, with the Q.850 cause after a stroke: 480/19."""
    if not attempt.legs:
        return "no INVITE"
    evidence = attempt.legs[-1].evidence
    code = str(evidence.code) if evidence.code else "no response"
    return code if evidence.q850 is None else f"{code}/{evidence.q850}"


def _short(answers: Counter[str]) -> str:
    """Return the answers in order, with how many there were of each where not one."""
    return ", ".join(f"{code} ({n})" if n > 1 else code for code, n in sorted(answers.items()))


def compare(calls: list[call_models.CallWithAttempts], ledger: Ledger) -> list[Difference]:
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


def _compare_leg(number: str, leg: call_models.Leg, theirs: CallRecord) -> list[Difference]:
    facts, evidence = theirs.facts, leg.evidence
    got_2xx = evidence.code is not None and 200 <= evidence.code < 300
    pairs = {
        "final code": (evidence.code, facts.code),
        "rang": (evidence.rang, facts.rang),
        "answered": (got_2xx, facts.answered),
        "dialogs left open": (0, len(theirs.live)),
    }
    if behaviour_of(number).loss and not evidence.rang:
        del pairs["rang"]  # a 180 that was lost on the way is one that we cannot know of
    return [
        Difference(number, what, str(ours), str(far))
        for what, (ours, far) in pairs.items()
        if ours != far
    ]


def _judge(
    console: rich.console.Console,
    calls: list[call_models.CallWithAttempts],
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
    calls: list[call_models.CallWithAttempts],
) -> None:
    told = next((call.id for call in calls if "heard_sit" in call.attempts[-1].flags), calls[0].id)
    console.print(
        f"\nThe dashboard stays at {url}/campaigns/{campaign_id} until Ctrl-C, and the API. Try:",
        highlight=False,
    )
    for command in (
        f"curl -s {url}/v1/campaigns/{campaign_id} | python3 -m json.tool",
        f".venv/bin/dialer call {told} --api {url}   # why does this call say so?",
        f".venv/bin/dialer campaign report {campaign_id} --api {url}",
    ):
        console.print(f"  {command}", highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()

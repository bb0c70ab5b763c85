"""What a caller learns of calls that end in different ways: pyVoIP and the dialer, side by side.

    python bench/pyvoip_outcomes.py

Both call the same numbers of one private Asterisk (sip/asterisk), pyVoIP registered as phone1 and
in a fresh process for each call, since one that hangs would spoil the next, with a fresh Asterisk,
since pyVoIP's branches and Call-IDs repeat from process to process. A caller that wants
to give up after 3 s tries to. "Told" is a call of which the caller knows within 10 s that it was
answered or is over; threads are those that the call added, at the most.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dialer.campaign.outcome_table import OutcomeTable
from dialer.clock import SystemClock
from dialer.engine.placer import evidence_of
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import Answered, CallRequest, Trunk

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = Path(__file__).parents[1] / "sip" / "asterisk" / "lab.sh"
PORT = 14060
PATIENCE = 10.0  # seconds
GIVE_UP = 3.0  # seconds
NUMBERS = {
    "1003": "answered, hung up by the callee",
    "1006": "183, then answered",
    "2001": "rings for ever, caller gives up",
    "2002": "early media for ever, caller gives up",
    "2003": "early media, then busy",
    "2004": "rings, then no answer (480)",
    "2005": "busy (486)",
    "2006": "congestion (503)",
    "2007": "redirected (302)",
    "3021": "declined (603)",
    "3020": "unavailable (480)",
    "9999": "no such number (404)",
}


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pyvoip_call(number: str) -> dict[str, object]:
    """Place one call with pyVoIP; runs in a process of its own."""
    from pyVoIP.VoIP import CallState, PhoneStatus, VoIPPhone  # noqa: PLC0415 - in the child only

    phone = VoIPPhone(
        "127.0.0.1", PORT, "phone1", "phone-secret", myIP="127.0.0.1", sipPort=free_port(),
        rtpPortLow=PORT + 900, rtpPortHigh=PORT + 999, callCallback=lambda _: None,
    )  # fmt: skip
    phone.start()
    while phone.get_status() is PhoneStatus.REGISTERING:
        time.sleep(0.02)
    time.sleep(1)  # what it does right after registering is not what is measured
    before = threading.active_count()
    placed: list[object] = []
    threading.Thread(target=lambda: placed.append(phone.call(number)), daemon=True).start()
    began, threads, state, told = time.monotonic(), 0, "no call yet", None
    while told is None and time.monotonic() - began < PATIENCE:
        time.sleep(0.02)
        threads = max(threads, threading.active_count() - before - (not placed))
        if not placed:
            continue
        call = placed[0]
        state = call.state.name.lower()
        if call.state in {CallState.ANSWERED, CallState.ENDED}:
            told = time.monotonic() - began
        elif time.monotonic() - began > GIVE_UP and number in {"2001", "2002"}:
            with contextlib.suppress(Exception):
                call.hangup()
    if state == "answered":  # its media threads start just after
        time.sleep(0.3)
        threads = max(threads, threading.active_count() - before)
    return {"state": state, "told": told, "threads": threads}


def pyvoip(number: str) -> dict[str, object]:
    command = [sys.executable, "-W", "ignore", __file__, number]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


async def dialer() -> dict[str, tuple[str, float, int]]:
    """Place all the calls at once; return outcome, seconds and added threads of each."""
    agent = UserAgent(UserAgentSettings("127.0.0.1"), SystemClock())
    await agent.start()
    trunk = Trunk("lab", "127.0.0.1", PORT, username="dialer", password="dialer-secret")
    table = OutcomeTable.default()
    before = threading.active_count()

    async def one(number: str) -> tuple[str, float, int]:
        began, answered = time.monotonic(), 0.0

        def happened(event: object) -> None:
            nonlocal answered
            if isinstance(event, Answered):
                answered = time.monotonic() - began
                asyncio.get_running_loop().call_later(2.5, placed.hang_up)

        request = CallRequest(trunk, number, "1", ring_timeout=GIVE_UP)
        placed = agent.place(await agent.prepare(request), happened)
        result = await placed.result
        seconds = answered or time.monotonic() - began
        outcome = table.rule_for(evidence_of(result)).outcome.value
        return outcome, seconds, threading.active_count() - before

    found = await asyncio.gather(*(one(number) for number in NUMBERS))
    await agent.close()
    return dict(zip(NUMBERS, found, strict=True))


@contextlib.contextmanager
def asterisk() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="dialer-lab-") as folder:
        subprocess.run([LAB, "start", folder, str(PORT)], check=True, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            subprocess.run([LAB, "stop", folder], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    with asterisk():
        ours = asyncio.run(dialer())
    theirs = {}
    for number in NUMBERS:
        with asterisk():
            theirs[number] = pyvoip(number)
    print(f"{'call':34} {'pyVoIP 1.6.8':>22} {'dialer':>26}")
    for number, what in NUMBERS.items():
        seen, (outcome, seconds, _) = theirs[number], ours[number]
        told = f"{seen['told']:.1f} s" if seen["told"] is not None else "hangs"
        print(f"{what:34} {seen['state']:>14} {told:>7} {outcome:>18} {seconds:5.1f} s")
    told = [seen["state"] for seen in theirs.values() if seen["told"] is not None]
    outcomes = [outcome for outcome, seconds, _ in ours.values() if seconds < PATIENCE]
    threads = [seen["threads"] for seen in theirs.values()], [added for *_, added in ours.values()]
    print(f"\nof {len(NUMBERS)} calls, told within {PATIENCE:.0f} s:", end=" ")
    print(f"pyVoIP {len(told)}, dialer {len(outcomes)}")
    print(f"ends told apart: pyVoIP {len(set(told))}, dialer {len(set(outcomes))}")
    print(f"threads a call adds: pyVoIP {max(threads[0])}, dialer {max(threads[1])}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(pyvoip_call(sys.argv[1])), flush=True)
        os._exit(0)  # what pyVoIP left waiting would keep the process
    main()

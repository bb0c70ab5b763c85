"""One call from the command line: its SIP ladder as it happens, and its outcome."""

from __future__ import annotations

import asyncio
import functools
import re
import signal
from typing import TYPE_CHECKING

from dialer.campaign.number import NumberError, normalise
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable
from dialer.clock import SystemClock
from dialer.config import ConfigError, split_address
from dialer.conversation.prompt import play_prompt
from dialer.engine.placer import evidence_of
from dialer.engine.trunk_set import trunk_of
from dialer.service import agent_settings
from dialer.ua.agent import UserAgent
from dialer.ua.audio import AudioError, AudioLibrary
from dialer.ua.call import Answered, CallRequest, Trunk
from dialer.ua.ladder import Ladder

if TYPE_CHECKING:
    from pathlib import Path

    from dialer.config import Config
    from dialer.ua.call import CallEvent, CallResult

EXIT_CODES = {
    Outcome.ANSWERED: 0,
    Outcome.BUSY: 10,
    Outcome.NO_ANSWER: 11,
    Outcome.DECLINED: 12,
    Outcome.UNWANTED: 12,
    Outcome.UNREACHABLE: 13,
    Outcome.INVALID_NUMBER: 14,
}
TROUBLE = 20


async def dial_once(
    settings: Config,
    *,
    number: str,
    trunk_name: str,
    play: Path | None,
    caller_id: str | None,
    ring_timeout: float,
) -> int:
    """Place the call, print what passes, and return the exit code; raises ConfigError."""
    trunk, own_caller_id = _trunk(settings, trunk_name)
    try:
        target = normalise(number, settings.numbers.internal_pattern())
    except NumberError as error:
        raise ConfigError(f"{number!r} {error}") from None
    if not target.dialable:
        print(f"{number} cannot be dialled: {target.problem}")
        print("extensions of a PBX are dialled when numbers.internal in the configuration fits")
        return EXIT_CODES[Outcome.INVALID_NUMBER]
    library = AudioLibrary()
    if play is not None:
        try:
            await library.fetch(play, trunk.codecs[0])
        except AudioError as error:
            raise ConfigError(str(error)) from None
    clock = SystemClock()
    agent = UserAgent(agent_settings(settings, on_message=Ladder(print, clock)), clock)
    try:
        await agent.start()
        request = CallRequest(
            trunk=trunk,
            number=target.text,
            caller_id=caller_id or own_caller_id,
            ring_timeout=ring_timeout,
        )
        result = await _call(agent, request, play, library)
    except OSError as error:
        raise ConfigError(f"sip: cannot listen on {settings.sip.host}: {error}") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    finally:
        await agent.close()
    return _tell(result)


def _trunk(settings: Config, name: str) -> tuple[Trunk, str]:
    """Return the trunk of that name, or one for a bare address, and its caller ID."""
    for one in settings.trunk:
        if one.name == name:
            return trunk_of(settings, one), one.caller_id
    known = ", ".join(one.name for one in settings.trunk) or "none"
    if not re.search(r"[.:]", name):
        raise ConfigError(f"no trunk is named {name!r}; configured: {known}")
    try:
        host, port = split_address(name, 5060)
    except ValueError as error:
        raise ConfigError(f"--trunk: {error}; configured trunks: {known}") from None
    return Trunk(name=name, host=host, port=port), "anonymous"


async def _call(
    agent: UserAgent, request: CallRequest, play: Path | None, library: AudioLibrary
) -> CallResult:
    answered = asyncio.get_running_loop().create_future()

    def happened(event: CallEvent) -> None:
        if isinstance(event, Answered) and not answered.done():
            answered.set_result(None)

    call = agent.place(await agent.prepare(request), happened)
    interrupt = functools.partial(call.hang_up)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    await asyncio.wait({answered, call.result}, return_when=asyncio.FIRST_COMPLETED)
    if not call.result.done():
        if play is None:
            call.hang_up()
        else:
            await play_prompt(call, play, library)
    return await call.result


def _tell(result: CallResult) -> int:
    rule = OutcomeTable.default().rule_for(evidence_of(result))
    response = f"{result.code} {result.phrase}" if result.code else "no final response"
    if result.local_cause is not None:
        response += f" ({result.local_cause.value.replace('_', ' ')})"
    print(f"\n{rule.outcome.value}: {response}; rule {rule.name}")
    if result.answered:
        ended = result.hung_up_by.value if result.hung_up_by else "nobody"
        print(
            f"talked {result.talk_seconds:.1f} s, hung up by {ended}; RTP packets"
            f" {result.rtp_packets_sent} sent, {result.rtp_packets_received} received"
        )
    return EXIT_CODES.get(rule.outcome, TROUBLE)

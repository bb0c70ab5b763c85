"""One call from the command line: its SIP ladder as it happens, and its outcome."""

from __future__ import annotations

import asyncio
import functools
import re
import signal
from typing import TYPE_CHECKING, Any

from dialer.campaign.number import NumberError, normalise
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable
from dialer.clock import SystemClock
from dialer.config import ConfigError, split_address
from dialer.conversation.prompt import play_prompt
from dialer.engine.placer import evidence_of
from dialer.engine.trunk_definition import trunk_of
from dialer.our_side import start_user_agent
from dialer.ua.audio import AudioError, AudioLibrary
from dialer.ua.call import Answered, CallRequest, LocalCause, Trunk
from dialer.ua.ladder import Ladder
from dialer.ua.media_ports import NoPortAvailable

if TYPE_CHECKING:
    from pathlib import Path

    from dialer.campaign.number import Number
    from dialer.config import Config
    from dialer.ua.agent import UserAgent
    from dialer.ua.call import CallEvent, CallResult

EXIT_CODES = {
    Outcome.ANSWERED: 0,
    Outcome.BUSY: 10,
    Outcome.NO_ANSWER: 11,
    Outcome.DECLINED: 12,
    Outcome.UNWANTED: 12,
    Outcome.UNREACHABLE: 13,
    Outcome.INVALID_NUMBER: 14,
    Outcome.CANCELLED: 130,  # what a shell says of Ctrl-C
}
TROUBLE = 20

say = functools.partial(print, flush=True)  # each line as it happens, into a pipe too


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
    target = _number(settings, number)
    if not target.dialable:
        say(
            f"{number} cannot be dialled: {target.problem}; an extension of a PBX is dialled"
            " where numbers.internal in the configuration fits it"
        )
        return EXIT_CODES[Outcome.INVALID_NUMBER]
    library = AudioLibrary()
    if play is not None:
        try:
            await library.fetch(play, trunk.codecs[0])
        except AudioError as error:
            raise ConfigError(str(error)) from None
    request = CallRequest(
        trunk=trunk,
        number=target.text,
        caller_id=caller_id or own_caller_id,
        ring_timeout=ring_timeout,
    )
    clock = SystemClock()
    agent = await start_user_agent(settings, clock, on_message=Ladder(say, clock))
    try:
        result = await _call(agent, request, play, library)
    except ValueError as error:
        raise ConfigError(f"NUMBER or --caller-id: {error}") from None
    except NoPortAvailable as error:
        raise ConfigError(f"sip.rtp_ports: {error}") from None
    finally:
        await agent.close()
    if result is None:
        say("\nleft before the call was over")
        return EXIT_CODES[Outcome.CANCELLED]
    return _tell(trunk, result)


def _number(settings: Config, text: str) -> Number:
    try:
        return normalise(text, settings.numbers.internal_pattern())
    except NumberError as error:
        raise ConfigError(f"NUMBER {error}") from None


def _trunk(settings: Config, name: str) -> tuple[Trunk, str]:
    """Return the trunk of that name, or one for a bare address, and its caller ID."""
    for one in settings.trunk:
        if one.name == name:
            return trunk_of(settings, one), one.caller_id
    known = ", ".join(one.name for one in settings.trunk) or "none; name a file with --config"
    if not re.search(r"[.:]", name):
        raise ConfigError(f"no trunk is named {name!r}; configured: {known}")
    try:
        host, port = split_address(name, 5060)
    except ValueError as error:
        raise ConfigError(f"--trunk: {error}; configured trunks: {known}") from None
    return Trunk(name=name, host=host, port=port), "anonymous"


async def _call(
    agent: UserAgent, request: CallRequest, play: Path | None, library: AudioLibrary
) -> CallResult | None:
    """Return the result; None where a second signal ended the wait for it.

    The first signal sends CANCEL or BYE; the far end's answer to it may take a while.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()
    left: asyncio.Future[None] = loop.create_future()
    signals = 0

    def happened(event: CallEvent) -> None:
        if isinstance(event, Answered) and not answered.done():
            answered.set_result(None)

    def interrupted() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            call.hang_up()
        elif not left.done():
            left.set_result(None)

    call = agent.place(await agent.prepare(request), happened)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    ends: set[asyncio.Future[Any]] = {call.result, left}
    await asyncio.wait({answered, *ends}, return_when=asyncio.FIRST_COMPLETED)
    playing = None
    if answered.done() and play is not None:
        playing = asyncio.create_task(play_prompt(call, play, library), name="prompt")
    elif answered.done():
        call.hang_up()
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if playing is not None:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    return call.result.result() if call.result.done() else None


def _tell(trunk: Trunk, result: CallResult) -> int:
    rule = OutcomeTable.default().rule_for(evidence_of(result))
    response = f"{result.code} {result.phrase}".strip() if result.code else "no final response"
    say(f"\n{rule.outcome.value}: {response}; decided by rule {rule.name}")
    if hint := _hint(trunk, result.local_cause):
        say(hint)
    if result.answered:
        ended = result.hung_up_by.value if result.hung_up_by else "nobody"
        say(
            f"talked {result.talk_seconds:.1f} s, hung up by {ended}; RTP packets"
            f" {result.rtp_packets_sent} sent, {result.rtp_packets_received} received"
        )
    return EXIT_CODES.get(rule.outcome, TROUBLE)


def _hint(trunk: Trunk, cause: LocalCause | None) -> str:
    """Return what a person may look at where no response decided."""
    where = f"{trunk.host}:{trunk.port}"
    match cause:
        case LocalCause.TRANSPORT:
            return f"nothing takes UDP at {where}, or no route leads there"
        case LocalCause.TIMER_B:
            return f"{where} sent nothing at all: a wrong address, or a firewall that drops UDP"
        case LocalCause.DNS:
            return f"the name {trunk.host} has no address"
        case LocalCause.AUTHENTICATION if trunk.username is None:
            return "the trunk asks for an account: give it username and password in [[trunk]]"
        case LocalCause.AUTHENTICATION:
            return f"the trunk does not take {trunk.username!r} with this password"
        case LocalCause.NO_MEDIA:
            return f"the answer has no audio that we can speak; we offer {', '.join(trunk.codecs)}"
        case _:
            return ""

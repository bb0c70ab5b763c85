"""One call from the command line: its SIP ladder as it happens, and its outcome."""

from __future__ import annotations

import asyncio
import functools
import re
import signal
from typing import TYPE_CHECKING, Any

from dialer.campaign.header_template import filled
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.number_rewriting import rewritten
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable
from dialer.clock import SystemClock
from dialer.config import ConfigError
from dialer.config_section import host_and_port
from dialer.conversation.prompt import play_prompt
from dialer.engine.placer import evidence_of
from dialer.engine.trunk_definition import TrunkDefinition, definition_of
from dialer.our_side import start_user_agent
from dialer.sip.identity import HostPort
from dialer.ua.audio import AudioError, AudioLibrary
from dialer.ua.call import Answered, CallRequest, InviteSent, LocalCause, Trunk
from dialer.ua.ladder import Ladder
from dialer.ua.media_ports import NoPortAvailable
from dialer.ua.sockets import where

if TYPE_CHECKING:
    from pathlib import Path

    from dialer.campaign.number import Number
    from dialer.config import Config
    from dialer.ua.agent import UserAgent
    from dialer.ua.call import CallEvent, CallResult, LegIdentity
    from dialer.ua.trunk_status import TrunkStatus

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
REGISTRATION_PATIENCE = 10.0  # seconds

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
    definition = _definition(settings, trunk_name)
    trunk = definition.trunk
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
    request = _request(definition, target.text, caller_id or definition.caller_id, ring_timeout)
    clock = SystemClock()
    statuses: asyncio.Queue[TrunkStatus] = asyncio.Queue()
    agent = await start_user_agent(
        settings,
        clock,
        on_message=Ladder(say, clock),
        on_status=lambda _name, _before, after: statuses.put_nowait(after),
    )
    hint = ""
    try:
        if reason := await _register(agent, trunk, statuses):
            say(f"\nnot registered with {trunk.host}, so it was not called: {reason}")
            return TROUBLE
        result, at = await _call(agent, request, play, library)
        if result is not None:
            hint = await _hint(agent, trunk, result.local_cause, at)
    except ValueError as error:
        raise ConfigError(f"NUMBER or --caller-id: {error}") from None
    except NoPortAvailable as error:
        raise ConfigError(f"sip.rtp_ports: {error}") from None
    finally:
        await agent.close()
    if result is None:
        say("\nleft before the call was over")
        return EXIT_CODES[Outcome.CANCELLED]
    return _tell(definition, result, hint)


def _number(settings: Config, text: str) -> Number:
    try:
        return normalise(text, settings.numbers.internal_pattern())
    except NumberError as error:
        raise ConfigError(f"NUMBER {error}") from None


def _definition(settings: Config, name: str) -> TrunkDefinition:
    """Return the trunk of that name, or one for a bare address."""
    for one in settings.trunk:
        if one.name == name:
            return definition_of(settings, one)
    known = ", ".join(one.name for one in settings.trunk) or "none; name a file with --config"
    if not re.search(r"[.:]", name):
        raise ConfigError(f"no trunk is named {name!r}; configured: {known}")
    try:
        host, port = host_and_port(name)
    except ValueError as error:
        raise ConfigError(f"--trunk: {error}; configured trunks: {known}") from None
    return TrunkDefinition(Trunk(name=name, host=host, port=port))


def _request(
    definition: TrunkDefinition, number: str, caller_id: str, ring_timeout: float
) -> CallRequest:
    """Return the call as the trunk wants it; headers that only a campaign can fill are left out."""
    facts = {"number": number, "caller_id": caller_id}
    try:
        return CallRequest(
            trunk=definition.trunk,
            number=rewritten(definition.rewriting, number),
            caller_id=rewritten(definition.caller_id_rewriting, caller_id),
            headers=filled(definition.headers, facts, {}),
            ring_timeout=ring_timeout,
        )
    except ValueError as error:
        raise ConfigError(f"trunk {definition.trunk.name}: {error}") from None


async def _register(agent: UserAgent, trunk: Trunk, statuses: asyncio.Queue[TrunkStatus]) -> str:
    """Register where the trunk wants it; return why that came to nothing, "" where all is well."""
    if trunk.registration is None:
        return ""
    agent.watch([trunk])
    try:
        async with asyncio.timeout(REGISTRATION_PATIENCE):
            status = await statuses.get()
    except TimeoutError:
        reason = f"no answer to REGISTER within {REGISTRATION_PATIENCE:g} s"
    else:
        if status.usable:
            return ""
        reason = status.reason  # the next try is far off
    why = await agent.why_unreachable(trunk)
    return why or reason


class _Course:
    """How a call goes: `at` is where its INVITE went last, `answered` is set with the answer."""

    def __init__(self, identity: LegIdentity) -> None:
        self.at = _target(identity)
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __call__(self, event: CallEvent) -> None:
        if isinstance(event, InviteSent):
            self.at = _target(event.identity)
        elif isinstance(event, Answered) and not self.answered.done():
            self.answered.set_result(None)


def _target(identity: LegIdentity) -> HostPort:
    return HostPort(identity.target_host, identity.target_port, identity.target_transport)


async def _call(
    agent: UserAgent, request: CallRequest, play: Path | None, library: AudioLibrary
) -> tuple[CallResult | None, HostPort]:
    """Return the result, and where the INVITE went; None where a second signal ended the wait.

    The first signal sends CANCEL or BYE; the far end's answer to it may take a while.
    """
    loop = asyncio.get_running_loop()
    left: asyncio.Future[None] = loop.create_future()
    signals = 0

    def interrupted() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            call.hang_up()
        elif not left.done():
            left.set_result(None)

    prepared = await agent.prepare(request)
    course = _Course(prepared.identity)
    call = agent.place(prepared, course)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    ends: set[asyncio.Future[Any]] = {call.result, left}
    await asyncio.wait({course.answered, *ends}, return_when=asyncio.FIRST_COMPLETED)
    playing = None
    if course.answered.done() and play is not None:
        playing = asyncio.create_task(play_prompt(call, play, library), name="prompt")
    elif course.answered.done():
        call.hang_up()
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if playing is not None:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    return call.result.result() if call.result.done() else None, course.at


def _tell(definition: TrunkDefinition, result: CallResult, hint: str) -> int:
    rule = (definition.table or OutcomeTable.default()).rule_for(evidence_of(result))
    response = f"{result.code} {result.phrase}".strip() if result.code else "no final response"
    say(f"\n{rule.outcome.value}: {response}; decided by rule {rule.name}")
    if hint:
        say(hint)
    if result.answered:
        ended = result.hung_up_by.value if result.hung_up_by else "nobody"
        say(
            f"talked {result.talk_seconds:.1f} s, hung up by {ended}; RTP packets"
            f" {result.rtp_packets_sent} sent, {result.rtp_packets_received} received"
        )
    return EXIT_CODES.get(rule.outcome, TROUBLE)


async def _hint(agent: UserAgent, trunk: Trunk, cause: LocalCause | None, at: HostPort) -> str:
    """Return what a person may look at where no response decided; `at` is where the INVITE went."""
    transport = at.transport.upper()
    match cause:
        case LocalCause.TRANSPORT:
            return agent.why_not(at) or (
                f"nothing takes {transport} at {where(at)}, or no route leads there"
            )
        case LocalCause.TIMER_B:
            return (
                f"{where(at)} sent nothing at all over {transport}: a wrong address, or a firewall"
                " that drops it"
            )
        case LocalCause.DNS:
            return await agent.why_unreachable(trunk)
        case LocalCause.AUTHENTICATION if trunk.username is None:
            return "the trunk asks for an account: give it username and password in [[trunk]]"
        case LocalCause.AUTHENTICATION:
            return f"the trunk does not take {trunk.username!r} with this password"
        case LocalCause.NO_MEDIA:
            return f"the answer has no audio that we can speak; we offer {', '.join(trunk.codecs)}"
        case _:
            return ""

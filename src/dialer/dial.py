"""One call from the command line: its SIP ladder as it happens, and its outcome."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import signal
from typing import TYPE_CHECKING, Any

from dialer.call_record import plain
from dialer.campaign import early_media
from dialer.campaign.evidence import LocalCause
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable
from dialer.clock import SystemClock
from dialer.config import ConfigError
from dialer.conversation.ending import ConversationEnd
from dialer.dial_conversation import bot_at, hang_up, prompt_of
from dialer.engine.placer import early_media_of, evidence_of
from dialer.our_side import start_user_agent
from dialer.sip.identity import HostPort
from dialer.trial_call import hint, number_of, request_over, trunk_named, why_not_reached
from dialer.ua.call import Answered, InviteSent
from dialer.ua.ladder import Ladder
from dialer.ua.media_ports import NoPortAvailable

if TYPE_CHECKING:
    from pathlib import Path

    from dialer.config import Config
    from dialer.dial_conversation import Converse
    from dialer.engine.trunk_definition import TrunkDefinition
    from dialer.ua.agent import UserAgent
    from dialer.ua.call import CallEvent, CallRequest, CallResult, LegIdentity, Trunk
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
    bot: str | None,
    caller_id: str | None,
    ring_timeout: float,
) -> int:
    """Place the call, print what passes, and return the exit code; raises ConfigError.

    On answer an audio file is played, or a bot at a WebSocket leads the call.
    """
    definition = trunk_named(settings, trunk_name, "--trunk")
    trunk = definition.trunk
    target = number_of(settings, number, "NUMBER")
    if not target.dialable:
        say(
            f"{number} cannot be dialled: {target.problem}; an extension of a PBX is dialled"
            " where numbers.internal in the configuration fits it"
        )
        return EXIT_CODES[Outcome.INVALID_NUMBER]
    clock = SystemClock()
    if play is not None and bot is not None:
        raise ConfigError("--play and --bot: a call is led by one of the two")
    converse: Converse = hang_up
    if play is not None:
        converse = await prompt_of(play, trunk.codecs[0])
    elif bot is not None:
        converse = bot_at(bot, settings, clock, target.text)
    try:
        request = request_over(definition, target.text, caller_id, ring_timeout)
    except ValueError as error:
        raise ConfigError(f"NUMBER or --caller-id: {error}") from None
    statuses: asyncio.Queue[TrunkStatus] = asyncio.Queue()
    agent = await start_user_agent(
        settings,
        clock,
        fraction=lambda: 0.0,  # a registration begins at once
        on_message=Ladder(say, clock),
        on_status=lambda _name, _before, after: statuses.put_nowait(after),
    )
    try:
        if reason := await _register(agent, trunk, statuses):
            say(f"\nnot registered with {trunk.host}, so it was not called: {reason}")
            return TROUBLE
        result, at, said = await _call(agent, request, converse)
        why_not = agent.why_not(at) or await why_not_reached(agent, trunk)
    except ValueError as error:
        raise ConfigError(f"NUMBER or --caller-id: {error}") from None
    except NoPortAvailable as error:
        raise ConfigError(f"sip.rtp_ports: {error}") from None
    finally:
        await agent.close()
    if result is None:
        say("\nleft before the call was over")
        return EXIT_CODES[Outcome.CANCELLED]
    return _tell(definition, result, said, hint(trunk, result.local_cause, why_not, at))


async def _register(agent: UserAgent, trunk: Trunk, statuses: asyncio.Queue[TrunkStatus]) -> str:
    """Register where the trunk wants it; return why that came to nothing, "" where all is well."""
    if trunk.registration is None:
        return ""
    agent.watch([trunk])
    status = first = agent.status(trunk.name)
    try:
        async with asyncio.timeout(REGISTRATION_PATIENCE):
            while status.reason == first.reason:  # else the next try is far off
                status = await statuses.get()
    except TimeoutError:
        reason = f"no answer to REGISTER within {REGISTRATION_PATIENCE:g} s"
    else:
        if status.usable:
            return ""
        reason = status.reason
    return await why_not_reached(agent, trunk) or reason


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
    agent: UserAgent, request: CallRequest, converse: Converse
) -> tuple[CallResult | None, HostPort, ConversationEnd]:
    """Return the result, where the INVITE went, and what came of the conversation.

    There is no result where a second signal ended the wait.

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
    said = ConversationEnd()
    if course.answered.done():
        talking = asyncio.create_task(converse(call), name="conversation")
        over: set[asyncio.Future[Any]] = {talking, left}
        await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        if talking.done():
            said = talking.result()
        else:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    return call.result.result() if call.result.done() else None, course.at, said


def _tell(
    definition: TrunkDefinition, result: CallResult, said: ConversationEnd, looked_at: str
) -> int:
    evidence = evidence_of(result)
    if said.cause is not None:
        evidence = dataclasses.replace(evidence, local_cause=LocalCause(said.cause.value))
    rule = (definition.table or OutcomeTable.default()).rule_for(evidence)
    response = f"{result.code} {result.phrase}".strip() if result.code else "no final response"
    say(f"\n{rule.outcome.value}: {response}; decided by rule {rule.name}")
    if said.detail:
        say(plain(said.detail))
    for name, value in {**said.record, **said.report_data}.items():
        say(plain(f"{name}: {value}"))
    if looked_at:
        say(looked_at)
    if (heard := early_media_of(result)) is not None:
        say(f"early media: {early_media.sentence(heard)}")
    if result.answered:
        ended = result.hung_up_by.value if result.hung_up_by else "nobody"
        say(
            f"talked {result.talk_seconds:.1f} s, hung up by {ended}; RTP packets"
            f" {result.rtp_packets_sent} sent, {result.rtp_packets_received} received"
        )
    return EXIT_CODES.get(rule.outcome, TROUBLE)

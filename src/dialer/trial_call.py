"""What commands that try a trunk share: which trunk, which call, and a hint where it fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dialer.campaign.header_template import filled
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.number_rewriting import dialled, rewritten
from dialer.config import ConfigError
from dialer.config_section import host_and_port
from dialer.engine.trunk_definition import TrunkDefinition, definition_of
from dialer.ua.call import CallRequest, LocalCause, Trunk
from dialer.ua.sockets import where

if TYPE_CHECKING:
    from dialer.campaign.number import Number
    from dialer.config import Config
    from dialer.sip.identity import HostPort
    from dialer.ua.agent import UserAgent


def number_of(settings: Config, text: str, argument: str) -> Number:
    """Return the number that an argument of a command names; raises ConfigError."""
    try:
        return normalise(text, settings.numbers.internal_pattern())
    except NumberError as error:
        raise ConfigError(f"{argument} {error}") from None


def trunk_named(settings: Config, name: str, argument: str) -> TrunkDefinition:
    """Return the trunk of that name, or one without an account for a bare `host[:port]`.

    Raises ConfigError.
    """
    for one in settings.trunk:
        if one.name == name:
            return definition_of(settings, one)
    known = ", ".join(one.name for one in settings.trunk) or "none; name a file with --config"
    if not re.search(r"[.:]", name):
        raise ConfigError(f"no trunk is named {name!r}; configured: {known}")
    try:
        host, port = host_and_port(name)
    except ValueError as error:
        raise ConfigError(f"{argument}: {error}; configured trunks: {known}") from None
    return TrunkDefinition(Trunk(name=name, host=host, port=port))


def request_over(
    definition: TrunkDefinition, number: str, caller_id: str | None, ring_timeout: float
) -> CallRequest:
    """Return the call with numbers as the trunk wants them; raises ValueError.

    Without a caller ID it is the trunk's. Headers that only a campaign can fill are left out.
    """
    shown = caller_id or definition.caller_id
    return CallRequest(
        trunk=definition.trunk,
        number=dialled(definition.rewriting, number, definition.region),
        caller_id=rewritten(definition.caller_id_rewriting, shown),
        headers=filled(definition.headers, {"number": number, "caller_id": shown}, {}),
        ring_timeout=ring_timeout,
    )


async def why_not_reached(agent: UserAgent, trunk: Trunk) -> str:
    """Return why a trunk has no server, or the last connection to one failed; "" if neither is."""
    found = await agent.find(trunk)
    return found.reason or next(filter(None, map(agent.why_not, found.targets)), "")


def hint(
    trunk: Trunk, cause: LocalCause | None, why_not: str = "", at: HostPort | None = None
) -> str:
    """Return what a person may look at where no response decided, "" where nothing is known.

    `why_not` is why there was no connection, "" where that is not known; `at` is where the INVITE
    went, None where that is not known.
    """
    shown = where(at) if at is not None else trunk.host
    transport = (at.transport if at is not None else trunk.transport or "udp").upper()
    match cause:
        case LocalCause.TRANSPORT:
            return why_not or f"nothing takes {transport} at {shown}, or no route leads there"
        case LocalCause.TIMER_B:
            drops = f"a firewall that drops {transport}"
            return f"{shown} sent nothing at all: a wrong address, or {drops}"
        case LocalCause.DNS:
            return why_not or f"the name {trunk.host} has no address"
        case LocalCause.AUTHENTICATION if trunk.username is None:
            return "the trunk asks for an account: give it username and password in [[trunk]]"
        case LocalCause.AUTHENTICATION:
            return f"the trunk does not take {trunk.username!r} with this password"
        case LocalCause.NO_MEDIA:
            return f"the answer has no audio that we can speak; we offer {', '.join(trunk.codecs)}"
        case _:
            return ""

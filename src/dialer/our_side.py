"""Our side of SIP and RTP, from the configuration."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from dialer.config import ConfigError, split_address
from dialer.ua import transport
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.resolver import Resolver

if TYPE_CHECKING:
    from dialer.clock import Clock
    from dialer.config import Config


async def start_user_agent(settings: Config, clock: Clock, **more: Any) -> UserAgent:
    """Start a user agent where the configuration says; `more` are UserAgentSettings.

    Raises ConfigError where it cannot listen.
    """
    sip = settings.sip
    agent = UserAgent(
        UserAgentSettings(
            bind_host=sip.host,
            bind_port=sip.port,
            external_address=sip.external_address,
            rtp_ports=sip.rtp_ports,
            rtp_dscp=sip.rtp_dscp,
            sip_dscp=sip.sip_dscp,
            **more,
        ),
        clock,
        resolver=Resolver(
            clock, [split_address(one, 53) for one in sip.nameservers], sip.dns_seconds
        ),
    )
    try:
        # An agent on all addresses opens its socket with the first call: too late to be told.
        transport.bind(sip.host, sip.port).close()
        await agent.start()
    except OSError as error:
        raise ConfigError(_cannot_listen(f"{sip.host}:{sip.port}", error)) from None
    return agent


def _cannot_listen(where: str, error: OSError) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if cause.errno == errno.EADDRINUSE:
        reason = "another program listens there; end it, or set another sip.port (0: any free one)"
    elif cause.errno == errno.EADDRNOTAVAIL:
        reason = "this machine has no such address; correct sip.host"
    else:
        reason = os.strerror(cause.errno) if cause.errno else str(cause)
    return f"sip: cannot listen on {where} (UDP): {reason}"

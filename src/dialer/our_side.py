"""Our side of SIP and RTP, from the configuration."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from dialer.config import ConfigError, split_address
from dialer.ua.agent import UserAgent, UserAgentSettings, random_fraction
from dialer.ua.resolver import Resolver
from dialer.ua.sockets import bind_all
from dialer.ua.tls import TlsError
from dialer.ua.transport import ListenError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dialer.clock import Clock
    from dialer.config import Config


async def start_user_agent(
    settings: Config,
    clock: Clock,
    *,
    fraction: Callable[[], float] = random_fraction,
    **more: Any,
) -> UserAgent:
    """Start a user agent where the configuration says; `more` are UserAgentSettings.

    `fraction` is its source of jitter. Raises ConfigError where it cannot listen.
    """
    sip = settings.sip
    agent = UserAgent(
        UserAgentSettings(
            bind_host=sip.host,
            bind_port=sip.port,
            tls_port=sip.tls_port,
            tls_certificate=_file(settings, sip.tls_certificate),
            tls_key=_file(settings, sip.tls_key),
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
        fraction=fraction,
    )
    try:
        # An agent on all addresses opens its sockets with the first call: too late to be told.
        bind_all(sip.host, sip.port, sip.tls_port).close()
        await agent.start()
    except ListenError as error:
        raise ConfigError(_cannot_listen(sip.host, error)) from None
    except TlsError as error:
        raise ConfigError(str(error)) from None
    return agent


def _file(settings: Config, path: Path | None) -> str | None:
    return None if path is None else str(settings.path(path))


def _cannot_listen(host: str, error: ListenError) -> str:
    cause = error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    if number == errno.EADDRINUSE:
        setting = "sip.tls_port" if error.transport == "tls" else "sip.port (0: any free one)"
        reason = f"another program listens there; end it, or set another {setting}"
    elif number == errno.EADDRNOTAVAIL:
        reason = "this machine has no such address; correct sip.host"
    else:
        reason = os.strerror(number) if number else str(cause)
    return f"sip: cannot listen on {host}:{error.port} ({error.transport.upper()}): {reason}"

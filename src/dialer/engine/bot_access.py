"""Which bots may lead calls, and what opens their doors, from the configuration."""

from __future__ import annotations

import dataclasses
import ssl
from typing import TYPE_CHECKING

from dialer.config_bots import Bots
from dialer.config_section import split_address
from dialer.conversation.bot_connection import BotSettings
from dialer.ua.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dialer.clock import Clock
    from dialer.config import Config


@dataclasses.dataclass(frozen=True, slots=True)
class BotAccess:
    """Which bots may lead calls; `headers` has the value of each secret's header by its name."""

    bots: Bots = dataclasses.field(default_factory=Bots)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    settings: BotSettings = dataclasses.field(
        default_factory=lambda: BotSettings(allows=Bots().allows)
    )


def bot_access(settings: Config, clock: Clock) -> BotAccess:
    """Return what the configuration says of bots; raises ConfigError."""
    bots = settings.bots
    tls = None
    if bots.ca_file is not None:
        try:
            tls = ssl.create_default_context(cafile=settings.path(bots.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise settings.mistake(("bots", "ca_file"), f"cannot be used: {error}") from None
    return BotAccess(
        bots,
        {secret.name: settings.bot_header(secret) for secret in bots.secrets},
        BotSettings(
            allows=bots.allows,
            buffer_seconds=bots.buffer_seconds,
            delay_seconds=bots.delay_seconds,
            unread_seconds=bots.unread_seconds,
            heartbeat_seconds=bots.heartbeat_seconds,
            after_call_seconds=bots.after_call_seconds,
            tls=tls,
            resolver=Resolver(
                clock,
                [split_address(one, 53) for one in settings.sip.nameservers],
                settings.sip.dns_seconds,
            ),
        ),
    )

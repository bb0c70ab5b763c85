"""Webhooks as a part of the service: what the configuration says of them, put together."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from typing import TYPE_CHECKING

import structlog

from dialer.campaign.webhook_url import WebhookRules
from dialer.config import split_address
from dialer.store import webhook_secrets
from dialer.store.pool import close_pool, open_pool
from dialer.store.secret_box import SecretBox
from dialer.ua.name_look_up import NameLookUp
from dialer.webhooks.backoff import BackOff
from dialer.webhooks.circuit import Circuit
from dialer.webhooks.limits import Limits
from dialer.webhooks.names import look_up_by
from dialer.webhooks.sender import Sender
from dialer.webhooks.transport import Transport

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from dialer.clock import Clock
    from dialer.config import Config
    from dialer.metrics import Metrics

log = structlog.get_logger(__name__)

POOL_SIZE = 3  # one that listens, one that takes and writes, one to spare
DNS_SECONDS = 3.0


def rules_of(settings: Config) -> WebhookRules:
    """Return which addresses webhooks may have."""
    webhooks = settings.webhooks
    return WebhookRules(
        allow_http=webhooks.allow_http,
        allow_private=webhooks.allow_private,
        allow_networks=tuple(map(ipaddress.ip_network, webhooks.allow_networks)),
    )


def secret_box_of(settings: Config) -> SecretBox:
    """Return what seals signing secrets; raises ConfigError."""
    webhooks = settings.webhooks
    keys = settings.secret(
        env=webhooks.secret_key_env, file=webhooks.secret_key_file, needed_by="webhooks"
    )
    try:
        return SecretBox(keys or "")
    except ValueError as error:
        key = "secret_key_file" if webhooks.secret_key_file else "secret_key_env"
        raise settings.mistake(("webhooks", key), str(error)) from None


def window_of(settings: Config) -> dt.timedelta:
    """Return for how long a delivery is tried."""
    return dt.timedelta(hours=settings.webhooks.give_up_hours)


def limits_of(settings: Config) -> Limits:
    """Return how much is sent at a time, and when it is tried again."""
    webhooks = settings.webhooks
    return Limits(
        timeout=webhooks.timeout_seconds,
        concurrency=webhooks.concurrency,
        per_receiver=webhooks.per_receiver,
        window=window_of(settings),
        keep=dt.timedelta(days=webhooks.keep_days),
        back_off=BackOff(
            webhooks.first_retry_seconds,
            webhooks.longest_retry_seconds,
            webhooks.longest_retry_after_seconds,
        ),
        circuit=Circuit(
            webhooks.circuit_failures,
            webhooks.circuit_seconds,
            webhooks.longest_circuit_seconds,
            webhooks.longest_retry_after_seconds,
        ),
    )


def trust_of(settings: Config) -> ssl.SSLContext:
    """Return whose certificates count: the machine's authorities and `ca_file`'s.

    Raises ConfigError.
    """
    context = ssl.create_default_context()
    file = settings.webhooks.ca_file
    if file is not None:
        try:
            context.load_verify_locations(settings.path(file))
        except (OSError, ssl.SSLError) as error:
            raise settings.mistake(("webhooks", "ca_file"), f"cannot be used: {error}") from None
    return context


async def start_webhooks(
    settings: Config,
    box: SecretBox,
    tls: ssl.SSLContext,
    *,
    url: str,
    clock: Clock,
    metrics: Metrics,
    parts: AsyncExitStack,
) -> None:
    """Begin to send, over connections of its own; `parts` ends it.

    Secrets that are not sealed with the configured key are sealed first. Raises ConfigError and
    store errors.
    """
    pool = await open_pool(url, size=POOL_SIZE)
    parts.push_async_callback(close_pool, pool)
    shut = await webhook_secrets.seal_all(pool, box)
    if shut:
        log.error(
            "nothing is signed with secrets that are sealed with another key than those given;"
            " name it too, behind the present one, or make new ones with: dialer webhook secret",
            secrets=shut,
        )
    names = NameLookUp(
        clock, [split_address(one, 53) for one in settings.sip.nameservers], DNS_SECONDS
    )
    parts.push_async_callback(names.close)
    limits = limits_of(settings)
    transport = Transport(clock, look_up_by(names), rules_of(settings), limits.timeout, tls)
    parts.push_async_callback(transport.close)
    sender = Sender(
        pool=pool, clock=clock, transport=transport, box=box, limits=limits, metrics=metrics
    )
    sender.start()
    parts.push_async_callback(sender.stop)

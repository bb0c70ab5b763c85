"""A trunk of the configuration, in the words of the user agent and of the campaign rules."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, TypeVar

from dialer.campaign.header_template import HeaderTemplate
from dialer.campaign.number_rewriting import Rewriting
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable, default_text
from dialer.campaign.routing import TrunkRule
from dialer.ua.call import RegistrationSettings, TlsSettings, Trunk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dialer import config
    from dialer.config_trunk import NumberRule

Made = TypeVar("Made")

LONGEST_RING = 120.0  # seconds
NOBODY = 0  # no account has this id


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkDefinition:
    """How to call over a trunk, and which calls it is given.

    `ring_seconds` caps the campaign's ring timeout. `table` is None where the outcome table for
    all holds; `region` is where the PBX stands, whose emergency numbers are never dialled;
    `failover_on` None where the table's own word on failover does. `fingerprint` tells
    definitions apart, without telling a secret.
    """

    trunk: Trunk
    caller_id: str = "anonymous"
    max_calls: int = 10
    calls_per_second: float = 1.0
    rule: TrunkRule = dataclasses.field(default_factory=lambda: TrunkRule(""))
    rewriting: tuple[Rewriting, ...] = ()
    caller_id_rewriting: tuple[Rewriting, ...] = ()
    headers: tuple[HeaderTemplate, ...] = ()
    ring_seconds: float = LONGEST_RING
    table: OutcomeTable | None = None
    failover_on: frozenset[Outcome] | None = None
    region: str = ""
    fingerprint: str = ""


def definition_of(
    settings: config.Config, one: config.Trunk, accounts: Mapping[str, int] | None = None
) -> TrunkDefinition:
    """Return a configured trunk; raises ConfigError with file, line and key.

    `accounts` has the ids of accounts by name; one that is not there may not use the trunk.
    """

    def made(key: str, make: Callable[[], Made]) -> Made:
        try:
            return make()
        except (ValueError, OSError) as error:
            raise settings.trunk_mistake(one, key, str(error)) from None

    return TrunkDefinition(
        trunk=trunk_of(settings, one),
        caller_id=one.caller_id,
        max_calls=one.max_calls,
        calls_per_second=one.calls_per_second,
        rule=TrunkRule(
            name=one.name,
            priority=one.priority,
            weight=one.weight,
            match=one.match,
            accounts=ids_of(one, accounts or {}),
        ),
        rewriting=made("rewrite", lambda: _rewriting(one.rewrite)),
        caller_id_rewriting=made("caller_id_rewrite", lambda: _rewriting(one.caller_id_rewrite)),
        headers=made(
            "headers",
            lambda: tuple(HeaderTemplate.parse(name, text) for name, text in one.headers.items()),
        ),
        ring_seconds=one.ring_seconds,
        table=made("outcomes", lambda: table_of(settings, one.outcomes)),
        failover_on=made("failover_on", lambda: _outcomes(one.failover_on)),
        region=settings.numbers.region,
        fingerprint=_fingerprint(one),
    )


def ids_of(one: config.Trunk, accounts: Mapping[str, int]) -> frozenset[int]:
    """Return the ids of the accounts that may use a trunk, none where all may."""
    return frozenset(
        name if isinstance(name, int) else accounts.get(name, NOBODY) for name in one.accounts
    )


def trunk_of(settings: config.Config, one: config.Trunk) -> Trunk:
    """Return a configured trunk in the user agent's words; raises ConfigError for its password."""
    host, port = one.host_and_port
    return Trunk(
        name=one.name,
        host=host,
        port=port,
        transport=one.transport,
        family=one.family,
        proxy=one.proxy,
        username=one.username,
        password=settings.trunk_password(one),
        md5_allowed=one.md5_allowed,
        tls=_tls(settings, one),
        registration=_registration(one),
        options_interval=one.options_seconds,
        from_domain=one.from_domain,
        from_user=one.from_user,
        number_form=one.number_form,
        asserted_by=frozenset(one.asserted_by),
        privacy=one.privacy,
        codecs=one.codecs,
        ptime=one.ptime,
        srtp=one.srtp,
        large_by_tcp=one.large_by_tcp,
        keep_alive=one.keep_alive_seconds,
        external_address=one.external_address,
        learn_address=one.learn_address,
        rtp_timeout=one.rtp_timeout_seconds,
        rtp_hold_timeout=one.rtp_hold_timeout_seconds,
        reliable_provisionals=one.reliable_provisionals,
        session_expires=one.session_seconds,
        min_session_expires=one.min_session_seconds,
    )


def table_of(settings: config.Config, changes: Path | None) -> OutcomeTable | None:
    """Return the outcome table with a file's changes, and before them the file for all trunks.

    None without any; raises ValueError and OSError.
    """
    files = [settings.path(one) for one in (settings.outcomes, changes) if one is not None]
    if not files:
        return None
    return OutcomeTable.load(default_text(), *(one.read_text(encoding="utf-8") for one in files))


def _tls(settings: config.Config, one: config.Trunk) -> TlsSettings | None:
    if one.transport != "tls":
        return None

    def text(path: Path | None) -> str | None:
        return None if path is None else str(settings.path(path))

    return TlsSettings(
        server_name=one.tls_server_name,
        ca_file=text(one.tls_ca_file),
        certificate_file=text(one.tls_certificate_file),
        key_file=text(one.tls_key_file),
        verify=one.tls_verify,
    )


def _registration(one: config.Trunk) -> RegistrationSettings | None:
    if not one.register_:
        return None
    return RegistrationSettings(
        user=one.registration_user, domain=one.registrar, expires=one.registration_seconds
    )


def _rewriting(rules: tuple[NumberRule, ...]) -> tuple[Rewriting, ...]:
    return tuple(Rewriting.of(rule.match, rule.replace, rule.strip, rule.prepend) for rule in rules)


def _outcomes(names: tuple[str, ...] | None) -> frozenset[Outcome] | None:
    return None if names is None else frozenset(Outcome(name) for name in names)


def _fingerprint(one: config.Trunk) -> str:
    return hashlib.sha256(one.model_dump_json().encode()).hexdigest()[:16]

"""What to change where a step of a trunk's check fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.config import Config
    from dialer.sip.identity import HostPort
    from dialer.ua.call import Trunk

_CERTIFICATE = (
    ("self-signed", "set `tls_ca_file` to a PEM file with that very certificate"),
    ("authority", "set `tls_ca_file` to a PEM file with the certificate of its authority"),
    ("expired", "ask whoever runs the trunk for a new certificate"),
    ("not valid before", "set this machine's clock, or wait"),
    ("not accept our certificate", "ask whoever runs the trunk which certificates it takes"),
    ("certificate of ours", "set `tls_certificate_file` and `tls_key_file`"),
    ("certificate of", "set `tls_server_name` where that is its right name, or correct `address`"),
)


def connect_advice(trunk: Trunk, target: HostPort, reason: str) -> str:
    """Return what to change where there is no connection to a target."""
    for words, advice in _CERTIFICATE:
        if words in reason:
            return advice
    if target.transport == "udp":
        return "give this machine a route there, or correct sip.host"
    if "does not speak TLS" in reason:
        return "correct `transport`, or the port in `address`: TLS is mostly at 5061"
    if "did not answer" in reason:
        silent = "correct `address`, or let the firewall pass it"
        return silent if target.transport == "tcp" else f"{silent}; it may not speak TLS there"
    return nobody_there_advice(trunk, target)


def nobody_there_advice(trunk: Trunk, target: HostPort) -> str:
    """Return what to change where nothing listens at a target."""
    if trunk.port is None and target.host != trunk.host:
        return "this server comes from DNS: ask who runs the trunk, or set `transport`"
    if trunk.transport is None:
        return "correct `address`, or set `transport` to what the trunk speaks"
    return "correct the port in `address`, or `transport`"


def register_advice(settings: Config, trunk: Trunk, reason: str) -> str:
    """Return what to change where the registration failed."""
    if "credentials refused" in reason:
        if trunk.username is None:
            return "it asks for an account: give it `username` and `password_env`"
        return f"correct `username` or {_where_the_password_is(settings, trunk)}"
    if "cannot register" in reason:
        return "correct `registrar` or `registration_user`"
    if "no answer" in reason:
        return "the registrar may be another one: see `address`, `proxy` and `registrar`"
    return "see `registrar` and `registration_user`, and ask who runs the trunk"


def _where_the_password_is(settings: Config, trunk: Trunk) -> str:
    for one in settings.trunk:
        if one.name == trunk.name and one.password_env is not None:
            return f"the password in {one.password_env}"
        if one.name == trunk.name and one.password_file is not None:
            return f"the password in {one.password_file}"
    return "give it a password by `password_env`"

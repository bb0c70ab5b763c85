"""A trunk in the configuration: how it is reached, what is sent there, what it is given."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path  # noqa: TC003 - pydantic needs it at run time
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field, StringConstraints

from dialer.config_section import Section, host_and_port

Codec = Literal["PCMU", "PCMA"]
AssertingHeader = Literal["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"]
User = Annotated[str, StringConstraints(pattern=r"^\+?[A-Za-z0-9_.-]{1,64}$")]
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,20}$")]


class NumberRule(Section):
    """A rule of rewriting: what it fits, and what becomes of a number that it fits."""

    match: str = ""
    replace: str | None = None
    strip: Annotated[int, Field(ge=0, le=20)] = 0
    prepend: str = ""


class Trunk(Section):
    """A SIP trunk or PBX."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

    # how it is reached
    address: str
    transport: Literal["udp", "tcp", "tls"] | None = None
    family: Literal["any", "ipv4", "ipv6"] = "any"
    proxy: str | None = None
    large_by_tcp: bool = False
    tls_ca_file: Path | None = None
    tls_server_name: str | None = None
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None
    tls_verify: bool = True

    # who we are there
    username: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    md5_allowed: bool = True
    register_: Annotated[bool, Field(alias="register")] = False
    registrar: str | None = None
    registration_user: str | None = None
    registration_seconds: Annotated[int, Field(ge=30, le=86400)] = 300
    options_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    keep_alive_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0
    external_address: str | None = None
    learn_address: bool = False

    # caller ID and called number
    caller_id: User = "anonymous"
    from_user: User | None = None
    from_domain: str | None = None
    asserted_by: tuple[AssertingHeader, ...] = ()
    privacy: bool = False
    number_form: Literal["sip", "phone", "tel"] = "sip"
    rewrite: tuple[NumberRule, ...] = ()
    caller_id_rewrite: tuple[NumberRule, ...] = ()
    headers: dict[str, str] = Field(default_factory=dict)

    # media and dialogs
    codecs: tuple[Codec, ...] = ("PCMA", "PCMU")
    ptime: Literal[10, 20, 30, 40, 60] = 20
    srtp: Literal["off", "optional", "required"] = "off"
    rtp_timeout_seconds: Annotated[float, Field(ge=0, le=86400)] = 60.0
    rtp_hold_timeout_seconds: Annotated[float, Field(ge=0, le=86400)] = 1800.0
    reliable_provisionals: bool = True
    session_seconds: Annotated[int, Field(ge=0, le=86400)] = 1800
    min_session_seconds: Annotated[int, Field(ge=90, le=86400)] = 90

    # which calls it is given
    match: tuple[Prefix, ...] = ()
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    accounts: tuple[int | AccountName, ...] = ()
    max_calls: Annotated[int, Field(ge=1, le=100_000)] = 10
    calls_per_second: Annotated[float, Field(gt=0, le=1000)] = 1.0
    ring_seconds: Annotated[float, Field(ge=5, le=600)] = 120.0
    failover_on: tuple[str, ...] | None = None
    outcomes: Path | None = None

    @pydantic.field_validator("address", "from_domain", "registrar")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None:
            host_and_port(value)
        return value

    @pydantic.field_validator("codecs")
    @classmethod
    def _codecs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one codec")
        if len(set(value)) < len(value):
            raise ValueError("names a codec twice")
        return value

    @pydantic.field_validator("proxy")
    @classmethod
    def _proxy(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"sip:[^\s<>\"@;]+(;[^\s<>\"]*)?", value):
            raise ValueError("is not a SIP URI such as sip:proxy.example.com;transport=tcp")
        return value

    @pydantic.field_validator("external_address")
    @classmethod
    def _external(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError("is not an IP address") from None
        return value

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.srtp != "off" and self.transport != "tls":
            raise ValueError(
                "srtp needs transport = 'tls': its keys stand in the SDP, which anybody could read"
            )
        if self.transport != "tls":
            tls = ("ca_file", "server_name", "certificate_file", "key_file")
            named = [f"tls_{one}" for one in tls if getattr(self, f"tls_{one}") is not None]
            if named:
                raise ValueError(f"{named[0]} means nothing without transport = 'tls'")
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file go together")
        if self.register_ and self.username is None and self.registration_user is None:
            raise ValueError("register needs a username")
        if self.learn_address and not (self.register_ or self.options_seconds):
            raise ValueError(
                "learn_address needs register or options_seconds: the address is learned from"
                " what answers them"
            )
        return self

    @property
    def host_and_port(self) -> tuple[str, int | None]:
        """The trunk's host and port; no port for a name that SRV records may give one."""
        host, port = host_and_port(self.address)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host, port
        return host, port or (5061 if self.transport == "tls" else 5060)

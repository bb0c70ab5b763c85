"""The configuration file: what it may say, and one clear line for each mistake in it."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import socket
import tomllib
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import phonenumbers
import pydantic
from phonenumbers import PhoneMetadata
from pydantic import Field

from dialer.config_bots import Bots, BotSecret
from dialer.config_recordings import Recordings
from dialer.config_section import ConfigError, Section, split_address
from dialer.config_speech import Speech
from dialer.config_trunk import Trunk
from dialer.config_webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails


__all__ = ["Config", "ConfigError", "Section", "Trunk", "load", "split_address"]

Location = tuple[int | str, ...]
"""The way to a key: names of tables and keys, and places in a list."""


class Database(Section):
    """Where the state lives."""

    url: str = ""
    data: Path = Path("~/.local/share/dialer/postgres")
    pool_size: Annotated[int, Field(ge=3, le=200)] = 10


class Api(Section):
    """The HTTP control API."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    token_env: str = "DIALER_API_TOKEN"  # noqa: S105 - the name of a variable, not a secret
    token_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_upload_mib: Annotated[int, Field(ge=1, le=65536)] = 512
    read_timeout_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    requests_per_second: Annotated[float, Field(ge=0.1, le=100_000)] = 100.0
    request_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    failed_logins_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 20
    max_connections: Annotated[int, Field(ge=8, le=65_536)] = 2000
    event_streams: Annotated[int, Field(ge=0, le=100_000)] = 1000
    event_streams_per_token: Annotated[int, Field(ge=0, le=100_000)] = 100


class Sip(Section):
    """Our own side of SIP and RTP."""

    host: str = "0.0.0.0"  # noqa: S104 - a trunk is seldom on loopback
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    tls_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    external_address: str | None = None
    rtp_ports: tuple[int, int] = (20000, 29999)
    rtp_dscp: Annotated[int, Field(ge=0, le=63)] = 46
    sip_dscp: Annotated[int, Field(ge=0, le=63)] = 24
    nameservers: tuple[str, ...] = ()
    dns_seconds: Annotated[float, Field(gt=0, le=30)] = 3.0

    @pydantic.field_validator("nameservers")
    @classmethod
    def _nameservers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            host, _ = split_address(one, 53)
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise ValueError(f"{host!r} is not an IP address") from None
        return value

    @pydantic.field_validator("rtp_ports")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        low, high = value
        if not 1024 <= low < high <= 65535:
            raise ValueError("must be [low, high] with 1024 <= low < high <= 65535")
        return value

    @pydantic.model_validator(mode="after")
    def _apart(self) -> Sip:
        if self.tls_port is not None and self.tls_port == self.port:
            raise ValueError("tls_port must not be port, where TCP is heard")
        if self.tls_key is not None and self.tls_certificate is None:
            raise ValueError("tls_key needs a tls_certificate")
        return self


class Engine(Section):
    """How calls are taken, and how nodes share them."""

    node: str = ""
    lease_seconds: Annotated[float, Field(ge=1, le=300)] = 15.0
    drain_seconds: Annotated[float, Field(ge=0, le=86400)] = 300.0
    batch: Annotated[int, Field(ge=1, le=1000)] = 50

    def node_name(self) -> str:
        """Return the configured name, or one that no other process has."""
        return self.node or f"{socket.gethostname()}:{os.getpid()}"


class Pause(Section):
    """When a campaign pauses by itself, because the system has failed for it."""

    trunks_unusable_seconds: Annotated[float, Field(ge=1, le=86400)] = 300.0
    technical_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    technical_attempts: Annotated[int, Field(ge=5, le=1000)] = 50
    invalid_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    invalid_calls: Annotated[int, Field(ge=5, le=1000)] = 50


class Care(Section):
    """Care for the people called, which no campaign can override."""

    quiet_hours: Annotated[str, Field(pattern=r"^([0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})?$")] = ""


class Numbers(Section):
    """Which numbers may be dialled besides international ones."""

    internal: str = ""
    region: str = ""

    @pydantic.field_validator("internal")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @pydantic.field_validator("region")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("is not a country's code of two capital letters, such as DE")
        return value

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Numbers:
        try:
            self.internal_pattern()
        except re.error as error:
            raise ValueError(f"internal cannot stand beside a region: {error}") from None
        return self

    def internal_pattern(self) -> re.Pattern[str] | None:
        """Return the pattern that an extension of the PBX matches as a whole, if there is one.

        Its group `emergency` matches the emergency numbers of the region, which nobody may dial.
        """
        short = PhoneMetadata.short_metadata_for_region(self.region) if self.region else None
        urgent = short.emergency.national_number_pattern if short and short.emergency else None
        if not urgent:
            return re.compile(self.internal) if self.internal else None
        return re.compile(f"(?P<emergency>{urgent})|(?:{self.internal or '(?!)'})")


class Capture(Section):
    """What is kept of the signalling, and where copies go."""

    keep_days: Annotated[float, Field(ge=0, le=3650)] = 14.0
    messages: Annotated[int, Field(ge=1, le=10_000)] = 200
    rtp_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    rtp_audio: bool = False
    homer: str = ""
    homer_id: Annotated[int, Field(ge=0, lt=2**32)] = 2001
    homer_password_env: str | None = None

    @pydantic.field_validator("homer")
    @classmethod
    def _homer(cls, value: str) -> str:
        if value:
            host, _ = split_address(value, 9060)
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise ValueError(f"{host!r} is not an address; Homer is named by address") from None
        return value


class Retention(Section):
    """How long records are kept."""

    calls_days: Annotated[int, Field(ge=0, le=36500)] = 0
    idempotency_hours: Annotated[float, Field(ge=1, le=8760)] = 24.0
    audit_days: Annotated[int, Field(ge=0, le=36500)] = 365


class Log(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Config(Section):
    """The whole file."""

    database: Database = Database()
    api: Api = Api()
    sip: Sip = Sip()
    engine: Engine = Engine()
    pause: Pause = Pause()
    care: Care = Care()
    numbers: Numbers = Numbers()
    bots: Bots = Bots()
    speech: Speech = Speech()
    capture: Capture = Capture()
    recordings: Recordings = Recordings()
    retention: Retention = Retention()
    webhooks: Webhooks = Webhooks()
    log: Log = Log()
    prompts: Path = Path("prompts")
    trunk: tuple[Trunk, ...] = ()
    outcomes: Path | None = None
    folder: Annotated[Path, Field(exclude=True)] = Path()
    source: Annotated[tuple[Path, str] | None, Field(exclude=True, repr=False)] = None

    @pydantic.model_validator(mode="after")
    def _distinct_names(self) -> Config:
        names = [trunk.name for trunk in self.trunk]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two trunks are named {name!r}")
        return self

    def mistake(self, location: Location, sentence: str) -> ConfigError:
        """Return the error of a key whose value makes no sense, with its file and line."""
        if self.source is None:
            return ConfigError(f"{_key(location)}: {sentence}")
        return _mistake(*self.source, location, sentence)

    def path(self, path: Path) -> Path:
        """Return `path` as seen from the configuration file's folder."""
        return self.folder / path.expanduser()

    def secret(self, *, env: str | None, file: Path | None, needed_by: str) -> str | None:
        """Return a secret from its file or environment variable; None when neither is named.

        Raises ConfigError when a file is named and cannot be read.
        """
        if file is not None:
            try:
                return self.path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{needed_by}: cannot read {self.path(file)}: {error}") from None
        return os.environ.get(env) if env else None

    def trunk_password(self, trunk: Trunk) -> str | None:
        """Return a trunk's password; raises ConfigError when it is named and not there."""
        password = self.secret(
            env=trunk.password_env, file=trunk.password_file, needed_by=f"trunk {trunk.name}"
        )
        if password is None and trunk.password_env:
            raise self.trunk_mistake(
                trunk, "password_env", f"the environment variable {trunk.password_env} is not set"
            )
        return password

    def bot_header(self, secret: BotSecret) -> str:
        """Return the value of a bot secret's header; raises ConfigError where it is not there."""
        value = self.secret(
            env=secret.value_env, file=secret.value_file, needed_by=f"bots.secrets {secret.name}"
        )
        key = "value_file" if secret.value_env is None else "value_env"
        place = ("bots", "secrets", self.bots.secrets.index(secret), key)
        if value is None:
            raise self.mistake(place, f"the environment variable {secret.value_env} is not set")
        if not value or not value.isascii() or not value.isprintable():
            raise self.mistake(place, "what it holds is empty or cannot stand in a header")
        return value

    def trunk_mistake(self, trunk: Trunk, key: str, sentence: str) -> ConfigError:
        """Return the error of a trunk's key whose value makes no sense."""
        place = next((n for n, one in enumerate(self.trunk) if one is trunk), 0)
        error = self.mistake(("trunk", place, key), sentence)
        return ConfigError(f"{error} (trunk {trunk.name})")

    def api_token(self) -> str | None:
        """Return the API's bearer token, if one is set."""
        return self.secret(env=self.api.token_env, file=self.api.token_file, needed_by="api")

    def database_url(self) -> str:
        """Return the database's address, "" for the embedded server."""
        return os.environ.get("DATABASE_URL", "") or self.database.url


def load(path: Path | None) -> Config:
    """Read the configuration; None stands for the defaults.

    Raises ConfigError with one line: file, line and key, and what is wrong.
    """
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    for own in ("folder", "source"):
        if own in data:
            raise _mistake(path, text, (own,), "unknown key")
    try:
        return Config.model_validate(
            {**data, "folder": path.resolve().parent, "source": (path, text)}
        )
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise _mistake(path, text, first["loc"], _sentence(first)) from None


def _mistake(path: Path, text: str, location: Location, sentence: str) -> ConfigError:
    line = _line_of(text, location)
    return ConfigError(f"{path}:{line}: {_key(location) or 'file'}: {sentence}")


def _key(location: Location) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else part for part in location)
    return ".".join(parts).replace(".[", "[")


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        known = {
            field.alias or name
            for name, field in _table_at(parents).model_fields.items()
            if not field.exclude
        }
        near = difflib.get_close_matches(str(key), known, n=1)
        return "unknown key" + (f"; did you mean {near[0]}?" if near else "")
    sentence = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], (str, int, float, list)):
        sentence += f" (it is {error['input']!r})"
    return sentence


def _table_at(location: Sequence[int | str]) -> type[Section]:
    """Return the kind of table that a location leads to."""
    table: type[Section] = Config
    for name in location:
        if isinstance(name, str):
            kinds = [table.model_fields[name].annotation]
            while not (isinstance(kinds[0], type) and issubclass(kinds[0], Section)):
                kinds = [*typing.get_args(kinds.pop(0)), *kinds]
            table = kinds[0]
    return table


def _line_of(text: str, location: Location) -> int:
    """Find the line of a key; of the key or table around it where it is missing; else 1."""
    table = str(location[0]) if len(location) > 1 else ""
    wanted = next((part for part in location if isinstance(part, int)), 0)
    keys = [str(part) for part in location if isinstance(part, str)][bool(table) :]
    found, here, seen = 1, "", -1
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}", line)
        if header:
            here = header[1]
            seen += here == table
            if here == (table or "".join(keys)) and (seen == wanted or not table):
                found = number
        elif here == table and (not table or seen == wanted):
            key = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*=", line)
            if key:
                lines.setdefault(key[1], number)
    return next((lines[key] for key in reversed(keys) if key in lines), found)

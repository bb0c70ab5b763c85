"""The configuration file: what it may say, and one clear line for each mistake in it."""

from __future__ import annotations

import difflib
import os
import re
import socket
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import Field

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class ConfigError(Exception):
    """The configuration cannot be used; the text says which file, line and key, and why."""


class Section(pydantic.BaseModel):
    """A table of the file; a key that it does not know is an error."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


def split_address(text: str, default_port: int) -> tuple[str, int]:
    """Split `host`, `host:port` or `[v6]:port`; raises ValueError."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/@;]+))(?::(\d{1,5}))?", text)
    if match is None:
        if re.fullmatch(r"[0-9A-Fa-f:.]+", text) and text.count(":") > 1:
            return text, default_port
        raise ValueError(f"{text!r} is not host, host:port or [IPv6]:port")
    port = int(match[3]) if match[3] else default_port
    if not 0 < port < 65536:
        raise ValueError(f"{port} is not a port number")
    return match[1] or match[2], port


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


class Sip(Section):
    """Our own side of SIP and RTP."""

    host: str = "0.0.0.0"  # noqa: S104 - a trunk is seldom on loopback
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    tls_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    external_address: str | None = None
    rtp_ports: tuple[int, int] = (20000, 29999)

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


class Numbers(Section):
    """Which numbers may be dialled besides international ones."""

    internal: str = ""

    @pydantic.field_validator("internal")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value

    def internal_pattern(self) -> re.Pattern[str] | None:
        """Return the pattern that an extension of the PBX matches as a whole, if there is one."""
        return re.compile(self.internal) if self.internal else None


class Log(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Trunk(Section):
    """A SIP trunk or PBX."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    address: str
    username: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    from_domain: str | None = None
    caller_id: Annotated[str, Field(pattern=r"^\+?[A-Za-z0-9_.-]{1,64}$")] = "anonymous"
    codecs: tuple[Literal["PCMU", "PCMA"], ...] = ("PCMA", "PCMU")
    md5_allowed: bool = True
    max_calls: Annotated[int, Field(ge=1, le=100_000)] = 10
    calls_per_second: Annotated[float, Field(gt=0, le=1000)] = 1.0

    @pydantic.field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        split_address(value, 5060)
        return value

    @pydantic.field_validator("codecs")
    @classmethod
    def _codecs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one codec")
        return value

    @pydantic.field_validator("from_domain")
    @classmethod
    def _from_domain(cls, value: str | None) -> str | None:
        if value is not None:
            split_address(value, 5060)
        return value

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The trunk's host name or address literal, and its port."""
        return split_address(self.address, 5060)


class Config(Section):
    """The whole file."""

    database: Database = Database()
    api: Api = Api()
    sip: Sip = Sip()
    engine: Engine = Engine()
    numbers: Numbers = Numbers()
    log: Log = Log()
    prompts: Path = Path("prompts")
    trunk: tuple[Trunk, ...] = ()
    folder: Annotated[Path, Field(exclude=True)] = Path()

    @pydantic.model_validator(mode="after")
    def _distinct_names(self) -> Config:
        names = [trunk.name for trunk in self.trunk]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two trunks are named {name!r}")
        return self

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
            raise ConfigError(
                f"trunk {trunk.name}: the environment variable {trunk.password_env} is not set"
            )
        return password

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
    if "folder" in data:
        raise ConfigError(f"{path}:{_line_of(text, ('folder',))}: folder: unknown key")
    try:
        return Config.model_validate({**data, "folder": path.resolve().parent})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(
            f"[{part}]" if isinstance(part, int) else part for part in first["loc"]
        ).replace(".[", "[")
        line = _line_of(text, first["loc"])
        raise ConfigError(f"{path}:{line}: {key or 'file'}: {_sentence(first)}") from None


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        model: type[pydantic.BaseModel] = Config
        for name in (part for part in parents if isinstance(part, str)):
            model = Trunk if name == "trunk" else type(getattr(Config(), name))
        near = difflib.get_close_matches(str(key), set(model.model_fields) - {"folder"}, n=1)
        return "unknown key" + (f"; did you mean {near[0]}?" if near else "")
    sentence = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], (str, int, float, list)):
        sentence += f" (it is {error['input']!r})"
    return sentence


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """Find the line of a key; of its table where the key itself is missing; else 1."""
    table = str(location[0]) if len(location) > 1 else ""
    wanted = next((part for part in location if isinstance(part, int)), 0)
    key = next((str(part) for part in reversed(location) if isinstance(part, str)), "")
    found, here, seen = 1, "", -1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}", line)
        if header:
            here = header[1]
            seen += here == table
            if here == (table or key) and (seen == wanted or not table):
                found = number
        elif (
            here == table
            and (not table or seen == wanted)
            and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line)
        ):
            return number
    return found

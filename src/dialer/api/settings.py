"""What the control API is told at start."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import re
from typing import TYPE_CHECKING

from dialer.campaign.webhook_url import WebhookRules
from dialer.recordings.keys import RecordingKeys
from dialer.store.secret_box import SecretBox

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from dialer.config_bots import Bots
    from dialer.recordings.place import RecordingPlace

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[\w.-]+)?")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")


class SettingsError(ValueError):
    """The API cannot be served so; the text says what is wrong and what to do."""


def ready() -> str | None:
    """Say that nothing but Postgres has to be waited for."""
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where the API listens, whom it answers, and what it takes; raises SettingsError.

    `token`: the bearer token, required on any address but loopback. `allowed_hosts`: names under
    which clients reach us besides loopback and the bound address. `internal_numbers`: what an
    extension of the PBX looks like. `known_trunks`: what campaigns may name, as it stands at any
    time; `trunk_accounts`: whose campaigns may, for trunks that not all may name. `prompts`: the
    folders of the prompts that they may name; without any, every name is taken. `max_body_bytes`:
    of a JSON body; `max_upload_bytes`: of a list. `read_timeout`: seconds a client may keep us
    waiting for the head of a request, a JSON body, or the next piece of a list. A token may send
    `requests_per_second` on the whole and `request_burst` at once; an address may show so many
    tokens that do not work. `max_connections` are open at a time, and so
    many `event_streams`. `engine_ready`: None, or why this node cannot place calls now.
    `webhook_rules`: which addresses webhooks may have; `secret_box` seals their secrets, and
    `webhook_window` is how long they are tried.
    `bots`: which ones campaigns may name; without, every one is taken. `speaks`: whether campaigns
    may have texts said. `recordings`: where those of calls are kept; `recording_keys` open them.
    """

    bind_host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = dataclasses.field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    internal_numbers: re.Pattern[str] | None = None
    known_trunks: Collection[str] = frozenset()
    trunk_accounts: Mapping[str, Collection[int]] = dataclasses.field(default_factory=dict)
    prompts: tuple[Path, ...] = ()
    max_body_bytes: int = 4 * 1024 * 1024
    max_upload_bytes: int = 512 * 1024 * 1024
    read_timeout: float = 30.0
    requests_per_second: float = 100.0
    request_burst: int = 1000
    failed_logins_per_minute: int = 20
    max_connections: int = 2000
    engine_ready: Callable[[], str | None] = ready
    event_streams: int = 1000
    event_streams_per_token: int = 100
    quiet: tuple[int, int] | None = None
    webhook_rules: WebhookRules = dataclasses.field(default_factory=WebhookRules)
    secret_box: SecretBox = dataclasses.field(default_factory=SecretBox, repr=False)
    webhook_window: dt.timedelta = dt.timedelta(hours=24)
    bots: Bots | None = None
    speaks: bool = True
    recordings: RecordingPlace | None = None
    recording_keys: RecordingKeys = dataclasses.field(default_factory=RecordingKeys, repr=False)

    def __post_init__(self) -> None:
        for host in (self.bind_host, *self.allowed_hosts):
            if not _HOST.fullmatch(host):
                raise SettingsError(f"api: {host!r} is not a host name or address")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise SettingsError(
                "api: the token must have 16 to 512 letters, digits or ._~+/- ;"
                " make one with: openssl rand -hex 32"
            )
        if self.token is None and not is_loopback(self.bind_host):
            raise SettingsError(
                f"api: listening on {self.bind_host} needs a token, since others can reach it;"
                " set one (openssl rand -hex 32), or listen on 127.0.0.1"
            )

    def may_use(self, trunk: str, account_id: int) -> bool:
        """Whether campaigns of an account may name a trunk."""
        accounts = self.trunk_accounts.get(trunk)
        return trunk in self.known_trunks and (not accounts or account_id in accounts)

    def answers_to(self, host: str) -> bool:
        """Whether `host`, a name or address without port, is one of ours."""
        name = host.lower().removesuffix(".")
        return (
            name in LOOPBACK_NAMES
            or name == self.bind_host.lower()
            or any(name == allowed.lower() for allowed in self.allowed_hosts)
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a socket bound to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"

"""The names of things on the wire: addresses, credentials, legs and dialogs, as storable text."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

Transport = Literal["udp", "tcp", "tls"]


class HostPort(NamedTuple):
    """A transport address; an IPv6 host is written without brackets."""

    host: str
    port: int
    transport: Transport = "udp"


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """What a digest challenge of the far end is answered with (RFC 3261 §22)."""

    username: str
    password: str = dataclasses.field(repr=False)
    md5_allowed: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class LegState:
    """What a CANCEL of an INVITE needs (RFC 3261 §9.1), as text.

    `target_host` and `target_port` are the next hop, `via` is the whole top Via value, `route`
    the Route header values.
    """

    call_id: str
    from_header: str
    to_header: str
    request_uri: str
    via: str
    cseq: int
    route: tuple[str, ...]
    target_host: str
    target_port: int
    target_transport: Transport = "udp"


@dataclasses.dataclass(frozen=True, slots=True)
class DialogState:
    """What a request within a dialog needs (RFC 3261 §12.2.1.1), as text.

    `local` and `remote` are From and To values with their tags, `local_cseq` is the last CSeq
    number that was used, `target_host` and `target_port` where requests go when the next hop's URI
    holds a name instead of an address.
    """

    call_id: str
    local: str
    remote: str
    local_cseq: int
    remote_target: str
    route: tuple[str, ...]
    target_host: str
    target_port: int
    target_transport: Transport = "udp"

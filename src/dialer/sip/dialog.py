"""The state of a dialog, and the requests within it (RFC 3261 §12)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.fields import bracketed, parse_address
from dialer.sip.identity import DialogState, HostPort
from dialer.sip.message import MAX_URI, is_loose_router, uri_address

if TYPE_CHECKING:
    from dialer.sip.message import Request, Response

Key = tuple[str, str, str]  # Call-ID, local tag, remote tag

_MAX_ROUTES = 20


@dataclasses.dataclass(slots=True)
class Dialog:
    """One dialog as one side sees it (RFC 3261 §12).

    `local` and `remote` are From and To values with tags as we write them. `fallback` is where
    requests go when the next hop's URI holds a name, which is not looked up here.
    """

    call_id: str
    local: str
    remote: str
    local_tag: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int | None
    remote_target: str
    route: tuple[str, ...]
    fallback: HostPort

    @property
    def key(self) -> Key:
        """What identifies the dialog (RFC 3261 §12)."""
        return (self.call_id, self.local_tag, self.remote_tag)

    @classmethod
    def of_caller(
        cls, response: Response, from_header: str, request_uri: str, target: HostPort
    ) -> Dialog:
        """Return the dialog that a response to our INVITE makes (RFC 3261 §12.1.2)."""
        return cls(
            call_id=response.call_id,
            local=from_header,
            remote=response.first("to"),
            local_tag=response.from_tag,
            remote_tag=response.to_tag,
            local_cseq=response.cseq,
            remote_cseq=None,
            remote_target=_target(target, response.contact, request_uri),
            route=tuple(reversed(response.values("record-route")[:_MAX_ROUTES])),
            fallback=target,
        )

    @classmethod
    def of_called(cls, request: Request, local_tag: str, source: HostPort) -> Dialog:
        """Return the dialog that our response to an INVITE makes (RFC 3261 §12.1.1)."""
        return cls(
            call_id=request.call_id,
            local=f"{request.first('to')};tag={local_tag}",
            remote=request.first("from"),
            local_tag=local_tag,
            remote_tag=request.from_tag,
            local_cseq=0,
            remote_cseq=request.cseq,
            remote_target=_target(
                source, request.contact, parse_address(request.first("from")).uri
            ),
            route=request.values("record-route")[:_MAX_ROUTES],
            fallback=source,
        )

    @classmethod
    def of_state(cls, state: DialogState) -> Dialog:
        """Return the dialog that another process stored."""
        return cls(
            call_id=state.call_id,
            local=state.local,
            remote=state.remote,
            local_tag=parse_address(state.local).parameters.get("tag", ""),
            remote_tag=parse_address(state.remote).parameters.get("tag", ""),
            local_cseq=state.local_cseq,
            remote_cseq=None,
            remote_target=state.remote_target,
            route=state.route,
            fallback=HostPort(state.target_host, state.target_port, state.target_transport),
        )

    def state(self) -> DialogState:
        """Return the dialog as text, for another process."""
        return DialogState(
            call_id=self.call_id,
            local=self.local,
            remote=self.remote,
            local_cseq=self.local_cseq,
            remote_target=self.remote_target,
            route=self.route,
            target_host=self.fallback.host,
            target_port=self.fallback.port,
            target_transport=self.fallback.transport,
        )

    def addressing(self) -> tuple[str, tuple[str, ...], HostPort]:
        """Return Request-URI, Route values and destination of a request (RFC 3261 §12.2.1.1)."""
        if not self.route:
            return self.remote_target, (), uri_address(self.remote_target) or self.fallback
        first = parse_address(self.route[0]).uri
        destination = uri_address(first) or self.fallback
        if is_loose_router(first) or not _fits_request_line(first):
            return self.remote_target, self.route, destination
        # A strict router wants to find itself in the Request-URI, the target at the route's end.
        return first, (*self.route[1:], f"<{self.remote_target}>"), destination

    def headers(
        self, method: str, via: str, route: tuple[str, ...], cseq: int
    ) -> list[tuple[str, str]]:
        """Return the headers that every request within the dialog has."""
        return [
            ("Via", via),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in route),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]

    def next_cseq(self) -> int:
        """Count our own requests (RFC 3261 §12.2.1.1)."""
        self.local_cseq += 1
        return self.local_cseq

    def in_order(self, request: Request) -> bool:
        """Take a request's CSeq number in; False where it is out of order (RFC 3261 §12.2.2)."""
        if self.remote_cseq is not None and request.cseq < self.remote_cseq:
            return False
        self.remote_cseq = request.cseq
        return True

    def refresh(self, message: Request | Response) -> None:
        """Take a new remote target from a target refresh (RFC 3261 §12.2.1.2, §12.2.2)."""
        self.remote_target = _target(self.fallback, message.contact, self.remote_target)


def _target(last_resort: HostPort, *uris: str) -> str:
    """Return the first of `uris` that may stand in a request line, without URI headers."""
    for uri in uris:
        plain = uri.partition("?")[0]
        if _fits_request_line(plain):
            return plain
    return f"sip:{bracketed(last_resort.host)}:{last_resort.port}"


def _fits_request_line(uri: str) -> bool:
    return len(uri) <= MAX_URI and ":" in uri and not any(c in '<>"' or c.isspace() for c in uri)

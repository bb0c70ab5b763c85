"""Our own requests within a dialog: BYE, UPDATE, REFER, re-INVITE (RFC 3261 §12.2.1, §14.1)."""

from __future__ import annotations

import dataclasses
import zlib
from functools import partial
from typing import TYPE_CHECKING

from dialer.sip.client_invite import ClientInvite
from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.digest import Attempts
from dialer.sip.effects import SendDatagram
from dialer.sip.message import serialise
from dialer.sip.session_timer import TooSmall, minimum_of
from dialer.sip.settings import ALLOW
from dialer.sip.transaction import Failure
from dialer.sip.transaction_layer import MAGIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.dialog import Dialog
    from dialer.sip.message import Response
    from dialer.sip.session import Session
    from dialer.sip.transaction_layer import Client, TransactionLayer

_AGAIN, _GIVE_UP = "again", "give up"
_MAX_REPEATS = 2  # re-sends of one request after 491, and after 422


class ClientRequest:
    """One request of ours, with its re-sends.

    `on_final` gets the code of its final response and that response itself; where none came, 408,
    or 503 where it could not be delivered, and None. It is called once, and never after `drop`.
    """

    def __init__(
        self,
        method: str,
        on_final: Callable[[int, Response | None], None],
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        content_type: str = "",
        told: bool = False,
    ) -> None:
        self.method = method
        self.headers = headers
        self.body = body
        self.content_type = content_type
        self.told = told  # the user agent asked for it
        self.attempts = Attempts()
        self.repeats: dict[int, int] = {}
        self.numbers: set[int] = set()  # the CSeq numbers that it went out with
        self.waiting = False  # for the end of a glare, and not on its way
        self.timers: dict[str, float] = {}
        self.on_timer: Callable[[str], None] = lambda _timer: None
        self._on_final: Callable[[int, Response | None], None] | None = on_final

    @property
    def offers(self) -> bool:
        """Whether an offer and answer are under way by it."""
        return not self.waiting and (self.method == "INVITE" or bool(self.body))

    def fire(self, timer: str) -> None:
        """Act on a timer that is due."""
        self.on_timer(timer)

    def finish(self, code: int, response: Response | None = None) -> None:
        """Tell what came of it."""
        on_final, self._on_final = self._on_final, None
        if on_final is not None:
            on_final(code, response)

    def drop(self) -> None:
        """Tell nobody of it any more, and do not send it again."""
        self._on_final = None
        self.timers.pop(_AGAIN, None)

    @property
    def wanted(self) -> bool:
        """Whether somebody is still to be told."""
        return self._on_final is not None

    def may_repeat(self, code: int) -> bool:
        """Count a re-send because of `code`; False where there were enough."""
        self.repeats[code] = self.repeats.get(code, 0) + 1
        return self.wanted and self.repeats[code] <= _MAX_REPEATS


@dataclasses.dataclass(frozen=True, slots=True)
class _Sent:
    """A request as it went out: what its ACK and the check of its challenge need."""

    uri: str
    headers: list[tuple[str, str]]
    cseq: int
    credentials: list[tuple[str, str]]
    trusted: bool


class ClientRequests:
    """Sends the requests of all sessions of an endpoint."""

    def __init__(self, layer: TransactionLayer, token: Callable[[], str]) -> None:
        self._layer = layer
        self._token = token

    def acknowledge(
        self, dialog: Dialog, cseq: int, headers: list[tuple[str, str]]
    ) -> SendDatagram:
        """Return the ACK of a 2xx (RFC 3261 §13.2.2.4); `headers` are the INVITE's credentials."""
        uri, route, destination = dialog.addressing()
        via = self._layer.settings.via(MAGIC + self._token(), destination.transport)
        lines = dialog.headers("ACK", via, route, cseq) + headers
        return SendDatagram(serialise(f"ACK {uri} SIP/2.0", lines), destination)

    def send(self, session: Session, request: ClientRequest) -> None:
        """Send a request; raises ValueError, with nothing changed, for text that cannot go out."""
        layer, dialog, method = self._layer, session.dialog, request.method
        uri, route, destination = dialog.addressing()
        branch = MAGIC + self._token()
        cseq = dialog.local_cseq + 1
        common = dialog.headers(
            method, layer.settings.via(branch, destination.transport), route, cseq
        )
        # A peer who names an address of his own as Contact sees no credentials of the trunk.
        trusted = session.authenticator is not None and destination.host == dialog.fallback.host
        credentials: list[tuple[str, str]] = []
        if trusted and session.authenticator is not None:
            credentials = session.authenticator.headers(method, uri)
        headers = [*common, *credentials]
        if method != "BYE":
            contact = session.contact or layer.settings.contact(transport=destination.transport)
            headers += [("Contact", contact), ("Allow", ALLOW)]
            if method != "REFER":  # which refreshes nothing
                headers += session.timer.request_headers()
        headers += [*request.headers, ("User-Agent", layer.settings.user_agent)]
        if request.body:
            headers.append(("Content-Type", request.content_type))
        data = serialise(f"{method} {uri} SIP/2.0", headers, request.body)
        dialog.local_cseq = cseq
        request.numbers.add(cseq)
        sent = _Sent(uri, common, cseq, credentials, trusted)
        timings = layer.timings_for(destination)
        machine: ClientInvite | ClientNonInvite
        if method == "INVITE":
            machine = ClientInvite(data, partial(_ack_of_refusal, sent), timings)
        else:
            machine = ClientNonInvite(data, timings)
        client = layer.start_client(
            branch,
            method,
            machine,
            destination,
            partial(self._responded, session, request, sent),
            partial(self._failed, request),
        )
        request.on_timer = partial(self._timer_due, session, request, client)
        if method == "INVITE":
            # A peer that has said 100 owes us a final response all the same.
            layer.schedule.start(request, _GIVE_UP, layer.now + 64 * timings.t1)

    def wait(self, session: Session, request: ClientRequest) -> None:
        """Send a request after the time that a glare asks for (RFC 3261 §14.1)."""
        request.waiting = True
        request.on_timer = partial(self._timer_due, session, request, None)
        # In steps of 10 ms: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other.
        chance = zlib.crc32(self._token().encode())
        seconds = 2.1 + chance % 191 / 100 if session.caller else chance % 201 / 100
        self._layer.schedule.start(request, _AGAIN, self._layer.now + seconds)

    def _timer_due(
        self, session: Session, request: ClientRequest, client: Client | None, timer: str
    ) -> None:
        if timer == _GIVE_UP:
            request.finish(408)
            if client is not None:
                self._layer.end_client(client)
        elif session.pending is None:
            request.waiting = False
            self.send(session, request)
        elif request.may_repeat(491):
            self.wait(session, request)
        else:
            request.finish(491)

    def _failed(self, request: ClientRequest, failure: Failure) -> None:
        request.timers.clear()
        # RFC 3261 §8.1.3.1: as if a response had said so.
        request.finish(408 if failure is Failure.TIMEOUT else 503)

    def _responded(
        self, session: Session, request: ClientRequest, sent: _Sent, response: Response
    ) -> None:
        session.learn(response)
        if response.code < 200:
            return
        if response.code < 300 and request.method == "INVITE":
            if sent.cseq in session.acks:
                self._layer.effects.append(session.acks[sent.cseq])
                return
            session.dialog.refresh(response)
            ack = self.acknowledge(session.dialog, sent.cseq, sent.credentials)
            session.keep_ack(sent.cseq, ack)
            self._layer.effects.append(ack)
        request.timers.pop(_GIVE_UP, None)
        if not self._repeated(session, request, sent, response):
            request.finish(response.code, response)

    def _repeated(
        self, session: Session, request: ClientRequest, sent: _Sent, response: Response
    ) -> bool:
        """Send a request again where its response asks for that."""
        match response.code:
            case 401 | 407:
                authenticator = session.authenticator
                again = (
                    sent.trusted
                    and authenticator is not None
                    and request.wanted
                    and self._layer.source.host == session.dialog.fallback.host
                    and authenticator.accept(response, request.attempts)
                )
            case 491 if request.method != "BYE" and request.may_repeat(491):
                self.wait(session, request)
                return True
            case 422 if request.method != "BYE" and request.may_repeat(422):
                minimum = minimum_of(response)
                again = minimum is not None
                if minimum is not None:
                    session.timer.handle(TooSmall(minimum))
            case _:
                again = False
        if again:
            self.send(session, request)
        return again


def _ack_of_refusal(sent: _Sent, response: Response) -> bytes:
    """Build the ACK of a 3xx to 6xx (RFC 3261 §17.1.1.3)."""
    replaced = {"To": response.first("to"), "CSeq": f"{sent.cseq} ACK"}
    headers = [(name, replaced.get(name, value)) for name, value in sent.headers]
    return serialise(f"ACK {sent.uri} SIP/2.0", headers)

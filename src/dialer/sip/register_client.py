"""REGISTER with its re-sends: credentials, further targets (RFC 3261 §10.2, §22.2; RFC 3263 §4.3).

When to register, and for how long, is decided in `dialer.sip.registration`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.digest import Attempts
from dialer.sip.effects import RegisterAnswered
from dialer.sip.fields import delta_seconds, parse_address, retry_after
from dialer.sip.message import check_text, check_uri, serialise, uri_user
from dialer.sip.settings import ALLOW
from dialer.sip.transaction_layer import MAGIC, Client, TransactionLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.digest import Authenticator
    from dialer.sip.identity import HostPort
    from dialer.sip.message import Response
    from dialer.sip.settings import ContactAddress
    from dialer.sip.transaction import Failure

_NO_ANSWER = "no answer"
_PATIENCE = 10  # T1 without any response, and the next target is tried
_MAX_SERVICE_ROUTE = 8  # Service-Route values kept, whatever a registrar sends
_MAX_ROUTE_LENGTH = 512


@dataclasses.dataclass(frozen=True, slots=True)
class RegisterDraft:
    """A REGISTER to be.

    `request_uri` is the registrar's domain as a URI, `address_of_record` the value of To and From
    without tag. `call_id` stays the same for one registration, `cseq` is higher than any used
    before; each re-send takes the next. `contact_user` tells our Contact from those of others in
    the answer, so it has to be ours alone. `expires` in seconds, 0 to remove our Contact.
    `gone` is an address that our Contact had before, to be removed.

    `targets` are tried in their order. `authenticator` carries nonces from one REGISTER to the
    next. With `learn_address` the re-send after a challenge names the address that we were seen at.
    """

    request_uri: str
    address_of_record: str
    targets: tuple[HostPort, ...]
    call_id: str
    cseq: int
    contact_user: str
    expires: int
    contact_address: ContactAddress | None = None
    gone: tuple[ContactAddress | None, ...] = ()
    route: tuple[str, ...] = ()
    authenticator: Authenticator | None = None
    learn_address: bool = False


class _Attempt:
    """A REGISTER under way, until it is answered or no target is left."""

    def __init__(self, client: RegisterClient, draft: RegisterDraft, tag: str) -> None:
        self.timers: dict[str, float] = {}
        self.draft = draft
        self.tag = tag  # RFC 3261 §8.1.3.5: a re-send keeps From
        self.cseq = draft.cseq - 1
        self.contact_address = draft.contact_address
        self.target, *self.further = draft.targets
        self.attempts = Attempts()
        self.transaction: Client | None = None
        self._client = client

    def fire(self, _timer: str) -> None:
        """Leave a target that says nothing for the next one."""
        self._client.give_up_target(self)


class RegisterClient:
    """The REGISTER requests of an endpoint; nothing is kept between two of them."""

    def __init__(self, layer: TransactionLayer, token: Callable[[], str]) -> None:
        self._layer = layer
        self._token = token

    def register(self, draft: RegisterDraft) -> None:
        """Send a REGISTER; raises ValueError."""
        check_uri(draft.request_uri)
        check_text(draft.address_of_record, draft.call_id, draft.contact_user, *draft.route)
        if not draft.targets:
            raise ValueError("a REGISTER has no target")
        self._send(_Attempt(self, draft, self._token()))

    def _send(self, attempt: _Attempt) -> None:
        layer, draft, target = self._layer, attempt.draft, attempt.target
        attempt.cseq += 1
        branch = MAGIC + self._token()
        credentials = (
            draft.authenticator.headers("REGISTER", draft.request_uri)
            if draft.authenticator
            else []
        )
        headers = [
            ("Via", layer.settings.via(branch, target.transport)),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in draft.route),
            ("From", f"{draft.address_of_record};tag={attempt.tag}"),
            ("To", draft.address_of_record),
            ("Call-ID", draft.call_id),
            ("CSeq", f"{attempt.cseq} REGISTER"),
            *(("Contact", value) for value in self._contacts(attempt)),
            ("Expires", str(draft.expires)),
            *credentials,
            ("Allow", ALLOW),
            ("User-Agent", layer.settings.user_agent),
        ]
        data = serialise(f"REGISTER {draft.request_uri} SIP/2.0", headers)
        attempt.transaction = layer.start_client(
            branch,
            "REGISTER",
            ClientNonInvite(data, layer.timings_for(target)),
            target,
            lambda response: self._responded(attempt, response),
            lambda failure: self._failed(attempt, failure),
        )
        if attempt.further:
            at = layer.now + _PATIENCE * layer.timings.t1
            layer.schedule.start(attempt, _NO_ANSWER, at)

    def _contacts(self, attempt: _Attempt) -> list[str]:
        settings, draft = self._layer.settings, attempt.draft
        transport = attempt.target.transport
        ours = settings.contact(draft.contact_user, transport, attempt.contact_address)
        old = (settings.contact(draft.contact_user, transport, address) for address in draft.gone)
        return [ours, *(f"{contact};expires=0" for contact in old if contact != ours)]

    def _responded(self, attempt: _Attempt, response: Response) -> None:
        attempt.timers.clear()
        if response.code < 200:
            return
        if response.code in {401, 407}:
            self._challenged(attempt, response)
        elif response.code == 503 and attempt.further:
            self._next_target(attempt)
        else:
            self._tell(attempt, response)

    def _challenged(self, attempt: _Attempt, response: Response) -> None:
        authenticator = attempt.draft.authenticator
        if (
            authenticator is not None
            and self._layer.source.host == attempt.target.host
            and authenticator.accept(response, attempt.attempts)
        ):
            seen = self._layer.seen_address(response, attempt.target)
            if attempt.draft.learn_address and seen is not None:
                attempt.contact_address = (seen.host, seen.port)
            self._send(attempt)
        else:
            self._tell(attempt, response, challenged=True)

    def _failed(self, attempt: _Attempt, _failure: Failure) -> None:
        attempt.timers.clear()
        if attempt.further:
            self._next_target(attempt)
        else:
            draft = attempt.draft
            self._layer.tell(RegisterAnswered(draft.call_id, attempt.cseq, attempt.target, None))

    def give_up_target(self, attempt: _Attempt) -> None:
        """End the transaction with a target that says nothing, and try the next one."""
        assert attempt.transaction is not None
        self._layer.end_client(attempt.transaction)
        self._next_target(attempt)

    def _next_target(self, attempt: _Attempt) -> None:
        attempt.target = attempt.further.pop(0)
        attempt.attempts = Attempts()
        address, first = attempt.draft.contact_address, attempt.draft.targets[0]
        if address is not None and attempt.target.transport != first.transport:
            address = (address[0], None)  # the port is one of the other transport
        attempt.contact_address = address
        self._send(attempt)

    def _tell(self, attempt: _Attempt, response: Response, *, challenged: bool = False) -> None:
        draft = attempt.draft
        self._layer.tell(
            RegisterAnswered(
                call_id=draft.call_id,
                cseq=attempt.cseq,
                target=attempt.target,
                code=response.code,
                phrase=response.phrase,
                expires=granted(response, draft) if response.code < 300 else 0,
                min_expires=delta_seconds(response.first("min-expires")),
                retry_after=retry_after(response.first("retry-after")),
                challenged=challenged,
                service_route=service_route(response),
                contact_address=attempt.contact_address,
                seen=self._layer.seen_address(response, attempt.target),
            )
        )


def service_route(response: Response) -> tuple[str, ...]:
    """Return the Service-Route values that can stand in a Route of ours (RFC 3608 §5)."""
    return tuple(
        value
        for value in response.values("service-route")[:_MAX_SERVICE_ROUTE]
        if len(value) <= _MAX_ROUTE_LENGTH
        and value.startswith("<")
        and parse_address(value).uri.lower().startswith(("sip:", "sips:"))
    )


def granted(response: Response, draft: RegisterDraft) -> int:
    """Return for how many seconds a 2xx keeps our own Contact (RFC 3261 §10.2.4).

    It lists the Contacts of others too, and a registrar may have rewritten the host of ours. The
    Expires header, and failing that what we asked for, stands in for a parameter that is missing.
    """
    default = delta_seconds(response.first("expires"))
    if default is None:
        default = draft.expires
    listed = (parse_address(value) for value in response.values("contact"))
    lifetimes = [
        delta_seconds(contact.parameters.get("expires", ""))
        for contact in listed
        if uri_user(contact.uri) == draft.contact_user
    ]
    return max((default if seconds is None else seconds for seconds in lifetimes), default=default)

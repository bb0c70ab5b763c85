"""All transactions of an endpoint: matching, timers, and responses that need no transaction."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from typing import TYPE_CHECKING

from dialer.sip.effects import SendDatagram
from dialer.sip.fields import split_outside_quotes
from dialer.sip.identity import HostPort
from dialer.sip.message import default_phrase, serialise
from dialer.sip.schedule import Schedule
from dialer.sip.transaction import (
    TRANSPORT_ERROR,
    Deliver,
    Failure,
    Respond,
    Send,
    Start,
    State,
    Stop,
    Timer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dialer.sip.client_invite import ClientInvite
    from dialer.sip.client_non_invite import ClientNonInvite
    from dialer.sip.effects import Effect
    from dialer.sip.message import Request, Response
    from dialer.sip.server_invite import ServerInvite
    from dialer.sip.server_non_invite import ServerNonInvite
    from dialer.sip.settings import EndpointSettings
    from dialer.sip.transaction import Output, Timings, TransportError

MAX_SERVER_TRANSACTIONS = 50_000
MAGIC = "z9hG4bK"  # RFC 3261 §8.1.1.7

Headers = tuple[tuple[str, str], ...]


class Client:
    """A client transaction at work, and whom its responses and its failure go to."""

    __slots__ = (
        "_layer",
        "destination",
        "key",
        "machine",
        "on_end",
        "on_failure",
        "on_response",
        "timers",
    )

    def __init__(
        self,
        layer: TransactionLayer,
        key: tuple[str, str],
        machine: ClientInvite | ClientNonInvite,
        destination: HostPort,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._layer = layer
        self.key = key
        self.machine = machine
        self.destination = destination
        self.on_response = on_response
        self.on_failure = on_failure
        self.on_end = on_end
        self.timers: dict[str, float] = {}

    def fire(self, timer: str) -> None:
        """Feed a due timer to the machine."""
        # After a stall timers A and B may both be due. Then it is over: sent once more, the INVITE
        # would be a new call to a far end that has forgotten it.
        if timer == Timer.A and self.timers.get(Timer.B, math.inf) <= self._layer.now:
            return
        self._layer.feed_client(self, Timer(timer))


class Server:
    """A server transaction at work; `request` is what it answers, `source` where that came from."""

    __slots__ = ("_layer", "destination", "key", "machine", "request", "source", "timers")

    def __init__(
        self,
        layer: TransactionLayer,
        key: str,
        machine: ServerInvite | ServerNonInvite,
        request: Request,
        source: HostPort,
    ) -> None:
        self._layer = layer
        self.key = key
        self.machine = machine
        self.request = request
        self.source = source
        self.destination = response_destination(request, source)
        self.timers: dict[str, float] = {}

    def fire(self, timer: str) -> None:
        """Feed a due timer to the machine."""
        self._layer.feed_server(self, Timer(timer))


class TransactionLayer:
    """The transactions of one endpoint (RFC 3261 §17), and the effects of the step in progress.

    `now` and `source` hold for the step in progress; `effects` collects what it leads to.
    `deliver` gets what a server transaction passes up.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.timings = settings.timings()
        self._reliable = settings.timings("tcp")
        self.schedule = Schedule()
        self.now = 0.0
        self.source = HostPort("", 0)
        self.effects: list[Effect] = []
        self.deliver: Callable[[Request], None] = lambda _request: None
        self.clients: dict[tuple[str, str], Client] = {}
        self.servers: dict[str, Server] = {}
        self._clients_by_destination: dict[HostPort, dict[tuple[str, str], Client]] = {}

    def timings_for(self, peer: HostPort) -> Timings:
        """Return the timers of a transaction with `peer`."""
        return self.timings if peer.transport == "udp" else self._reliable

    def seen_address(self, response: Response, target: HostPort) -> HostPort | None:
        """Return where `target` saw our request come from, None where it does not say.

        Nobody but the target itself is believed (RFC 3581 §4; RFC 3261 §18.2.1).
        """
        via = response.via
        if self.source.host != target.host or "received" not in via.parameters:
            return None
        try:
            host = str(ipaddress.ip_address(via.parameters["received"].strip("[]")))
            # over a connection, the port is that of the connection, where nobody listens
            named = via.parameters.get("rport") if target.transport == "udp" else None
            port = int(named or self.settings.port_of(target.transport))
        except ValueError:
            return None
        return HostPort(host, port, target.transport) if 0 < port < 65536 else None

    def send(self, data: bytes, destination: HostPort) -> None:
        """Put a datagram among the effects."""
        self.effects.append(SendDatagram(data, destination))

    def tell(self, event: Effect) -> None:
        """Put an event among the effects."""
        self.effects.append(event)

    def start_client(
        self,
        branch: str,
        method: str,
        machine: ClientInvite | ClientNonInvite,
        destination: HostPort,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
        on_end: Callable[[], None] | None = None,
        *,
        started: bool = False,
    ) -> Client:
        """Begin a client transaction; with `started` its request is out already."""
        key = (branch, method)
        client = Client(self, key, machine, destination, on_response, on_failure, on_end)
        self.clients[key] = client
        self._clients_by_destination.setdefault(destination, {})[key] = client
        if not started:
            self._carry_out(client, machine.start())
        return client

    def start_server(
        self, key: str, machine: ServerInvite | ServerNonInvite, request: Request, source: HostPort
    ) -> Server | None:
        """Begin a server transaction, None where there are too many of them."""
        if len(self.servers) >= MAX_SERVER_TRANSACTIONS:
            return None
        server = Server(self, key, machine, request, source)
        self.servers[key] = server
        return server

    def receive_response(self, response: Response) -> bool:
        """Feed a response to its transaction (RFC 3261 §17.1.3); False where there is none."""
        client = self.clients.get((response.via.branch, response.cseq_method))
        if client is None:
            return False
        self.feed_client(client, response)
        return True

    def fail_clients(self, destination: HostPort) -> None:
        """Tell every client transaction to `destination` that its datagram was lost."""
        for client in list(self._clients_by_destination.get(destination, {}).values()):
            self.feed_client(client, TRANSPORT_ERROR)

    def feed_client(self, client: Client, given: Response | Timer | TransportError) -> None:
        """Give one input to a client transaction."""
        self._carry_out(client, client.machine.handle(given))

    def feed_server(
        self, server: Server, given: Request | Respond | Timer | TransportError
    ) -> None:
        """Give one input to a server transaction."""
        self._carry_out(server, server.machine.handle(given))

    def end_client(self, client: Client) -> None:
        """Destroy a client transaction."""
        client.machine.state = State.TERMINATED
        self._carry_out(client, [])

    def _carry_out(self, transaction: Client | Server, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.effects.append(SendDatagram(output.data, transaction.destination))
            elif isinstance(output, Start):
                self.schedule.start(transaction, output.timer, self.now + output.seconds)
            elif isinstance(output, Stop):
                transaction.timers.pop(output.timer, None)
            elif isinstance(transaction, Client):
                self._tell_client(transaction, output)
            elif isinstance(output, Deliver):
                self.deliver(output.message)  # type: ignore[arg-type]  # a server gets requests
            # A failure needs no action: whoever sent a 2xx to INVITE waits for its ACK himself.
        if transaction.machine.state is State.TERMINATED:
            self._forget(transaction)

    def _tell_client(self, client: Client, output: Deliver | Failure) -> None:
        if isinstance(output, Failure):
            client.on_failure(output)
        else:
            client.on_response(output.message)  # type: ignore[arg-type]  # a client gets responses

    def _forget(self, transaction: Client | Server) -> None:
        transaction.timers.clear()
        if isinstance(transaction, Server):
            self.servers.pop(transaction.key, None)
        elif self.clients.pop(transaction.key, None) is not None:
            siblings = self._clients_by_destination[transaction.destination]
            del siblings[transaction.key]
            if not siblings:
                del self._clients_by_destination[transaction.destination]
            if transaction.on_end is not None:
                transaction.on_end()

    def response(
        self,
        request: Request,
        code: int,
        phrase: str = "",
        to_tag: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> bytes:
        """Build a response (RFC 3261 §8.2.6) to a request that came from `self.source`."""
        to = request.first("to")
        if to_tag and not request.to_tag:
            to += f";tag={to_tag}"
        first, *others = request.values("via")
        lines = [
            ("Via", _with_source(first, self.source)),
            *(("Via", via) for via in others),
            ("From", request.first("from")),
            ("To", to),
            ("Call-ID", request.call_id),
            ("CSeq", request.first("cseq")),
            *headers,
            ("Server", self.settings.user_agent),
        ]
        return serialise(f"SIP/2.0 {code} {phrase or default_phrase(code)}", lines, body)

    def reject(self, request: Request, code: int, headers: Headers = (), to_tag: str = "") -> None:
        """Answer a request without keeping anything of it (RFC 3261 §8.2.7).

        Its retransmission gets the same answer, To tag included.
        """
        if request.method == "ACK":
            return
        seed = f"{server_key(request)} {request.call_id}"
        to_tag = to_tag or hashlib.sha256(seed.encode()).hexdigest()[:16]
        data = self.response(request, code, to_tag=to_tag, headers=headers)
        self.send(data, response_destination(request, self.source))


def server_key(request: Request, method: str | None = None) -> str:
    """Return what a request is matched to its server transaction by (RFC 3261 §17.2.3)."""
    via = request.via
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    if via.branch.startswith(MAGIC):
        return f"{via.branch} {via.host}:{via.port or 5060} {method}"
    # RFC 2543 peers: Request-URI, From tag, Call-ID, CSeq number and top Via.
    return f"{request.uri} {request.from_tag} {request.call_id} {request.cseq} {via.text} {method}"


def response_destination(request: Request, source: HostPort) -> HostPort:
    """Return where responses go: to the source (RFC 3581 §4), or its sent-by port (§18.2.2)."""
    # RFC 3261 §18.2.2: over a connection, on that connection.
    if "rport" in request.via.parameters or source.transport != "udp":
        return source
    return HostPort(source.host, request.via.port or 5060)


def _with_source(via: str, source: HostPort) -> str:
    """Write `received` and, where asked for, `rport` into a top Via (RFC 3581 §4)."""
    kept = [
        f"rport={source.port}" if piece.partition("=")[0].strip().lower() == "rport" else piece
        for piece in split_outside_quotes(via, ";")
        if piece.partition("=")[0].strip().lower() != "received"
    ]
    return ";".join([*kept, f"received={source.host}"])

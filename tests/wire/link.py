"""A network in memory between endpoints, on a clock of its own: loss, repetition, reordering."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
from typing import TYPE_CHECKING

from dialer.sip.effects import Effect, InviteReceived, SendDatagram
from dialer.sip.endpoint import Endpoint, EndpointSettings, InviteDraft
from dialer.sip.identity import HostPort
from dialer.sip.message import name_addr, sip_uri

if TYPE_CHECKING:
    from collections.abc import Callable

CALLER = HostPort("192.0.2.1", 5060)
CALLED = HostPort("192.0.2.2", 5060)
DELAY = 0.01


@dataclasses.dataclass
class Sent:
    """A datagram that left, whether it arrived or not."""

    at: float
    source: HostPort
    destination: HostPort
    data: bytes

    @property
    def start(self):
        return self.data.split(b"\r\n", 1)[0].decode()

    @property
    def method(self):
        """The method of a request, the code of a response."""
        words = self.start.split(" ")
        return words[1] if words[0] == "SIP/2.0" else words[0]


class Link:
    """Carries datagrams between parties, and drives the clock from event to event."""

    def __init__(self, *, seed=0, loss=0.0, repeat=0.0, reorder=0.0):
        self.now = 0.0
        self.random = random.Random(seed)
        self.loss, self.repeat, self.reorder = loss, repeat, reorder
        self.drop: Callable[[Sent], bool] = lambda _sent: False
        self.sent: list[Sent] = []
        self.parties: dict[HostPort, Party] = {}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when, action):
        heapq.heappush(self._queue, (when, next(self._order), action))

    def after(self, delay, action):
        self.at(self.now + delay, action)

    def carry(self, source, data, destination):
        sent = Sent(self.now, source, destination, data)
        self.sent.append(sent)
        # one socket stands for all transports of a party
        party = self.parties.get(destination._replace(transport="udp"))
        if self.drop(sent) or party is None:
            return
        came_from = source._replace(transport=destination.transport)
        for _ in range(2 if self.random.random() < self.repeat else 1):
            if self.random.random() < self.loss:
                continue
            delay = DELAY * (1 + 20 * self.random.random() * (self.random.random() < self.reorder))
            self.after(delay, lambda: party.receive(data, came_from))

    def run(self, until=float("inf")):
        """Let everything happen that is due up to `until`, or until nothing is left to happen."""
        while True:
            timers = [at for party in self.parties.values() if (at := party.endpoint.timer_at())]
            times = [*timers, *(entry[0] for entry in self._queue[:1])]
            if not times or min(times) > until:
                self.now = self.now if until == float("inf") else until
                return
            self.now = max(self.now, min(times))
            if self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            else:
                for party in self.parties.values():
                    party.do(party.endpoint.handle_timer(self.now))

    def messages(self, source, *methods):
        """Return what `source` sent of some methods or codes."""
        return [sent for sent in self.sent if sent.source == source and sent.method in methods]


class Party:
    """An endpoint on the link; `events` holds (time, event), `on_event` may act on each."""

    def __init__(self, link, address, **settings):
        counter = itertools.count(1)
        prefix = f"t{address.host.rpartition('.')[2]}x"
        self.link = link
        self.address = address
        self.endpoint = Endpoint(
            EndpointSettings(address.host, address.port, **settings),
            lambda: f"{prefix}{next(counter)}",
        )
        self.events: list[tuple[float, Effect]] = []
        self.on_event: Callable[[Effect], None] = lambda _event: None
        link.parties[address] = self

    def receive(self, data, source):
        self.do(self.endpoint.receive(data, source, self.link.now))

    def do(self, effects):
        for effect in effects:
            if isinstance(effect, SendDatagram):
                self.link.carry(self.address, effect.data, effect.destination)
            else:
                self.events.append((self.link.now, effect))
                self.on_event(effect)

    def call(self, number="100", **draft):
        """Send an INVITE to the called party; return its Call-ID."""
        uri = sip_uri(number, CALLED.host, CALLED.port)
        own = name_addr(sip_uri("200", self.address.host))
        fields = {"target": CALLED, "body": b"offer", **draft}
        prepared = self.endpoint.prepare_invite(InviteDraft(uri, name_addr(uri), own, **fields))
        self.do(self.endpoint.invite(prepared, self.link.now))
        return prepared.call_id

    def cancel(self, call_id):
        self.do(self.endpoint.cancel(call_id, self.link.now))

    def bye(self, call_id, reason=None):
        self.do(self.endpoint.bye(call_id, self.link.now, reason))

    def respond(self, invite, code, **answer):
        self.do(self.endpoint.respond(invite.transaction, code, now=self.link.now, **answer))

    def told(self, kind, call_id=None):
        """Return the events of a kind, of one call or of all."""
        return [
            event
            for _, event in self.events
            if isinstance(event, kind) and call_id in {None, getattr(event, "call_id", None)}
        ]

    def told_at(self, kind):
        return [at for at, event in self.events if isinstance(event, kind)]


def pair(**link_options):
    """Return a link with a caller and a called party that takes calls."""
    link = Link(**link_options)
    return link, Party(link, CALLER), Party(link, CALLED, accept_calls=True)


def answering(party, *, ring=0.2, answer=1.0, code=200, talk=None):
    """Let `party` ring, then answer with `code`, then hang up after `talk` seconds."""

    def act(event):
        if not isinstance(event, InviteReceived):
            return
        if ring is not None:
            party.link.after(ring, lambda: party.respond(event, 180))
        if answer is not None:
            body = {"body": b"answer", "content_type": "application/sdp"} if code < 300 else {}
            party.link.after(answer, lambda: party.respond(event, code, **body))
        if talk is not None:
            party.link.after(answer + talk, lambda: party.bye(event.call_id))

    party.on_event = act


def all_idle(link):
    """Say whether no party has anything left in its tables."""
    return all(party.endpoint.idle for party in link.parties.values())

"""One answered call, and our answers within it that wait for their ACK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.sip.session_timer import LEAST_INTERVAL, SessionTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.client_requests import ClientRequest
    from dialer.sip.dialog import Dialog
    from dialer.sip.digest import Authenticator
    from dialer.sip.effects import SendDatagram
    from dialer.sip.message import Message
    from dialer.sip.referral import Subscription
    from dialer.sip.transaction import Respond
    from dialer.sip.transaction_layer import Server, TransactionLayer

_RETRANSMIT, _GIVE_UP = "retransmit", "give up"
_MAX_ACKS = 4


class Session:
    """One answered call: its dialog, and what is under way within it.

    `told` is False for one that the user agent never hears of: an extra fork, a late answer.
    `contact` is the Contact value that its INVITE carried, None for the endpoint's own. `caller`
    says that we made the call, `minimum` is the shortest session interval that we take.
    """

    def __init__(
        self,
        dialog: Dialog,
        authenticator: Authenticator | None = None,
        *,
        told: bool = True,
        contact: str | None = None,
        caller: bool = True,
        minimum: int = LEAST_INTERVAL,
    ) -> None:
        self.dialog = dialog
        self.contact = contact
        self.authenticator = authenticator
        self.told = told
        self.caller = caller
        self.timer = SessionTimer(minimum)
        self.updates = False  # the peer has said that it takes UPDATE
        self.acks: dict[int, SendDatagram] = {}  # of their 2xx, by CSeq number
        self.ending = False
        self.over = False  # kept for the NOTIFYs that may still come
        self.subscription: Subscription | None = None  # of our latest REFER
        self.confirmed = True  # False: we answered, and the ACK is yet to come
        self.deferred_bye: tuple[str | None] | None = None  # its reason; it waits for an ACK
        self.pending: Server | None = None  # their re-INVITE or UPDATE, not answered yet
        self.own: ClientRequest | None = None  # our re-INVITE or UPDATE, not answered yet
        self.answers: dict[int, UnacknowledgedAnswer] = {}  # our 2xx by CSeq number
        self.timers: dict[str, float] = {}
        self.on_timer: Callable[[str], None] = lambda _timer: None

    def fire(self, timer: str) -> None:
        """Act on a session timer that is due."""
        self.on_timer(timer)

    def keep_ack(self, cseq: int, ack: SendDatagram) -> None:
        """Keep the ACK of a 2xx, for its retransmissions; of several, the last ones."""
        self.acks[cseq] = ack
        if len(self.acks) > _MAX_ACKS:
            del self.acks[next(iter(self.acks))]

    def learn(self, *messages: Message) -> None:
        """Take from the peer's messages whether it takes UPDATE (RFC 3311 §5.1)."""
        for message in messages:
            if "allow" in message.headers:
                self.updates = "UPDATE" in message.values("allow")


class UnacknowledgedAnswer:
    """A 2xx to INVITE that is repeated until its ACK comes (RFC 3261 §13.3.1.4)."""

    def __init__(
        self, layer: TransactionLayer, server: Server, answer: Respond, missing: Callable[[], None]
    ) -> None:
        self.timers: dict[str, float] = {}
        self._layer = layer
        self._server = server
        self._answer = answer
        self._missing = missing
        self._interval = layer.timings.t1
        layer.schedule.start(self, _RETRANSMIT, layer.now + self._interval)
        layer.schedule.start(self, _GIVE_UP, layer.now + 64 * layer.timings.t1)

    def fire(self, timer: str) -> None:
        """Repeat the 2xx, or give up."""
        if timer == _GIVE_UP:
            self.timers.clear()
            self._missing()
            return
        self._interval = min(2 * self._interval, self._layer.timings.t2)
        self._layer.feed_server(self._server, self._answer)
        self._layer.schedule.start(self, _RETRANSMIT, self._layer.now + self._interval)

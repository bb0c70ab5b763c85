"""A carrier on loopback: takes calls on the same core, and treats each as its number says."""

from __future__ import annotations

import dataclasses
import functools
import random
from typing import TYPE_CHECKING

from dialer.clock import SystemClock
from dialer.simulator.behaviours import OnCancel, behaviour_of
from dialer.simulator.incoming import IncomingCall
from dialer.simulator.ledger import Ledger
from dialer.simulator.referrals import Referred, target_of
from dialer.simulator.rtp import MediaSink
from dialer.simulator.wire import read, response
from dialer.sip import effects
from dialer.sip.endpoint import EndpointSettings
from dialer.sip.message import default_phrase
from dialer.ua.agent import random_token
from dialer.ua.driver import SipDriver

if TYPE_CHECKING:
    from dialer.clock import Clock
    from dialer.simulator.behaviours import Behaviour
    from dialer.simulator.wire import Message
    from dialer.sip.identity import HostPort

_FORK = "-fork"  # ends the To tag of a second 200


@dataclasses.dataclass(frozen=True, slots=True)
class CarrierSettings:
    """How the simulated carrier runs.

    `second` is the length of a behaviour's second, in real ones. `loss` is the share of all SIP
    datagrams lost, each way, chosen by `seed`. `rtp_packets` are sent with early media and again
    with an answer; without `sound` its media is inactive, and no packet passes either way. `t1` in
    seconds (RFC 3261 §17.1.1.1). With `as_if` every number is treated as that one is.
    """

    host: str = "127.0.0.1"
    port: int = 0
    second: float = 1.0
    loss: float = 0.0
    seed: int = 0
    as_if: str | None = None
    username: str = "dialer"
    password: str = dataclasses.field(default="secret", repr=False)
    rtp_packets: int = 10
    sound: bool = True
    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0


class Carrier:
    """The far end of test calls, with its ledger."""

    def __init__(self, settings: CarrierSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.ledger = Ledger()
        self.media = MediaSink(self.clock, self.ledger.rtp_received, settings.rtp_packets)
        self.calls: dict[str, IncomingCall] = {}
        self.driver = _Wire(self)

    @property
    def address(self) -> HostPort:
        """Where it takes calls."""
        return self.driver.transport.local

    async def start(self) -> None:
        """Listen; raises OSError that says where and why."""
        settings = self.settings
        endpoint = EndpointSettings(
            host=settings.host,
            port=settings.port,
            user_agent="dialer simulator",
            contact_user="carrier",
            t1=settings.t1,
            t2=settings.t2,
            t4=settings.t4,
            accept_calls=True,
        )
        await self.driver.start(settings.host, settings.port, endpoint, random_token)
        await self.media.start(settings.host)

    async def close(self) -> None:
        """Vanish: calls that are up are not ended."""
        for call in tuple(self.calls.values()):
            call.over()
        self.media.close()
        await self.driver.close()

    def behaviour_of(self, number: str) -> Behaviour:
        """Return what is done with a called number."""
        return behaviour_of(self.settings.as_if or number)

    def on_event(self, _driver: SipDriver, event: effects.Event) -> None:
        """Take in what the endpoint tells."""
        if isinstance(event, effects.OptionsAnswered):
            return
        if isinstance(event, effects.InviteReceived):
            call = IncomingCall(self, event, self.behaviour_of(event.number))
            self.calls[event.call_id] = call
            call.begin()
            return
        known = self.calls.get(event.call_id)
        if known is None:
            return
        if isinstance(event, effects.AckReceived):
            known.acknowledged()
        elif isinstance(event, effects.ReinviteReceived):  # its media stays as it is
            now = self.clock.monotonic()
            self.driver.perform(self.driver.endpoint.respond(event.transaction, 488, now=now))
        elif isinstance(event, effects.CancelReceived | effects.CallEnded):
            known.over()


class _Wire(SipDriver):
    """The driver with the ledger at its ears, and the faults that a core would not commit."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__(carrier.clock, carrier.on_event)
        self._carrier = carrier
        self._random = random.Random(carrier.settings.seed)  # noqa: S311 - chance, not secrecy

    def receive(self, data: bytes, source: HostPort) -> None:
        """Lose, note, or misbehave; else let the endpoint take it in."""
        message = read(data)
        if message is None:
            super().receive(data, source)
            return
        if self._is_lost(message):
            return
        self._carrier.ledger.received(message, self._carrier.clock.monotonic())
        if not self._misbehaves(message, source):
            super().receive(data, source)

    def send(self, data: bytes, destination: HostPort) -> None:
        """Note and send, unless it is lost; a forking call answers twice."""
        message = read(data)
        if message is None:
            super().send(data, destination)
            return
        self._carrier.ledger.sent(message, self._carrier.clock.monotonic())
        if not self._is_lost(message):
            super().send(data, destination)
        if self._forks(message):
            tag = message.to_tag.encode()
            self.send(data.replace(tag, tag + _FORK.encode()), destination)

    def _refer(self, message: Message, source: HostPort) -> None:
        """Treat a REFER as its target says: 6xx refuses it, silence tells nothing of it."""
        carrier = self._carrier
        behaviour = carrier.behaviour_of(target_of(message))
        first = next((step.code for step in behaviour.steps), 0)
        if first >= 600:
            self.send(response(message, first, default_phrase(first)), source)
            return
        self.send(response(message, 202, "Accepted"), source)
        if not behaviour.is_silent:
            host, port = carrier.address[:2]
            tell = functools.partial(self._tell, message.call_id, source)
            referred = Referred(message, f"{host}:{port}", behaviour)
            referred.begin(carrier.clock, carrier.settings.second, tell)

    def _tell(self, call_id: str, source: HostPort, data: bytes) -> None:
        if call_id in self._carrier.calls:
            self.send(data, source)

    def _forks(self, message: Message) -> bool:
        if message.method != "INVITE" or message.code != 200 or message.to_tag.endswith(_FORK):
            return False
        call = self._carrier.calls.get(message.call_id)
        return call is not None and call.behaviour.forks

    def _is_lost(self, message: Message) -> bool:
        record = self._carrier.ledger.calls.get(message.call_id)
        number = record.number if record is not None else message.number
        loss = max(self._carrier.settings.loss, self._carrier.behaviour_of(number).loss)
        return self._random.random() < loss

    def _misbehaves(self, message: Message, source: HostPort) -> bool:
        """Do what no endpoint does, and say whether the message is dealt with."""
        if message.code:
            return False
        if message.method == "INVITE" and not message.to_tag:
            return self._carrier.behaviour_of(message.number).is_silent
        if message.to_tag.endswith(_FORK):
            if message.method != "ACK":
                self.send(response(message, 200, "OK"), source)
            return True
        call = self._carrier.calls.get(message.call_id)
        if message.method == "REFER" and call is not None:
            self._refer(message, source)
            return True
        if message.method != "CANCEL" or call is None:
            return False
        if call.behaviour.on_cancel is OnCancel.ANSWER:
            call.answer_now()
        elif call.behaviour.on_cancel is OnCancel.NEVER_END:
            self.send(response(message, 200, "OK"), source)
            call.over()
            return True
        return False

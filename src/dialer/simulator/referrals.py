"""A REFER at the simulated carrier: it calls nobody, and tells what would have come of it."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from dialer.sip.message import default_phrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock
    from dialer.simulator.behaviours import Behaviour
    from dialer.simulator.wire import Message

_TARGET = re.compile(r"<?sips?:([^@;?>]*)@|<?tel:([^;>]*)", re.IGNORECASE)


def target_of(refer: Message) -> str:
    """Return the number that a REFER asks to call."""
    found = _TARGET.match(refer.first("refer-to"))
    return "" if found is None else found[1] or found[2] or ""


class Referred:
    """Tells by NOTIFY what came of one REFER: 100, then each step of the target's behaviour.

    `contact` is the carrier's address.
    """

    def __init__(self, refer: Message, contact: str, behaviour: Behaviour) -> None:
        self._refer = refer
        self._contact = contact
        self._behaviour = behaviour
        # A number below all that the endpoint will give its BYE is not to be had: the call ends by
        # the dialer's.
        self._number = refer.cseq

    def begin(self, clock: Clock, second: float, send: Callable[[bytes], None]) -> None:
        """Give `send` each NOTIFY in time; a second of the behaviour has `second` real ones."""
        at = clock.monotonic()
        send(self._notify(100))
        for step in self._behaviour.steps:
            at += step.after * second
            clock.call_at(at, functools.partial(self._tell, send, step.code))

    def _tell(self, send: Callable[[bytes], None], code: int) -> None:
        send(self._notify(code))

    def _notify(self, code: int) -> bytes:
        self._number += 1
        body = f"SIP/2.0 {code} {default_phrase(code)}\r\n".encode()
        state = "terminated;reason=noresource" if code >= 200 else "active;expires=60"
        uri = self._refer.first("contact").partition(";")[0].strip("<> ")
        branch = f"z9hG4bKnotify{self._refer.call_id}x{self._number}"
        lines = [
            f"NOTIFY {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._contact};branch={branch}",
            f"From: {self._refer.first('to')}",
            f"To: {self._refer.first('from')}",
            f"Call-ID: {self._refer.call_id}",
            f"CSeq: {self._number} NOTIFY",
            f"Contact: <sip:{self._contact}>",
            "Max-Forwards: 70",
            f"Event: refer;id={self._refer.cseq}",
            f"Subscription-State: {state}",
            "Content-Type: message/sipfrag;version=2.0",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

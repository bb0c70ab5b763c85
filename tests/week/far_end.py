"""The carriers of the week: people who answer or do not, and trunks that fail at times."""

from __future__ import annotations

import dataclasses
import functools
import hashlib

from dialer.simulator.behaviours import Behaviour, Challenge, OnCancel, Step
from dialer.simulator.carrier import Carrier, CarrierSettings

MOOD = 600.0  # seconds for which a person does the same with every call

ANSWER = Step(200, media=True)
RING = Step(180)


def answers(rings, talks, **more):
    return Behaviour((RING, Step(200, rings, media=True)), hang_up_after=talks, **more)


def refuses(code, rings=None, **more):
    if rings is None:
        return Behaviour((Step(code, **more),))
    return Behaviour((RING, Step(code, rings, **more)))


# What people and networks do, and how often: weights in a thousand.
PEOPLE = (
    (170, answers(4, 20)),
    (120, answers(8, 45)),
    (60, answers(12, 90)),
    (20, answers(6, None)),  # our side hangs up
    (10, answers(3, 0)),
    (10, answers(3, 30, forks=True)),
    (10, dataclasses.replace(answers(4, 20), challenge=Challenge(407, "MD5"))),
    (10, dataclasses.replace(answers(4, 20), challenge=Challenge(401, "SHA-256"))),
    (10, Behaviour((RING, Step(200)))),  # no media
    (10, Behaviour((Step(183, media=True), Step(200, 5.0, media=True)), hang_up_after=15.0)),
    (200, Behaviour((RING,))),  # nobody answers
    (10, Behaviour((RING,), on_cancel=OnCancel.ANSWER)),
    (10, Behaviour((RING,), on_cancel=OnCancel.NEVER_END)),
    (10, Behaviour((Step(100),))),
    (5, Behaviour()),
    (100, refuses(486)),
    (25, refuses(486, 6)),
    (20, refuses(600)),
    (50, refuses(480, cause=20)),
    (20, refuses(480, 15, cause=19)),
    (10, refuses(480, retry_after=5400)),
    (20, refuses(408)),
    (25, refuses(603)),
    (10, refuses(603, 7, cause=21)),
    (4, refuses(607)),
    (3, refuses(608)),
    (20, refuses(404, cause=1)),
    (5, refuses(404, 5, cause=1)),
    (5, refuses(484)),
    (5, refuses(302)),
    (5, refuses(488)),
    (3, refuses(433)),
    (10, refuses(500)),
    (10, refuses(503, cause=34)),
    (5, refuses(403)),
)
TOTAL = sum(weight for weight, _ in PEOPLE)

FAULTS = {
    "congestion": refuses(503),
    "pause": refuses(503, retry_after=120),
    "blackout": Behaviour(),
    "no_funds": refuses(402),
    "refusal": Behaviour(challenge=Challenge(407, "MD5", endless=True)),
}
LOSS = 0.2  # share of datagrams lost each way by a fault of that name


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a carrier from `begin` to `end`, in seconds of the week's clock."""

    kind: str  # one of FAULTS, or "loss"
    begin: float
    end: float

    def now(self, at):
        return self.begin <= at < self.end


@functools.lru_cache(maxsize=1 << 18)
def mood(seed, number, slot):
    """What whoever has a number does in one of the week's slots."""
    chance = int.from_bytes(
        hashlib.blake2b(f"{seed}/{number}/{slot}".encode(), digest_size=8).digest(), "big"
    )
    left = chance % TOTAL
    for weight, behaviour in PEOPLE:
        left -= weight
        if left < 0:
            return behaviour
    raise AssertionError("the weights add up")


class WeekCarrier(Carrier):
    """A carrier to whose numbers the same is done for a while, then something else."""

    def __init__(self, clock, seed, faults):
        super().__init__(CarrierSettings(sound=False, t1=0.5), clock)
        self.seed = seed
        self.faults = faults

    def fault(self, at):
        """The fault that is there at a time, if any."""
        return next((fault for fault in self.faults if fault.now(at)), None)

    def behaviour_of(self, number):
        at = self.clock.monotonic()
        fault = self.fault(at)
        if fault is not None and fault.kind in FAULTS:
            return FAULTS[fault.kind]
        return mood(self.seed, number, int(at // MOOD))

    def loss(self, at):
        fault = self.fault(at)
        return LOSS if fault is not None and fault.kind == "loss" else 0.0

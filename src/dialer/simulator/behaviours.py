"""What the simulated carrier does with a number: the digits of +1 555 SSS TTTT choose.

SSS selects a row of the table below, TTTT are its parameters; `X` is any digit, so that a list
can hold many numbers of one kind. Q is a Q.850 cause (001 to 127; else there is none), D and H
are seconds. Numbers elsewhere are not allocated: 404 with cause 1.

=============== ==================================================================================
+1555 000 XXXX  silence: not one response
+1555 100 XXXX  100 Trying and nothing more
+1555 180 XXXX  rings for ever
+1555 183 DCCC  183 with early media, after D seconds the code CCC (200 answers; 000: never ends)
+1555 184 WCCC  183 and a sound, after it the code CCC as above: W 0 ringback, 1 busy, 2 congestion,
                3 special information tones and an announcement
+1555 200 DHXX  rings D seconds (0: no ringing) and answers; hangs up H seconds later (0: never)
+1555 3xx KQQQ  that final code, as 4xx, 5xx and 6xx do; K odd: it rings first
+1555 701 XXXX  rings; to our CANCEL it answers with 200: the two cross
+1555 702 XXXX  answers without SDP
+1555 703 XXXX  forks: a second 200 with another To tag
+1555 704 TTTT  503 with Retry-After: TTTT
+1555 705 XXXX  rings; the CANCEL is confirmed, but a final response never comes
+1555 711 XXXX  407 with MD5, then answers
+1555 712 XXXX  401 with SHA-256, then answers
+1555 713 XXXX  407 for ever
+1555 720 PPXX  loses PP % of the datagrams each way, rings and answers
+1555 730 HQQQ  answers, hangs up H seconds later with that cause in a Reason
+1555 740 WXXX  answers and makes a sound: W 0 a person, 1 a machine with a beep, 2 a fax
+1555 750 KKKK  answers, and a second later presses these keys, one after the other
=============== ==================================================================================

A REFER to such a number calls nobody: NOTIFYs tell what would have come of it, in the same time. A
6xx is the answer to the REFER itself, and of silence nothing is told.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import re
from typing import TYPE_CHECKING

from dialer.simulator.ledger import Facts
from dialer.simulator.sounds import Sound, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"\+?1555(\d{3})(\d{4})", re.ASCII)


class OnCancel(enum.Enum):
    """How a ringing call takes a CANCEL."""

    GIVE_UP = "487"
    ANSWER = "the 200 crosses the CANCEL"
    NEVER_END = "200 to the CANCEL, nothing to the INVITE"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A response to the INVITE, `after` seconds from the step before."""

    code: int
    after: float = 0.0
    cause: int | None = None  # Q.850, in a Reason header
    retry_after: int | None = None
    media: bool = False  # with an SDP body, and RTP from then on


@dataclasses.dataclass(frozen=True, slots=True)
class Challenge:
    """A demand for digest credentials before anything else; `endless`: none are ever right."""

    code: int
    algorithm: str
    endless: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Behaviour:
    """A script: the challenge, the steps, and what happens once it is answered.

    No steps is silence. Steps that end without a final response ring until the CANCEL.
    """

    steps: tuple[Step, ...] = ()
    challenge: Challenge | None = None
    on_cancel: OnCancel = OnCancel.GIVE_UP
    forks: bool = False
    loss: float = 0.0  # share of the call's datagrams lost, each way
    hang_up_after: float | None = None  # seconds from the answer
    hang_up_cause: int | None = None
    keys: str = ""  # pressed a second after the answer
    says: Sound | None = None  # once it has answered
    says_before: Sound | None = None  # as early media

    @property
    def is_silent(self) -> bool:
        """Whether nothing is ever sent."""
        return not self.steps and self.challenge is None


def _cause(digits: str) -> int | None:
    return int(digits) if 0 < int(digits) < 128 else None


_ANSWER = Step(200, media=True)


def _early_media(tail: str) -> Behaviour:
    code = int(tail[1:])
    end = (Step(code, float(tail[0]), media=code == 200),) if _is_final(code) else ()
    return Behaviour((Step(183, media=True), *end))


def _early_sound(tail: str) -> Behaviour:
    sound, code = _EARLY_SOUNDS.get(tail[0], Sound.RINGBACK), int(tail[1:])
    end = (Step(code, seconds_of(sound), media=code == 200),) if _is_final(code) else ()
    return Behaviour((Step(183, media=True), *end), says_before=sound)


def _answer(tail: str) -> Behaviour:
    rings, talks = float(tail[0]), float(tail[1])
    steps = (Step(180), Step(200, rings, media=True)) if rings else (_ANSWER,)
    return Behaviour(steps, hang_up_after=talks or None)


def _final(code: int, tail: str) -> Behaviour:
    final = Step(code, cause=_cause(tail[1:]))
    return Behaviour((Step(180), final) if int(tail[0]) % 2 else (final,))


def _is_final(code: int) -> bool:
    return code == 200 or 300 <= code < 700


_RINGS = (Step(180),)
_EARLY_SOUNDS = {
    "0": Sound.RINGBACK,
    "1": Sound.BUSY,
    "2": Sound.CONGESTION,
    "3": Sound.VACANT_NUMBER,
}
_SPEAKERS = {"0": Sound.PERSON, "1": Sound.MACHINE, "2": Sound.FAX}

TABLE: dict[str, Callable[[str], Behaviour]] = {
    "000": lambda _: Behaviour(),
    "100": lambda _: Behaviour((Step(100),)),
    "180": lambda _: Behaviour(_RINGS),
    "183": _early_media,
    "184": _early_sound,
    "200": _answer,
    "701": lambda _: Behaviour(_RINGS, on_cancel=OnCancel.ANSWER),
    "702": lambda _: Behaviour((Step(180), Step(200))),
    "703": lambda _: Behaviour((Step(180), _ANSWER), forks=True),
    "704": lambda tail: Behaviour((Step(503, retry_after=int(tail)),)),
    "705": lambda _: Behaviour(_RINGS, on_cancel=OnCancel.NEVER_END),
    "711": lambda _: Behaviour((_ANSWER,), challenge=Challenge(407, "MD5")),
    "712": lambda _: Behaviour((_ANSWER,), challenge=Challenge(401, "SHA-256")),
    "713": lambda _: Behaviour(challenge=Challenge(407, "MD5", endless=True)),
    "720": lambda tail: Behaviour((Step(180), _ANSWER), loss=int(tail[:2]) / 100),
    "730": lambda tail: Behaviour(
        (_ANSWER,), hang_up_after=float(tail[0]), hang_up_cause=_cause(tail[1:])
    ),
    "740": lambda tail: Behaviour((_ANSWER,), says=_SPEAKERS.get(tail[0])),
    "750": lambda tail: Behaviour((_ANSWER,), keys=tail),
}

UNALLOCATED = Behaviour((Step(404, cause=1),))


@functools.lru_cache(maxsize=65536)
def behaviour_of(number: str) -> Behaviour:
    """Return the behaviour of a called number, with or without its plus sign."""
    match = _NUMBER.fullmatch(number)
    if match is None:
        return UNALLOCATED
    selector, tail = match.groups()
    if selector in TABLE:
        return TABLE[selector](tail)
    return _final(int(selector), tail) if 300 <= int(selector) < 700 else UNALLOCATED


def expected(number: str, ring_timeout: float, *, authenticates: bool = True) -> Facts:
    """Return what the far end should have seen once a call to `number` is over.

    `ring_timeout` is the caller's, in seconds of the simulator; `authenticates` says whether its
    trunk holds the credentials.
    """
    behaviour = behaviour_of(number)
    challenge = behaviour.challenge
    if challenge is not None and (challenge.endless or not authenticates):
        return Facts(challenge.code, rang=False, answered=False)
    rang, now = False, 0.0
    for step in behaviour.steps:
        now += step.after
        if now >= ring_timeout:
            break
        rang = rang or step.code == 180
        if step.code >= 300:
            return Facts(step.code, rang=rang, answered=False, cause=step.cause)
        if step.code >= 200:
            return Facts(step.code, rang=rang, answered=True, cause=behaviour.hang_up_cause)
    if behaviour.is_silent or behaviour.on_cancel is OnCancel.NEVER_END:
        return Facts(None, rang=rang, answered=False)
    if behaviour.on_cancel is OnCancel.ANSWER:
        return Facts(200, rang=rang, answered=True)
    return Facts(487, rang=rang, answered=False)


# One of each kind, with short times.
_ONE_OF_EACH = (
    "2001000", "4860000", "1800000", "0000000", "1000000", "1831486", "1831200", "1830000",
    "1840480", "1841486", "1842503", "1843404",
    "4801000", "4800020", "6030021", "4040001", "5030000", "7040002", "2001100", "2000000",
    "7010000", "7020000", "7030000", "7050000", "7110000", "7120000", "7130000", "7203000",
    "7301016", "7301017", "7401000", "7501234",
)  # fmt: skip
# 401, 402 and 407 say that the whole trunk refuses us: three in a row and it is held, as it should
# be, so a list has one of them (7130000)
_CODES = (
    *range(300, 306), 400, *range(403, 407), *range(408, 500), *range(500, 514), 555, 580,
    *range(600, 609),
)  # fmt: skip
_CODES_WITH_CAUSE = (480, 503, 603, 500)


def demo_numbers(count: int) -> list[str]:
    """Return `count` different numbers, at most 1,000: every behaviour first, then a mixture.

    Of the mixture half is answered, a quarter fails with a code, a quarter with a Q.850 cause.
    """
    answered = [
        f"200{rings}{talks}{n:02}" for n in range(1, 100) for talks in "01" for rings in "01"
    ]
    failed = [f"{code}{k}999" for k in "01" for start in range(7) for code in _CODES[start::7]]
    caused = [
        f"{code}{cause % 2}{cause:03}"
        for start in range(4)
        for cause in range(1, 128)
        for code in [_CODES_WITH_CAUSE[(cause + start) % 4]]
    ]
    mixture = itertools.zip_longest(answered[::2], failed, answered[1::2], caused)
    digits = itertools.chain(_ONE_OF_EACH, filter(None, itertools.chain.from_iterable(mixture)))
    return [f"+1555{seven}" for seven in itertools.islice(dict.fromkeys(digits), count)]

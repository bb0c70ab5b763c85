"""A menu that keys lead through, as a state machine: no clock, no sound, no telephone inside."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = "0123456789*#ABCD"
# What stands for several keys, as PBXs write it. The fewer it stands for, the better it fits.
_CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_MORE = "."  # at the end of a pattern: one key or more

Value: TypeAlias = "str | int | float | bool | None"


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    """What is to be played: the name of a file, or else a text to say, and in which voice."""

    file: str = ""
    say: str = ""
    voice: str | None = None

    @classmethod
    def of(cls, wanted: Mapping[str, Any] | None) -> Prompt | None:
        """Read a prompt of a campaign's settings."""
        return None if wanted is None else cls.given(wanted)

    @classmethod
    def given(cls, wanted: Mapping[str, Any]) -> Prompt:
        """Read a prompt that is there."""
        return cls(wanted.get("file") or "", wanted.get("say") or "", wanted.get("voice"))


@dataclasses.dataclass(frozen=True, slots=True)
class Branch:
    """What is done upon keys: first fields and opt-out, then the prompt, then where it leads.

    Where a `transfer` fails, the call goes on as without it.
    """

    fields: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    opt_out: bool = False
    prompt: Prompt | None = None
    menu: Menu | None = None
    again: bool = False
    transfer: str = ""

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Branch:
        """Read a branch of a campaign's settings."""
        below = wanted.get("menu")
        return cls(
            fields=wanted.get("set", {}),
            opt_out=bool(wanted.get("opt_out")),
            prompt=Prompt.of(wanted.get("prompt")),
            menu=None if below is None else Menu.of(below),
            again=bool(wanted.get("again")),
            transfer=wanted.get("transfer") or "",
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Menu:
    """A prompt, the keys expected, and the branches by pattern; times in seconds."""

    name: str
    prompt: Prompt | None
    branches: Mapping[str, Branch]
    otherwise: Branch = dataclasses.field(default_factory=Branch)
    digits: int = 1
    barge_in: bool = True
    first_key_seconds: float = 5
    between_keys_seconds: float = 3
    retries: int = 2
    retry_prompt: Prompt | None = None

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Menu:
        """Read a menu of a campaign's settings, which were checked when they were given."""
        plain = ("digits", "barge_in", "first_key_seconds", "between_keys_seconds", "retries")
        return cls(
            name=str(wanted["name"]),
            prompt=Prompt.of(wanted["prompt"]),
            branches={keys: Branch.of(one) for keys, one in wanted["branches"].items()},
            otherwise=Branch.of(wanted.get("otherwise", {})),
            retry_prompt=Prompt.of(wanted.get("retry_prompt")),
            **{name: wanted[name] for name in plain if name in wanted},
        )

    def branch_for(self, keys: str) -> tuple[str, Branch] | None:
        """Return the branch that fits best, with its pattern: key by key, the fewest choices."""
        fitting = [pattern for pattern in self.branches if fits(pattern, keys)]
        if not fitting:
            return None
        best = min(fitting, key=_breadth)
        return best, self.branches[best]


def fits(pattern: str, keys: str) -> bool:
    """Whether keys are what a pattern says."""
    if pattern.endswith(_MORE):
        pattern = pattern[:-1]
        if len(keys) <= len(pattern):
            return False
        keys = keys[: len(pattern)]
    return len(keys) == len(pattern) and all(
        key in _CLASSES.get(char, char) for char, key in zip(pattern, keys, strict=True)
    )


def _breadth(pattern: str) -> tuple[tuple[int, ...], str]:
    widths = {_MORE: len(_KEYS) + 1}
    return tuple(widths.get(char, len(_CLASSES.get(char, char))) for char in pattern), pattern


# What the one who holds the conversation shall do.


@dataclasses.dataclass(frozen=True, slots=True)
class Play:
    """Play a prompt instead of what is playing; say so with `played` at its end."""

    prompt: Prompt


@dataclasses.dataclass(frozen=True, slots=True)
class StopPlaying:
    """Be silent."""


@dataclasses.dataclass(frozen=True, slots=True)
class OptOut:
    """The person wants no more calls."""


@dataclasses.dataclass(frozen=True, slots=True)
class Transfer:
    """Transfer the call to a target of the campaign; say so with `not_transferred` if it fails."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class HangUp:
    """The conversation is over."""


Action: TypeAlias = "Play | StopPlaying | OptOut | Transfer | HangUp"


class State(enum.Enum):
    """Where a conversation stands."""

    PROMPT = "the prompt of a menu plays"
    FIRST_KEY = "nothing was keyed in yet"
    KEYS = "some keys are in"
    BRANCH = "the prompt of a branch plays"
    TRANSFER = "a transfer is tried, or stands"
    OVER = "nothing follows"


class Entry(enum.StrEnum):
    """How what was asked for came to its end."""

    TAKEN = "taken"  # a branch fits
    INVALID = "invalid"  # none does
    NO_KEY = "no_key"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One answer to a menu: the keys, and the pattern of the branch that was taken, if any."""

    menu: str
    entry: Entry
    keys: str
    branch: str | None


class MenuConversation:
    """Goes through menus; every input returns what is to be done, in order.

    `deadline` is the time at which `tick` is to be called, None where nothing is waited for. Times
    are seconds of any monotonic clock. `fields` are the results: for each menu that was come to
    the keys that took a branch, None where none did (the last time); and what branches set.
    """

    def __init__(self, menu: Menu) -> None:
        self.state = State.OVER
        self.deadline: float | None = None
        self.fields: dict[str, Value] = {}
        self.steps: list[Step] = []
        self.opted_out = False
        self._first = menu
        self._menu = menu
        self._keys = ""
        self._retries_left = 0
        self._then: Branch | None = None  # the branch whose prompt plays
        self._spare_end = False  # keys were complete without their #, which may still come

    def begin(self, now: float) -> list[Action]:
        """Come to the first menu; called once, before anything else."""
        return self._enter(self._first, now)

    def key(self, key: str, now: float) -> list[Action]:
        """Take a key that was pressed: one of 0 to 9, *, # and A to D."""
        if self.state in {State.OVER, State.BRANCH, State.TRANSFER}:
            return []
        if key == "#" and self._spare_end:
            self._spare_end = False
            return []
        if self.state is State.PROMPT and not self._menu.barge_in:
            return []
        self._spare_end = False
        stop: list[Action] = [StopPlaying()] if self.state is State.PROMPT else []
        if key == "#" and self._menu.digits > 1:
            return stop + self._complete(now)
        self._keys += key
        if len(self._keys) >= self._menu.digits:
            self._spare_end = self._menu.digits > 1
            return stop + self._complete(now)
        self.state = State.KEYS
        self.deadline = now + self._menu.between_keys_seconds
        return stop

    def played(self, now: float) -> list[Action]:
        """Take word that the prompt which was to be played has come to its end."""
        if self.state is State.PROMPT:
            self.state = State.FIRST_KEY
            self.deadline = now + self._menu.first_key_seconds
        elif self.state is State.BRANCH:
            return self._go_on(now)
        return []

    def not_transferred(self, now: float) -> list[Action]:
        """Take word that a transfer has failed."""
        return self._lead(now) if self.state is State.TRANSFER else []

    def tick(self, now: float) -> list[Action]:
        """Act on a deadline, if it has come."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._complete(now)

    def _enter(self, menu: Menu, now: float) -> list[Action]:
        self._menu = menu
        self._retries_left = menu.retries
        self.fields[menu.name] = None
        return self._ask(menu.prompt, now)

    def _ask(self, prompt: Prompt | None, now: float) -> list[Action]:
        self._keys = ""
        self.deadline = None
        self.state = State.PROMPT
        return self.played(now) if prompt is None else [Play(prompt)]

    def _complete(self, now: float) -> list[Action]:
        """Act on the keys that are in, or that there are none."""
        menu, keys = self._menu, self._keys
        self.deadline = None
        found = menu.branch_for(keys)
        if found is not None:
            pattern, branch = found
            self.steps.append(Step(menu.name, Entry.TAKEN, keys, pattern))
            self.fields[menu.name] = keys
            return self._take(branch, now)
        self.steps.append(Step(menu.name, Entry.INVALID if keys else Entry.NO_KEY, keys, None))
        if self._retries_left:
            self._retries_left -= 1
            return self._ask(menu.retry_prompt or menu.prompt, now)
        return self._take(menu.otherwise, now)

    def _take(self, branch: Branch, now: float) -> list[Action]:
        self.fields.update(branch.fields)
        self._then = branch
        self.state = State.BRANCH
        actions: list[Action] = []
        if branch.opt_out and not self.opted_out:
            self.opted_out = True
            actions.append(OptOut())
        if branch.prompt is not None:
            return [*actions, Play(branch.prompt)]
        return actions + self._go_on(now)

    def _go_on(self, now: float) -> list[Action]:
        """Do what comes behind the prompt of the branch that was taken."""
        if self._then is not None and self._then.transfer:
            self.state = State.TRANSFER
            return [Transfer(self._then.transfer)]
        return self._lead(now)

    def _lead(self, now: float) -> list[Action]:
        """Go where the branch leads that was taken."""
        branch, self._then = self._then, None
        if branch is not None and branch.menu is not None:
            return self._enter(branch.menu, now)
        if branch is not None and branch.again:
            return self._enter(self._menu, now)
        self.state = State.OVER
        return [HangUp()]

"""Menus of an answered call as a person describes them, checked (docs/menus.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from dialer.campaign.machine_detection import (
    MachineDetection,  # noqa: TC001 - pydantic needs it at run time
)
from dialer.campaign.recording import Recording  # noqa: TC001 - the same
from dialer.campaign.setting_types import Printable, Settings
from dialer.campaign.spoken_prompt import Prompt  # noqa: TC001 - pydantic needs it at run time
from dialer.campaign.transfer import TransferName, Transfers  # noqa: TC001 - the same

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MENUS = 50  # in one campaign
MOST_DEPTH = 5
MOST_BRANCHES = 50
MOST_DIGITS = 32

FieldName = Annotated[str, StringConstraints(min_length=1, max_length=100), Printable]
FieldValue = (
    Annotated[str, StringConstraints(max_length=1000), Printable]
    | bool
    | int
    | Annotated[float, Field(allow_inf_nan=False)]
)
# X: 0 to 9, Z: 1 to 9, N: 2 to 9; a dot at the end: one key or more, as PBXs write it.
Pattern = Annotated[str, StringConstraints(pattern=r"^[0-9*#A-DXZN]{0,32}\.?$", min_length=1)]


class Branch(Settings):
    """What is done upon keys: fields are set, the number is opted out, a prompt is played.

    Then the call is transferred to one of the `transfers`. Without that, or where it fails, comes
    another menu, or this one `again`, or else the end of the call.
    """

    set: Annotated[dict[FieldName, FieldValue], Field(max_length=50)] = Field(default_factory=dict)
    opt_out: bool = False
    prompt: Prompt | None = None
    menu: Menu | None = None
    again: bool = False
    transfer: TransferName | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.menu is not None and self.again:
            raise ValueError("give one of menu and again")
        return self


class Menu(Settings):
    """A prompt, the keys expected, and what is done upon them.

    One key, or up to `digits` of them, which # ends sooner. `barge_in`: a key stops the prompt;
    else keys count from its end on. After no key in time, or keys that no branch takes, it is
    asked again up to `retries` times; then `otherwise` is done.
    """

    name: FieldName
    prompt: Prompt
    digits: Annotated[int, Field(ge=1, le=MOST_DIGITS)] = 1
    barge_in: bool = True
    first_key_seconds: Annotated[float, Field(ge=0.5, le=60)] = 5
    between_keys_seconds: Annotated[float, Field(ge=0.5, le=30)] = 3
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    retry_prompt: Prompt | None = None
    branches: Annotated[dict[Pattern, Branch], Field(min_length=1, max_length=MOST_BRANCHES)]
    otherwise: Branch = Field(default_factory=Branch)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        for pattern in self.branches:
            if len(pattern) > self.digits:
                raise ValueError(
                    f"the branch {pattern!r} wants {len(pattern)} keys, and digits is {self.digits}"
                )
            if self.digits > 1 and "#" in pattern:
                raise ValueError(
                    f"the branch {pattern!r} can never be: # ends what is keyed in"
                    " where digits is more than 1"
                )
        if self.otherwise.again:
            raise ValueError("otherwise cannot come back to its own menu; give more retries")
        return self


class Gather(Menu):
    """On answer: a menu, which keys of the telephone lead through."""

    kind: Literal["gather"] = "gather"
    transfers: Transfers = Field(default_factory=dict)
    machine_detection: MachineDetection | None = None
    recording: Recording | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        names = []
        for depth, _, menu in menus(self):
            names.append(menu.name)
            if depth > MOST_DEPTH:
                raise ValueError(f"menus are nested more than {MOST_DEPTH} deep")
        if len(names) > MOST_MENUS:
            raise ValueError(f"there are more than {MOST_MENUS} menus")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two menus are named {name!r}; its result would be one")
        for _, where, menu in menus(self):
            for place, branch in _branches(menu, where):
                if branch.transfer is not None and branch.transfer not in self.transfers:
                    raise ValueError(
                        f"{place} transfers to {branch.transfer!r}, which transfers does not name"
                    )
        return self


def menus(menu: Menu, where: str = "", depth: int = 1) -> Iterator[tuple[int, str, Menu]]:
    """Yield a menu and all below it: depth from 1, place as a JSON pointer, menu."""
    yield depth, where, menu
    for place, branch in _branches(menu, where):
        if branch.menu is not None:
            yield from menus(branch.menu, f"{place}/menu", depth + 1)


def prompts_of(menu: Menu) -> Iterator[tuple[str, Prompt]]:
    """Yield every prompt of a menu and of those below it, each with its JSON pointer."""
    for _, where, one in menus(menu):
        yield f"{where}/prompt", one.prompt
        if one.retry_prompt is not None:
            yield f"{where}/retry_prompt", one.retry_prompt
        for place, branch in _branches(one, where):
            if branch.prompt is not None:
                yield f"{place}/prompt", branch.prompt


def _branches(menu: Menu, where: str) -> Iterator[tuple[str, Branch]]:
    for pattern, branch in menu.branches.items():
        yield f"{where}/branches/{pattern}", branch
    yield f"{where}/otherwise", menu.otherwise

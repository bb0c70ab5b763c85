"""The extensions that an INVITE offers, and what a refusal makes of them (RFC 3261 §19.2)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.sip.session_timer import minimum_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.sip.message import Response
    from dialer.sip.settings import InviteDraft

_REQUIRING = frozenset({"require", "proxy-require"})
# What a draft holds with and without an extension. RFC 4028 §4: 1800 s is the interval to ask for.
_WITH: dict[str, dict[str, Any]] = {
    "100rel": {"reliable_provisionals": True},
    "timer": {"session_expires": 1800},
}
_WITHOUT: dict[str, dict[str, Any]] = {
    "100rel": {"reliable_provisionals": False},
    "timer": {"session_expires": 0},
}


def offered(draft: InviteDraft) -> tuple[str, ...]:
    """Return the option tags of Supported."""
    return (
        *(("100rel",) if draft.reliable_provisionals else ()),
        *(("timer",) if draft.session_expires else ()),
    )


def adjusted(draft: InviteDraft, response: Response) -> InviteDraft | None:
    """Return the INVITE that meets what a refusal asks for, None where there is no such."""
    match response.code:
        case 420:
            return _without(draft, _tags(response.values("unsupported")))
        case 421:
            return _requiring(draft, _tags(response.values("require")))
        case 422:
            return _longer(draft, minimum_of(response))
        case _:
            return None


def _tags(values: Iterable[str]) -> set[str]:
    return {value.lower() for value in values}


def _without(draft: InviteDraft, unsupported: set[str]) -> InviteDraft | None:
    """Drop what `unsupported` names (RFC 3261 §8.1.3.5)."""
    changes: dict[str, Any] = {}
    for tag in unsupported:
        changes |= _WITHOUT.get(tag, {})
    headers: list[tuple[str, str]] = []
    for name, value in draft.headers:
        if name.lower() not in _REQUIRING:
            headers.append((name, value))
            continue
        tags = [tag.strip() for tag in value.split(",")]
        if kept := ", ".join(tag for tag in tags if tag.lower() not in unsupported):
            headers.append((name, kept))
    fresh = dataclasses.replace(draft, **changes, headers=tuple(headers))
    return None if fresh == draft else fresh


def _longer(draft: InviteDraft, minimum: int | None) -> InviteDraft | None:
    """Ask for a session interval that the far end takes (RFC 4028 §7.3)."""
    if not draft.session_expires or minimum is None or minimum <= draft.session_expires:
        return None
    return dataclasses.replace(draft, session_expires=minimum, min_session_expires=minimum)


def _requiring(draft: InviteDraft, required: set[str]) -> InviteDraft | None:
    """Offer what the far end insists on, where that is all among what we do (§21.4.16)."""
    if not required <= _WITH.keys():
        return None
    changes: dict[str, Any] = {}
    for tag in required:
        held = {name: getattr(draft, name) for name in _WITH[tag]}
        if held == _WITHOUT[tag]:
            changes |= _WITH[tag]
    return dataclasses.replace(draft, **changes) if changes else None

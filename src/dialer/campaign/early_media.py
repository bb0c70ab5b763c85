"""What was heard before an answer, in the words of a call's record.

It is evidence and decides nothing: the outcome is by what the network said in SIP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SURE = 0.7  # confidence from which a flag is raised
_ANNOUNCEMENT = 1.5  # seconds of speech
_FLAGS = {
    "busy": "heard_busy_tone",
    "congestion": "heard_congestion_tone",
    "special_information": "heard_sit",
}
_NAMES = {
    "busy": "busy tone",
    "congestion": "congestion tone",
    "special_information": "special information tone",
}
_MOST_TOLD = 8  # things in a sentence


def flags(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the marks for an attempt's record; `found` is the evidence as a leg keeps it."""
    marks, spoken = [], 0.0
    for one in found["heard"]:
        if one["confidence"] < _SURE:
            continue
        if one["kind"] in _FLAGS:
            marks.append(_FLAGS[one["kind"]])
        elif one["kind"] == "speech":
            spoken += one["end"] - one["begin"]
    if spoken >= _ANNOUNCEMENT:
        marks.append("heard_announcement")
    return tuple(dict.fromkeys(marks))


def sentence(found: Mapping[str, Any]) -> str:
    """Return what was heard in the order in which it was, for a person; times since the INVITE.

    Silence is told only where there was nothing else.
    """
    heard = list(found["heard"])
    told = [one for one in heard if one["kind"] != "silence"] or heard
    if not told:
        return "nothing to be heard"
    words = list(_words(told[:_MOST_TOLD]))
    if len(told) > _MOST_TOLD:
        words.append(f"{len(told) - _MOST_TOLD} more")
    return ", then ".join(words)


def _words(heard: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in heard:
        name, seconds = _NAMES.get(one["kind"], one["kind"]), one["end"] - one["begin"]
        if one["kind"] == "special_information":
            reason = one.get("special_information") or "unspecified"
            said = "" if reason == "unspecified" else f" ({reason.replace('_', ' ')})"
            yield f"{name}{said} at {one['begin']:.1f} s"
            continue
        if one["kind"] == "tone":
            name += f" of {' and '.join(f'{hertz:.0f}' for hertz in one['frequencies'])} Hz"
        yield f"{name} {seconds:.1f} s"

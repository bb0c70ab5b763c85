"""The kinds of events that happen to campaigns and calls, as receivers choose among them."""

from __future__ import annotations

import difflib

from dialer.campaign.status import CallStatus, CampaignStatus

KINDS = (
    *(f"campaign.{status}" for status in CampaignStatus),
    "campaign.deleted",
    *(f"call.{status}" for status in CallStatus),
    "call.opted_out",
    "numbers.added",
    "numbers.removed",
    "account.closed",
)
FAMILIES = tuple(f"{name}.*" for name in dict.fromkeys(kind.partition(".")[0] for kind in KINDS))


def check_kind(kind: str) -> str:
    """Return a kind, or all of a family as in `call.*`; raises ValueError for one there is not."""
    known = (*KINDS, *FAMILIES)
    if kind in known:
        return kind
    near = difflib.get_close_matches(kind, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"all of a family are {', '.join(FAMILIES)}"
    raise ValueError(f"there is no such kind of event; {hint}")

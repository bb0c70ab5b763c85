"""Makes docs/states.md from the state tables: run `python -m dialer.campaign.diagram`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dialer.campaign.moves import CALL_MOVES, CAMPAIGN_MOVES, allowed_actions
from dialer.campaign.status import CallStatus, CampaignStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = """\
# States

Made from `src/dialer/campaign/moves.py` by `python -m dialer.campaign.diagram`; change the tables
there, not this page.

## Campaign

A campaign stays in progress when all its calls are done: numbers added later are dialled. It is
finished by a person only, with Finish or Delete. The start time is the one move that nobody asks
for. Pausing what is paused changes nothing.
"""

CALL_HEAD = """\
## Call

A call is one person in one campaign. Final statuses change only when a person requeues the call.
"""

CALL_ACTIONS = """\
| action | when |
|---|---|
| dial | an attempt is committed; its INVITE may leave |
| retry | the attempt is over, another one is scheduled |
| go_back | the trunk would not take the call now; it waits as it did before |
| end | the attempt is over, and so is the call |
| refuse | no INVITE: the number, the do-not-call list or the plan's limit forbids it |
| campaign_finished | the campaign ended while the call was waiting |
| requeue | a person wants finished calls dialled again |
"""


def states_page() -> str:
    """Return the page that describes both tables."""
    campaign_moves = [
        (status, to, action)
        for (status, action), targets in CAMPAIGN_MOVES.items()
        for to in targets
        if to is not status
    ]
    call_moves = [
        (status, to, action)
        for (status, action), targets in CALL_MOVES.items()
        for to in CallStatus
        if to in targets
    ]
    allowed = [
        (
            f"`{status}`",
            status.label,
            ", ".join(f"`{action}`" for action in allowed_actions(status)),
        )
        for status in CampaignStatus
    ]
    calls = [
        (f"`{status}`", status.label, "yes" if status.final else "no") for status in CallStatus
    ]
    return (
        "\n".join(
            (
                HEAD,
                _diagram("draft", campaign_moves),
                _table(("status", "label", "a person may"), allowed),
                CALL_HEAD,
                _diagram("planned", call_moves),
                _table(("status", "label", "final"), calls),
                CALL_ACTIONS,
            )
        ).rstrip("\n")
        + "\n"
    )


def _diagram(start: str, moves: Iterable[tuple[str, str, str]]) -> str:
    labels: dict[tuple[str, str], list[str]] = {}
    for before, after, action in moves:
        labels.setdefault((before, after), []).append(action)
    lines = [
        f"    {before} --> {after}: {', '.join(actions)}"
        for (before, after), actions in labels.items()
    ]
    return "\n".join(("```mermaid", "stateDiagram-v2", f"    [*] --> {start}", *lines, "```", ""))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(states_page())

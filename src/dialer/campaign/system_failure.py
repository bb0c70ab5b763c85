"""Whether the system has failed for a campaign, so that it should pause by itself."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus
from dialer.campaign.trunk_health import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.campaign.outcome import Rule

REFUSALS = frozenset({Trouble.CREDENTIALS, Trouble.FUNDS})


@dataclasses.dataclass(frozen=True, slots=True)
class Thresholds:
    """When a campaign pauses by itself; shares are from 0 to 1.

    `technical_share` of its last `technical_attempts` failed technically; `invalid_share` of a
    trunk's last `invalid_calls` said that there is no such number.
    """

    trunks_unusable: dt.timedelta = dt.timedelta(minutes=5)
    technical_share: float = 0.8
    technical_attempts: int = 50
    invalid_share: float = 0.9
    invalid_calls: int = 50


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkCondition:
    """A trunk as one node has it.

    `trouble` is a sentence, "" where calls may be given to it; `since` when that began. `refused`:
    it takes neither our credentials nor pays for our calls.
    """

    name: str
    trouble: str = ""
    since: dt.datetime | None = None
    refused: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class CampaignFacts:
    """What became of a campaign's last attempts since it was started or resumed at `since`.

    `trunks` are its trunks on all live nodes, `invalid_by_trunk` how many of the last calls of
    each said that there is no such number, and how many there were.
    """

    since: dt.datetime
    trunks: tuple[TrunkCondition, ...]
    attempts: int = 0
    technical: int = 0
    invalid_by_trunk: tuple[tuple[str, int, int], ...] = ()


def technical_outcomes(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the outcomes that are the system's fault: all technical errors but invalid numbers."""
    return frozenset(
        rule.outcome.value
        for rule in rules
        if rule.final is CallStatus.TECHNICAL_ERROR and rule.outcome is not Outcome.INVALID_NUMBER
    )


def why_pause(facts: CampaignFacts, thresholds: Thresholds, now: dt.datetime) -> str:
    """Return in a sentence what has failed and what to do, "" where the campaign may go on.

    A trunk that refuses us pauses it at once, unless a person has resumed it since: then it gets
    the time that any other trouble gets.
    """
    return (
        _trunks(facts, thresholds, now)
        or _technical(facts, thresholds)
        or _invalid(facts, thresholds)
    )


def _trunks(facts: CampaignFacts, thresholds: Thresholds, now: dt.datetime) -> str:
    if not facts.trunks or not all(trunk.trouble for trunk in facts.trunks):
        return ""
    began = max(trunk.since or now for trunk in facts.trunks)
    what = "; ".join(dict.fromkeys(f"{one.name}: {one.trouble}" for one in facts.trunks))
    if all(trunk.refused for trunk in facts.trunks) and began >= facts.since:
        return (
            f"no trunk of the campaign takes our calls ({what});"
            " mend credentials or account there, then resume"
        )
    unusable = now - max(began, facts.since)
    if unusable < thresholds.trunks_unusable:
        return ""
    return (
        f"no trunk of the campaign was usable for {_minutes(unusable)} ({what});"
        " mend the trunk, then resume"
    )


def _technical(facts: CampaignFacts, thresholds: Thresholds) -> str:
    enough = facts.attempts >= thresholds.technical_attempts
    if not enough or facts.technical <= thresholds.technical_share * facts.attempts:
        return ""
    return (
        f"{facts.technical} of the last {facts.attempts} attempts failed technically; look at"
        " their outcomes in the report, mend what fails, then resume"
    )


def _invalid(facts: CampaignFacts, thresholds: Thresholds) -> str:
    for trunk, invalid, calls in facts.invalid_by_trunk:
        if calls >= thresholds.invalid_calls and invalid >= thresholds.invalid_share * calls:
            return (
                f"trunk {trunk} said of {invalid} of its last {calls} calls that there is no such"
                " number: its dialplan or number format may be wrong; mend it, requeue the calls,"
                " then resume"
            )
    return ""


def _minutes(time: dt.timedelta) -> str:
    seconds = round(time.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"

"""A campaign's totals over HTTP: what the store has counted, put together for a person."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import re
import zoneinfo
from typing import TYPE_CHECKING

from dialer.api import inputs, report_models
from dialer.api.context import account_of, answer, context_of
from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus
from dialer.store import totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

FIXED_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")


async def read(request: web.Request) -> web.Response:
    """Read a campaign's totals."""
    campaign_id = inputs.path_id(request, "campaign")
    found = await totals.of_campaign(context_of(request).pool, account_of(request), campaign_id)
    return answer(put_together(campaign_id, found))


def put_together(campaign_id: int, found: totals.Totals) -> report_models.Totals:
    """Return the figures of a campaign from what was counted."""
    statuses, last_outcomes = collections.Counter[str](), collections.Counter[str]()
    for one in found.calls:
        statuses[one.status] += one.calls
        last_outcomes[one.last_outcome or ""] += one.calls
    by_outcome = collections.Counter[str]()
    for count in found.attempts:
        by_outcome[count.outcome] += count.attempts
    whole = _figures(found.attempts, found.legs)
    tried = sum(one.tried for one in found.calls)
    answered = statuses[CallStatus.ANSWERED]
    return report_models.Totals(
        **dataclasses.asdict(whole),
        campaign_id=campaign_id,
        time_zone=found.time_zone,
        calls=statuses.total(),
        calls_tried=tried,
        calls_answered=answered,
        requeued=sum(one.requeued for one in found.calls),
        statuses=[
            report_models.StatusTotal(status=status, label=status.label, calls=statuses[status])
            for status in CallStatus
        ],
        outcomes=[
            report_models.OutcomeTotal(
                outcome=outcome, attempts=by_outcome[outcome], calls=last_outcomes[outcome]
            )
            for outcome in Outcome
            if by_outcome[outcome] or last_outcomes[outcome]
        ],
        answer_rate=_share(answered, tried),
        attempts_per_answer=_share(whole.attempts, answered),
        abandoned_rate=_share(whole.abandoned, whole.answered),
        silent_rate=_share(whole.silent, whole.answered),
        by_hour=list(_hours(found)),
        by_trunk=list(_trunks(found.legs)),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Figures:
    attempts: int
    answered: int
    abandoned: int
    silent: int
    talk_seconds: float
    billed_seconds: int


def _figures(attempts: Iterable[totals.AttemptCount], legs: Iterable[totals.LegCount]) -> _Figures:
    attempts, legs = list(attempts), list(legs)
    return _Figures(
        attempts=sum(one.attempts for one in attempts),
        answered=sum(one.answered for one in legs),
        abandoned=sum(one.abandoned for one in legs),
        silent=sum(one.silent for one in legs),
        talk_seconds=round(sum(one.talk_seconds for one in legs), 3),
        billed_seconds=sum(one.billed_seconds for one in attempts),
    )


def _hours(found: totals.Totals) -> Iterable[report_models.HourTotal]:
    """Yield the hours in which attempts began, by the clock of the campaign."""
    zone = _zone(found.time_zone)
    attempts = collections.defaultdict[dt.datetime, list[totals.AttemptCount]](list)
    legs = collections.defaultdict[dt.datetime, list[totals.LegCount]](list)
    for one in found.attempts:
        attempts[_hour(one.slot, zone)].append(one)
    for leg in found.legs:
        legs[_hour(leg.slot, zone)].append(leg)
    for hour, own in sorted(attempts.items()):
        figures = _figures(own, legs[hour])
        yield report_models.HourTotal(hour=hour, **dataclasses.asdict(figures))


def _hour(slot: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return the beginning of the hour, with its offset: of one that comes twice there are two."""
    local = slot.astimezone(zone)
    return local.replace(minute=0, tzinfo=dt.timezone(local.utcoffset() or dt.timedelta()))


def _trunks(counts: Iterable[totals.LegCount]) -> Iterable[report_models.TrunkTotal]:
    trunks = collections.defaultdict[str, list[totals.LegCount]](list)
    for one in counts:
        trunks[one.trunk].append(one)
    for trunk, own in sorted(trunks.items()):
        legs, answered = sum(one.legs for one in own), sum(one.answered for one in own)
        yield report_models.TrunkTotal(
            trunk=trunk,
            legs=legs,
            answered=answered,
            answer_rate=_share(answered, legs),
            talk_seconds=round(sum(one.talk_seconds for one in own), 3),
        )


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _zone(name: str) -> dt.tzinfo:
    """Return the time zone of a campaign: a name of IANA, or a fixed offset such as -05:00."""
    if fixed := FIXED_OFFSET.fullmatch(name):
        sign, hours, minutes = fixed.groups()
        offset = dt.timedelta(hours=int(hours), minutes=int(minutes))
        return dt.timezone(-offset if sign == "-" else offset)
    return zoneinfo.ZoneInfo(name)

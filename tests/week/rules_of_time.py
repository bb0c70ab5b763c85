"""When calls were made: windows, quiet hours, start times, pauses, waits between attempts, pace."""

from __future__ import annotations

import collections
import datetime as dt
import itertools

from tests.week import open_hours

MINUTE = dt.timedelta(minutes=1)
AT_ONCE = dt.timedelta(milliseconds=100)  # what was committed just before a pause may still leave
SHORTEST = dt.timedelta(seconds=1)

# What the outcome page says; where it says nothing, the campaign's interval.
WAITS = {
    "busy": 20 * MINUTE,
    "no_answer": 60 * MINUTE,
    "unreachable": 60 * MINUTE,
    "media_failure": 60 * MINUTE,
    "declined": 24 * 60 * MINUTE,
    "network_failure": 5 * MINUTE,
    "trunk_congested": 5 * MINUTE,
    "rate_limited": MINUTE / 2,
}
# Some rules of these leave the wait to the campaign.
SOMETIMES_THE_CAMPAIGNS = frozenset({"no_answer", "unreachable"})
ABOUT_THE_PERSON = frozenset({404, 480, 486, 600, 603})
LONGEST_ASKED = dt.timedelta(days=30)


def outside_its_window(story):
    """Each INVITE, by the clock of whoever sent it and by that of whoever got it."""
    for leg in story.legs:
        for moment in _moments(story, leg):
            why = open_hours.why_closed(leg.attempt.call, moment, story.told)
            if why:
                yield f"{leg.attempt}: {why}"
                break


def in_quiet_hours(story):
    for leg in story.legs:
        for moment in _moments(story, leg):
            why = open_hours.why_quiet(leg.attempt.call, moment, story.told)
            if why:
                yield f"{leg.attempt}: {why}"
                break


def told_outside_its_window(story):
    """The next attempts as they were shown to a person."""
    for call_id, moment in story.told.shown.items():
        call = story.calls[call_id]
        for why in (open_hours.why_closed, open_hours.why_quiet):
            if found := why(call, moment, story.told):
                yield f"{call}: {found}"


def before_the_start(story):
    for attempt in story.attempts:
        start = attempt.call.campaign["start_at"]
        if start is not None and attempt.began_at < start:
            yield f"{attempt} left at {attempt.began_at}, the campaign starts at {start}"


def while_stopped(story):
    stops = collections.defaultdict(list)
    for campaign_id, begin, end in (*_stops_told_by_events(story), *story.told.stops):
        stops[campaign_id].append((begin, end))
    for leg in story.legs:
        for begin, end in stops[leg.attempt.call.campaign["id"]]:
            sent = leg.sent_at
            if sent is not None and begin + AT_ONCE < sent and (end is None or sent < end):
                yield f"{leg.attempt} left at {sent}, its campaign was stopped at {begin}"


def _stops_told_by_events(story):
    """From the creation of a campaign on, whenever it was not in progress."""
    since = {}
    for event in story.campaign_events:
        campaign_id = event["campaign_id"]
        if event["becomes"] != "in_progress":
            since.setdefault(campaign_id, event["at"])
        elif campaign_id in since:
            yield campaign_id, since.pop(campaign_id), event["at"]
    for campaign_id, begin in since.items():
        yield campaign_id, begin, None


def too_soon_again(story):
    """The wait after an attempt; jitter and windows only make it longer."""
    for call in story.calls.values():
        if call.requeued:
            continue  # a person asked for it
        for before, after in itertools.pairwise(call.dialled):
            earliest = before.ended_at + _wait(before) - story.told.slack
            if after.began_at < earliest:
                yield (
                    f"{after} left {after.began_at - before.ended_at} after {before.outcome},"
                    f" which asks for {_wait(before)}"
                )


def faster_than_allowed(story):
    """New calls of a campaign in any minute; each node may be a little ahead of its share."""
    begun = collections.defaultdict(list)
    for attempt in story.attempts:
        begun[attempt.call.campaign["id"]].append(attempt.began_at)
    for campaign_id, moments in begun.items():
        campaign = story.campaigns[campaign_id]
        rates = [campaign["calls_per_minute"] or 0.0, (campaign["calls_per_second"] or 0.0) * 60]
        if not any(rates):
            continue
        a_minute = min(rate for rate in rates if rate)
        allowed = a_minute + story.told.nodes * max(1.0, a_minute / 600)
        most = _most_within(MINUTE, sorted(moments))
        if most > allowed:
            yield f"campaign {campaign_id}: {most} calls in a minute, {a_minute:g} are allowed"


def _moments(story, leg):
    if leg.sent_at is None:
        return
    yield leg.sent_at
    seen = story.far_end.get(leg.sip_call_id)
    # where nobody watched it leave; but it may have got there late, when the first was lost
    if seen is not None and not seen.retransmissions and story.told.left is None:
        yield story.at(seen.began_at)


def _wait(attempt):
    call, last = attempt.call, attempt.legs[-1]
    outcome, general = attempt.outcome, dt.timedelta(seconds=call.interval)
    if outcome == "invalid_number":
        return dt.timedelta()  # the next of the person's numbers
    own = call.campaign["retry_by_outcome"].get(outcome)
    wait = dt.timedelta(seconds=own) if own else WAITS.get(outcome, general)
    if not own and outcome in SOMETIMES_THE_CAMPAIGNS:
        wait = min(wait, general)
    if last.retry_after is not None and last.code in ABOUT_THE_PERSON:
        asked = dt.timedelta(seconds=min(last.retry_after, LONGEST_ASKED.total_seconds()))
        wait = max(wait, asked)
    return max(wait, SHORTEST)


def _most_within(span, moments):
    first = most = 0
    for place, moment in enumerate(moments):
        while moments[first] <= moment - span:
            first += 1
        most = max(most, place - first + 1)
    return most

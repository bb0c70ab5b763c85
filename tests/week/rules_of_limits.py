"""How much was called: attempts, simultaneous calls, minutes, unique users, caps."""

from __future__ import annotations

import collections
import datetime as dt
import heapq
import math
import operator

from tests.week.open_hours import zone, zones_of_customer
from tests.week.story import same

DAY = dt.timedelta(days=1)
EVER = dt.datetime.min.replace(tzinfo=dt.UTC)
TECHNICAL_CAP = 10  # attempts in a row that do not count
ROUNDING = 1e-6
FAR_MORE = 10**9


def more_attempts_than_allowed(story):
    for call in story.calls.values():
        allowed = call.max_attempts * (1 + call.requeued)
        used = sum(attempt.used_up_a_place for attempt in call.attempts)
        if used > allowed:
            yield f"{call}: {used} attempts count, {allowed} are allowed"
        if call.attempts_counted != used:
            yield f"{call}: {call.attempts_counted} attempts are said to count, {used} do"
    yield from _rung_more_often(story)


def _rung_more_often(story):
    """What the telephones say, whatever the tables do."""
    allowed = collections.Counter()
    for call in story.calls.values():
        for number in (call.number, *call.alternates):
            allowed[same(number)] += call.max_attempts * (1 + call.requeued)
    rung = collections.Counter(
        same(seen.number)
        for seen in story.far_end.values()
        if 180 in seen.provisionals or seen.answered_at is not None
    )
    for number, times in rung.items():
        if times > allowed[number]:
            yield f"{number} rang {times} times, {allowed[number]} attempts are allowed"


def technical_failures_without_end(story):
    for call in story.calls.values():
        in_a_row = 0
        for attempt in call.attempts:
            in_a_row = 0 if attempt.used_up_a_place else in_a_row + 1
            if in_a_row > TECHNICAL_CAP * (1 + call.requeued):
                yield f"{attempt}: the {in_a_row}th technical failure in a row"
                break


def more_calls_at_once_than_allowed(story):
    spans = collections.defaultdict(list)
    for attempt in story.attempts:
        campaign = attempt.call.campaign
        spans["campaign", campaign["id"]].append((attempt.began_at, attempt.ended_at))
        spans["account", campaign["account_id"]].append((attempt.began_at, attempt.ended_at))
        for leg, after in zip(attempt.legs, [*attempt.legs[1:], None], strict=True):
            end = attempt.ended_at if after is None else after.sent_at
            spans["trunk", leg.trunk].append((leg.sent_at, end))
    limits = {
        "campaign": _limit_of_each(story.campaigns),
        "account": _limit_of_each(story.accounts),
        "trunk": story.told.trunk_limits,
    }
    for (kind, which), found in spans.items():
        limit = limits[kind].get(which)
        most = most_at_once(found)
        if limit is not None and most > limit:
            yield f"{kind} {which}: {most} calls at once, {limit} are allowed"


def _limit_of_each(rows):
    return {number: row["max_simultaneous_calls"] for number, row in rows.items()}


def over_the_minutes(story):
    """An attempt that started although the minutes of its account were used up."""
    for account_id, attempts in _by_account(story).items():
        account = story.accounts[account_id]
        history = _history(story.told.minutes, account, "minutes")
        meter = _Meter(account)
        for attempt in sorted(attempts, key=lambda attempt: attempt.began_at):
            claimed = attempt.began_at - story.told.slack
            limit = _in_force(history, claimed)
            period = period_of(account, attempt.began_at)
            spent = meter.spent(period, claimed)
            same_period = period_of(account, claimed) == period
            if limit is not None and same_period and spent >= limit * 60:
                yield f"{attempt}: {spent} of {limit * 60} s were used at {claimed}"
            meter.add(period, attempt)


class _Meter:
    """Talk time of one account by period: what is over, and what runs at a moment."""

    def __init__(self, account):
        self.increment = account["increment_seconds"]
        self.over = collections.Counter()
        self.running = []  # (end, place, period, leg): the first to end is the first
        self.places = 0

    def add(self, period, attempt):
        for leg in attempt.legs:
            if leg.answered_at is not None:
                self.places += 1
                entry = (leg.ended_at or attempt.ended_at, self.places, period, leg)
                heapq.heappush(self.running, entry)

    def spent(self, period, moment):
        while self.running and self.running[0][0] <= moment:
            *_, of_period, leg = heapq.heappop(self.running)
            self.over[of_period] += cost(leg.talk_seconds, self.increment)
        talking = sum(
            cost((moment - leg.answered_at).total_seconds(), self.increment)
            for *_, of_period, leg in self.running
            if of_period == period and leg.answered_at < moment
        )
        return self.over[period] + talking


def wrongly_billed(story):
    billed = collections.Counter()
    for call in story.calls.values():
        increment = story.accounts[call.account_id]["increment_seconds"]
        for attempt in call.attempts:
            talked = sum(leg.talk_seconds for leg in attempt.legs if leg.answered_at is not None)
            billed[call.account_id] += attempt.billed_seconds
            if attempt.over and attempt.billed_seconds != cost(talked, increment):
                yield f"{attempt}: {attempt.billed_seconds} s billed, {talked:.3f} s talked"
    kept = collections.Counter()
    for row in story.usage:
        kept[row["account_id"]] += row["billed_seconds"]
    for account_id in billed.keys() | kept.keys():
        if billed[account_id] != kept[account_id]:
            yield (
                f"account {account_id}: {kept[account_id]} s kept as used,"
                f" its attempts cost {billed[account_id]} s"
            )


def more_unique_users_than_allowed(story):
    spoken = collections.defaultdict(set)
    for attempt in story.attempts:
        account = story.accounts[attempt.call.account_id]
        for leg in attempt.legs:
            if leg.answered:
                period = period_of(account, attempt.began_at)
                spoken[account["id"], period].add(same(leg.number))
    for (account_id, period), numbers in spoken.items():
        limits = _history(story.told.unique_users, story.accounts[account_id], "unique_users")
        most = max((FAR_MORE if limit is None else limit for _, limit in limits), default=0)
        if len(numbers) > most:
            yield f"account {account_id}, {period}: spoke with {len(numbers)}, {most} are allowed"
    yield from _wrongly_kept(story, spoken)
    yield from _refused_too_soon(story)


def _refused_too_soon(story):
    """Calls that were refused for want of a place while there was one."""
    refused = collections.defaultdict(list)
    for call in story.calls.values():
        account = story.accounts[call.account_id]
        for attempt in call.attempts:
            if attempt.outcome == "plan_limit_exceeded":
                refused[account["id"], period_of(account, attempt.noted_at)].append(attempt)
    answered = collections.defaultdict(list)
    for attempt in story.attempts if refused else ():
        account = story.accounts[attempt.call.account_id]
        numbers = {same(leg.number) for leg in attempt.legs if leg.answered}
        if numbers:
            period = period_of(account, attempt.began_at)
            answered[account["id"], period].append((attempt.ended_at, numbers))
    for (account_id, period), attempts in refused.items():
        history = _history(story.told.unique_users, story.accounts[account_id], "unique_users")
        yield from _too_soon(attempts, answered[account_id, period], history)


def _too_soon(refused, answered, history):
    """Those of some refusals of one period that came while there was a place."""
    answered.sort(key=operator.itemgetter(0), reverse=True)
    used = set()
    for attempt in sorted(refused, key=operator.attrgetter("noted_at")):
        while answered and answered[-1][0] <= attempt.noted_at:
            used |= answered.pop()[1]
        limit = _in_force(history, attempt.noted_at)
        if limit is None or len(used) < limit:
            yield f"{attempt}: refused, while {len(used)} of {limit} places were used"


def _wrongly_kept(story, spoken):
    """The places that the tables keep; at the turn of a period they may be in either."""
    seen, kept, counted = (collections.defaultdict(set) for _ in range(3))
    for (account_id, _), numbers in spoken.items():
        seen[account_id] |= numbers
    for row in story.unique_users:
        kept[row["account_id"]].add(same(row["number"]))
        counted[row["account_id"], row["period"]].add(same(row["number"]))
    for account_id in seen.keys() | kept.keys():
        if wrong := seen[account_id] ^ kept[account_id]:
            yield f"account {account_id}: places of {sorted(wrong)[:5]} are kept wrongly"
    for row in story.usage:
        places = len(counted[row["account_id"], row["period"]])
        if row["unique_users"] != places:
            yield (
                f"account {row['account_id']}, {row['period']}: {row['unique_users']} places are"
                f" counted, {places} are kept"
            )


def over_a_cap(story):
    """Attempts to a number on one local day and in one week, over all campaigns of an account."""
    days, weeks = collections.Counter(), collections.Counter()
    for attempt in story.attempts:
        if not attempt.used_up_a_place:
            continue
        call = attempt.call
        local = zone(zones_of_customer(call, story.told)[0])
        day = attempt.began_at.astimezone(local).date()
        who = call.account_id, same(attempt.legs[0].number)
        days[who, day] += 1
        weeks[who, day - day.weekday() * DAY] += 1
    for name, found in (("attempts_per_day", days), ("attempts_per_week", weeks)):
        for ((account_id, number), day), times in found.items():
            cap = story.accounts[account_id][name]
            if cap is not None and times > cap:
                yield f"account {account_id}: {number} tried {times} times, {name} {cap}, {day}"


def most_at_once(spans):
    """The largest number of spans that share a moment; one that ends makes room for another."""
    edges = [(begin, 1) for begin, end in spans if end > begin]
    edges += [(end, -1) for begin, end in spans if end > begin]
    now = most = 0
    for _, change in sorted(edges):
        now += change
        most = max(most, now)
    return most


def cost(seconds, increment):
    if seconds <= ROUNDING:
        return 0
    return max(1, math.ceil(seconds / increment - ROUNDING)) * increment


def period_of(account, moment):
    """The first day of the period that a moment lies in."""
    day = moment.astimezone(zone(account["time_zone"])).date()
    if account["period"] == "day":
        return day
    while not _begins(account, day):
        day -= DAY
    return day


def _begins(account, day):
    if account["period"] == "week":
        return day.weekday() == 0
    last_of_month = (day + DAY).month != day.month
    anchor = account["anchor_day"]
    return day.day == anchor or (last_of_month and day.day < anchor)


def _by_account(story):
    found = collections.defaultdict(list)
    for attempt in story.attempts:
        found[attempt.call.account_id].append(attempt)
    return found


def _history(told, account, name):
    return told.get(account["id"], [(EVER, account[name])])


def _in_force(history, moment):
    limit = None
    for since, minutes in sorted(history, key=lambda entry: entry[0]):
        if since <= moment:
            limit = minutes
    return limit

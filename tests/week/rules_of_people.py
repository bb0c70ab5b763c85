"""Who was called: nobody twice at once, nobody who is listed, nobody whom the plan leaves out."""

from __future__ import annotations

import collections
import itertools

from tests.week.story import same

UNWANTED = "unwanted"


def twice_at_once(story):
    """By the carriers' own records, over all of them, and by ours."""
    spans = collections.defaultdict(list)
    for seen in story.far_end.values():
        over = seen.over_at
        if over is not None:
            spans["far end", same(seen.number)].append((seen.began_at, over, seen.call_id))
    for attempt in story.attempts:
        for leg, after in zip(attempt.legs, [*attempt.legs[1:], None], strict=True):
            end = attempt.ended_at if after is None else after.sent_at
            spans["tables", same(leg.number)].append((leg.sent_at, end, leg.sip_call_id))
    for (whose, number), found in spans.items():
        found.sort()
        for before, after in itertools.pairwise(found):
            if after[0] < before[1]:
                yield f"{number} in {before[2]} and {after[2]} at once, says the {whose}"


def on_the_do_not_call_list(story):
    exact, prefixes = collections.defaultdict(list), []
    for listed in story.listed:
        (prefixes if listed.is_prefix else exact[listed.pattern]).append(listed)
    for leg in story.legs:
        account_id = leg.attempt.call.account_id
        if leg.sent_at is None:
            continue
        for listed in (*exact.get(leg.number, ()), *prefixes):
            # what was claimed before the entry was made may still leave
            late = leg.sent_at >= listed.since + story.told.slack
            if late and listed.covers(account_id, leg.number):
                yield f"{leg.attempt}: {leg.number} is listed as {listed.pattern}"
                break


def after_they_said_never(story):
    """607: the number goes on the list of the account, for all of its campaigns."""
    refused = {}
    for attempt in story.attempts:
        if attempt.outcome == UNWANTED:
            who = attempt.call.account_id, same(attempt.legs[-1].number)
            refused[who] = min(refused.get(who, attempt.ended_at), attempt.ended_at)
    for leg in story.legs:
        since = refused.get((leg.attempt.call.account_id, same(leg.number)))
        if since is not None and leg.sent_at is not None and leg.sent_at > since + story.told.slack:
            yield f"{leg.attempt}: {leg.number} had said {UNWANTED} at {since}"


def where_the_plan_does_not_allow(story):
    for leg in story.legs:
        account = story.accounts[leg.attempt.call.account_id]
        allowed = tuple(account["allowed_prefixes"])
        outside = leg.number.startswith("+") and not leg.number.startswith(allowed)
        if leg.sent_at is not None and allowed and outside:
            yield f"{leg.attempt}: {leg.number} is none of {', '.join(allowed)}"


def emergency_numbers(story):
    called = {leg.number for leg in story.legs if leg.sent_at is not None}
    called |= {seen.number for seen in story.far_end.values()}
    yield from (number for number in sorted(called) if same(number) in story.told.emergency)


def over_a_strange_trunk(story):
    """A trunk that is not the campaign's, or data of another account."""
    for leg in story.legs:
        campaign = leg.attempt.call.campaign
        if leg.trunk not in campaign["trunks"]:
            yield f"{leg.attempt}: over {leg.trunk}, the campaign has {campaign['trunks']}"
    for call in story.calls.values():
        if call.account_id != call.campaign["account_id"]:
            yield f"{call}: of account {call.account_id}"

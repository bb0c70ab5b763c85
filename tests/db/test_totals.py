from __future__ import annotations

import datetime as dt

import pytest
from tests.db import scene

from dialer.api import totals as shown
from dialer.campaign.moves import CampaignAction
from dialer.store import requeue, totals
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT

ERROR = scene.CallStatus.TECHNICAL_ERROR


async def figures(pool, campaign):
    found = await totals.of_campaign(pool, DEFAULT_ACCOUNT, campaign.id)
    return shown.put_together(campaign.id, found)


async def spoken_with(pool, *ends):
    """A campaign with a call for each (verdict, evidence, flags)."""
    campaign = await scene.campaign(pool, len(ends) + 1)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign, len(ends))
    for leg, (verdict, evidence, flags) in zip(legs, ends, strict=True):
        await node.end([leg], verdict, **evidence)
        await pool.execute("UPDATE attempts SET flags = $1 WHERE id = $2", flags, leg.attempt_id)
    return campaign


HEARD = {"answered": True, "talk_seconds": 12.25, "rtp_packets_sent": 500}


async def test_totals_count_statuses_outcomes_answers_and_talk_time(pool):
    campaign = await scene.campaign(pool, 4)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign, 3)
    await node.end(legs, scene.busy(scene.soon(0)), code=486)
    await scene.promotion.promote(pool, full=True)
    again = {leg.call_id: leg for leg in await node.dial_all(campaign)}
    answered, given_up = again[legs[0].call_id], again[legs[1].call_id]
    await node.end([answered], scene.ANSWERED, **HEARD)
    await node.end([given_up], scene.verdict("no_route", ERROR, counted=False))
    await pool.execute("UPDATE attempts SET billed_seconds = 13 WHERE id = $1", answered.attempt_id)
    await requeue.requeue(pool, DEFAULT_ACCOUNT, campaign.id, [ERROR])
    found = await figures(pool, campaign)
    assert {one.status: one.calls for one in found.statuses if one.calls} == {
        "answered": 1,
        "planned": 1,
        "in_progress": 2,
    }
    assert {one.outcome: (one.attempts, one.calls) for one in found.outcomes} == {
        "answered": (1, 1),
        "busy": (3, 1),
        "no_route": (1, 1),
    }
    assert (found.calls, found.calls_tried, found.calls_answered, found.requeued) == (4, 4, 1, 1)
    assert (found.attempts, found.answered) == (5, 1)
    assert (found.answer_rate, found.attempts_per_answer) == (0.25, 5.0)
    assert (found.talk_seconds, found.billed_seconds) == (12.25, 13)
    assert (found.abandoned, found.silent) == (0, 0)
    (trunk,) = found.by_trunk
    assert (trunk.trunk, trunk.legs, trunk.answered, trunk.answer_rate) == ("lab", 5, 1, 0.2)
    assert sum(hour.attempts for hour in found.by_hour) == 5


async def test_abandoned_is_who_answered_and_was_failed_by_us(pool):
    failed = [
        (scene.verdict("media_failure", ERROR), {"answered": True}, []),
        (scene.verdict("bot_failure", ERROR), {"answered": True, "rtp_packets_sent": 3}, []),
        (scene.verdict("no_answer", ERROR), {"answered": True}, ["answered_late"]),
        (scene.verdict("interrupted", scene.CallStatus.ANSWERED), {"answered": True}, ["answered"]),
    ]
    fine = [
        (scene.verdict("interrupted", ERROR), {"rang": True}, []),
        (scene.ANSWERED, HEARD, []),
        (scene.verdict("busy", ERROR), {"code": 486}, []),
    ]
    found = await figures(pool, await spoken_with(pool, *failed, *fine))
    assert (found.abandoned, found.silent, found.answered) == (4, 0, 5)
    assert found.abandoned_rate == 0.8


async def test_silent_is_who_answered_and_heard_nothing_from_us(pool):
    found = await figures(
        pool,
        await spoken_with(
            pool,
            (scene.ANSWERED, {"answered": True, "rtp_packets_sent": 0}, []),
            (scene.verdict("silent", scene.CallStatus.ANSWERED), HEARD, []),
            (scene.ANSWERED, HEARD, []),
            (scene.verdict("no_answer", ERROR), {"rang": True}, []),
        ),
    )
    assert (found.silent, found.abandoned, found.answered) == (2, 0, 3)


async def test_hours_are_those_of_the_campaigns_time_zone(pool):
    campaign = await spoken_with(pool, *[(scene.ANSWERED, HEARD, [])] * 4)
    # the hour from 2:00 comes twice in Berlin; in Kathmandu hours begin at :15
    moments = ["2026-10-25T00:30Z", "2026-10-25T01:10Z", "2026-10-25T01:50Z", "2026-10-25T02:00Z"]
    for position, moment in enumerate(moments, 1):
        await pool.execute(
            """UPDATE attempts SET created_at = $1 FROM calls
            WHERE calls.id = call_id AND position = $2""",
            dt.datetime.fromisoformat(moment),
            position,
        )

    async def hours(zone):
        await pool.execute("UPDATE campaigns SET time_zone = $1", zone)
        found = await figures(pool, campaign)
        return [(hour.hour.isoformat(), hour.attempts, hour.answered) for hour in found.by_hour]

    assert await hours("Europe/Berlin") == [
        ("2026-10-25T02:00:00+02:00", 1, 1),
        ("2026-10-25T02:00:00+01:00", 2, 2),
        ("2026-10-25T03:00:00+01:00", 1, 1),
    ]
    assert await hours("-05:00") == [
        ("2026-10-24T19:00:00-05:00", 1, 1),
        ("2026-10-24T20:00:00-05:00", 2, 2),
        ("2026-10-24T21:00:00-05:00", 1, 1),
    ]
    assert [hour for hour, *_ in await hours("Asia/Kathmandu")] == [
        "2026-10-25T06:00:00+05:45",
        "2026-10-25T07:00:00+05:45",
    ]


async def test_totals_of_nothing_have_no_shares(pool):
    campaign = await scene.campaign(pool)
    found = await figures(pool, campaign)
    assert (found.calls, found.attempts, found.talk_seconds) == (0, 0, 0)
    assert found.answer_rate is found.attempts_per_answer is found.abandoned_rate is None
    assert (found.by_hour, found.by_trunk, found.outcomes) == ([], [], [])


async def test_totals_are_of_ones_own_campaigns_only_and_not_of_deleted_ones(pool):
    campaign = await scene.campaign(pool, 1)
    with pytest.raises(NotFound):
        await totals.of_campaign(pool, 2, campaign.id)
    await scene.act(pool, campaign, CampaignAction.DELETE)
    with pytest.raises(NotFound):
        await totals.of_campaign(pool, DEFAULT_ACCOUNT, campaign.id)

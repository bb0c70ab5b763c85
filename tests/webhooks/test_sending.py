"""Events reach their receivers: signed, once they are taken, in order, whatever fails."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json

import pytest
from standardwebhooks.webhooks import Webhook
from tests.db import scene
from tests.webhooks.receiver import receiving
from tests.webhooks.scene import BOX, DAY, NUMBER, called, statuses, taken_turns, webhook

from dialer.campaign.moves import CampaignAction
from dialer.store import (
    campaigns,
    erasure,
    webhook_deliveries,
    webhook_endpoints,
    webhook_queue,
    webhook_secrets,
    webhook_upkeep,
)
from dialer.store.records import DEFAULT_ACCOUNT


async def test_a_call_is_told_from_its_start_to_its_end_with_all_that_is_on_record(
    pool, node, receiver
):
    await webhook(pool, receiver.url, kinds=("call.*",))
    campaign, [leg] = await called(pool, scene.ANSWERED)
    heard = {"begin": 0.4, "heard": [{"kind": "ringback", "begin": 0.4, "end": 9.5}]}
    await pool.execute("UPDATE legs SET early_media = $1", heard)
    await node.until_idle()
    assert receiver.kinds == ["call.in_progress", "call.answered"]
    begun, ended = (one.json for one in receiver.got)
    assert begun["data"]["attempt"] == {"id": str(leg.attempt_id), "ordinal": 1}
    assert ended["version"] == 1
    assert ended["id"] == receiver.ids[1]
    assert dt.datetime.fromisoformat(ended["timestamp"]).tzinfo is not None
    data = ended["data"]
    assert data["campaign"] == {"id": campaign.id, "name": "Spring"}
    told = {name: data["call"][name] for name in ("number", "status", "previous_status", "outcome")}
    assert told == {
        "number": f"{NUMBER}0",
        "status": "answered",
        "previous_status": "in_progress",
        "outcome": "answered",
    }
    assert data["call"]["payload"] == {"name": "Ada"}
    assert data["attempt"]["evidence"]["code"] == 486
    assert data["attempt"]["evidence"]["talk_seconds"] == 1.5
    assert data["attempt"]["evidence"]["early_media"] == heard
    assert receiver.got[0].headers["content-type"] == "application/json"
    assert await statuses(pool) == ["delivered", "delivered"]
    assert node.count("delivered") == 2


async def test_an_independent_library_verifies_the_signature_and_refuses_what_was_changed(
    pool, make_node, receiver
):
    secret, _ = await webhook(pool, receiver.url)
    await scene.campaign(pool)
    await make_node().until_idle()
    assert len(receiver.got) == 2
    for one in receiver.got:
        assert Webhook(secret).verify(one.body.decode(), one.headers) == one.json
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(secret).verify(one.body.decode() + " ", one.headers)


async def test_both_secrets_sign_while_they_overlap_and_one_after_it(pool, node, clock, receiver):
    old, made = await webhook(pool, receiver.url)
    new = await webhook_secrets.replace(pool, BOX, DEFAULT_ACCOUNT, made.id, DAY, clock.now())
    await scene.campaign(pool)
    await node.until_idle()
    for secret in (old, new):
        Webhook(secret).verify(receiver.got[0].body.decode(), receiver.got[0].headers)
    clock.advance(25 * 3600)
    await webhook_deliveries.send_test(pool, DEFAULT_ACCOUNT, made.id, clock.now())
    await node.until_idle()
    assert receiver.got[-1].headers["webhook-signature"].count("v1,") == 1


async def test_a_campaigns_own_address_gets_its_events_alone_signed_with_the_accounts_secret(
    pool, node, clock, receiver
):
    async with receiving() as other:
        mine = await scene.campaign(pool, webhook_url=receiver.url)
        await scene.campaign(pool, webhook_url=other.url)
        await scene.campaign(pool)
        await node.until_idle()
        assert {one.json["data"]["campaign"]["id"] for one in receiver.got} == {mine.id}
        assert receiver.kinds == ["campaign.draft", "campaign.in_progress"]
        assert receiver.got[1].json["data"]["campaign"]["status"] == "in_progress"
        assert len(other.got) == 2
    # a secret was made by itself; who wants to verify replaces it, and is shown the new one
    secret = await webhook_secrets.replace(pool, BOX, DEFAULT_ACCOUNT, None, DAY, clock.now())
    await scene.act(pool, mine, CampaignAction.PAUSE)
    await node.until_idle()
    last = receiver.got[-1]
    assert last.json["type"] == "campaign.paused"
    assert last.headers["webhook-signature"].count("v1,") == 2
    Webhook(secret).verify(last.body.decode(), last.headers)


async def test_what_waits_of_a_campaign_goes_to_its_new_address_and_nowhere_without_one(
    pool, node, clock, receiver
):
    async with receiving(otherwise=500) as wrong:
        campaign = await scene.campaign(pool, webhook_url=wrong.url)
        await node.until_idle()
        assert len(wrong.got) == 1
        settings = dataclasses.replace(campaign.settings, webhook_url=receiver.url)
        changed = await campaigns.change(pool, DEFAULT_ACCOUNT, campaign.id, settings)
        clock.advance(3600)
        await node.until_idle()
        assert receiver.kinds == ["campaign.draft", "campaign.in_progress"]
        receiver.otherwise = 500
        await scene.act(pool, changed, CampaignAction.PAUSE)
        await node.until_idle()
        none = dataclasses.replace(settings, webhook_url=None)
        await campaigns.change(pool, DEFAULT_ACCOUNT, campaign.id, none)
        assert await statuses(pool) == ["delivered", "delivered", "dead"]
        clock.advance(3600)
        await node.until_idle()
    assert (len(wrong.got), len(receiver.got)) == (1, 3)


MANY = """
INSERT INTO webhook_deliveries (account_id, endpoint_id, event_xid, event_id, campaign_id, kind,
    chain, next_at, expires_at)
SELECT 1, e.id, v.xid, v.id, v.campaign_id, v.kind, 'campaign:' || place, $2::timestamptz,
    $2 + interval '1 day'
FROM webhook_endpoints AS e, events AS v, generate_series(1, 20001) AS place
WHERE v.kind = 'campaign.draft' AND e.url = $1
"""


async def test_so_much_that_it_cannot_be_moved_goes_to_the_new_address_all_the_same(
    pool, make_node, clock, receiver
):
    node = make_node(concurrency=5, per_receiver=5)
    old = "http://127.0.0.1:1/"
    campaign = await scene.campaign(pool, webhook_url=old)
    while await node.unread():
        await webhook_queue.fan_out(pool, DAY, clock.now())
    await pool.execute("DELETE FROM webhook_deliveries")
    await pool.execute(MANY, old, clock.now())
    settings = dataclasses.replace(campaign.settings, webhook_url=receiver.url)
    await campaigns.change(pool, DEFAULT_ACCOUNT, campaign.id, settings)
    await node.turn()
    await receiver.has(5)
    none = dataclasses.replace(settings, webhook_url=None)
    await campaigns.change(pool, DEFAULT_ACCOUNT, campaign.id, none)
    await node.sender.settled()
    await node.turn()
    await node.sender.settled()
    await node.turn()
    assert len(receiver.got) == 5
    problem = "SELECT count(*) FROM webhook_deliveries WHERE status = 'dead' AND problem = $1"
    assert await pool.fetchval(problem, "the campaign has no webhook_url any more") >= 5


async def test_what_waits_in_order_for_a_receiver_that_is_disabled_dies_and_comes_in_order_again(
    pool, node, clock, receiver, monkeypatch
):
    monkeypatch.setattr(webhook_upkeep, "BATCH", 3)
    _, made = await webhook(pool, receiver.url)
    receiver.otherwise = 500
    await called(pool, scene.busy(scene.soon(0)), scene.ANSWERED, count=3)
    await node.until_idle()
    await webhook_endpoints.change(pool, DEFAULT_ACCOUNT, made.id, {"enabled": False})
    await webhook_upkeep.close(pool, DAY, clock.now())
    receiver.otherwise = 200
    receiver.got.clear()
    # enabled in the middle: what is not dead yet comes, what is dead is sent again
    await webhook_endpoints.change(pool, DEFAULT_ACCOUNT, made.id, {"enabled": True})
    await webhook_deliveries.resend_dead(pool, DEFAULT_ACCOUNT, made.id, DAY, clock.now())
    await node.play(hours=0.5)
    assert set(await statuses(pool)) == {"delivered"}
    await webhook_endpoints.change(pool, DEFAULT_ACCOUNT, made.id, {"enabled": False})
    campaign = await scene.campaign(pool)
    await node.play(hours=0.1)
    assert not any(one.json["data"]["campaign"]["id"] == campaign.id for one in receiver.got)


async def test_events_of_a_call_come_in_their_order_though_the_first_fails(pool, node, receiver):
    await webhook(pool, receiver.url, kinds=("call.*",))
    receiver.answers = [500, 503, 500]
    await called(pool, scene.busy(scene.soon(0)), scene.ANSWERED)
    await node.until_idle()
    assert receiver.kinds == ["call.in_progress"]
    await node.play(hours=1)
    assert receiver.kinds == [
        *["call.in_progress"] * 4,
        "call.retry_scheduled",
        "call.in_progress",
        "call.answered",
    ]
    assert len(set(receiver.ids[:4])) == 1  # the same id in each try
    assert len({one.body for one in receiver.got[:4]}) == 1
    assert len(set(receiver.ids)) == 4


async def test_another_call_does_not_wait_for_one_that_is_not_taken(pool, node, receiver):
    await webhook(pool, receiver.url, kinds=("call.*",))
    receiver.answers = [500]
    await called(pool, scene.ANSWERED, count=2)
    await node.until_idle()
    # the second call's are both there, the first call's second waits for its first
    assert sorted(receiver.kinds) == ["call.answered", "call.in_progress", "call.in_progress"]


async def test_a_receiver_that_is_down_for_an_hour_gets_every_event_afterwards(
    pool, node, receiver
):
    await webhook(pool, receiver.url, kinds=("call.*",))
    receiver.otherwise = 502
    await called(pool, scene.ANSWERED, count=30)
    await node.play(hours=1)
    down = len(receiver.got)
    assert down < 60  # it was not hammered: each try was of one delivery
    assert node.value("dialer_webhook_circuits_open") == 1
    assert node.value("dialer_webhooks_pending") == 60
    assert node.value("dialer_webhooks_oldest_pending_seconds") > 3500
    receiver.otherwise = 200
    await node.play(hours=1.1)
    assert await statuses(pool) == ["delivered"] * 60
    assert len(receiver.got) == down + 60
    assert len(set(receiver.ids[down:])) == 60
    for one in ("pending", "oldest_pending_seconds"):
        assert node.value(f"dialer_webhooks_{one}") == 0


async def test_after_a_day_it_is_given_up_and_can_be_sent_again(pool, node, clock, receiver):
    _, made = await webhook(pool, receiver.url, kinds=("call.*",))
    receiver.otherwise = 500
    await called(pool, scene.ANSWERED)
    await node.play(hours=50, minutes=10)
    assert await statuses(pool) == ["dead", "dead"]
    [last, first] = await webhook_deliveries.list_page(pool, DEFAULT_ACCOUNT, made.id)
    assert (first.problem, first.answer_status, first.answer) == ("it answered 500", 500, "thanks")
    assert (first.attempts > 20, last.next_at) == (True, None)
    receiver.otherwise = 200
    receiver.got.clear()
    assert (
        await webhook_deliveries.resend_dead(pool, DEFAULT_ACCOUNT, made.id, DAY, clock.now()) == 2
    )
    await node.play(hours=0.2)
    assert receiver.kinds == ["call.in_progress", "call.answered"]
    await webhook_deliveries.resend(pool, DEFAULT_ACCOUNT, first.id, DAY, clock.now())
    await node.until_idle()
    assert receiver.ids[2] == receiver.ids[0]
    assert await statuses(pool) == ["delivered", "delivered"]


async def test_what_was_never_tried_because_nothing_was_taken_is_given_up_in_time_too(
    pool, node, receiver
):
    await webhook(pool, receiver.url, kinds=("call.in_progress",))
    receiver.otherwise = 500
    await called(pool, scene.ANSWERED, count=100)
    await node.play(hours=26, minutes=30)
    assert await statuses(pool) == ["dead"] * 100
    assert len(receiver.got) < 100
    assert node.count("expired") > 20


async def test_a_receiver_that_asks_for_time_gets_it(pool, node, clock, receiver):
    await webhook(pool, receiver.url)
    receiver.answers = [(429, {"Retry-After": "600"}, "slowly")]
    await scene.campaign(pool)
    await node.until_idle()
    for _ in range(9):
        clock.advance(60)
        await node.until_idle()
    assert len(receiver.got) == 1
    clock.advance(61)
    await node.until_idle()
    assert receiver.kinds == ["campaign.draft", "campaign.draft", "campaign.in_progress"]


async def test_a_receiver_that_says_gone_is_disabled_and_it_is_shown_why(
    pool, node, clock, receiver
):
    _, made = await webhook(pool, receiver.url)
    receiver.answers = [410]
    campaign = await scene.campaign(pool)
    await node.until_idle()
    found = await webhook_endpoints.get(pool, DEFAULT_ACCOUNT, made.id)
    assert (found.enabled, found.disabled_reason) == (False, "it answered 410, Gone")
    await scene.act(pool, campaign, CampaignAction.PAUSE)
    await node.play(hours=1)
    assert len(receiver.got) == 1
    assert await statuses(pool) == ["dead", "dead"]
    await webhook_endpoints.change(pool, DEFAULT_ACCOUNT, made.id, {"enabled": True})
    await webhook_deliveries.resend_dead(pool, DEFAULT_ACCOUNT, made.id, DAY, clock.now())
    await node.until_idle()
    assert receiver.kinds[1:] == ["campaign.draft", "campaign.in_progress"]


async def test_a_slow_receiver_delays_no_other_and_is_given_up_by_the_clock(
    pool, make_node, clock, receiver
):
    node = make_node(timeout=10.0, concurrency=10, per_receiver=4)
    async with receiving(held=True) as slow:
        await webhook(pool, slow.url, kinds=("call.*",))
        await webhook(pool, receiver.url, kinds=("call.*",))
        await called(pool, scene.ANSWERED, count=20)
        turns = asyncio.create_task(taken_turns(node))
        await receiver.has(40)
        await slow.has(4)
        assert slow.most_at_once == 4
        turns.cancel()
        await asyncio.gather(turns, return_exceptions=True)
        clock.advance(10)
        slow.held = False
        await node.sender.settled()
        await node.turn()
        problems = await pool.fetch(
            "SELECT DISTINCT problem FROM webhook_deliveries WHERE attempts > 0 AND problem <> ''"
        )
        assert [row["problem"] for row in problems] == ["no answer within 10 s"]


async def test_an_event_of_the_time_before_a_receiver_was_there_is_not_for_it(pool, node, receiver):
    await scene.campaign(pool)
    await webhook(pool, receiver.url)
    await node.until_idle()
    assert receiver.got == []


async def test_what_was_erased_of_a_person_is_never_sent_later(pool, node, receiver):
    await webhook(pool, receiver.url, kinds=("call.*",))
    receiver.answers = [(500, {}, f"no room for {NUMBER}0")] * 2
    await called(pool, scene.busy(scene.soon()))
    await node.until_idle()
    answers = "SELECT answer FROM webhook_deliveries WHERE answer <> ''"
    assert NUMBER in await pool.fetchval(answers)
    erased = await erasure.erase(pool, DEFAULT_ACCOUNT, f"{NUMBER}0")
    assert erased.calls == 1
    assert await pool.fetchval(answers) is None
    receiver.got.clear()
    await node.play(hours=1)
    assert receiver.kinds[-3:] == ["call.in_progress", "call.retry_scheduled", "call.not_dialed"]
    assert await statuses(pool) == ["delivered"] * 3
    sent = b"".join(one.body for one in receiver.got).decode()
    assert NUMBER not in sent
    assert "Ada" not in sent
    assert json.loads(receiver.got[-1].body)["data"]["call"]["erased"] is True
    assert receiver.got[-1].json["data"]["call"]["number"] is None

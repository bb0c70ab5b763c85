"""Answered calls that are transferred: by a bot or a menu, by REFER or by a second call."""

from __future__ import annotations

import signal

import pytest
from tests.engine.scene import eventually
from tests.engine.test_bots import ACCESS, led_by, the_attempt
from tests.wire.bots import Bot

from dialer.campaign.moves import CampaignAction
from dialer.store.records import NewCall

ANSWERS = "+15552000000"  # and never hangs up


@pytest.fixture
async def bots():
    """`await bots(behave)` starts a bot."""
    started = []

    async def start(*args, **options):
        started.append(await Bot(*args, **options).start())
        return started[-1]

    yield start
    for bot in started:
        await bot.stop()


def asks_for(*names):
    """A bot that asks for transfers, one after the other, and hangs up when all have failed."""
    left = list(names)

    async def behave(bot, message):
        if message["event"] == "start":
            await bot.send("transfer", transfer={"to": left.pop(0)})
        elif message["event"] in {"transfer", "error"}:
            if message.get("transfer", {}).get("status", "failed") != "failed":
                return
            if left:
                await bot.send("transfer", transfer={"to": left.pop(0)})
            else:
                await bot.send("hangup")

    return behave


def to(number, by="bridge", **more):
    return (
        {"number": number, "by": by, "trunk": None, "ring_seconds": 5, "waiting": "ringback"}
        | {"on_failure": "continue"}
        | more
    )


async def open_legs(scene):
    return await scene.pool.fetchval("SELECT count(*) FROM transfer_legs WHERE ended_at IS NULL")


async def nobody_is_up(scene):
    await scene.ledger.until(lambda ledger: not ledger.live_dialogs())
    assert await open_legs(scene) == 0


async def test_a_bridge_ends_when_the_target_hangs_up(scene, bots):
    bot = await bots(asks_for("sales"))
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to("+15552001200")})
    campaign = await scene.campaign([ANSWERS], on_answer=on_answer)
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.outcome, attempt.detail) == ("answered", "answered", "")
    (record,) = attempt.conversation["transfers"]
    assert (record["name"], record["by"], record["status"]) == ("sales", "bridge", "bridged")
    assert record["hung_up_by"] == "target"
    assert record["bridged_seconds"] >= 0.15
    assert attempt.conversation["ended_by"] == "transfer"
    (leg,) = attempt.transfer_legs
    assert (leg.number, leg.outcome, leg.evidence["hung_up_by"]) == (
        "+15552001200",
        "answered",
        "them",
    )
    assert record["sip_call_id"] == leg.sip_call_id
    assert attempt.legs[0].evidence.hung_up_by == "us"
    assert [one["transfer"]["status"] for one in bot.of("transfer")] == ["ringing", "answered"]
    assert bot.of("stop")
    await nobody_is_up(scene)


async def test_a_bridge_ends_when_the_person_hangs_up(scene, bots):
    bot = await bots(asks_for("sales"))
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(ANSWERS)})
    campaign = await scene.campaign(["+15552000500"], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record["hung_up_by"]) == ("bridged", "caller")
    assert attempt.transfer_legs[0].evidence["hung_up_by"] == "us"
    await nobody_is_up(scene)


@pytest.mark.parametrize(
    ("number", "reason", "code"),
    [
        ("+15554860000", "busy", 486),
        ("+15556030000", "declined", 603),
        ("+15551800000", "no_answer", 487),
        ("+15555030000", "unavailable", 503),
    ],
)
async def test_a_bridge_that_fails_returns_to_the_bot(scene, bots, number, reason, code):
    bot = await bots(asks_for("sales"))
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(number, ring_seconds=0.5)})
    campaign = await scene.campaign([ANSWERS], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record["reason"], record["code"]) == ("failed", reason, code)
    told = bot.of("transfer")[-1]["transfer"]
    assert (told["status"], told["reason"], told["code"]) == ("failed", reason, code)
    assert attempt.conversation["ended_by"] == "bot"
    assert attempt.outcome == "answered"
    assert len(attempt.transfer_legs) == 1
    await nobody_is_up(scene)


@pytest.mark.parametrize(
    ("number", "status", "reason", "code"),
    [
        ("+15552001000", "completed", "", 200),
        ("+15554861000", "failed", "busy", 486),
        ("+15556030000", "failed", "refused", 603),
        ("+15550000000", "failed", "timeout", None),
    ],
)
async def test_a_transfer_by_refer(scene, bots, number, status, reason, code):
    bot = await bots(asks_for("sales"))
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(number, "refer", ring_seconds=0.5)})
    campaign = await scene.campaign([ANSWERS], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record["reason"], record["code"]) == (status, reason, code)
    assert bot.of("transfer")[-1]["transfer"]["status"] == status
    assert attempt.outcome == "answered"
    assert attempt.transfer_legs == ()
    await nobody_is_up(scene)


async def test_what_the_campaign_does_not_name_is_an_error_to_the_bot(scene, bots):
    bot = await bots(asks_for("boss"))
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(ANSWERS)})
    campaign = await scene.campaign([ANSWERS], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (error,) = bot.of("error")
    assert error["error"]["message"] == "the campaign has no transfer 'boss'; it has sales"
    assert "transfers" not in attempt.conversation


async def test_a_full_trunk_takes_no_second_leg(scene, bots):
    bot = await bots(asks_for("sales"))
    await scene.node("one", scene.trunk(max_calls=1), bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(ANSWERS)})
    campaign = await scene.campaign([ANSWERS], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record["reason"]) == ("failed", "no_room")
    assert attempt.transfer_legs == ()


async def test_a_second_leg_takes_a_place_of_its_trunk_until_its_end(scene, bots):
    bot = await bots(asks_for("sales"))
    await scene.node("one", scene.trunk(max_calls=2), bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to("+15552000900")})
    led = await scene.campaign([ANSWERS], on_answer=on_answer)
    await eventually(lambda: bot.of("transfer"))
    other = await scene.campaign(["+15552000100"])
    await scene.tried(led)
    await scene.tried(other)
    first = await scene.pool.fetchrow("SELECT ended_at FROM transfer_legs")
    second = await scene.pool.fetchval("SELECT sent_at FROM legs WHERE number = $1", "+15552000100")
    assert second >= first["ended_at"]
    await nobody_is_up(scene)


async def test_a_target_on_a_do_not_call_list_is_not_called(scene, bots):
    await scene.pool.execute(
        "INSERT INTO do_not_call (account_id, pattern, reason, source)"
        " VALUES (NULL, '+15552001200', 'no', 'api')"
    )
    bot = await bots(asks_for("sales", "referred"))
    await scene.node(bots=ACCESS)
    targets = {"sales": to("+15552001200"), "referred": to("+15552001200", "refer")}
    campaign = await scene.campaign([ANSWERS], on_answer=led_by(bot.url, transfers=targets))
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    reasons = [one["reason"] for one in attempt.conversation["transfers"]]
    assert reasons == ["do_not_call", "do_not_call"]
    assert "+15552001200" not in scene.ledger.calls_per_number()


OF_THE_LIST = to(None, number_from="agent")


@pytest.mark.parametrize("by", ["bridge", "refer"])
async def test_a_column_of_the_list_gives_the_number_of_a_target(scene, by):
    await scene.node()
    wanted = {"kind": "transfer", "target": OF_THE_LIST | {"by": by}}
    listed = [NewCall(ANSWERS, payload={"agent": " +1 (555) 200-1200 "})]
    campaign = await scene.campaign(listed, on_answer=wanted)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    status = {"bridge": "bridged", "refer": "completed"}[by]
    assert (record["number"], record["status"]) == ("+15552001200", status)
    assert [leg.number for leg in attempt.transfer_legs] == ["+15552001200"] * (by == "bridge")
    await nobody_is_up(scene)


@pytest.mark.parametrize(
    ("payload", "reason", "said"),
    [
        ({}, "no_number", "column 'agent': is empty or not there"),
        ({"agent": " "}, "no_number", "column 'agent': is empty or not there"),
        ({"agent": "+1911"}, "invalid_number", "emergency or short number"),
        ({"agent": "112"}, "invalid_number", "emergency or short number"),
        ({"agent": "+1555"}, "invalid_number", "column 'agent': too short"),
        ({"agent": "sip:me@example.com"}, "invalid_number", "is not a telephone number"),
        ({"agent": "+15552001200;phone-context=x"}, "invalid_number", "is not a telephone number"),
    ],
)
@pytest.mark.parametrize("by", ["bridge", "refer"])
async def test_what_is_no_number_in_the_column_is_not_called(scene, payload, reason, said, by):
    await scene.node()
    wanted = {"kind": "transfer", "target": OF_THE_LIST | {"by": by}}
    campaign = await scene.campaign([NewCall(ANSWERS, payload=payload)], on_answer=wanted)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record["reason"], record["number"]) == ("failed", reason, None)
    assert said in record["detail"]
    assert attempt.transfer_legs == ()
    assert scene.ledger.calls_per_number() == {ANSWERS: 1}


async def test_a_number_of_the_column_that_is_on_a_do_not_call_list_is_not_called(scene):
    await scene.pool.execute(
        "INSERT INTO do_not_call (account_id, pattern, reason, source)"
        " VALUES (NULL, '+15552001200', 'no', 'api')"
    )
    await scene.node()
    wanted = {"kind": "transfer", "target": OF_THE_LIST}
    listed = [NewCall(ANSWERS, payload={"agent": "15552001200"})]
    campaign = await scene.campaign(listed, on_answer=wanted)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.conversation["transfers"][0]["reason"] == "do_not_call"
    assert scene.ledger.calls_per_number() == {ANSWERS: 1}


@pytest.mark.parametrize(
    ("file", "failed"),
    [("hello.wav", None), ("gone.wav", "no prompt 'gone.wav' in no-prompts-here")],
)
async def test_a_prompt_is_played_while_the_target_rings(scene, file, failed):
    await scene.node()
    target = to("+15552001200", waiting={"file": file})
    wanted = {"kind": "transfer", "target": target}
    campaign = await scene.campaign([ANSWERS], on_answer=wanted)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record.get("waiting_failed")) == ("bridged", failed)
    await nobody_is_up(scene)


async def test_finish_with_hang_up_ends_both_calls(scene, bots):
    bot = await bots(asks_for("sales"))
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(ANSWERS)})
    campaign = await scene.campaign(["+15552000001"], on_answer=on_answer)
    await eventually(lambda: bot.of("stop"))
    assert await open_legs(scene) == 1
    await scene.act(campaign, CampaignAction.FINISH, hang_up=True)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.conversation["transfers"][0]["hung_up_by"] == "dialer"
    await nobody_is_up(scene)


async def test_the_end_of_a_node_ends_both_calls(scene, bots):
    bot = await bots(asks_for("sales"))
    node = await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(ANSWERS)})
    await scene.campaign(["+15552000001"], on_answer=on_answer)
    await eventually(lambda: bot.of("stop"))
    await node.stop()
    await nobody_is_up(scene)


async def test_max_talk_ends_both_calls(scene, bots):
    bot = await bots(asks_for("sales"))
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to(ANSWERS)})
    campaign = await scene.campaign(["+15552000001"], on_answer=on_answer, max_talk_seconds=1)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.conversation["transfers"][0]["status"] == "bridged"
    await nobody_is_up(scene)


def menu(**transfers):
    """A menu whose key 1 transfers to the one target, and asks again where that fails."""
    (name,) = transfers
    return {
        "kind": "gather",
        "name": "main",
        "prompt": {"file": "hello.wav"},
        "retries": 0,
        "transfers": transfers,
        "branches": {"1": {"transfer": name}},
    }


async def test_a_key_of_a_menu_transfers_the_call(scene):
    await scene.node()
    on_answer = menu(sales=to("+15552001200"))
    campaign = await scene.campaign(["+15557501111"], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.report_data == {"main": "1"}
    assert attempt.conversation["ended_by"] == "transfer"
    assert attempt.conversation["transfers"][0]["status"] == "bridged"
    await nobody_is_up(scene)


async def test_a_menu_goes_on_where_its_transfer_fails(scene):
    await scene.node()
    on_answer = menu(sales=to("+15554860000"))
    campaign = await scene.campaign(["+15557501111"], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.conversation["ended_by"] == "menu"
    assert attempt.conversation["transfers"][0]["reason"] == "busy"
    assert attempt.outcome == "answered"
    await nobody_is_up(scene)


async def test_both_calls_of_a_bridge_are_ended_when_their_node_is_killed(scene, processes):
    first, second = await processes("first", "second", lease=2.0)
    campaign = await scene.campaign(
        ["+15557501111"], on_answer=menu(sales=to(ANSWERS)), max_talk_seconds=600
    )

    async def joined():
        return await scene.pool.fetchval(
            "SELECT a.node FROM transfer_legs AS l JOIN attempts AS a ON a.id = l.attempt_id"
            " WHERE l.dialog IS NOT NULL"
        )

    node = await eventually(joined)
    killed = first if node == "first" else second
    assert len(scene.ledger.live_dialogs()) == 2
    killed.signal(signal.SIGKILL)
    await killed.gone()
    await eventually(lambda: not scene.ledger.live_dialogs())
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert (attempt.outcome, attempt.legs[0].evidence.local_cause) == ("interrupted", "node_lost")
    assert attempt.transfer_legs[0].ended_at is not None
    await nobody_is_up(scene)


async def test_the_record_is_whole_where_the_person_hangs_up_in_a_menus_bridge(scene):
    await scene.node()
    target = to(ANSWERS)
    campaign = await scene.campaign(["+15557501111"], on_answer=menu(sales=target))

    async def joined():
        return await scene.pool.fetchval(
            "SELECT count(*) FROM transfer_legs WHERE dialog IS NOT NULL"
        )

    await eventually(joined)
    call = next(one for one in scene.carrier.calls.values() if one.behaviour.keys)
    call._hang_up()
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record["hung_up_by"]) == ("bridged", "caller")
    assert record["bridged_seconds"] >= 0
    assert attempt.transfer_legs[0].evidence["hung_up_by"] == "us"
    await nobody_is_up(scene)


@pytest.mark.parametrize(
    ("number", "status", "hung_up_by"),
    [("+15552001200", "bridged", "target"), ("+15554860000", "failed", None)],
)
async def test_every_answered_call_of_a_campaign_is_transferred(scene, number, status, hung_up_by):
    await scene.node()
    wanted = {"kind": "transfer", "prompt": {"file": "hello.wav"}, "target": to(number)}
    campaign = await scene.campaign([ANSWERS], on_answer=wanted)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    (record,) = attempt.conversation["transfers"]
    assert (record["status"], record.get("hung_up_by")) == (status, hung_up_by)
    assert attempt.legs[0].evidence.rtp_packets_sent > 50  # of the prompt
    assert attempt.outcome == "answered"
    await nobody_is_up(scene)


async def test_a_bot_that_leaves_while_the_target_rings_lets_the_transfer_go_on(scene, bots):
    async def leave(bot, message):
        if message["event"] == "start":
            await bot.send("transfer", transfer={"to": "sales"})
        elif message["event"] == "transfer":
            await bot.socket.close()

    bot = await bots(leave)
    await scene.node(bots=ACCESS)
    on_answer = led_by(bot.url, transfers={"sales": to("+15552003200")})
    campaign = await scene.campaign([ANSWERS], on_answer=on_answer)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.conversation["transfers"][0]["status"] == "bridged"
    assert attempt.outcome == "answered"
    await nobody_is_up(scene)


async def test_a_failed_transfer_hangs_up_where_the_campaign_wants_that(scene, bots):
    async def wait(bot, message):
        if message["event"] == "start":
            await bot.send("transfer", transfer={"to": "sales"})

    bot = await bots(wait)
    await scene.node(bots=ACCESS)
    target = to("+15554860000", on_failure="hang_up")
    campaign = await scene.campaign(
        [ANSWERS], on_answer=led_by(bot.url, transfers={"sales": target})
    )
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.conversation["transfers"][0]["reason"] == "busy"
    assert attempt.legs[0].evidence.hung_up_by == "us"
    await nobody_is_up(scene)

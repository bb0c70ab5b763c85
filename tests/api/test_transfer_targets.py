"""Targets of transfers as a campaign names them."""

from __future__ import annotations

import re

import pytest

BOT = {"kind": "bot", "url": "wss://bots.example.com/"}
MENU = {"kind": "gather", "name": "m", "prompt": {"file": "hello.wav"}}


def with_target(**target):
    return BOT | {"transfers": {"sales": {"number": "+4930123456"} | target}}


async def test_targets_are_kept_with_their_defaults(pool, serve):
    async with serve(pool) as api:
        path = await api.campaign(on_answer=with_target())
        kept = (await api("GET", path))["on_answer"]
        assert kept["transfers"] == {
            "sales": {
                "number": "+4930123456",
                "by": "bridge",
                "trunk": None,
                "ring_seconds": 30,
                "waiting": "ringback",
                "on_failure": "continue",
            }
        }
        assert (await api("PATCH", path, json={"on_answer": kept}))["on_answer"] == kept


@pytest.mark.parametrize(
    ("target", "key", "said"),
    [
        ({"number": "112"}, "/number", "emergency or short number"),
        ({"number": "+49"}, "/number", "too short"),
        ({"trunk": "nobodys"}, "/trunk", "there is no trunk 'nobodys'"),
        ({"number": "sip:a@b"}, "/number", "should match pattern"),
        ({"by": "pigeon"}, "/by", ""),
        ({"ring_seconds": 4}, "/ring_seconds", ""),
        ({"by": "refer", "trunk": "carrier"}, "", "leave trunk out"),
        ({"number_from": "agent"}, "", "give one of number and number_from"),
        ({"number": None}, "", "give one of number and number_from"),
        ({"number": None, "number_from": ""}, "/number_from", "at least 1"),
        ({"waiting": "music"}, "/waiting", "'ringback' or 'silence'"),
        ({"waiting": {"file": "gone.wav"}}, "/waiting/file", "there is no prompt 'gone.wav'"),
        ({"waiting": {"say": "Wait {name}"}}, "/waiting/say", "does not say what is spoken"),
        ({"waiting": {}}, "/waiting", "give one of file and say"),
    ],
)
async def test_a_target_that_cannot_be_is_refused(pool, serve, tmp_path, target, key, said):
    async with serve(pool, prompts=(tmp_path,)) as api:
        path = await api.campaign()
        body = {"on_answer": with_target(**target)}
        problem = await api("PATCH", path, 422, json=body)
    (error,) = problem["errors"]
    assert error["pointer"].endswith(f"/transfers/sales{key}")
    assert said in error["detail"]


async def test_every_call_can_be_transferred_and_its_target_is_checked_too(pool, serve):
    target = {"number": "+4930123456"}
    wanted = {"kind": "transfer", "prompt": {"file": "hello.wav"}, "target": target}
    async with serve(pool) as api:
        path = await api.campaign(on_answer=wanted)
        kept = (await api("GET", path))["on_answer"]
        assert (await api("PATCH", path, json={"on_answer": kept}))["on_answer"] == kept
        bad = wanted | {"target": target | {"trunk": "nobodys"}}
        problem = await api("PATCH", path, 422, json={"on_answer": bad})
    assert problem["errors"][0]["pointer"] == "/on_answer/target/trunk"


async def test_a_column_gives_the_number_and_a_prompt_is_heard_meanwhile(pool, serve):
    waiting = {"say": "One moment, {name|please}.", "voice": "en-gb"}
    target = {"number_from": "agent", "waiting": waiting}
    async with serve(pool) as api:
        for wanted in (
            {"kind": "transfer", "target": target},
            BOT | {"transfers": {"sales": target}},
        ):
            path = await api.campaign(on_answer=wanted)
            kept = (await api("GET", path))["on_answer"]
            (found,) = kept.get("transfers", {"": kept.get("target")}).values()
            assert "number" not in found
            assert (found["number_from"], found["waiting"]) == ("agent", waiting)
            assert (await api("PATCH", path, json={"on_answer": kept}))["on_answer"] == kept


async def test_a_fault_of_a_target_points_at_it_whatever_its_name(pool, serve, tmp_path):
    targets = {"a/b~c": {"number": "+4930123456", "waiting": {"file": "gone.wav"}, "trunk": "x"}}
    async with serve(pool, prompts=(tmp_path,)) as api:
        path = await api.campaign()
        problem = await api("PATCH", path, 422, json={"on_answer": BOT | {"transfers": targets}})
    assert {one["pointer"] for one in problem["errors"]} == {
        "/on_answer/transfers/a~1b~0c/waiting/file",
        "/on_answer/transfers/a~1b~0c/trunk",
    }


async def test_nothing_is_said_meanwhile_where_nothing_can_speak(pool, serve):
    async with serve(pool, speaks=False) as api:
        path = await api.campaign()
        body = {"on_answer": with_target(waiting={"say": "One moment."})}
        problem = await api("PATCH", path, 422, json=body)
    assert problem["errors"][0]["pointer"] == "/on_answer/transfers/sales/waiting/say"


async def test_an_extension_of_the_pbx_is_a_target_where_the_configuration_says_so(pool, serve):
    internal = re.compile("[1-9][0-9]{2}")
    async with serve(pool, internal_numbers=internal) as api:
        path = await api.campaign(on_answer=with_target(number="200"))
        kept = (await api("GET", path))["on_answer"]
    assert kept["transfers"]["sales"]["number"] == "200"


async def test_a_branch_transfers_to_what_the_menu_names_alone(pool, serve):
    branches = {"1": {"transfer": "sales"}}
    target = {"sales": {"number": "+4930123456"}}
    async with serve(pool) as api:
        path = await api.campaign(on_answer=MENU | {"branches": branches, "transfers": target})
        body = {"on_answer": MENU | {"branches": branches}}
        problem = await api("PATCH", path, 422, json=body)
    said = "/branches/1 transfers to 'sales', which transfers does not name"
    assert said in problem["errors"][0]["detail"]

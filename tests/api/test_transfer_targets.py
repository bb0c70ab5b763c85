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
    ],
)
async def test_a_target_that_cannot_be_is_refused(pool, serve, target, key, said):
    async with serve(pool) as api:
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

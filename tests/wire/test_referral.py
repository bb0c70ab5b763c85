"""Calls that are transferred by REFER at the simulated carrier."""

from __future__ import annotations

import asyncio

import pytest
from tests.wire.simulation import placed, simulation

from dialer.ua.call import Answered, HungUpBy
from dialer.ua.referral import ReferralEnd, ReferralResult

PATIENCE = 10.0


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("+15552001000", ReferralResult(ReferralEnd.COMPLETED, 200, "OK", (100, 180))),
        ("+15552000000", ReferralResult(ReferralEnd.COMPLETED, 200, "OK", (100,))),
        ("+15554861000", ReferralResult(ReferralEnd.FAILED, 486, "Busy Here", (100, 180))),
        ("+15555030000", ReferralResult(ReferralEnd.FAILED, 503, "Service Unavailable", (100,))),
        ("+15556030000", ReferralResult(ReferralEnd.REFUSED, 603, "Decline")),
    ],
)
async def test_a_referral_ends_as_its_target_does(target, expected):
    async with simulation() as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        heard = []
        result = await call.refer(target, PATIENCE, heard.append).result
        assert result == expected
        assert tuple(heard) == expected.provisionals
        assert not call.result.done()
        call.hang_up()
        assert (await call.result).hung_up_by is HungUpBy.US


@pytest.mark.parametrize(("target", "told"), [("+15550000000", ()), ("+15551800000", (100, 180))])
async def test_no_end_is_told_in_time(target, told):
    async with simulation() as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        result = await call.refer(target, 0.3).result
        assert result == ReferralResult(ReferralEnd.TIMEOUT, provisionals=told)
        again = await call.refer("+15552000000", PATIENCE).result
        assert again.end is ReferralEnd.COMPLETED
        call.hang_up()
        await call.result


async def test_a_hang_up_ends_the_referral():
    async with simulation() as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        progress = asyncio.Event()
        referral = call.refer("+15551800000", PATIENCE, lambda _: progress.set())
        await progress.wait()
        call.hang_up()
        assert (await referral.result).end is ReferralEnd.HUNG_UP
        assert (await call.refer("+15552000000", PATIENCE).result).end is ReferralEnd.HUNG_UP
        await call.result


async def test_who_accepts_and_hangs_up_has_taken_the_call_away():
    async with simulation(second=0.05) as s:
        call, watch = await placed(s, "+15552000900", max_talk=60)  # hangs up after 9 seconds
        await watch.until(Answered)
        result = await call.refer("+15550000000", PATIENCE).result
        assert result.end is ReferralEnd.ACCEPTED
        assert (await call.result).hung_up_by is HungUpBy.THEM


async def test_a_number_that_is_no_user_part_is_refused():
    async with simulation() as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        with pytest.raises(ValueError, match="control"):
            call.refer("1\r\nX: y", PATIENCE)
        call.hang_up()
        await call.result

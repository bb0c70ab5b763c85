"""The demonstration's numbers, forty at a time: our results, the ledger and the table agree."""

import asyncio

from tests.wire.simulation import simulation

from dialer.simulator.behaviours import behaviour_of, demo_numbers, expected

SECOND = 0.5
RINGS = 8  # of these seconds; the longest behaviour that ends by itself takes half of them
RING_TIMEOUT = RINGS * SECOND


async def test_two_hundred_numbers_of_every_behaviour():
    numbers = demo_numbers(200)
    places = asyncio.Semaphore(40)

    async def call(number):
        async with places:
            return await s.agent.call(
                s.request(number, ring_timeout=RING_TIMEOUT, max_talk=2.5 * SECOND)
            )

    async with simulation(second=SECOND, timers={"t1": 0.1, "t2": 0.4, "t4": 0.2}) as s:
        results = await asyncio.gather(*map(call, numbers))
        await s.ledger.until(lambda ledger: not ledger.live_dialogs())
    for number, result in zip(numbers, results, strict=True):
        record, facts = s.record(result), expected(number, RINGS)
        assert record.facts == facts, number
        assert result.code == facts.code, number
        assert (result.answered or result.answered_late) == (
            facts.answered and result.local_cause != "no_media"
        ), number
        if not behaviour_of(number).loss:
            assert result.rang == facts.rang, number
        if not facts.answered:
            assert result.q850_cause == facts.cause, number
    assert s.ledger.calls_per_number() == dict.fromkeys(numbers, 1)

"""The demonstration's numbers, all at once: our results, the ledger and the table agree."""

import asyncio

from tests.wire.simulation import simulation

from dialer.simulator.behaviours import behaviour_of, demo_numbers, expected

SECOND = 0.5
RING_TIMEOUT = 5 * SECOND


async def test_two_hundred_numbers_of_every_behaviour():
    numbers = demo_numbers(200)
    async with simulation(second=SECOND, timers={"t1": 0.1, "t2": 0.4, "t4": 0.2}) as s:
        requests = (
            s.request(number, ring_timeout=RING_TIMEOUT, max_talk=2 * SECOND) for number in numbers
        )
        results = await asyncio.gather(*(s.agent.call(request) for request in requests))
        await s.ledger.until(lambda ledger: not ledger.live_dialogs())
    for number, result in zip(numbers, results, strict=True):
        record, facts = s.record(result), expected(number, 5)
        assert record.facts == facts, number
        assert result.code == facts.code, number
        assert (result.answered or result.answered_late) == (
            facts.answered and result.local_cause != "no_media"
        ), number
        if not behaviour_of(number).loss:
            assert result.rang == facts.rang, number
        if not result.answered:
            assert result.q850_cause == facts.cause, number
    assert s.ledger.calls_per_number() == dict.fromkeys(numbers, 1)

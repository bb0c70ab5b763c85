from __future__ import annotations

import asyncio

import pytest
from tests.db import scene

from dialer.store import numbers, reports
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT, NewCall


async def listed(pool, campaign):
    pages = reports.of_calls(pool, DEFAULT_ACCOUNT, campaign.id, reports.ReportFilter())
    return [row.call async for page in pages for row in page]


async def test_numbers_are_added_in_order_and_positions_go_on(pool):
    campaign = await scene.campaign(pool)
    for first in (100, 200):
        report = await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(3, first))
        assert (report.added, report.duplicates) == (3, ())
    found = await listed(pool, campaign)
    assert [call.position for call in found] == [1, 2, 3, 4, 5, 6]
    assert [call.number for call in found] == [
        new.number for first in (100, 200) for new in scene.listed(3, first)
    ]
    assert len({call.due for call in found}) == 2


async def test_a_number_with_the_same_payload_is_skipped_and_reported(pool):
    campaign, other = await scene.campaign(pool), await scene.campaign(pool)
    ann = NewCall("+4930100", payload={"name": "Ann", "city": "Bern"}, line=2)
    again = NewCall("+4930100", payload={"city": "Bern", "name": "Ann"}, line=3)
    bob = NewCall("+4930100", payload={"name": "Bob"}, line=4)
    report = await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [ann, again, bob])
    assert (report.added, report.duplicates) == (2, (again,))
    report = await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [bob])
    assert (report.added, report.duplicates) == (0, (bob,))
    report = await numbers.add(pool, DEFAULT_ACCOUNT, other.id, [ann])
    assert report.added == 1


async def test_what_a_row_says_is_kept(pool):
    campaign = await scene.campaign(pool)
    payload = {"name": "Zoë \0 \ud800", "": 'x"\\'}
    row = NewCall("12", dialable=False, problem="too short", payload=payload, priority=-3)
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [row])
    [call] = await listed(pool, campaign)
    assert (call.dialable, call.problem, call.priority) == (False, "too short", -3)
    assert call.payload == {"name": "Zoë \ufffd ?", "": 'x"\\'}


async def test_adding_nothing_and_adding_to_nobody(pool):
    campaign = await scene.campaign(pool)
    assert (await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [])).added == 0
    with pytest.raises(NotFound, match="no campaign 999"):
        await numbers.add(pool, DEFAULT_ACCOUNT, 999, scene.listed(1))
    with pytest.raises(NotFound):
        await numbers.add(pool, 2, campaign.id, scene.listed(1))


async def test_lists_that_come_at_once_get_positions_of_their_own(pool):
    campaign = await scene.campaign(pool)
    await asyncio.gather(
        *(
            numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(50, first))
            for first in range(0, 400, 40)
        )
    )
    found = await listed(pool, campaign)
    positions = [call.position for call in found]
    assert positions == sorted(set(positions))
    assert len(found) == 410

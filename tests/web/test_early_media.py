"""What was heard before the answer, on the page of a call."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.web.house import House, carrier

VACANT = "+15551843404"


@pytest.fixture(scope="module")
def house(module_database):
    """A service whose carrier takes its time, so that what it says is heard whole."""
    with House(module_database, {"slow": carrier(second=1.0)}) as found:
        yield found


def test_the_page_of_a_call_says_what_the_carrier_said(visit, house):
    async def made(client):
        campaign = await client.create_campaign(
            {"name": "Spring", "trunks": ["slow"], "max_attempts": 1}
        )
        await client.add_numbers(campaign.id, [VACANT])
        await client.start(campaign.id)
        return campaign.id

    campaign = house.ask(made)
    page = visit(f"/campaigns/{campaign}")
    expect(page.get_by_text("Every call is over.")).to_be_visible()
    page.locator("#calls").get_by_role("link", name=VACANT).click()
    expect(page.get_by_role("heading", name=VACANT)).to_be_focused()
    main = page.locator("main")
    for flag in ("Heard special information tone", "Heard announcement"):
        expect(main.get_by_text(flag, exact=True)).to_be_visible()
    expect(main).to_contain_text(
        re.compile(
            r"Early media\s*special information tone \(vacant code\) at 0\.\d s, then speech"
        )
    )

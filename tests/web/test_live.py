"""What happens on the server shows by itself, and goes on showing where the stream breaks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def campaign(house):
    async def make(client):
        return (await client.create_campaign({"name": "Spring", "trunks": ["north"]})).id

    return house.ask(make)


def state(page):
    return page.locator(".link-state")


def test_what_others_do_shows_at_once_and_the_focus_stays(guest, house, campaign):
    page = guest.open(f"/campaigns/{campaign}")
    expect(state(page)).to_have_text("Live")
    guest.page.on("request", lambda request: asked.append(request.url))
    asked = []
    search = page.get_by_label("More", exact=True)
    search.focus()
    house.ask(lambda client: client.add_numbers(campaign, [f"+155520011{n:02}" for n in range(20)]))
    expect(page.locator(".legend li", has_text="Planned")).to_contain_text("20")
    house.ask(lambda client: client.change_campaign(campaign, {"max_simultaneous_calls": 2}))
    house.ask(lambda client: client.start(campaign))
    expect(page.locator(".page-head").get_by_text("In progress")).to_be_visible()
    house.ask(lambda client: client.pause(campaign))
    expect(page.get_by_text("Paused by a person.")).to_be_visible()
    expect(search).to_be_focused()
    assert not [url for url in asked if url.endswith(f"/campaigns/{campaign}/events")]


def test_a_list_of_campaigns_follows(guest, house):
    page = guest.open("/campaigns")
    expect(state(page)).to_have_text("Live")
    house.ask(lambda client: client.create_campaign({"name": "Autumn", "trunks": ["north"]}))
    expect(page.get_by_role("link", name="Autumn")).to_be_visible()


def test_without_a_stream_the_page_asks_by_itself_and_says_so(guest, house, campaign):
    guest.page.route("**/v1/events*", lambda route: route.abort())
    guest.page.clock.install()
    page = guest.open(f"/campaigns/{campaign}")
    expect(state(page)).to_have_text(re.compile("Reconnecting"))
    house.ask(lambda client: client.change_campaign(campaign, {"name": "Winter"}))
    page.clock.run_for(5000)
    expect(page.get_by_role("heading", name="Winter")).to_be_visible()
    page.unroute("**/v1/events*")
    page.clock.run_for(5000)
    expect(state(page)).to_have_text("Live")
    guest.forgive("ERR_FAILED")


@pytest.mark.usefixtures("campaign")
def test_a_service_that_is_away_is_told_and_comes_back(guest):
    page = guest.open("/campaigns")
    page.route("**/v1/campaigns/*", lambda route: route.abort())
    page.get_by_role("link", name="Spring").first.click()
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    page.unroute("**/v1/campaigns/*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Spring")).to_be_visible()
    guest.forgive("ERR_FAILED")

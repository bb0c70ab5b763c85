"""No data becomes markup, nothing comes from elsewhere, and the policy of every page holds."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

EVIL = "<img src=x onerror=window.caught=1>\"'&<script>window.caught=1</script>"
NUMBER = "+15552001000"


@pytest.fixture(scope="module")
def evil(house):
    """A campaign, its call, an import and a do-not-call entry whose texts are markup."""

    async def make(client):
        made = await client.create_campaign({"name": EVIL, "trunks": ["north"]})
        entry = {"phone": NUMBER, "payload": {EVIL: EVIL}}
        await client.add_numbers(made.id, [entry])
        await client.add_do_not_call([{"phone": "+493012345678", "reason": EVIL}])
        await client.hold_trunk("south", EVIL, EVIL)
        await client.create_token(EVIL, "viewer")
        calls = await client.calls(made.id)
        return made.id, calls.items[0].id

    return house.ask(make)


def test_markup_in_data_is_shown_as_the_text_that_it_is(visit, evil):
    campaign, call = evil
    paths = ["/campaigns", f"/campaigns/{campaign}", f"/calls/{call}", "/dialogs"]
    for path in [*paths, "/trunks", "/do-not-call", "/account", f"/dialogs?number={EVIL}"]:
        page = visit(path)
        shown = page.locator("main").inner_text() + page.locator("main").inner_html()
        assert EVIL in shown or "number=" in path, path
        assert page.locator("main img, main script").count() == 0
        assert page.evaluate("window.caught") is None


def test_markup_in_a_dialog_is_text_too(visit, evil):
    page = visit(f"/campaigns/{evil[0]}")
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text(EVIL)
    assert page.evaluate("window.caught") is None


def test_every_request_goes_to_the_service(visitor, house, evil):
    guest = visitor(house.url)
    asked = []
    guest.page.on("request", lambda request: asked.append(request.url))
    for path in ("/campaigns", f"/campaigns/{evil[0]}", "/campaigns/new", "/account"):
        guest.open(path)
    assert len(asked) > 40
    assert {re.match(r"\w+://[^/]+", url)[0] for url in asked} == {house.url}


def test_the_browser_takes_no_script_and_no_markup_from_a_string(visitor, house):
    guest = visitor(house.url)
    page = guest.open("/campaigns")
    for attempt in (
        "document.body.innerHTML = '<b>bold</b>'",
        "document.createElement('script').text = 'window.caught = 1'",
        "document.createElement('img').setAttribute('onerror', 'window.caught = 1')",
        "setTimeout('window.caught = 1')",
    ):
        refusal = page.evaluate(
            f"() => {{ try {{ {attempt}; }} catch (error) {{ return error.name; }} }}"
        )
        assert refusal == "TypeError", attempt
    guest.forgive("This document requires")
    page.evaluate("document.body.style.background = 'red'")  # by script it may
    page.evaluate("document.body.setAttribute('style', 'background: blue')")
    assert page.evaluate("document.body.style.background") != "blue"
    guest.forgive("Content Security Policy")


def test_a_wrong_address_says_so_and_leads_back(visitor, house):
    guest = visitor(house.url)
    page = guest.open("/campaigns/999999")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    page.get_by_role("link", name="All campaigns").click()
    expect(page).to_have_url(re.compile("/campaigns$"))
    guest.forgive("404")

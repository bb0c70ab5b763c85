"""What is saved is done once, and never over what somebody else has saved meanwhile."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def campaign(house):
    settings = {"name": "Spring", "trunks": ["north"]}
    return house.ask(lambda client: client.create_campaign(settings)).id


def edit(page):
    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def change(house, campaign, changes):
    house.ask(lambda client: client.change_campaign(campaign, changes))


def test_what_somebody_else_has_changed_is_told_and_what_was_typed_is_kept(guest, house, campaign):
    page = guest.open(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("Name", exact=True).fill("Summer")
    dialog.get_by_label("After how many seconds").fill("2")
    change(house, campaign, {"max_attempts": 7, "name": "Autumn", "ring_timeout_seconds": 33})
    dialog.get_by_role("button", name="Save").click()
    told = dialog.get_by_role("alert")
    expect(told).to_contain_text("Changed meanwhile by someone else")
    expect(told).to_contain_text("Name, Most attempts, Seconds to let ring")
    expect(told).to_contain_text("You have changed Name too")
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("Summer")
    assert house.ask(lambda client: client.campaign(campaign)).name == "Autumn"
    dialog.get_by_label("After how many seconds").fill("3")  # typed after it was told
    told.get_by_role("button", name="Reload, and keep what I typed").click()
    expect(told).to_be_empty()
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("Summer")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    expect(dialog.get_by_label("Most attempts")).to_have_value("7")
    expect(dialog.get_by_label("After how many seconds")).to_have_value("3")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    found = house.ask(lambda client: client.campaign(campaign))
    assert (found.name, found.max_attempts, found.ring_timeout_seconds) == ("Summer", 7, 33)
    assert found.on_answer == {"kind": "hang_up", "after_seconds": 3, "recording": None}
    guest.forgive("412")


def test_a_campaign_that_was_only_paused_meanwhile_is_saved(guest, house, campaign):
    house.ask(lambda client: client.start(campaign))
    page = guest.open(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("Most attempts").fill("8")
    house.ask(lambda client: client.pause(campaign))
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert house.ask(lambda client: client.campaign(campaign)).max_attempts == 8
    guest.forgive("412")


def test_a_campaign_whose_answer_was_lost_is_made_once(guest, house):
    page = guest.open("/campaigns/new")
    keys = []

    def lose(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            route.continue_()
            return
        route.fetch()
        route.abort()

    page.route(re.compile("/v1/campaigns$"), lose)
    page.get_by_label("Name", exact=True).fill("Only one of these")
    page.locator(".chip", has_text="north").click()
    page.get_by_role("button", name="Save as draft").click()
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    page.get_by_role("button", name="Save as draft").click()
    expect(page.get_by_role("heading", name="Only one of these")).to_be_visible()
    listed = house.ask(lambda client: client.campaigns(limit=500))
    assert [one.name for one in listed.items].count("Only one of these") == 1
    assert len(keys) == 2
    assert keys[0] == keys[1]
    guest.forgive("ERR_FAILED")


def test_another_change_has_another_key(visit, campaign):
    page = visit(f"/campaigns/{campaign}")
    keys = []
    page.on(
        "request",
        lambda one: keys.append(one.headers["idempotency-key"]) if one.method == "PATCH" else 0,
    )
    for name in ("May", "June", "May", "June"):
        dialog = edit(page)
        dialog.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert len(set(keys)) == 4


def test_escape_asks_before_what_was_typed_is_lost(visit, house, campaign):
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    edit(page).get_by_label("Most attempts").fill("8")
    page.keyboard.press("Escape")
    question = page.get_by_role("dialog", name="Leave without saving?")
    question.get_by_role("button", name="Cancel").click()
    form = page.get_by_role("dialog", name="Settings of Spring")
    expect(form.get_by_label("Most attempts")).to_have_value("8")
    form.get_by_label("Most attempts").press("Escape")
    question.get_by_role("button", name="Leave").click()
    expect(dialog).to_have_count(0)
    assert house.ask(lambda client: client.campaign(campaign)).max_attempts == 3

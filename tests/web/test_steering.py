"""What a person does on the pages besides a campaign's first way: each reaches the service."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.web import scene

from dialer.campaign.status import CallStatus

NUMBERS = ["+15554860001", "+15554860002", "+15552000103"]


@pytest.fixture
def campaign(house):
    """A campaign whose calls are over, two busy and one answered."""

    async def make(client):
        made = await client.create_campaign(
            {"name": "Spring", "trunks": ["north"], "max_attempts": 1}
        )
        await client.add_numbers(made.id, NUMBERS)
        await client.start(made.id)
        await scene.settled(client, made.id)
        return made.id

    return house.ask(make)


def choose(page, name):
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name=name, exact=True).click()
    return page.get_by_role("dialog")


def counts(house, campaign):
    found = house.ask(lambda client: client.campaign(campaign))
    return {one.status: one.calls for one in found.counts}


def test_calls_are_requeued_by_their_status(visit, house, campaign):
    house.ask(lambda client: client.pause(campaign))
    dialog = choose(visit(f"/campaigns/{campaign}"), "Requeue calls")
    dialog.get_by_label("Completed without answer (2)").check()
    dialog.get_by_role("button", name="Requeue").click()
    expect(dialog).to_have_count(0)
    assert counts(house, campaign)[CallStatus.PLANNED] == 2


def test_a_campaign_is_cloned_with_those_who_did_not_answer(visit, house, campaign):
    page = visit(f"/campaigns/{campaign}")
    dialog = choose(page, "Clone")
    dialog.get_by_label("Name").fill("Spring again")
    dialog.get_by_label("Numbers").select_option("not_answered")
    dialog.get_by_role("button", name="Clone").click()
    expect(page.get_by_role("heading", name="Spring again")).to_be_visible()
    assert counts(house, int(page.url.rpartition("/")[2]))[CallStatus.PLANNED] == 2


def test_numbers_are_added_by_hand_and_removed(visit, house, campaign):
    house.ask(lambda client: client.pause(campaign))
    page = visit(f"/campaigns/{campaign}")
    page.get_by_role("button", name="Add numbers").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Or write numbers").fill("+1 555 200 0177\nnonsense")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Numbers added")).to_be_visible()
    expect(dialog.locator(".figures")).to_contain_text("rows rejected")
    dialog.get_by_role("button", name="Close").click()
    assert counts(house, campaign)[CallStatus.PLANNED] == 1
    dialog = choose(page, "Remove numbers")
    dialog.get_by_role("textbox", name="Numbers").fill(f"+15552000177\n{NUMBERS[0]}")
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog).to_contain_text("1 number removed, 1 kept.")
    dialog.get_by_role("button", name="Close").click()
    assert counts(house, campaign)[CallStatus.PLANNED] == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "prompt", "file": "hello.wav", "machine_detection": {"silence": "retry"}},
        {"kind": "bot", "url": "wss://bots.example.com/x", "parameters": {"language": "de"}},
        {
            "kind": "gather",
            "name": "survey",
            "prompt": {"file": "hello.wav"},
            "branches": {"1": {"opt_out": True}},
        },
    ],
)
def test_what_happens_on_answer_stays_when_other_settings_change(visit, house, campaign, wanted):
    async def change(client):
        return (await client.change_campaign(campaign, {"on_answer": wanted})).on_answer

    before = house.ask(change)
    dialog = choose(visit(f"/campaigns/{campaign}"), "Change settings")
    dialog.get_by_label("Most calls at a time").fill("7")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    after = house.ask(lambda client: client.campaign(campaign))
    assert (after.max_simultaneous_calls, after.on_answer) == (7, before)


def test_settings_are_changed_and_only_those(visit, campaign):
    page = visit(f"/campaigns/{campaign}")
    asked = []
    page.on("request", lambda one: asked.append(one.post_data_json) if one.method == "PATCH" else 0)
    dialog = choose(page, "Change settings")
    dialog.get_by_label("Most attempts").fill("4")
    dialog.get_by_role("button", name="Add hours").click()
    dialog.get_by_label("From").fill("09:30")
    dialog.get_by_text("More settings").click()
    dialog.get_by_label("Minutes by outcome").fill("busy: 15")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert asked == [
        {
            "max_attempts": 4,
            "windows": [{"days": ["sat"], "from": "09:30", "to": "14:00"}],
            "retry_by_outcome": {"busy": 15},
        }
    ]
    expect(page.locator(".facts div", has_text="Calling hours")).to_contain_text("Sat 09:30")


def test_a_form_says_beside_each_field_what_does_not_fit(guest):
    page = guest.open("/campaigns/new")
    page.get_by_label("Seconds to let ring").fill("5")
    page.get_by_label("The campaign's time zone").fill("Mars/Olympus")
    page.get_by_role("button", name="Save as draft").click()
    expect(page.get_by_role("alert")).to_be_visible()
    for label in ("Name", "Seconds to let ring", "The campaign's time zone"):
        field = page.get_by_label(label, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(".{10}"))
    guest.forgive("422")


def test_a_list_that_cannot_be_read_is_refused_before_anything_is_made(guest):
    page = guest.open("/campaigns/new")
    page.locator("input[type=file]").set_input_files(
        {"name": "list.xlsx", "mimeType": "application/zip", "buffer": b"PK\x03\x04 no workbook"}
    )
    expect(page.locator(".note-bad")).to_be_visible()
    guest.forgive("4")


def test_a_trunk_is_held_with_a_reason_and_released(visit, house):
    page = visit("/trunks")
    page.get_by_role("button", name="Hold south").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("maintenance until 15:00")
    dialog.get_by_role("button", name="Hold").click()
    expect(page.get_by_text("maintenance until 15:00")).to_be_visible()
    assert house.ask(lambda client: client.trunk("south")).hold.reason == "maintenance until 15:00"
    page.get_by_role("button", name="Release south").click()
    expect(page.get_by_text("maintenance until 15:00")).to_have_count(0)


def test_the_do_not_call_list_is_kept(guest):
    page = guest.open("/do-not-call")
    page.get_by_role("button", name="Add").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Number", exact=True).fill("no number")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_label("Number", exact=True)).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Number", exact=True).fill("+49 30 555 1234")
    dialog.get_by_label("Reason").fill("asked so")
    dialog.get_by_role("button", name="Add").click()
    expect(page.get_by_role("rowheader", name="+49305551234")).to_be_visible()
    page.get_by_role("button", name="Import").click()
    dialog.get_by_label("File").set_input_files(
        {
            "name": "dnc.csv",
            "mimeType": "text/csv",
            "buffer": b"phone,kind\n+4989,prefix\nx,number\n",
        }
    )
    dialog.get_by_role("button", name="Import").click()
    expect(dialog).to_contain_text("1 entry added, 0 were listed already, 1 row rejected.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("searchbox").fill("+49891234567")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("rowheader")).to_have_text(["+4989… beginning"])
    page.get_by_role("button", name="Remove +4989").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="+49891234567 is not listed")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    assert "+49305551234" in download.value.path().read_text()


def test_a_token_is_made_shown_once_and_revoked(guest, house):
    page = guest.open("/account")
    page.get_by_role("button", name="New token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("shop")
    dialog.get_by_label("Role").select_option("viewer")
    dialog.get_by_role("button", name="Make it").click()
    secret = page.locator("code.secret").inner_text()
    assert secret.startswith("dialer_")
    assert house.ask(lambda client: client.account(), secret).token.role == "viewer"
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.reload()
    row = page.get_by_role("row").filter(has_text="shop")
    expect(row).to_contain_text("Works")
    assert secret not in page.content()
    row.get_by_role("button", name="Revoke shop").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")


def test_campaigns_are_filtered_and_paged(visit, house):
    async def make(client):
        for place in range(26):
            await client.create_campaign({"name": f"Draft {place}", "trunks": ["north"]})

    house.ask(make)
    page = visit("/campaigns?status=draft")
    expect(page.get_by_role("row")).to_have_count(26)
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="Draft 0", exact=True)).to_be_visible()
    page.get_by_role("button", name="Previous page").click()
    expect(page.get_by_role("link", name="Draft 25")).to_be_visible()
    page.get_by_text("Planned", exact=True).click()
    expect(page).to_have_url(re.compile("status=draft&status=planned"))
    page.get_by_text("Draft", exact=True).first.click()
    expect(page.get_by_role("heading", name="No campaign has this status")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Draft", exact=True)).to_be_checked()


def test_a_webhook_is_made_tested_and_deleted(guest):
    page = guest.open("/webhooks")
    page.get_by_role("button", name="New webhook").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill("https://receiver.invalid/events")
    dialog.get_by_label("Events", exact=True).fill("call.answered, campaign.*")
    dialog.get_by_role("button", name="Add").click()
    secret = page.locator("code.secret").inner_text()
    assert len(secret) > 20
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("link", name="https://receiver.invalid/events").click()
    expect(page.get_by_role("heading", name="https://receiver.invalid/events")).to_be_visible()
    expect(page.locator("main")).to_contain_text("call.answered, campaign.*")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("region", name="Deliveries, newest first")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Nobody receives events")).to_be_visible()

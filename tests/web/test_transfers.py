"""Whom answered calls are transferred to, named in the form: it is what the campaign then has."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.web import scene
from tests.web.answers import branch, comes_back, edit, kept, key, save, sent_by, whole
from tests.web.house import House, carrier
from tests.web.test_keyboard import press_until

from dialer import config

HELLO = {"file": "hello.wav"}
BOT = {"kind": "bot", "url": "wss://bots.example.com/sales"}
MENU = {"kind": "gather", "name": "main", "prompt": HELLO, "branches": {"1": {}}}
SALES = {"number": "+4930123456"}


@pytest.fixture(scope="module")
def house(module_database):
    """A service with two carriers that can say texts."""
    speech = config.Speech(command=("true", "{output}"))
    with House(module_database, {"north": carrier(), "south": carrier()}, speech=speech) as found:
        yield found


def target(within, name):
    """The target whose line begins so."""
    return within.locator(f'details.target:has(> summary > strong:text-is("{name}"))')


def add(page, dialog, name, number=SALES["number"]):
    """Name another target and return its row."""
    dialog.get_by_role("button", name="Add a target").click()
    page.keyboard.type(name)
    row = target(dialog, name)
    row.get_by_label("Number", exact=True).fill(number)
    return row


def test_whom_a_bot_may_transfer_calls_to(visit, house, make):
    campaign = make(BOT)
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    sales = add(page, dialog, "sales", "+49 (30) 12-3456")
    sales.get_by_label("Over the trunk").select_option("south")
    sales.get_by_label("Seconds until it must be answered").fill("25")
    sales.get_by_label("What is heard meanwhile").select_option("Say a text")
    sales.get_by_label("Text to say").fill("One moment, {name|please}.")
    sales.get_by_label("Voice").fill("en-gb")
    sales.get_by_label("Where nobody answers").select_option("Hang up")
    own = add(page, dialog, "adviser")
    own.get_by_label("Whom to call").select_option("One for each customer")
    expect(own.get_by_label("Number", exact=True)).to_be_hidden()
    own.get_by_label("Column of the list").fill("agent")
    own.get_by_label("How the call gets there").select_option("By the far end (REFER)")
    expect(own.get_by_label("Over the trunk")).to_be_hidden()
    own.get_by_label("What is heard meanwhile").select_option("Silence")
    add(page, dialog, "wrong")
    dialog.get_by_role("button", name="Take wrong out").click()
    expect(dialog.get_by_role("button", name="Add a target")).to_be_focused()
    save(dialog)
    shown = page.locator("main")
    expect(shown).to_contain_text(
        "Calls +4930123456 over the trunk south and joins the two calls; tries for 25 seconds;"
        " meanwhile says “One moment, {name|please}.” with the voice en-gb over and over;"
        " hangs up where nobody answers."
    )
    expect(shown).to_contain_text(
        "Asks the far end to call the number in the column agent; tries for 30 seconds."
    )
    waiting = {"say": "One moment, {name|please}.", "voice": "en-gb"}
    transfers = {
        "sales": SALES
        | {"trunk": "south", "ring_seconds": 25, "waiting": waiting, "on_failure": "hang_up"},
        "adviser": {"number_from": "agent", "by": "refer", "waiting": "silence"},
    }
    comes_back(page, house, campaign, BOT | {"transfers": transfers})
    dialog = edit(page)
    sales = target(dialog, "sales")
    sales.locator("summary").click()
    sales.get_by_label("What is heard meanwhile").select_option("Ringing")
    sales.get_by_label("Over the trunk").select_option("That of the call")
    save(dialog)
    transfers["sales"] |= {"waiting": "ringback", "trunk": None}
    comes_back(page, house, campaign, BOT | {"transfers": transfers})


def test_a_key_of_a_menu_transfers_to_a_target_also_once_it_has_another_name(visit, house, make):
    campaign = make(MENU)
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    one = branch(dialog, "Key 1")
    one.locator("summary").click()
    expect(one.get_by_label("Transfer the call").locator("option")).to_have_text(["No"])
    row = add(page, dialog, "sales")
    one.get_by_label("Transfer the call").select_option("To sales")
    one.get_by_label("And then").select_option("Begin this menu again")
    row.get_by_label("Name of the target").fill("sales and service")
    expect(one.get_by_label("Transfer the call").locator("option:checked")).to_have_text(
        "To sales and service"
    )
    two = key(page, dialog, "2")
    two.get_by_label("And then").select_option("Go on with another menu")
    below = two.locator(".menu-below")
    below.get_by_label("Name of the menu").fill("deeper")
    below.get_by_label("Audio file").first.fill("hello.wav")
    below.get_by_label("Transfer the call").first.select_option("To sales and service")
    below.locator("details.branch > summary").first.click()
    expect(below.locator("summary").first).to_be_visible()
    save(dialog)
    tree = page.locator(".menu-tree").first
    expect(tree).to_contain_text(
        "Transfers the call to sales and service, where that fails begins this menu again."
    )
    expect(tree).to_contain_text(
        "Transfers the call to sales and service, where that fails hangs up."
    )
    deeper = {
        "name": "deeper",
        "prompt": HELLO,
        "branches": {"1": {"transfer": "sales and service"}},
    }
    branches = {"1": {"transfer": "sales and service", "again": True}, "2": {"menu": deeper}}
    wanted = MENU | {"branches": branches, "transfers": {"sales and service": SALES}}
    comes_back(page, house, campaign, wanted)


def test_a_target_that_a_key_still_names_is_not_taken_out_unseen(visit, house, make):
    wanted = MENU | {"branches": {"1": {"transfer": "sales"}}, "transfers": {"sales": SALES}}
    campaign = make(wanted)
    page = visit(f"/campaigns/{campaign}")
    sent = sent_by(page)
    dialog = edit(page)
    target(dialog, "sales").locator("summary").click()
    dialog.get_by_role("button", name="Take sales out").click()
    one = branch(dialog, "Key 1")
    expect(one.locator("summary").first).to_contain_text("Something in it does not fit.")
    dialog.get_by_role("button", name="Save").click()
    picker = one.get_by_label("Transfer the call")
    expect(picker).to_be_focused()
    expect(picker).to_have_accessible_description(re.compile("no target named sales any more"))
    assert sent == []
    picker.select_option("No")
    save(dialog)
    comes_back(page, house, campaign, MENU)


def test_two_targets_of_one_name_are_told_before_anything_is_sent(visit, make):
    page = visit(f"/campaigns/{make(BOT)}")
    sent = sent_by(page)
    dialog = edit(page)
    add(page, dialog, "sales")
    dialog.get_by_role("button", name="Add a target").click()
    page.keyboard.type("sales")
    dialog.get_by_role("button", name="Save").click()
    name = target(dialog, "sales").last.get_by_label("Name of the target")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description(re.compile("Another target has this name"))
    assert sent == []


def test_faults_of_targets_stand_at_their_fields(guest, make):
    campaign = make(BOT | {"transfers": {"sales": SALES, "a/b": SALES}})
    page = guest.open(f"/campaigns/{campaign}")
    dialog = edit(page)
    for name in ("sales", "a/b"):
        target(dialog, name).locator("summary").click()
    sales, other = target(dialog, "sales"), target(dialog, "a/b")
    sales.get_by_label("Number", exact=True).fill("112")
    sales.get_by_label("Seconds until it must be answered").fill("2")
    other.get_by_label("What is heard meanwhile").select_option("Play an audio file")
    other.get_by_label("Audio file").fill("gone.wav")
    for name in ("sales", "a/b"):
        target(dialog, name).locator("summary").click()
    dialog.get_by_role("button", name="Save").click()
    ring = sales.get_by_label("Seconds until it must be answered")
    expect(ring).to_be_visible()  # it was folded away
    expect(ring).to_be_focused()
    expect(ring).to_have_accessible_description(re.compile("greater than or equal to 5"))
    ring.fill("20")
    dialog.get_by_role("button", name="Save").click()
    number, file = sales.get_by_label("Number", exact=True), other.get_by_label("Audio file")
    expect(number).to_have_accessible_description(re.compile("emergency or short number"))
    expect(file).to_have_accessible_description(re.compile("there is no prompt 'gone.wav'"))
    number.fill("")
    sales.get_by_label("Name of the target").fill("")
    file.fill("hello.wav")
    other.get_by_label("Whom to call").select_option("One for each customer")
    dialog.get_by_role("button", name="Save").click()
    nameless = target(dialog, "A target without a name")
    name, column = (
        nameless.get_by_label("Name of the target"),
        other.get_by_label("Column of the list"),
    )
    for field in (name, nameless.get_by_label("Number", exact=True), column):
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile("String should"))
    guest.forgive("422")


def test_every_call_is_transferred_after_a_prompt_if_a_person_answers(visit, house, make):
    campaign = make({"kind": "hang_up"})
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("What happens").select_option("The call is transferred")
    dialog.get_by_label("What is heard first").select_option("Play an audio file")
    dialog.get_by_label("Audio file").first.fill("hello.wav")
    dialog.get_by_label("Number", exact=True).fill(SALES["number"])
    dialog.get_by_label("What is heard meanwhile").select_option("Play an audio file")
    dialog.get_by_label("Audio file").last.fill("hello.wav")
    expect(dialog.get_by_label("Where nobody answers")).to_have_count(0)
    dialog.get_by_label("Find out first whether a person has answered").check()
    save(dialog)
    shown = page.locator("main")
    expect(shown).to_contain_text("Plays hello.wav.")
    expect(shown).to_contain_text("meanwhile plays hello.wav over and over")
    wanted = {
        "kind": "transfer",
        "prompt": HELLO,
        "target": SALES | {"waiting": HELLO},
        "machine_detection": {},
    }
    comes_back(page, house, campaign, wanted)
    dialog = edit(page)
    dialog.get_by_label("What is heard first").select_option("Nothing")
    save(dialog)
    comes_back(page, house, campaign, wanted | {"prompt": None})


def test_a_transfer_is_made_without_a_mouse(guest, house, make):
    campaign = make({"kind": "hang_up"})
    page = guest.open(f"/campaigns/{campaign}")
    press_until(page, "Tab", page.get_by_role("button", name="Change", exact=True))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    press_until(page, "Tab", dialog.get_by_label("What happens"))
    page.keyboard.type("The call")
    press_until(page, "Tab", dialog.get_by_label("How the call gets there"))
    page.keyboard.type("By the")
    press_until(page, "Tab", dialog.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    number = dialog.get_by_label("Number", exact=True)
    expect(number).to_be_focused()
    expect(number).to_have_accessible_description(re.compile("should match pattern"))
    page.keyboard.type("+49 30 123456")
    press_until(page, "Tab", dialog.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    wanted = {"kind": "transfer", "target": SALES | {"by": "refer"}}
    assert kept(house, campaign) == whole(wanted)
    guest.forgive("422")


def test_a_target_is_named_without_a_mouse(visit, house, make):
    campaign = make(BOT)
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    press_until(page, "Tab", dialog.get_by_role("button", name="Add a target"))
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Name of the target")).to_be_focused()
    page.keyboard.type("sales")
    press_until(page, "Tab", dialog.get_by_label("Number", exact=True))
    page.keyboard.type("+4930123456")
    press_until(page, "Tab", dialog.get_by_label("Over the trunk"))
    page.keyboard.type("sou")
    press_until(page, "Tab", dialog.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    wanted = BOT | {"transfers": {"sales": SALES | {"trunk": "south"}}}
    assert kept(house, campaign) == whole(wanted)


async def _called(client, wanted, numbers):
    """Let a campaign call numbers to the end, and return its calls."""
    settings = {"name": "Calls", "trunks": ["north"], "max_attempts": 1, "on_answer": wanted}
    made = await client.create_campaign(settings)
    await client.add_numbers(made.id, numbers)
    await client.start(made.id)
    await scene.settled(client, made.id)
    return (await client.calls(made.id)).items


def test_the_page_of_a_call_says_why_nobody_was_reached(visit, house):
    wanted = {"kind": "transfer", "target": {"number_from": "agent"}}
    numbers = [{"phone": "+15552000000", "payload": {"agent": "112"}}]
    (call,) = house.ask(lambda client: _called(client, wanted, numbers))
    shown = visit(f"/calls/{call.id}").locator("main")
    expect(shown.get_by_role("heading", name="Transfer to target: Failed")).to_be_visible()
    expect(shown).to_contain_text("column 'agent': is an emergency or short number")


def test_the_page_of_a_call_says_that_its_prompt_could_not_be_played(visit, house):
    wanted = {
        "kind": "transfer",
        "target": {"number": "+15552001200", "waiting": {"say": "Just a moment."}},
    }
    (call,) = house.ask(lambda client: _called(client, wanted, ["+15552000000"]))
    shown = visit(f"/calls/{call.id}").locator("main")
    expect(shown.get_by_role("heading", name="Transfer to target: Bridged")).to_be_visible()
    expect(shown).to_contain_text("not played, ringing in its place:")

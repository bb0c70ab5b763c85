"""Whether answered calls are recorded, and by whose consent, said in the form."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.web.answers import comes_back, edit, kept, save, sent_by, whole
from tests.web.house import House, carrier
from tests.web.test_keyboard import press_until

from dialer import config

HELLO = {"file": "hello.wav"}
HANG_UP = {"kind": "hang_up", "after_seconds": 2}
RECORDING = "Recording of the call"


@pytest.fixture(scope="module")
def house(module_database):
    """A service that can say texts."""
    speech = config.Speech(command=("true", "{output}"))
    with House(module_database, {"north": carrier()}, speech=speech) as found:
        yield found


@pytest.mark.parametrize(
    "answer",
    [
        HANG_UP,
        {"kind": "prompt", **HELLO},
        {"kind": "bot", "url": "wss://bots.example.com/sales"},
        {"kind": "gather", "name": "main", "prompt": HELLO, "branches": {"1": {}}},
        {"kind": "transfer", "target": {"number": "+4930123456"}},
    ],
    ids=lambda one: one["kind"],
)
def test_every_kind_of_answer_can_be_recorded(visit, house, make, answer):
    campaign = make(answer)
    page = visit(f"/campaigns/{campaign}")
    expect(page.locator("main")).not_to_contain_text("The call is recorded")
    dialog = edit(page)
    dialog.get_by_label(RECORDING).select_option(
        "From the beginning, since consent was given before"
    )
    dialog.get_by_label("Kept as").select_option("Opus, which is smaller")
    dialog.get_by_label("Kept for days").fill("30")
    save(dialog)
    shown = page.locator("main")
    expect(shown).to_contain_text("From the beginning, since consent was given before.")
    expect(shown).to_contain_text("30 days")
    recording = {"consent": "given", "format": "opus", "keep_days": 30}
    comes_back(page, house, campaign, answer | {"recording": recording})
    dialog = edit(page)
    dialog.get_by_label(RECORDING).select_option("No")
    expect(dialog.get_by_label("Kept as")).to_be_hidden()
    save(dialog)
    comes_back(page, house, campaign, answer)


def test_each_way_to_consent_asks_for_what_it_needs(visit, house, make):
    campaign = make(HANG_UP)
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label(RECORDING).select_option("Once a key agrees")
    dialog.get_by_label("What is announced").select_option("Say a text")
    dialog.get_by_label("Text to say").fill("Press 5 to be recorded.")
    dialog.get_by_label("Voice").fill("en-gb")
    dialog.get_by_label("Key that agrees").select_option("5")
    dialog.get_by_label("Seconds left to press it").fill("8")
    expect(dialog.get_by_label("Column that says yes")).to_have_count(0)
    save(dialog)
    expect(page.locator("main")).to_contain_text(
        "Once 5 is pressed during the announcement, which says “Press 5 to be recorded.” with the"
        " voice en-gb, or within 8 seconds after it."
    )
    announcement = {"say": "Press 5 to be recorded.", "voice": "en-gb"}
    recording = {
        "consent": "key",
        "announcement": announcement,
        "key": "5",
        "key_wait_seconds": 8,
    }
    comes_back(page, house, campaign, HANG_UP | {"recording": recording})
    dialog = edit(page)
    dialog.get_by_label(RECORDING).select_option("After an announcement")
    dialog.get_by_label("What is announced").select_option("Play an audio file")
    dialog.get_by_label("Audio file").fill("hello.wav")
    expect(dialog.get_by_label("Key that agrees")).to_have_count(0)
    save(dialog)
    expect(page.locator("main")).to_contain_text("After the announcement, which plays hello.wav.")
    recording = {"consent": "announced", "announcement": HELLO}
    comes_back(page, house, campaign, HANG_UP | {"recording": recording})
    dialog = edit(page)
    dialog.get_by_label(RECORDING).select_option("Where the list says yes")
    expect(dialog.get_by_label("What is announced")).to_have_count(0)
    dialog.get_by_label("Column that says yes").fill("may record")
    save(dialog)
    expect(page.locator("main")).to_contain_text(
        "Where the list says yes in the column may record."
    )
    expect(page.locator("main")).to_contain_text("as long as the configuration says")
    recording = {"consent": "column", "column": "may record"}
    comes_back(page, house, campaign, HANG_UP | {"recording": recording})


def test_faults_of_a_recording_stand_at_their_fields(guest, make):
    page = guest.open(f"/campaigns/{make(HANG_UP)}")
    dialog = edit(page)
    consent = dialog.get_by_label(RECORDING)
    consent.select_option("Where the list says yes")
    dialog.get_by_label("Kept for days").fill("0")
    dialog.get_by_role("button", name="Save").click()
    days, column = dialog.get_by_label("Kept for days"), dialog.get_by_label("Column that says yes")
    expect(days).to_have_accessible_description(re.compile("greater than or equal to 1"))
    expect(column).to_be_focused()
    expect(column).to_have_accessible_description(re.compile("at least 1 character"))
    days.fill("")
    days.press_sequentially("e")
    dialog.get_by_role("button", name="Save").click()
    expect(days).to_be_focused()
    expect(days).to_have_accessible_description(re.compile("This is no number"))
    days.fill("")
    consent.select_option("Once a key agrees")
    dialog.get_by_label("Audio file").fill("gone.wav")
    dialog.get_by_role("button", name="Save").click()
    file = dialog.get_by_label("Audio file")
    expect(file).to_be_focused()
    expect(file).to_have_accessible_description(re.compile("there is no prompt 'gone.wav'"))
    file.fill("hello.wav")
    dialog.get_by_label("Seconds left to press it").fill("0.5")
    dialog.get_by_role("button", name="Save").click()
    wait = dialog.get_by_label("Seconds left to press it")
    expect(wait).to_have_accessible_description(re.compile("greater than or equal to 1"))
    wait.fill("5")
    save(dialog)
    guest.forgive("422")


def test_a_recording_goes_with_another_kind_of_answer(visit, house, make):
    recording = {"consent": "announced", "announcement": HELLO}
    campaign = make(HANG_UP | {"recording": recording})
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("What happens").select_option("A prompt is played")
    dialog.get_by_label("Audio file").first.fill("hello.wav")
    save(dialog)
    comes_back(page, house, campaign, {"kind": "prompt", **HELLO, "recording": recording})


def test_an_unknown_kind_keeps_its_recording(visit, house, make):
    campaign = make(HANG_UP)
    unknown = {"kind": "dance", "recording": {"consent": "given"}}
    house.execute("UPDATE campaigns SET on_answer = $2 WHERE id = $1", campaign, unknown)
    page = visit(f"/campaigns/{campaign}")
    sent = sent_by(page)
    dialog = edit(page)
    expect(dialog.get_by_label(RECORDING)).to_be_hidden()
    dialog.get_by_label("Name", exact=True).fill("Dancing")
    save(dialog)
    assert sent == [{"name": "Dancing"}]


def test_a_recording_is_asked_for_without_a_mouse(visit, house, make):
    campaign = make(HANG_UP)
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    press_until(page, "Tab", dialog.get_by_label(RECORDING))
    page.keyboard.type("Once")
    press_until(page, "Tab", dialog.get_by_label("Audio file"))
    page.keyboard.type("hello.wav")
    press_until(page, "Tab", dialog.get_by_label("Key that agrees"))
    page.keyboard.type("*")
    press_until(page, "Tab", dialog.get_by_label("Kept for days"))
    page.keyboard.type("7")
    press_until(page, "Tab", dialog.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    recording = {"consent": "key", "announcement": HELLO, "key": "*", "keep_days": 7}
    assert kept(house, campaign) == whole(HANG_UP | {"recording": recording})

"""What happens when somebody answers, built in the form: the campaign then has what was meant."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.web.answers import branch, comes_back, edit, kept, key, note, save, sent_by, whole
from tests.web.house import House, carrier
from tests.web.test_keyboard import press_until

from dialer import config
from dialer.config_bots import Bots

HELLO = {"file": "hello.wav"}
BOT_URL = "wss://bots.example.com/sales"
MENU = {
    "kind": "gather",
    "name": "appointment",
    "prompt": {"say": "Hello {name|there}. Press 1.", "voice": "en-gb"},
    "retry_prompt": HELLO,
    "retries": 1,
    "barge_in": False,
    "branches": {
        "1": {"set": {"confirmed": True, "tries": 2, "note": "by key"}, "prompt": HELLO},
        "2": {
            "menu": {
                "name": "new_day",
                "prompt": HELLO,
                "digits": 2,
                "branches": {"ZX": {"opt_out": True}},
                "otherwise": {"set": {"call_back": False}},
            }
        },
        "*": {"again": True},
    },
    "otherwise": {"prompt": HELLO},
}


@pytest.fixture(scope="module")
def house(module_database, tmp_path_factory):
    """A service that can say texts, and has the secret of a bot."""
    speech = config.Speech(command=("true", "{output}"))
    key = tmp_path_factory.mktemp("bots") / "key"
    key.write_text("open sesame")
    bots = Bots(secrets=[{"name": "sales", "url": BOT_URL, "value_file": key}])
    with House(module_database, {"north": carrier()}, speech=speech, bots=bots) as found:
        yield found


def test_hanging_up_after_some_seconds(visit, house, make):
    campaign = make({"kind": "prompt", **HELLO})
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("What happens").select_option("Hang up")
    dialog.get_by_label("After how many seconds").fill("2.5")
    expect(dialog.get_by_label("Find out first whether")).to_be_hidden()
    save(dialog)
    expect(page.locator("main")).to_contain_text("Hangs up after 2.5 seconds")
    comes_back(page, house, campaign, {"kind": "hang_up", "after_seconds": 2.5})


def test_a_text_with_a_column_is_said(visit, house, make):
    campaign = make({"kind": "hang_up"})
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("What happens").select_option("A prompt is played")
    dialog.get_by_label("What is heard").select_option("Say a text")
    dialog.get_by_label("Text to say").fill("Hello ")
    dialog.get_by_role("button", name="Insert a column").click()
    page.keyboard.type("name")
    dialog.get_by_label("Voice").fill("en-gb")
    save(dialog)
    expect(page.locator("main")).to_contain_text("Says “Hello {name|}” with the voice en-gb")
    wanted = {"kind": "prompt", "say": "Hello {name|}", "voice": "en-gb"}
    comes_back(page, house, campaign, wanted)


def test_a_bot_speaks_and_what_is_done_where_it_fails(visit, house, make):
    campaign = make({"kind": "prompt", **HELLO})
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("What happens").select_option("A bot speaks")
    dialog.get_by_label("Address of the bot").fill(BOT_URL)
    dialog.get_by_label("Seconds to connect in").fill("2")
    for name, value in (("language", "de"), ("wrong", "x"), ("tone", " friendly ")):
        dialog.get_by_role("button", name="Add a parameter").click()
        page.keyboard.type(name)
        dialog.get_by_label("Value").last.fill(value)
    dialog.get_by_role("button", name="Take wrong out").click()
    dialog.get_by_label("If the bot is away or fails").select_option("Play a prompt, then hang up")
    dialog.get_by_label("Audio file").fill("hello.wav")
    save(dialog)
    expect(page.locator("main")).to_contain_text(BOT_URL)
    wanted = {
        "kind": "bot",
        "url": BOT_URL,
        "connect_timeout_seconds": 2,
        "parameters": {"language": "de", "tone": " friendly "},
        "fallback": {"kind": "prompt", **HELLO},
    }
    comes_back(page, house, campaign, wanted)
    dialog = edit(page)
    dialog.get_by_label("If the bot is away or fails").select_option(
        "Hang up, and call again later"
    )
    save(dialog)
    comes_back(page, house, campaign, {**wanted, "fallback": {"kind": "retry"}})


def test_menus_within_menus(visit, house, make):
    campaign = make({"kind": "hang_up"})
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("What happens").select_option("A menu asks for keys")
    dialog.get_by_label("Name of the menu").fill("appointment")
    dialog.get_by_label("What is asked").select_option("Say a text")
    dialog.get_by_label("Text to say").first.fill("Hello {name|there}.\nPress 1.")
    dialog.get_by_label("Voice").first.fill("en-gb")
    dialog.get_by_text("How keys are taken").click()
    dialog.get_by_label("How often to ask again").fill("1")
    dialog.get_by_label("A key stops the prompt").uncheck()
    asked_again = dialog.get_by_label("Heard when asked again")
    asked_again.select_option("Play an audio file")
    asked_again.locator("xpath=../..").get_by_label("Audio file").fill("hello.wav")
    one = branch(dialog, "Key 1")
    expect(one.get_by_label("Keys", exact=True)).to_have_value("1")
    note(page, one, "confirmed", "Yes")
    note(page, one, "tries", "Number", "2")
    note(page, one, "note", "Text", "by key")
    one.get_by_label("Then is heard").select_option("Play an audio file")
    one.get_by_label("Audio file").fill("hello.wav")
    summary = branch(dialog, "Key 1").locator("summary")
    summary.click()
    expect(summary).to_contain_text("Notes confirmed = yes, tries = 2")
    two = key(page, dialog, "2")
    two.get_by_label("And then").select_option("Go on with another menu")
    build_the_menu_below(page, two.locator(".menu-below"))
    two.locator("summary").first.click()
    again = key(page, dialog, "*")
    again.get_by_label("And then").select_option("Begin this menu again")
    otherwise = dialog.locator("details.branch").last
    otherwise.locator("summary").click()
    otherwise.get_by_label("Then is heard").select_option("Play an audio file")
    otherwise.get_by_label("Audio file").fill("hello.wav")
    save(dialog)
    tree = page.locator(".menu-tree").first
    expect(tree).to_contain_text("is asked again once, then plays hello.wav")
    expect(tree).to_contain_text("Puts the number on the do-not-call list")
    comes_back(page, house, campaign, MENU)


def build_the_menu_below(page, below):
    below.get_by_label("Name of the menu").fill("new_day")
    below.get_by_label("Audio file").first.fill("hello.wav")
    below.get_by_text("How keys are taken").click()
    below.get_by_label("Most keys").fill("2")
    below.get_by_label("Keys", exact=True).first.fill("zx")
    branch(below, "Key ZX").get_by_label("Put the number on the do-not-call list").check()
    otherwise = below.locator("details.branch").last
    otherwise.locator("summary").click()
    note(page, otherwise, "call_back", "No")


def test_a_menu_is_built_without_a_mouse(visit, house, make):
    campaign = make({"kind": "hang_up"})
    page = visit(f"/campaigns/{campaign}")
    press_until(page, "Tab", page.get_by_role("button", name="Change", exact=True))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    press_until(page, "Tab", dialog.get_by_label("What happens"))
    page.keyboard.type("A menu")
    press_until(page, "Tab", dialog.get_by_label("Name of the menu"))
    page.keyboard.type("survey")
    press_until(page, "Tab", dialog.get_by_label("Audio file").first)
    page.keyboard.type("hello.wav")
    one = branch(dialog, "Key 1")
    press_until(page, "Tab", one.get_by_label("Put the number on the do-not-call list"))
    page.keyboard.press("Space")
    press_until(page, "Tab", dialog.get_by_role("button", name="Add a key"))
    page.keyboard.press("Enter")
    page.keyboard.type("3")
    added = branch(dialog, "Key 3")
    press_until(page, "Tab", added.get_by_role("button", name="Add a note"))
    page.keyboard.press("Enter")
    page.keyboard.type("grade")
    press_until(page, "Tab", added.get_by_label("Value", exact=True))
    page.keyboard.type("three")
    press_until(page, "Tab", dialog.get_by_role("button", name="Add a key"))
    page.keyboard.press("Enter")
    press_until(page, "Tab", dialog.get_by_role("button", name="Take key ? out"))
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Add a key")).to_be_focused()
    press_until(page, "Tab", dialog.locator("details.branch > summary").last)
    page.keyboard.press("Enter")
    expect(dialog.locator("details.branch").last).to_have_attribute("open", "")
    press_until(page, "Tab", dialog.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    wanted = {
        "kind": "gather",
        "name": "survey",
        "prompt": HELLO,
        "branches": {"1": {"opt_out": True}, "3": {"set": {"grade": "three"}}},
    }
    comes_back(page, house, campaign, wanted)


def test_who_answered_is_found_out_first(visit, house, make):
    campaign = make({"kind": "prompt", **HELLO})
    page = visit(f"/campaigns/{campaign}")
    dialog = edit(page)
    dialog.get_by_label("Find out first whether a person has answered").check()
    dialog.get_by_label("A machine answers").select_option("Leave a message")
    dialog.get_by_label("Message after the beep").fill("hello.wav")
    dialog.get_by_label("A fax answers").select_option("Hang up, and call again later")
    dialog.get_by_label("Nobody says anything").select_option("Go on as with a person")
    dialog.get_by_text("How it is decided").click()
    dialog.get_by_label("Most words of a person's greeting").fill("12")
    dialog.get_by_label("Decision at the latest").fill("")
    save(dialog)
    expect(page.locator("main")).to_contain_text("Leave a message after the beep: hello.wav")
    detection = {
        "machine": "leave_message",
        "message": "hello.wav",
        "fax": "retry",
        "silence": "continue",
        "words": 12,
    }
    wanted = {"kind": "prompt", **HELLO, "machine_detection": detection}
    comes_back(page, house, campaign, wanted)
    dialog = edit(page)
    dialog.get_by_label("Find out first whether a person has answered").uncheck()
    save(dialog)
    expect(page.locator("main")).to_contain_text("Off; its settings are kept")
    off = {**wanted, "machine_detection": {**detection, "enabled": False}}
    comes_back(page, house, campaign, off)


def test_a_new_campaign_is_made_with_a_bot(guest, house):
    page = guest.open("/campaigns/new")
    page.get_by_label("Name", exact=True).fill("Led by a bot")
    page.get_by_label("What happens").select_option("A bot speaks")
    page.get_by_label("Address of the bot").fill("https://bots.example.com")
    page.get_by_role("button", name="Save as draft").click()
    address = page.get_by_label("Address of the bot")
    expect(address).to_be_focused()
    expect(address).to_have_accessible_description(re.compile("Twilio.*should match pattern"))
    address.fill(BOT_URL)
    page.get_by_role("button", name="Save as draft").click()
    expect(page.get_by_role("heading", name="Led by a bot")).to_be_visible()
    assert kept(house, int(page.url.rpartition("/")[2])) == whole({"kind": "bot", "url": BOT_URL})
    guest.forgive("422")


def test_faults_deep_in_a_menu_stand_at_their_fields(guest, make):
    campaign = make(MENU)
    page = guest.open(f"/campaigns/{campaign}")
    dialog = edit(page)
    two = branch(dialog, "Key 2")
    two.locator("summary").first.click()
    below = two.locator(".menu-below").first
    below.get_by_label("Name of the menu").fill("")
    below.get_by_label("Audio file").first.fill("gone.wav")
    below.locator("summary", has_text="Key ZX").click()
    below.get_by_label("Keys", exact=True).first.fill("Q")
    below.locator("summary", has_text="Key Q").click()
    two.locator("summary").first.click()
    dialog.get_by_role("button", name="Save").click()
    for label in ("Name of the menu", "Keys"):
        field = below.get_by_label(label, exact=True).first
        expect(field).to_be_visible()  # it was folded away
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile("String should"))
    below.get_by_label("Name of the menu").fill("new_day")
    below.get_by_label("Keys", exact=True).first.fill("123")
    dialog.get_by_role("button", name="Save").click()
    digits = below.get_by_label("Most keys")
    expect(digits).to_be_focused()
    expect(digits).to_have_accessible_description(re.compile("wants 3 keys, and digits is 2"))
    below.get_by_label("Keys", exact=True).first.fill("12")
    dialog.get_by_role("button", name="Save").click()
    audio = below.get_by_label("Audio file").first
    expect(audio).to_be_focused()
    expect(audio).to_have_accessible_description(re.compile("there is no prompt 'gone.wav'"))
    below.get_by_label("Name of the menu").fill("appointment")
    audio.fill("hello.wav")
    dialog.get_by_role("button", name="Save").click()
    expect(below.get_by_label("Name of the menu")).to_have_accessible_description(
        re.compile("Another menu has this name")
    )
    below.get_by_label("Name of the menu").fill("new_day")
    save(dialog)
    guest.forgive("422")


def test_what_the_form_does_not_know_is_named_and_sent_back_as_it_was(guest, house, make):
    campaign = make({"kind": "bot", "url": BOT_URL})
    house.execute(
        "UPDATE campaigns SET on_answer = on_answer || $2 WHERE id = $1",
        campaign,
        {"later": {"deep": [1]}},
    )
    page = guest.open(f"/campaigns/{campaign}")
    expect(page.locator("main")).to_contain_text("Also set, and kept as it is: later.")
    sent = sent_by(page)
    dialog = edit(page)
    expect(dialog).to_contain_text("Also set, and kept as it is: later.")
    dialog.get_by_label("Most attempts").fill("5")
    save(dialog)
    assert sent.pop() == {"max_attempts": 5}
    dialog = edit(page)
    dialog.get_by_label("Secret").fill("sales")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("What happens")).to_have_accessible_description(
        re.compile("unknown key")
    )  # to this API, which is older
    answer = sent.pop()["on_answer"]
    assert (answer["later"], answer["secret"]) == ({"deep": [1]}, "sales")
    dialog.get_by_label("What happens").select_option("Hang up")
    expect(dialog).to_contain_text("Not kept with this choice: later.")
    save(dialog)
    assert kept(house, campaign) == whole({"kind": "hang_up"})
    guest.forgive("422")


def test_a_kind_that_the_form_does_not_know_is_kept_until_another_is_chosen(visit, house, make):
    campaign = make({"kind": "hang_up"})
    unknown = {"kind": "dance", "steps": ["left"]}
    house.execute("UPDATE campaigns SET on_answer = $2 WHERE id = $1", campaign, unknown)
    page = visit(f"/campaigns/{campaign}")
    expect(page.locator("main")).to_contain_text("dance, which this page does not know")
    dialog = edit(page)
    expect(dialog.get_by_label("What happens").locator("option:checked")).to_have_text("As it is")
    dialog.get_by_label("What happens").select_option("Hang up")
    dialog.get_by_label("What happens").select_option("As it is")
    dialog.get_by_label("Name", exact=True).fill("Dancing")
    sent = sent_by(page)
    save(dialog)
    assert sent == [{"name": "Dancing"}]


def test_what_stands_twice_is_told_before_anything_is_sent(visit, make):
    campaign = make(MENU)
    page = visit(f"/campaigns/{campaign}")
    sent = sent_by(page)
    dialog = edit(page)
    key(page, dialog, "2")
    dialog.get_by_role("button", name="Save").click()
    keys = dialog.get_by_label("Keys", exact=True).and_(page.locator("[aria-invalid]"))
    expect(keys).to_be_focused()
    expect(keys).to_have_accessible_description(re.compile("stand twice"))
    keys.fill("3")
    added = branch(dialog, "Key 3")
    note(page, added, "age", "Number", "old")
    dialog.get_by_role("button", name="Save").click()
    value = added.get_by_label("Value", exact=True)
    expect(value).to_have_accessible_description(re.compile("This is no number"))
    value.fill("7")
    note(page, added, "age", "No")
    dialog.get_by_role("button", name="Save").click()
    name = added.get_by_label("Name", exact=True).last
    expect(name).to_have_accessible_description(re.compile("stands twice"))
    assert sent == []
    added.get_by_role("button", name="Take age out").last.click()
    save(dialog)
    assert sent[0]["on_answer"]["branches"]["3"]["set"] == {"age": 7}


def test_what_happens_stands_on_the_page_in_words(guest, make):
    campaign = make({**MENU, "machine_detection": {"silence": "retry"}})
    page = guest.open(f"/campaigns/{campaign}")
    card = page.locator("section", has=page.get_by_role("heading", name="When somebody answers"))
    for words in (
        "says “Hello {name|there}. Press 1.” with the voice en-gb",
        "Notes note = “by key”, tries = 2, confirmed = yes, plays hello.wav, hangs up.",
        "Goes on with the menu new_day.",
        "takes up to 2 keys within 5 seconds",
        "Begins this menu again.",
        "Hang up, and call again later",
    ):
        expect(card).to_contain_text(words)
    expect(card.locator("kbd")).to_have_text(["1", "2", "ZX", "*"])


def test_files_and_secrets_that_there_are_are_offered(visit, house, make):
    listed = house.ask(lambda client: client.prompts())
    assert [one.name for one in listed.items] == ["hello.wav"]
    secrets = house.ask(lambda client: client.bot_secrets())
    assert [one.name for one in secrets.items] == ["sales"]
    page = visit(f"/campaigns/{make({'kind': 'bot', 'url': BOT_URL})}")
    dialog = edit(page)
    offered = "one => [...one.list.options].map(option => [option.value, option.label])"
    secret = dialog.get_by_label("Secret")
    assert secret.evaluate(offered) == [["sales", f"sales, {BOT_URL}"]]
    dialog.get_by_label("If the bot is away or fails").select_option("Play a prompt, then hang up")
    ((name, label),) = dialog.get_by_label("Audio file").evaluate(offered)
    assert name == "hello.wav"
    assert re.fullmatch(r"hello.wav, [0-9.]+ s", label)
    secret.fill("sales")
    dialog.get_by_label("What happens").select_option("A prompt is played")
    dialog.get_by_label("Find out first whether").check()
    dialog.get_by_label("A machine answers").select_option("Leave a message")
    assert dialog.get_by_label("Message after the beep").evaluate(offered) == [[name, label]]

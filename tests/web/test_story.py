"""A new user's way through the dashboard, from a list of numbers to the record of its calls."""

from __future__ import annotations

import re

from playwright.sync_api import expect

ANSWERING = [f"+155520000{n:02}" for n in range(12)]
BUSY = [f"+155548600{n:02}" for n in range(8)]
ROWS = [*(f"{number},Ada {number[-2:]}" for number in [*ANSWERING, *BUSY]), "not a number,Nobody"]
LIST = "\n".join(["phone,name", *ROWS, ROWS[0], ""])


def test_a_campaign_from_its_list_to_its_records(visitor, house):
    page = visitor(house.url).open("/")
    expect(page).to_have_url(re.compile("/campaigns$"))
    expect(page.get_by_role("heading", name="No campaigns yet")).to_be_visible()
    create(page)
    watch_pause_and_resume(page)
    look_at_a_call(page)
    finish_and_delete(page)
    find_the_records(page)


def create(page):
    page.get_by_role("link", name="New campaign").first.click()
    expect(page.get_by_role("heading", name="New campaign")).to_be_focused()
    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_text("north", exact=True).click()
    page.get_by_label("Caller IDs").fill("+15550001000\n+1 (555) 000-1001")
    page.get_by_role("button", name="Take these hours out").click()
    page.get_by_label("Most calls at a time").fill("3")
    page.get_by_label("Most attempts").fill("1")
    page.locator("input[type=file]").set_input_files(
        {"name": "spring.csv", "mimeType": "text/csv", "buffer": LIST.encode()}
    )
    report = page.locator(".figures")
    expect(report).to_have_text(re.compile("20 ?would be added|would be added ?20"))
    page.get_by_text("2 skipped rows").click()
    skipped = page.get_by_role("region", name="Skipped rows")
    expect(skipped.get_by_role("row").nth(1)).to_contain_text("22")
    expect(skipped.get_by_role("row").nth(1)).to_contain_text("not a number")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download these rows").click()
    saved = download.value.path().read_text()
    assert saved.startswith("line,phone,reason\n")
    assert '"22","not a number"' in saved
    page.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("heading", name="Spring", exact=True)).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Campaign started with 20 numbers")
    page.evaluate("window.sameDocument = true")


def watch_pause_and_resume(page):
    over = page.locator(".figures div", has_text="Calls over").locator("dd")
    live = page.get_by_role("region", name="Calls that are up")
    expect(live.get_by_role("cell", name="Talking").first).to_be_visible()
    expect(over).to_have_text(re.compile(r"^[1-9]\d* of 20$"))
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused by a person.")).to_be_visible()
    expect(live).to_have_count(0)  # what was up has run to its end
    expect(over).not_to_have_text("20 of 20")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".page-head").get_by_text("In progress")).to_be_visible()
    expect(over).to_have_text("20 of 20")
    expect(page.get_by_text("Every call is over.")).to_be_visible()
    legend = page.locator(".legend")
    expect(legend.get_by_role("listitem").filter(has_text=re.compile("^Answered"))).to_contain_text(
        "12"
    )
    expect(legend.get_by_role("listitem").filter(has_text="Completed without")).to_contain_text("8")
    assert page.evaluate("window.sameDocument"), "the page was loaded anew"


def look_at_a_call(page):
    page.locator(".legend").get_by_role("link", name="Completed without answer").click()
    expect(page).to_have_url(re.compile("status=completed_without_answer"))
    calls = page.locator("#calls")
    expect(calls.get_by_role("row")).to_have_count(1 + len(BUSY))
    calls.get_by_role("searchbox").fill(BUSY[3])
    calls.get_by_role("button", name="Search").click()
    expect(calls.get_by_role("row")).to_have_count(2)
    page.reload()  # the address says it all
    expect(calls.get_by_role("row")).to_have_count(2)
    calls.get_by_role("link", name=BUSY[3]).click()
    expect(page.get_by_role("heading", name=BUSY[3])).to_be_focused()
    for text in ("busy-486", "486 Busy", "Ada 03"):
        expect(page.locator("main")).to_contain_text(text)
    ladder = page.locator(".ladder svg")
    messages = ladder.get_by_role("button")
    expect(messages.first).to_have_accessible_name(re.compile("sent INVITE sip:"))
    expect(messages.last).to_have_accessible_name(re.compile("sent ACK"))
    messages.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("pre.sip")).to_contain_text(f"INVITE sip:{BUSY[3]}@127.0.0.1")
    expect(messages.first).to_have_attribute("aria-pressed", "true")
    with page.expect_download() as download:
        page.get_by_role("link", name="Capture for Wireshark").click()
    assert download.value.path().read_bytes()[:4] == b"\xd4\xc3\xb2\xa1"
    page.get_by_role("link", name="Spring", exact=True).click()
    expect(page.get_by_role("heading", name="Spring", exact=True)).to_be_visible()


def finish_and_delete(page):
    page.get_by_role("button", name="Finish").click()
    dialog = page.get_by_role("dialog", name="Finish Spring?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".page-head").get_by_text("In progress")).to_be_visible()
    page.get_by_role("button", name="Finish").click()
    dialog.get_by_role("button", name="Finish").click()
    expect(page.locator(".page-head").get_by_text("Finished", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete Spring?")
    expect(dialog).to_contain_text("cannot be undone")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No campaigns yet")).to_be_visible()


def find_the_records(page):
    page.get_by_role("link", name="Dialogs").click()
    expect(page.get_by_role("row")).to_have_count(1 + len(ANSWERING) + len(BUSY))
    page.get_by_role("searchbox").fill(ANSWERING[0])
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("deleted")
    page.get_by_role("link", name=ANSWERING[0]).click()
    expect(page.locator("main")).to_contain_text("Of the deleted campaign Spring")
    expect(page.get_by_role("link", name="Dialogs")).to_have_count(2)

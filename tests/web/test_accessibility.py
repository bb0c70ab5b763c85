"""axe-core finds nothing wrong on any page, in light and dark, wide and narrow."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.web import scene
from tests.web.house import House, carrier

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
LOOKS = {"light": ("light", WIDE), "dark": ("dark", WIDE), "phone": ("light", PHONE)}
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
AXE = Axe().axe_script


@pytest.fixture(scope="module")
def house(module_database):
    carriers = {"berlin-carrier": carrier(), "clinic-pbx": carrier()}
    with House(module_database, carriers) as found:
        found.made = scene.make(found, calls=12)
        yield found


def check(page, within="html", looks=tuple(LOOKS)):
    """Look at the page, or a part of it, in some looks, and at its width."""
    page.evaluate(AXE)
    found = []
    for look in looks:
        scheme, size = LOOKS[look]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
        page.evaluate(DRAWN)
        result = page.evaluate("([within, rules]) => axe.run(within, rules)", [within, RULES])
        found += [
            (look, one["id"], node["html"][:160], node["failureSummary"])
            for one in result["violations"]
            for node in one["nodes"]
        ]
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{page.url} is {wider} px wider than {look}"
    assert found == []


@pytest.mark.parametrize(
    "path",
    [
        "/campaigns",
        "/campaigns/new",
        "/dialogs?status=answered",
        "/trunks",
        "/do-not-call",
        "/webhooks",
        "/account",
        "/login",
    ],
)
def test_no_page_is_hard_to_use(visit, path):
    check(visit(path))


def test_no_page_of_a_campaign_or_call_is_hard_to_use(visit, house):
    page = visit(f"/campaigns/{house.made.campaigns['Appointment reminders, week 48']}")
    for summary in page.locator("details.more > summary").all():
        summary.click()
    check(page)
    page = visit(f"/calls/{house.made.answered}")
    page.locator(".ladder .message").first.click()
    check(page)


def test_no_empty_page_is_hard_to_use(visit, house):
    draft = house.made.campaigns["New opening hours"]
    for path in (
        f"/campaigns/{draft}",
        "/dialogs?number=nobody",
        "/do-not-call?number=%2B493012345",
    ):
        check(visit(path))


def test_no_page_that_is_not_there_is_hard_to_use(visitor, house):
    guest = visitor(house.url)
    check(guest.open("/campaigns/999999"))
    guest.forgive("404")


def test_no_dialog_is_hard_to_use(visit, house):
    page = visit(f"/campaigns/{house.made.campaigns['Recall of hearing tests']}")
    for name in ("Add numbers", "Finish"):
        page.get_by_role("button", name=name).click()
        look_at_dialog(page)
    for name in ("Clone", "Requeue calls", "Remove numbers", "Delete", "Change settings"):
        page.get_by_label("More", exact=True).click()
        page.get_by_role("button", name=name).click()
        look_at_dialog(page)


MENU = {
    "kind": "gather",
    "name": "day",
    "prompt": {"file": "hello.wav"},
    "retry_prompt": {"file": "hello.wav"},
    "branches": {
        "1": {
            "set": {"agreed": True, "count": 2},
            "menu": {"name": "hour", "prompt": {"file": "hello.wav"}, "branches": {"Z": {}}},
        },
        "8": {"transfer": "sales", "again": True},
        "9": {"opt_out": True},
    },
    "transfers": {"sales": {"number": "+4930123456"}},
    "machine_detection": {"machine": "leave_message", "message": "hello.wav", "words": 9},
}
TARGETS = {
    "sales": {"number": "+4930123456", "trunk": "clinic-pbx", "waiting": {"file": "hello.wav"}},
    "adviser": {"number_from": "agent", "by": "refer", "on_failure": "hang_up"},
}
BOT = {
    "kind": "bot",
    "url": "wss://bots.example.com/sales",
    "parameters": {"language": "de"},
    "secret": None,
    "fallback": {"kind": "prompt", "file": "hello.wav"},
    "transfers": TARGETS,
}
RECORDING = {"consent": "key", "announcement": {"file": "hello.wav"}, "keep_days": 30}
TRANSFER = {
    "kind": "transfer",
    "prompt": {"file": "hello.wav"},
    "target": TARGETS["sales"],
    "recording": RECORDING,
}


@pytest.mark.parametrize("answer", [MENU, BOT, TRANSFER], ids=["menu", "bot", "transfer"])
def test_no_form_for_what_happens_on_answer_is_hard_to_use(visit, house, answer):
    settings = {"name": "Answers", "trunks": ["clinic-pbx"], "on_answer": answer}
    made = house.ask(lambda client: client.create_campaign(settings)).id
    page = visit(f"/campaigns/{made}")
    check(page)
    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for summary in dialog.locator("section details > summary").all():
        summary.evaluate("one => (one.parentElement.open = true)")
    page.evaluate(DRAWN)
    check(page, "dialog")
    assert dialog.evaluate("one => one.scrollWidth - one.clientWidth") <= 0  # as on a phone


def look_at_dialog(page):
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    check(page, "dialog", ("dark", "phone"))
    page.set_viewport_size(WIDE)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

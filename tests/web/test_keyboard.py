"""Everything can be reached and done with the keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def press_until(page, key, locator, most=80):
    """Press a key until the element has the focus, which must be seen."""
    for _ in range(most):
        page.keyboard.press(key)
        if locator.count() and locator.first.evaluate("one => one === document.activeElement"):
            outline = locator.first.evaluate(SEEN)
            assert outline, "the focus cannot be seen"
            return
    raise AssertionError(f"{key} never leads to {locator}")


SEEN = """one => {
    const shown = one.closest(".chip, .drop") ?? one;
    const style = getComputedStyle(shown);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""


def test_a_draft_is_made_changed_and_deleted_without_a_mouse(visitor, house):
    guest = visitor(house.url)
    page = guest.open("/campaigns")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    press_until(page, "Tab", page.get_by_role("link", name="New campaign"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New campaign")).to_be_focused()
    press_until(page, "Tab", page.get_by_label("Name", exact=True))
    page.keyboard.type("By keyboard")
    press_until(page, "Tab", page.get_by_role("checkbox", name="south"))
    page.keyboard.press("Space")
    press_until(page, "Tab", page.get_by_role("button", name="Save as draft"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_focused()
    change_the_pace(page)
    guest.forgive("422")
    delete(page)


def change_the_pace(page):
    press_until(page, "Tab", page.get_by_label("More", exact=True))
    page.keyboard.press("Enter")
    press_until(page, "Tab", page.get_by_role("button", name="Change settings"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Settings of By keyboard")
    expect(dialog).to_be_visible()
    press_until(page, "Tab", dialog.get_by_label("Most calls at a time"))
    page.keyboard.press("Control+a")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Most calls at a time")).to_be_focused()
    expect(dialog.get_by_label("Most calls at a time")).to_have_accessible_description(
        re.compile("greater than or equal to 1")
    )
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator(".facts div", has_text="Calls at a time")).to_contain_text("7")
    expect(page.get_by_label("More", exact=True)).to_be_focused()


def delete(page):
    page.keyboard.press("Enter")
    press_until(page, "Tab", page.get_by_role("button", name="Delete"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Delete By keyboard?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_label("More", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    press_until(page, "Tab", page.get_by_role("button", name="Delete"))
    page.keyboard.press("Enter")
    press_until(page, "Tab", dialog.get_by_role("button", name="Delete"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No campaigns yet")).to_be_visible()


def test_the_menu_of_a_phone_opens_and_closes(visit):
    page = visit("/campaigns")
    page.set_viewport_size({"width": 360, "height": 740})
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("link", name="Trunks")).to_have_count(0)
    press_until(page, "Tab", menu)
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    press_until(page, "Tab", page.get_by_role("link", name="Trunks"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Trunks")).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")


def test_a_theme_is_chosen_and_stays(visit):
    page = visit("/campaigns")
    colour = "getComputedStyle(document.body).backgroundColor"
    body = page.locator("body")
    light = page.evaluate(colour)
    press_until(page, "Tab", page.get_by_role("button", name="Dark"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Dark")).to_be_focused()
    expect(body).not_to_have_css("background-color", light)
    page.reload()
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    expect(body).not_to_have_css("background-color", light)
    page.get_by_role("button", name="As the system").click()
    expect(body).to_have_css("background-color", light)

"""Takes the pictures of the documentation: `make screenshots`.

Every page in light, in dark and as wide as a phone, from a service with simulated carriers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from tests.web import scene
from tests.web.conftest import ZONE, chromium
from tests.web.house import House, carrier

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 860}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 860}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}


def pages(made):
    """Return each picture's name, the address, and what to press before."""
    reminders = made.campaigns["Appointment reminders, week 48"]
    return {
        "campaigns": ("/campaigns", None),
        "new-campaign": ("/campaigns/new", None),
        "campaign": (f"/campaigns/{reminders}", None),
        "call": (f"/calls/{made.answered}", ".ladder .message"),
        "trunks": ("/trunks", None),
        "dialogs": ("/dialogs?status=answered&status=completed_without_answer", None),
        "do-not-call": ("/do-not-call", None),
        "account": ("/account", None),
    }


def main():
    """Take all pictures, or those whose names are given."""
    wanted = set(sys.argv[1:])
    FOLDER.mkdir(exist_ok=True)
    path = chromium()
    carriers = {"berlin-carrier": carrier(), "clinic-pbx": carrier()}
    with House(None, carriers) as house:
        made = scene.make(house)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path)
            for look, options in LOOKS.items():
                context = browser.new_context(
                    base_url=house.url, timezone_id=ZONE, reduced_motion="reduce", **options
                )
                for name, (address, press) in pages(made).items():
                    if not wanted or name in wanted:
                        take(context, address, press, FOLDER / f"{name}-{look}.png")
                context.close()
            browser.close()


def take(context, address, press, file):
    page = context.new_page()
    page.goto(address)
    page.locator("main h1").wait_for()
    page.evaluate("document.fonts.ready")
    if press:
        page.locator(press).first.click()
        page.locator(press).first.evaluate(
            "one => one.closest('.stack').scrollIntoView({block: 'center'})"
        )
    page.screenshot(path=file)
    page.close()


if __name__ == "__main__":
    main()

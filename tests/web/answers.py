"""Short words for the form of what happens when somebody answers."""

from __future__ import annotations

from playwright.sync_api import expect

from dialer.campaign.settings import CampaignSettings


def whole(on_answer):
    """What is meant by settings, with every default."""
    settings = {"name": "x", "trunks": ["x"], "on_answer": on_answer}
    return CampaignSettings.model_validate(settings).model_dump()["on_answer"]


def kept(house, campaign):
    return house.ask(lambda client: client.campaign(campaign)).on_answer


def edit(page):
    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def save(dialog):
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)


def sent_by(page):
    sent = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.method == "PATCH" else 0)
    return sent


def comes_back(page, house, campaign, wanted):
    """The campaign has it, and the form shows it: saved again, nothing is different."""
    assert kept(house, campaign) == whole(wanted)
    page.reload()
    sent = sent_by(page)
    dialog = edit(page)
    attempts = int(dialog.get_by_label("Most attempts").input_value()) + 1
    dialog.get_by_label("Most attempts").fill(str(attempts))
    save(dialog)
    assert sent == [{"max_attempts": attempts}]
    assert kept(house, campaign) == whole(wanted)


def note(page, within, name, kind, value=None):
    """Add a note to the record to a branch."""
    within.get_by_role("button", name="Add a note").first.click()
    page.keyboard.type(name)
    within.get_by_label("Kind of value").last.select_option(kind)
    if value is not None:
        within.get_by_label("Value", exact=True).last.fill(value)


def branch(within, name):
    """The branch whose line begins so."""
    return within.locator(f'details.branch:has(> summary > strong:text-is("{name}"))').first


def key(page, within, keys):
    """Add a key to a menu and return its branch."""
    within.get_by_role("button", name="Add a key").last.click()
    page.keyboard.type(keys)
    return branch(within, f"Key {keys}")

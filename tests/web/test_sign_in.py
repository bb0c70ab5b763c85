"""Who may look, and what each role is offered."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import expect
from tests.web.house import House, carrier

from dialer import config
from dialer.campaign.role import Role
from dialer.store import tokens


@pytest.fixture(scope="module")
def house(module_database, tmp_path_factory):
    """A service that wants a token, with one of each role."""
    token = secrets.token_hex(16)
    file = tmp_path_factory.mktemp("secret") / "token"
    file.write_text(token)
    api = config.Api(port=0, token_file=file)
    with House(module_database, {"north": carrier()}, api=api) as found:
        found.token = token
        found.tokens = {
            role: found.run(tokens.create(found.pool, 1, f"the {role}", role))[0] for role in Role
        }
        settings = {"name": "Spring", "trunks": ["north"]}
        found.ask(lambda client: client.create_campaign(settings), token)
        yield found


def sign_in(page, token):
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_person_signs_in_where_the_link_led_and_out_again(visitor, house):
    guest = visitor(house.url)
    page = guest.open("/trunks")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Ftrunks$"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_focused()
    sign_in(page, house.token)
    expect(page).to_have_url(re.compile("/trunks$"))
    expect(page.get_by_role("heading", name="Trunks")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Trunks")).to_be_visible()
    assert house.token not in page.evaluate("JSON.stringify([{...localStorage}, document.cookie])")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/campaigns")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_token_that_does_not_work_is_told_of(visitor, house):
    guest = visitor(house.url)
    page = guest.open("/login")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("this token does not work")
    guest.forgive("401")


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example/", "/\\evil.example", "https://evil.example"]
)
def test_signing_in_leads_to_no_other_site(visitor, house, elsewhere):
    page = visitor(house.url).open("/login")
    page.goto(f"/login?next={elsewhere}")
    sign_in(page, house.token)
    expect(page).to_have_url(f"{house.url}/campaigns")


def test_a_viewer_is_offered_nothing_that_changes(visitor, house):
    page = visitor(house.url).open("/campaigns/1")
    sign_in(page, house.tokens[Role.VIEWER])
    expect(page.get_by_role("heading", name="Spring")).to_be_visible()
    main = page.get_by_role("main")
    expect(main.get_by_role("button")).to_have_count(0)
    page.get_by_role("link", name="Campaigns").first.click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("link", name="New campaign")).to_have_count(0)
    page.get_by_role("link", name="Do not call").click()
    expect(page.get_by_role("heading", name="Nobody is listed")).to_be_visible()
    expect(main.get_by_role("button", name=re.compile("Add|Import"))).to_have_count(0)
    page.get_by_role("link", name="Trunks").click()
    expect(page.get_by_role("heading", name="north")).to_be_visible()
    expect(main.get_by_role("button")).to_have_count(0)
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name="Plan and use")).to_be_visible()
    expect(page.get_by_role("heading", name="Tokens")).to_have_count(0)


def test_an_operator_steers_campaigns_and_neither_trunks_nor_tokens(visitor, house):
    page = visitor(house.url).open("/campaigns/1")
    sign_in(page, house.tokens[Role.OPERATOR])
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    page.get_by_role("link", name="Trunks").click()
    expect(page.get_by_role("heading", name="north")).to_be_visible()
    expect(page.get_by_role("button", name="Hold north")).to_have_count(0)
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name="Rules")).to_be_visible()
    expect(page.get_by_role("heading", name="Tokens")).to_have_count(0)


def test_what_is_not_offered_is_refused_too(visitor, house):
    guest = visitor(house.url)
    page = guest.open("/campaigns/1")
    sign_in(page, house.tokens[Role.VIEWER])
    status = page.evaluate(
        "fetch('/v1/campaigns/1/start', {method: 'POST'}).then(answer => answer.status)"
    )
    assert status == 403
    guest.forgive("403")


def test_a_session_ends_with_its_token(visitor, house):
    secret, made = house.run(tokens.create(house.pool, 1, "gone soon", Role.ADMIN))
    guest = visitor(house.url)
    page = guest.open("/account")
    sign_in(page, secret)
    row = page.get_by_role("row").filter(has_text="gone soon")
    row.get_by_role("button", name="Revoke gone soon").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/login\?next=%2Faccount$"))
    guest.forgive("401")
    assert made.revoked_at is None

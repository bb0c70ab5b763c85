"""The do-not-call list over HTTP."""

from __future__ import annotations

import csv
import io

import pytest

from dialer.api.do_not_call import PAGE
from dialer.campaign.role import Role
from dialer.store import accounts, do_not_call, tokens
from dialer.store.account_records import AccountSettings, NewListing

PATH = "/v1/do-not-call"
EXPORT = f"{PATH}/export.csv"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def bearing(pool):
    """`await bearing("acme", Role.VIEWER)` returns the headers of a new token."""

    async def make(name, role):
        if name != "default":
            await accounts.create(pool, AccountSettings(name=name))
        account = await accounts.find(pool, name)
        secret, _ = await tokens.create(pool, account.id, "test", role)
        return {"Authorization": f"Bearer {secret}"}

    return make


async def entries(api, **more):
    found = (await api("GET", PATH, **more))["items"]
    return [(one["phone"], one["kind"], one["scope"], one["source"]) for one in found]


async def exported(api, **more):
    async with api.client.get(EXPORT, **more) as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        return list(csv.reader(io.StringIO(await response.text())))


async def test_numbers_and_prefixes_are_listed_as_calls_have_them(api):
    given = [
        "+49 (0)30 23125-000",
        "1001",
        {"phone": "+49 89", "kind": "prefix", "reason": "by law"},
        {"phone": "4912345678901234567", "reason": "no number today"},
        "+493023125000",
    ]
    assert await api("POST", PATH, json=given) == {
        "added": 4,
        "already_listed": 1,
        "rejected": 0,
        "rejected_rows": [],
        "rejected_rows_truncated": False,
    }
    assert sorted(await entries(api)) == [
        ("+4912345678901234567", "number", "account", "api"),
        ("+493023125000", "number", "account", "api"),
        ("+4989", "prefix", "account", "api"),
        ("1001", "number", "account", "api"),
    ]


async def test_what_cannot_be_listed_is_reported_and_the_rest_goes_in(api):
    given = ["hello", {"phone": "49", "kind": "prefix"}, {"phone": "+", "kind": "prefix"}, "+4930"]
    answer = await api("POST", PATH, json=given)
    assert (answer["added"], answer["rejected"]) == (1, 3)
    assert [(row["line"], row["reason"][:52]) for row in answer["rejected_rows"]] == [
        (1, "phone: is not a telephone number: 'hello'"),
        (2, "phone: is no beginning of international numbers, suc"),
        (3, "phone: is no beginning of international numbers, suc"),
    ]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ([], ""),
        ([{"phone": "+4930", "kind": "regex"}], "/0/kind"),
        ([{"phone": "+4930", "reason": "x" * 501}], "/0/reason"),
        ([{"phone": "+4930", "because": "x"}], "/0/because"),
    ],
)
async def test_entries_of_another_shape_are_refused(api, given, pointer):
    problem = await api("POST", PATH, 422, json=given)
    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert await entries(api) == []


async def test_a_list_is_imported_and_what_cannot_be_used_is_reported_by_line(api):
    text = (
        "Name;phone;Kind;reason\n"
        "Ada;+49 30 23125000;;asked by letter\n"
        "Ben;+4989;prefix;\n"
        "Cid;xx;;\n"
        "Dan;+4940111111;sometimes;\n"
        f"Eve;+4940111111;;{'x' * 501}\n"
        "Fay;1001;prefix;\n"
        "Gus;+493023125000;number;again\n"
    )
    answer = await api("POST", PATH, data=text, headers=CSV)
    assert (answer["added"], answer["already_listed"], answer["rejected"]) == (2, 1, 4)
    assert [(row["line"], row["reason"].partition(":")[0]) for row in answer["rejected_rows"]] == [
        (4, "phone"), (5, "kind"), (6, "reason"), (7, "phone")
    ]  # fmt: skip
    assert {one[3] for one in await entries(api)} == {"import"}


async def test_what_is_exported_can_be_imported(api, pool):
    many = [NewListing(f"+4930{number:06}", reason=f"r{number}") for number in range(PAGE + 1)]
    await do_not_call.add(pool, 1, [*many, NewListing("+4389", is_prefix=True)], "callee")
    before = await exported(api)
    assert before[0] == ["phone", "kind", "reason", "source", "created_at"]
    assert len(before) == PAGE + 3
    assert ["+4389", "prefix", "", "callee"] in [row[:4] for row in before]
    await pool.execute("DELETE FROM do_not_call")
    text = "\n".join(",".join(row) for row in before)
    answer = await api("POST", PATH, data=text, headers=CSV)
    assert (answer["added"], answer["rejected"]) == (PAGE + 2, 0)
    after = await exported(api)
    assert sorted(row[:3] for row in after) == sorted(row[:3] for row in before)


async def test_an_empty_list_is_exported_as_its_columns(api):
    assert len(await exported(api)) == 1


async def test_pages_go_on_where_the_one_before_ended(api):
    await api("POST", PATH, json=[f"+493011110{number}" for number in range(5)])
    first = await api("GET", PATH, params={"limit": 2})
    second = await api("GET", PATH, params={"limit": 3, "cursor": first["next_cursor"]})
    assert len(first["items"]) == 2
    assert second["next_cursor"] is None
    phones = [one["phone"] for one in (*first["items"], *second["items"])]
    assert phones == [f"+493011110{number}" for number in reversed(range(5))]


async def test_a_number_shows_everything_that_lists_it(api):
    await api("POST", PATH, json=["+493012345678", {"phone": "+49", "kind": "prefix"}, "+4312345"])
    await api("POST", PATH, params={"scope": "all"}, json=[{"phone": "+4930", "kind": "prefix"}])
    for asked in ("+493012345678", "+49 30 12345678", "493012345678"):
        assert await entries(api, params={"number": asked}) == [
            ("+4930", "prefix", "all", "api"),
            ("+493012345678", "number", "account", "api"),
            ("+49", "prefix", "account", "api"),
        ]
    assert await entries(api, params={"number": "+33123456789"}) == []
    await api("GET", PATH, 422, params={"number": "hello"})


async def test_an_entry_is_taken_off(api):
    await api("POST", PATH, json=["+493012345678", {"phone": "+4930", "kind": "prefix"}])
    await api("DELETE", PATH, 204, params={"phone": "+4930", "kind": "prefix"})
    await api("DELETE", PATH, 404, params={"phone": "+4930", "kind": "prefix"})
    await api("DELETE", PATH, 404, params={"phone": "+493012345678", "scope": "all"})
    await api("DELETE", f"{PATH}?phone=+493012345678", 204)  # a plus that a URL takes for a blank
    await api("DELETE", PATH, 422, params={"phone": "hello"})
    await api("DELETE", PATH, 422)
    assert await entries(api) == []


async def test_the_list_for_all_accounts_is_the_default_accounts_to_keep(api, bearing):
    everybody = {"params": {"scope": "all"}}
    admin = await bearing("default", Role.ADMIN)
    operator = await bearing("default", Role.OPERATOR)
    stranger = await bearing("acme", Role.ADMIN)
    await api("POST", PATH, json=["+493012345678"], headers=admin, **everybody)
    problem = await api("POST", PATH, 403, json=["+4930"], headers=operator, **everybody)
    assert "needs the role admin; the token 'test' has the role operator" in problem["detail"]
    for method, path in (("GET", PATH), ("GET", EXPORT), ("POST", PATH)):
        problem = await api(method, path, 403, headers=stranger, **everybody)
        assert "needs a token of the default account" in problem["detail"]
    gone = {"scope": "all", "phone": "+493012345678"}
    await api("DELETE", PATH, 403, params=gone, headers=stranger)
    await api("DELETE", PATH, 403, params=gone, headers=operator)
    found = await entries(api, headers=operator, **everybody)
    assert found == [("+493012345678", "number", "all", "api")]
    # whom it holds for may know that it does
    found = await entries(api, headers=stranger, params={"number": "+493012345678"})
    assert [one[2] for one in found] == ["all"]
    await api("DELETE", PATH, 204, params=gone, headers=admin)

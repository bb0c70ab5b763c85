from __future__ import annotations

import asyncio
import datetime as dt
import re

import pytest

from dialer.store import do_not_call
from dialer.store.account_records import NewListing
from dialer.store.records import DEFAULT_ACCOUNT

BERLIN = "+493023125000"
EVERYBODY = None
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
async def other(pool):
    """Another account's id."""
    return await pool.fetchval("INSERT INTO accounts (name) VALUES ('other') RETURNING id")


def whole(*numbers, reason=""):
    return [NewListing(number, reason=reason) for number in numbers]


def prefix(*patterns):
    return [NewListing(pattern, is_prefix=True) for pattern in patterns]


async def why(pool, *numbers, account=DEFAULT_ACCOUNT):
    found = await do_not_call.matches(pool, account, numbers)
    return {number: listing.pattern for number, listing in found.items()}


async def test_a_number_is_listed_by_itself_or_by_a_beginning_of_it(pool):
    await do_not_call.add(pool, 1, [*whole(BERLIN, "1001"), *prefix("+4989")], "person")
    asked = (BERLIN, BERLIN + "1", BERLIN[:-1], "+49891", "+4989", "+498", "1001", "10011", "")
    assert await why(pool, *asked) == {
        BERLIN: BERLIN, "+49891": "+4989", "+4989": "+4989", "1001": "1001"
    }  # fmt: skip


async def test_an_account_has_its_own_list_and_that_for_all(pool, other):
    await do_not_call.add(pool, DEFAULT_ACCOUNT, whole(BERLIN), "api")
    await do_not_call.add(pool, EVERYBODY, prefix("+43"), "person")
    assert await why(pool, BERLIN, "+431") == {BERLIN: BERLIN, "+431": "+43"}
    assert await why(pool, BERLIN, "+431", account=other) == {"+431": "+43"}


async def test_of_several_entries_that_for_all_is_told(pool):
    await do_not_call.add(pool, 1, [*whole(BERLIN), *prefix("+49")], "api")
    await do_not_call.add(pool, EVERYBODY, [*prefix("+4930"), *whole(BERLIN)], "import")
    found = (await do_not_call.matches(pool, 1, [BERLIN]))[BERLIN]
    assert (found.account_id, found.pattern, found.is_prefix, found.source) == (
        None, BERLIN, False, "import"
    )  # fmt: skip


async def test_a_listing_says_why(pool):
    await do_not_call.add(pool, 1, whole(BERLIN, reason="asked by letter"), "api", AT)
    await do_not_call.add(pool, EVERYBODY, prefix("+43"), "person", AT)
    found = await do_not_call.matches(pool, 1, [BERLIN, "+431"])
    said = re.sub(
        r"entry \d+", "entry N", "; ".join(one.told() for _, one in sorted(found.items()))
    )
    assert said == (
        "the do-not-call list for all accounts has numbers that begin with +43 since 2026-03-01,"
        " entry N; the do-not-call list of the account has it since 2026-03-01, entry N"
        " (asked by letter)"
    )


async def test_what_is_listed_already_stays_as_it_is(pool):
    assert await do_not_call.add(pool, 1, whole(BERLIN, reason="first"), "callee", AT) == 1
    again = [*whole(BERLIN, BERLIN, reason="second"), *prefix(BERLIN)]
    assert await do_not_call.add(pool, 1, again, "import") == 1
    found = (await do_not_call.matches(pool, 1, [BERLIN]))[BERLIN]
    assert (found.reason, found.source, found.created_at) == ("first", "callee", AT)


async def test_batches_that_list_the_same_numbers_at_once_do_not_wait_for_each_other_for_ever(pool):
    numbers = [f"+4930{n:06}" for n in range(500)]
    added = await asyncio.gather(
        *(
            do_not_call.add(pool, 1, whole(*numbers[:: 1 if turn % 2 else -1]), "import")
            for turn in range(6)
        )
    )
    assert sum(added) == 500


async def test_an_entry_is_removed_from_the_list_that_it_is_on(pool, other):
    for account in (DEFAULT_ACCOUNT, other, EVERYBODY):
        await do_not_call.add(pool, account, [*whole(BERLIN), *prefix(BERLIN)], "api")
    assert await do_not_call.remove(pool, DEFAULT_ACCOUNT, whole(BERLIN, "+1")) == 1
    assert await do_not_call.remove(pool, DEFAULT_ACCOUNT, whole(BERLIN)) == 0
    assert await do_not_call.remove(pool, EVERYBODY, [*whole(BERLIN), *prefix(BERLIN)]) == 2
    left = await pool.fetch("SELECT account_id, is_prefix FROM do_not_call ORDER BY 1, 2")
    assert [tuple(row) for row in left] == [(1, True), (other, False), (other, True)]


async def test_pages_go_from_the_newest_to_the_oldest_of_one_list(pool, other):
    await do_not_call.add(pool, 1, whole("+491", "+492", "+493"), "api")
    await do_not_call.add(pool, other, whole("+494"), "api")
    await do_not_call.add(pool, EVERYBODY, whole("+495"), "api")
    first = await do_not_call.list_page(pool, 1, limit=2)
    rest = await do_not_call.list_page(pool, 1, before=first[-1].id)
    assert [one.pattern for one in (*first, *rest)] == ["+493", "+492", "+491"]
    assert [one.pattern for one in await do_not_call.list_page(pool, EVERYBODY)] == ["+495"]


@pytest.mark.parametrize("analysed", [False, True])
async def test_a_long_list_is_never_scanned(pool, analysed):
    """Not with statistics, nor with those of an empty list, which is how it is before a vacuum."""
    await pool.execute("ANALYZE do_not_call")
    await pool.execute("""
        INSERT INTO do_not_call (account_id, pattern, is_prefix, source)
        SELECT nullif(n % 3, 0) * 0 + 1, '+49' || n, n % 7 = 0, 'import'
        FROM generate_series(1000000, 1050000) AS n""")
    if analysed:
        await pool.execute("ANALYZE do_not_call")
    numbers = [f"+49{n}" for n in range(1000000, 1000100)]
    plan = await pool.fetch(f"EXPLAIN (ANALYZE) {do_not_call.MATCHES}", 1, numbers)
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan on do_not_call" not in text
    assert "do_not_call_once" in text
    rows = [int(found) for found in re.findall(r"do_not_call.*actual time=\S+ rows=(\d+)", text)]
    assert max(rows) <= 2
    assert len(await do_not_call.matches(pool, 1, numbers)) > 60

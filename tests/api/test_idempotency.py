"""A request that is repeated with its idempotency key is done once, whatever happens between."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from tests.api.conftest import SETTINGS, served

from dialer.api import changes
from dialer.api.idempotency import stored_key
from dialer.campaign.role import Role
from dialer.store import accounts, campaigns, clone, do_not_call, idempotency, tokens
from dialer.store import requeue as store_requeue
from dialer.store.account_records import AccountSettings

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
KEYED = {"Idempotency-Key": KEY}
CSV = {**KEYED, "Content-Type": "text/csv"}
FAIL = """
CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {when} THEN RAISE EXCEPTION 'a fault'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fails BEFORE {event} FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def sent(api, method, path, headers=KEYED, **request):
    """Return status, whether the answer is a repeated one, and its body."""
    async with api.client.request(method, path, headers=headers, **request) as response:
        told = response.headers.get("Idempotent-Replayed")
        return response.status, told == "true", await response.json()


@pytest.fixture
def failing(pool):
    """`await failing("UPDATE ON calls", "NEW.id > 3")` has such a row fail until it is told not."""

    async def start(event, when):
        await pool.execute(FAIL.format(event=event, when=when))

        async def end():
            await pool.execute(f"DROP TRIGGER fails ON {event.split()[-1]}")

        return end

    return start


async def test_a_request_that_is_repeated_gets_its_first_answer_again(api, pool):
    async with api.client.post("/v1/campaigns", json=SETTINGS, headers=KEYED) as first:
        body = await first.read()
    async with api.client.post("/v1/campaigns", json=SETTINGS, headers=KEYED) as again:
        assert await again.read() == body
    assert (first.status, again.status) == (201, 201)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    for name in ("Location", "Content-Type", "Server", "X-Content-Type-Options"):
        assert again.headers[name] == first.headers[name]
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 1


@pytest.mark.parametrize(
    "headers", [{"Idempotence-Key": KEY}, {"Idempotency-Key": f'"{KEY}"'}, {"idempotency-key": KEY}]
)
async def test_a_key_is_the_same_however_it_is_written(api, headers):
    await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers=KEYED)
    assert (await sent(api, "POST", "/v1/campaigns", headers, json=SETTINGS))[:2] == (201, True)


@pytest.mark.parametrize("key", ["", '"', '"a', 'a"b', "ä", "x" * 256, "\t"])
async def test_what_is_no_key_is_refused(bare_api, key):
    headers = {"Idempotency-Key": key}
    problem = await bare_api("POST", "/v1/campaigns", 400, json=SETTINGS, headers=headers)
    assert "Idempotency-Key" in problem["detail"]


async def test_two_keys_that_differ_are_refused(bare_api):
    headers = {"Idempotency-Key": "a", "Idempotence-Key": "b"}
    await bare_api("POST", "/v1/campaigns", 400, json=SETTINGS, headers=headers)


async def test_a_hundred_at_once_make_one_campaign_and_all_get_its_answer(pool):
    connector = aiohttp.TCPConnector(limit=100)
    async with served(pool) as one, served(pool) as another:
        urls = [f"http://127.0.0.1:{api.port}/v1/campaigns" for api in (one, another)]
        async with aiohttp.ClientSession(connector=connector) as client:

            async def post(url):
                while True:
                    async with client.post(url, json=SETTINGS, headers=KEYED) as response:
                        if response.status == 409:  # the other process was at it for too long
                            assert int(response.headers["Retry-After"]) > 0
                            continue
                        assert response.status == 201
                        return await response.read(), response.headers.get("Idempotent-Replayed")

            answers = await asyncio.gather(*(post(urls[place % 2]) for place in range(100)))
    assert len({body for body, _ in answers}) == 1
    assert [told for _, told in answers].count(None) == 1
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 1


async def test_requests_that_wait_for_another_hold_no_connection(pool, monkeypatch):
    monkeypatch.setattr(changes, "TRY_AGAIN_SECONDS", 0.01)
    async with served(pool) as api, pool.acquire() as other:
        key = stored_key(1, KEY)
        assert await idempotency.lock_for_steps(other, key)
        waiting = [
            asyncio.create_task(sent(api, "POST", "/v1/campaigns", json=SETTINGS))
            for _ in range(50)
        ]
        await api.campaign()
        for _ in range(3):
            assert len((await api("GET", "/v1/campaigns"))["items"]) == 1
        await idempotency.unlock(other, key)
        results = await asyncio.gather(*waiting)
    assert {status for status, _, _ in results} <= {201, 409}
    assert 201 in {status for status, _, _ in results}
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 2


async def test_a_request_that_another_process_works_on_is_to_be_sent_again_later(
    api, pool, monkeypatch
):
    monkeypatch.setattr(changes, "TRY_AGAIN_SECONDS", 0.0)
    async with pool.acquire() as other:
        await idempotency.lock_for_steps(other, stored_key(1, KEY))
        for path in ("/v1/campaigns", "/v1/campaigns/1/finish"):
            problem = await api("POST", path, 409, json=SETTINGS, headers=KEYED)
            assert int(problem["headers"]["Retry-After"]) > 0
        await idempotency.unlock(other, stored_key(1, KEY))
    await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers=KEYED)


async def test_a_key_is_of_one_request(api):
    path = await api.campaign()
    await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers=KEYED)
    for method, where, body in (
        ("POST", "/v1/campaigns", {**SETTINGS, "name": "Autumn"}),
        ("POST", "/v1/campaigns?x=1", SETTINGS),
        ("POST", f"{path}/start", SETTINGS),
        ("POST", f"{path}/finish", SETTINGS),
        ("PATCH", path, SETTINGS),
    ):
        problem = await api(method, where, 422, json=body, headers=KEYED)
        assert "used for another request" in problem["detail"]


async def test_a_key_is_of_one_account(pool, api):
    await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers=KEYED)
    acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
    secret, _ = await tokens.create(pool, acme, "shop", Role.ADMIN)
    headers = {**KEYED, "Authorization": f"Bearer {secret}"}
    assert (await sent(api, "POST", "/v1/campaigns", headers, json=SETTINGS))[:2] == (201, False)
    assert (await sent(api, "POST", "/v1/campaigns", headers, json=SETTINGS))[:2] == (201, True)


async def test_a_refusal_is_repeated_too(api):
    path = await api.campaign()
    refused = await sent(api, "POST", f"{path}/pause")
    assert refused[:2] == (409, False)
    await api("POST", f"{path}/start")
    assert await sent(api, "POST", f"{path}/pause") == (409, True, refused[2])
    await api("POST", f"{path}/pause", headers={"Idempotency-Key": "another"})


async def test_a_fault_of_ours_is_not_repeated(api, pool):
    await pool.execute("ALTER TABLE campaigns RENAME TO elsewhere")
    await api("POST", "/v1/campaigns", 500, json=SETTINGS, headers=KEYED)
    await pool.execute("ALTER TABLE elsewhere RENAME TO campaigns")
    assert (await sent(api, "POST", "/v1/campaigns", json=SETTINGS))[:2] == (201, False)


async def test_what_was_done_is_undone_where_its_answer_cannot_be_kept(api, pool, failing):
    end = await failing("INSERT ON idempotency_keys", "true")
    await api("POST", "/v1/campaigns", 500, json=SETTINGS, headers=KEYED)
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 0
    await end()
    assert (await sent(api, "POST", "/v1/campaigns", json=SETTINGS))[:2] == (201, False)
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 1


async def test_no_secret_of_an_answer_can_be_read_without_the_key(api, pool):
    body = {"name": "shop", "role": "viewer"}
    _, _, made = await sent(api, "POST", "/v1/tokens", json=body)
    assert await sent(api, "POST", "/v1/tokens", json=body) == (201, True, made)
    row = await pool.fetchrow("SELECT * FROM idempotency_keys")
    kept = b"".join(value for value in row.values() if isinstance(value, bytes))
    for secret in (made["secret"], "shop", KEY):
        assert secret.encode() not in kept
    assert len((await api("GET", "/v1/tokens"))["items"]) == 1


async def test_a_change_with_a_key_is_made_once(api):
    path = await api.campaign()
    first = await sent(api, "PATCH", path, json={"name": "One"})
    await api("PATCH", path, json={"name": "Two"})
    assert await sent(api, "PATCH", path, json={"name": "One"}) == (200, True, first[2])
    assert (await api("GET", path))["name"] == "Two"


async def test_a_key_on_a_request_that_is_idempotent_as_it_is_changes_nothing(api):
    path = await api.campaign()
    await api("GET", path, headers=KEYED)
    await api("DELETE", path, 204, headers=KEYED)
    await api("DELETE", path, 404, headers=KEYED)


async def test_keys_are_forgotten_by_age(api, pool):
    await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers=KEYED)
    await api("POST", "/v1/campaigns", 201, json=SETTINGS, headers={"Idempotency-Key": "new"})
    await pool.execute(
        "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'"
        " WHERE key_hash = $1",
        stored_key(1, KEY).hash,
    )
    day = await pool.fetchval("SELECT interval '24 hours'")
    assert await idempotency.forget(pool, day) == 1
    assert await idempotency.forget(pool, day) == 0
    assert (await sent(api, "POST", "/v1/campaigns", json=SETTINGS))[:2] == (201, False)
    new = {"Idempotency-Key": "new"}
    assert (await sent(api, "POST", "/v1/campaigns", new, json=SETTINGS))[:2] == (201, True)


# Lists, and what else goes in steps.


def listed(first, last):
    rows = (f"+4930{1_000_000 + place},N{place}\n" for place in range(first, last))
    return ("phone,name\n" + "".join(rows)).encode()


async def test_a_list_is_taken_once(api):
    path = f"{await api.campaign()}/numbers"
    first = await sent(api, "POST", path, CSV, data=listed(0, 10) + b"nobody,x\n")
    assert (first[0], first[2]["added"], first[2]["rejected"]) == (200, 10, 1)
    again = await sent(api, "POST", path, CSV, data=listed(0, 10) + b"nobody,x\n")
    assert again == (200, True, first[2])
    problem = await api("POST", path, 422, data=listed(0, 11), headers=CSV)
    assert "used for another request" in problem["detail"]
    assert len((await api("GET", path.replace("numbers", "imports")))["items"]) == 1


async def test_the_boundary_of_a_form_tells_no_list_from_another(api):
    path = f"{await api.campaign()}/numbers"
    for repeated in (False, True):
        form = aiohttp.FormData()  # a boundary of its own
        form.add_field("file", listed(0, 3), filename="spring.csv")
        status, told, body = await sent(api, "POST", path, data=form)
        assert (status, told, body["added"]) == (200, repeated, 3)
    form = aiohttp.FormData()
    form.add_field("file", listed(0, 3), filename="autumn.csv")
    assert (await sent(api, "POST", path, data=form))[0] == 422
    (made,) = (await api("GET", path.replace("numbers", "imports")))["items"]
    assert made["file_name"] == "spring.csv"


async def test_a_list_where_none_is_taken_is_not_read_as_one(serve):
    async with serve(None, max_body_bytes=1000) as api:
        await api("POST", "/v1/campaigns", 413, data=b"x" * 2000, headers=CSV)
        await api("POST", "/v1/campaigns/1/clone", 413, data=b"x" * 2000, headers=CSV)


async def test_a_dry_run_and_a_check_of_a_list_are_repeated(api):
    path = f"{await api.campaign()}/numbers?dry_run=true"
    for where, key in ((path, "a"), ("/v1/lists/check", "b")):
        headers = {**CSV, "Idempotency-Key": key}
        first = await sent(api, "POST", where, headers, data=listed(0, 3))
        assert (first[:2], first[2]["added"]) == ((200, False), 3)
        assert await sent(api, "POST", where, headers, data=listed(0, 3)) == (200, True, first[2])


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_a_list_that_broke_off_by_our_fault_goes_on_where_it_was(
    api, pool, failing, monkeypatch, kind
):
    monkeypatch.setattr("dialer.api.intake.BATCH", 50)
    monkeypatch.setattr("dialer.api.list_upload.CSV_PIECE", 500)
    monkeypatch.setattr("dialer.api.numbers.CHECKED_AT_ONCE", 50)
    path = await api.campaign()
    await api.add(path, {"phone": "+49301000003", "payload": {"name": "N3"}})
    if kind == "csv":
        headers, body = CSV, {"data": b"phone,name\nnobody,x\n" + listed(0, 250)[11:] + b"no,y\n"}
    else:
        rows = [
            {"phone": f"+4930{1_000_000 + place}", "payload": {"name": f"N{place}"}}
            for place in range(250)
        ]
        headers, body = KEYED, {"json": [{"phone": "nobody"}, *rows, {"phone": "no"}]}
    end = await failing("INSERT ON calls", "NEW.number = '+49301000200'")
    await api("POST", f"{path}/numbers", 500, headers=headers, **body)
    await end()
    before = await pool.fetchval("SELECT count(*) FROM calls")
    assert 1 < before < 250
    # what was put in is not put in again, even where it has been taken out meanwhile
    await api("POST", f"{path}/numbers/remove", json={"numbers": ["+49301000005"]})
    status, told, answer = await sent(api, "POST", f"{path}/numbers", headers, **body)
    assert (status, told) == (200, False)
    assert (answer["added"], answer["duplicates"], answer["rejected"]) == (249, 1, 2)
    assert [row["phone"] for row in answer["duplicate_rows"]] == ["+49301000003"]
    assert [row["phone"] for row in answer["rejected_rows"]] == ["nobody", "no"]
    again = await sent(api, "POST", f"{path}/numbers", headers, **body)
    assert again == (200, True, answer)
    assert await pool.fetchval("SELECT count(*) FROM calls") == 249
    made, _ = (await api("GET", f"{path}/imports"))["items"]
    assert (made["id"], made["added"], made["duplicates"], made["rejected"]) == (
        answer["import_id"], 249, 1, 2,
    )  # fmt: skip
    assert made["finished_at"] is not None


async def test_rows_that_the_campaign_had_no_room_for_are_told_where_a_list_goes_on(
    api, failing, monkeypatch
):
    monkeypatch.setattr("dialer.api.intake.BATCH", 2)
    monkeypatch.setattr("dialer.api.list_upload.CSV_PIECE", 20)
    monkeypatch.setattr("dialer.store.schedules.MOST", 1 + 1)
    path = await api.campaign()
    body = b"phone,time_zone\n" + b"".join(
        b"+4930100000%d,%s\n" % (place, zone)
        for place, zone in enumerate((b"+01:00", b"+02:00", b"x", b"+01:00", b"+02:00", b"+01:00"))
    )
    end = await failing("INSERT ON calls", "NEW.number = '+49301000005'")
    await api("POST", f"{path}/numbers", 500, headers=CSV, data=body)
    await end()
    status, _, answer = await sent(api, "POST", f"{path}/numbers", CSV, data=body)
    assert (status, answer["added"], answer["rejected"]) == (200, 3, 3)
    assert [row["line"] for row in answer["rejected_rows"]] == [3, 4, 6]
    (made,) = (await api("GET", f"{path}/imports"))["items"]
    assert (made["added"], made["rejected"]) == (3, 3)


async def test_a_do_not_call_list_goes_on_where_it_was(api, pool, failing, monkeypatch):
    monkeypatch.setattr("dialer.api.do_not_call.BATCH", 100)
    body = b"phone\nnobody\n+49301000003\n" + b"".join(
        f"+4930{1_000_000 + place}\n".encode() for place in range(250)
    )
    end = await failing("INSERT ON do_not_call", "NEW.pattern = '+49301000200'")
    await api("POST", "/v1/do-not-call", 500, data=body, headers=CSV)
    await end()
    await do_not_call.remove(pool, 1, [do_not_call.NewListing("+49301000005")])
    status, _, answer = await sent(api, "POST", "/v1/do-not-call", CSV, data=body)
    assert (status, answer["added"], answer["already_listed"]) == (200, 250, 1)
    assert (answer["rejected"], len(answer["rejected_rows"])) == (1, 1)
    assert await pool.fetchval("SELECT count(*) FROM do_not_call") == 249


async def test_a_clone_goes_on_where_it_was(api, pool, failing, monkeypatch):
    monkeypatch.setattr(clone, "BATCH", 10)
    path = await api.campaign()
    await api.add(path, *(f"+4930{1_000_000 + place}" for place in range(25)))
    end = await failing("INSERT ON calls", "NEW.number = '+49301000015'")
    asked = {"json": {"name": "Again", "numbers": "all"}}
    await api("POST", f"{path}/clone", 500, headers=KEYED, **asked)
    await end()
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 2
    status, _, answer = await sent(api, "POST", f"{path}/clone", **asked)
    assert (status, answer["numbers_added"]) == (201, 25)
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 2
    assert await sent(api, "POST", f"{path}/clone", **asked) == (201, True, answer)


async def test_a_finish_goes_on_where_it_was(api, pool, failing, monkeypatch):
    monkeypatch.setattr(campaigns, "END_BATCH", 10)
    path = await api.campaign()
    await api.add(path, *(f"+4930{1_000_000 + place}" for place in range(25)))
    await api("POST", f"{path}/start")
    end = await failing("UPDATE ON calls", "NEW.number = '+49301000015'")
    await api("POST", f"{path}/finish", 500, headers=KEYED)
    await end()
    status, _, answer = await sent(api, "POST", f"{path}/finish")
    assert (status, answer["status"]) == (200, "finished")
    assert await pool.fetchval("SELECT count(*) FROM calls WHERE status = 'planned'") == 0


async def test_a_requeue_takes_no_call_twice(api, pool, failing, monkeypatch):
    monkeypatch.setattr(store_requeue, "BATCH", 10)
    path = await api.campaign()
    await api.add(path, *(f"+4930{1_000_000 + place}" for place in range(25)))
    await pool.execute("UPDATE calls SET status = 'not_dialed', due = NULL")
    await pool.execute("""
        INSERT INTO events (account_id, campaign_id, call_id, kind, data)
        SELECT account_id, campaign_id, id, 'call.not_dialed',
            '{"from": "planned", "to": "not_dialed"}' FROM calls""")
    end = await failing("UPDATE ON calls", "NEW.number = '+49301000015'")
    asked = {"json": {"statuses": ["not_dialed"]}}
    await api("POST", f"{path}/requeue", 500, headers=KEYED, **asked)
    await end()
    await pool.execute("""
        WITH over AS (
            UPDATE calls SET status = 'not_dialed', due = NULL WHERE status = 'planned' RETURNING *)
        INSERT INTO events (account_id, campaign_id, call_id, kind, data)
        SELECT account_id, campaign_id, id, 'call.not_dialed',
            '{"from": "planned", "to": "not_dialed"}' FROM over""")
    status, _, answer = await sent(api, "POST", f"{path}/requeue", **asked)
    assert (status, answer["requeued"]) == (200, 25)
    assert await pool.fetchval("SELECT max(requeued) FROM calls") == 1


@pytest.mark.parametrize("by", ["numbers", "call_ids", "import_id"])
async def test_a_removal_goes_on_where_it_was(api, pool, monkeypatch, by):
    monkeypatch.setattr("dialer.store.removal.BATCH", 10)
    path = await api.campaign()
    numbers = [f"+4930{1_000_000 + place}" for place in range(25)]
    added = await api.add(path, *numbers)
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM calls ORDER BY id")]
    wanted = {
        "numbers": [*numbers, "+49309999999"],
        "call_ids": [*ids, 999_999],
        "import_id": added["import_id"],
    }
    asked = {"json": {by: wanted[by]}}
    await pool.execute(FAIL.format(event="DELETE ON calls", when="OLD.number = '+49301000015'")
                       .replace("RETURN NEW", "RETURN OLD"))  # fmt: skip
    await api("POST", f"{path}/numbers/remove", 500, headers=KEYED, **asked)
    await pool.execute("DROP TRIGGER fails ON calls")
    await api.add(path, *numbers[:5])  # somebody adds them anew
    status, _, answer = await sent(api, "POST", f"{path}/numbers/remove", **asked)
    assert (status, answer["removed"]) == (200, 25)
    assert answer["kept"] == (0 if by == "import_id" else 1)
    assert await pool.fetchval("SELECT count(*) FROM calls") == 5

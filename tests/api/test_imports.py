"""Lists as imports over HTTP: dry runs, skipped rows to download, numbers taken out again."""

from __future__ import annotations

import csv
import io

import pytest

from dialer.store import schedules

CSV = {"Content-Type": "text/csv"}
MIXED = (
    b"phone;name;phone_2;priority\n"
    b"+4930123456;Ada;+4930123499;5\n"
    b"=cmd|' /C calc'!A0;Bad;;\n"
    b"+49 30 123456;Ada;;\n"
    b"+49;Short;;\n"
    b"+4930123457;Ben;;high\n"
)


@pytest.fixture
async def path(api):
    return await api.campaign()


async def upload(api, path, data, expect=200, to="numbers", **query):
    return await api("POST", f"{path}/{to}", expect, data=data, headers=CSV, params=query)


async def test_a_row_that_cannot_be_used_is_reported_with_its_line_number_and_reason(api, path):
    answer = await upload(api, path, MIXED, file_name="spring.csv")
    assert (answer["added"], answer["undialable"]) == (2, 1)
    assert answer["format"] == "CSV in UTF-8 with semicolons"
    assert [(row["line"], row["reason"]) for row in answer["rejected_rows"]] == [
        (3, "phone: is not a telephone number: \"=cmd|' /C calc'!A0\""),
        (6, "priority: 'high' is no whole number from -1000 to 1000"),
    ]
    made = await api("GET", f"/v1/imports/{answer['import_id']}")
    assert made["file_name"] == "spring.csv"
    assert made["format"] == answer["format"]
    counted = {name: made[name] for name in ("added", "undialable", "duplicates", "rejected")}
    assert counted == {"added": 2, "undialable": 1, "duplicates": 1, "rejected": 2}
    assert (await api("GET", f"{path}/imports"))["items"] == [made]


async def skipped_rows(api, import_id):
    async with api.client.get(f"/v1/imports/{import_id}/skipped.csv") as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        text = await response.text()
    return list(csv.DictReader(io.StringIO(text)))


async def test_the_report_of_an_import_can_be_downloaded_and_runs_no_formula(api, path):
    answer = await upload(api, path, MIXED)
    assert await skipped_rows(api, answer["import_id"]) == [
        {
            "line": "3",
            "phone": "'=cmd|' /C calc'!A0",
            "reason": "phone: is not a telephone number: \"=cmd|' /C calc'!A0\"",
        },
        {
            "line": "4",
            "phone": "+4930123456",
            "reason": "the campaign has this number with the same payload already",
        },
        {
            "line": "6",
            "phone": "+4930123457",
            "reason": "priority: 'high' is no whole number from -1000 to 1000",
        },
    ]
    clean = await api.add(path, "+4930123460")
    assert await skipped_rows(api, clean["import_id"]) == []


async def test_the_report_has_every_skipped_row_where_the_answer_has_a_hundred(api, path):
    bad = "".join(f"x{place}\n" for place in range(1_200)).encode()
    answer = await upload(api, path, b"phone\n" + bad)
    assert (len(answer["rejected_rows"]), answer["rejected"]) == (100, 1_200)
    rows = await skipped_rows(api, answer["import_id"])
    assert [row["line"] for row in rows] == [str(line) for line in range(2, 1_202)]


async def test_a_dry_run_tells_what_would_become_of_a_list_and_writes_nothing(api, path):
    await api.add(path, {"phone": "+4930123456", "payload": {"name": "Ada"}})
    told = await upload(api, path, MIXED, dry_run="true")
    assert told["dry_run"] is True
    assert told["import_id"] is None
    assert told["format"] == "CSV in UTF-8 with semicolons"
    counted = {name: told[name] for name in ("added", "undialable", "duplicates", "rejected")}
    assert counted == {"added": 1, "undialable": 1, "duplicates": 2, "rejected": 2}
    assert [row["line"] for row in told["duplicate_rows"]] == [2, 4]
    assert len((await api("GET", f"{path}/imports"))["items"]) == 1
    assert len((await api("GET", f"{path}/calls"))["items"]) == 1
    done = await upload(api, path, MIXED)
    for name in (*counted, "duplicate_rows", "rejected_rows"):
        assert done[name] == told[name]

    told = await api("POST", f"{path}/numbers", params={"dry_run": "true"}, json=["+49301", "x"])
    assert (told["added"], told["rejected"], told["format"]) == (1, 1, "JSON")
    assert len((await api("GET", f"{path}/imports"))["items"]) == 2


async def test_a_list_is_checked_before_there_is_a_campaign(api):
    told = await upload(api, "/v1/lists", MIXED, to="check")
    counted = {name: told[name] for name in ("added", "undialable", "duplicates", "rejected")}
    assert counted == {"added": 2, "undialable": 1, "duplicates": 1, "rejected": 2}
    problem = await upload(api, "/v1/lists", b"\xd0\xcf\x11\xe0", 422, to="check")
    assert "XLS" in problem["detail"]
    assert (await api("GET", "/v1/campaigns"))["items"] == []


async def test_a_dry_run_of_a_list_that_is_too_large_or_breaks_off(api, pool, path, serve):
    rows = "".join(f"+4930{1_000_000 + place}\n" for place in range(3_000)).encode()
    async with serve(pool, max_upload_bytes=30_000) as small:
        problem = await upload(small, path, rows, 413, dry_run="true")
    assert "added" not in problem
    assert (await api("GET", f"{path}/imports"))["items"] == []


async def test_an_encoding_is_taken_as_told_and_reported(api, path):
    data = "phone;name\n+4930123456;Łukasz\n".encode("cp1250")
    answer = await upload(api, path, data, encoding="windows-1250")
    assert answer["format"] == "CSV in CP1250 with semicolons"
    assert (await api("GET", f"{path}/calls"))["items"][0]["payload"] == {"name": "Łukasz"}
    problem = await upload(api, path, data, 422, encoding="klingon")
    assert problem["detail"].startswith("encoding 'klingon' is not known here; take utf-8")


async def test_numbers_of_json_have_alternates(api, path):
    answer = await api.add(
        path,
        {"phone": "+4930123456", "alternates": ["+49 30 123457", "200", "+4930123456"]},
        {"phone": "+4930123458", "alternates": ["x"]},
        {"phone": "+4930123459", "alternates": ["+4930123457", "+49"]},
    )
    assert answer["added"] == 1
    (call,) = (await api("GET", f"{path}/calls"))["items"]
    assert call["alternates"] == ["+4930123457", "200"]
    assert call["import_id"] == answer["import_id"]
    assert [row["reason"] for row in answer["rejected_rows"]] == [
        "alternates/0: is not a telephone number: 'x'",
        "alternates/1: too short for a telephone number",
    ]
    problem = await api.add(path, {"phone": "1", "alternates": ["1"] * 9}, expect=422)
    assert problem["errors"][0]["pointer"] == "/0/alternates"


async def test_a_list_sets_time_zone_window_and_attempts_of_each_number(api, pool, path):
    answer = await upload(
        api,
        path,
        b"phone;time_zone;window;max_attempts;retry_interval_minutes;phone_2\n"
        b"+4930123456;-05:00;sat 22:00-02:00;7;90;+4930123499\n"
        b"+4930123457;;;;;\n",
    )
    assert answer["added"] == 2
    found = await pool.fetch("""
        SELECT k.number, k.max_attempts, k.retry_interval_seconds, k.alternates, k.import_id,
            s.time_zone, s.windows
        FROM calls AS k JOIN schedules AS s ON s.id = k.schedule_id ORDER BY k.id""")
    made = answer["import_id"]
    window = [{"days": ["sat"], "from": "22:00", "to": "02:00"}]
    assert [tuple(row) for row in found] == [
        ("+4930123456", 7, 5400, ["+4930123499"], made, "-05:00", window),
        ("+4930123457", None, None, [], made, "Europe/Berlin", None),
    ]


async def test_rows_with_more_time_zones_and_windows_than_a_campaign_may_have_are_told(
    api, path, monkeypatch
):
    monkeypatch.setattr(schedules, "MOST", 1 + 2)
    data = b"phone,time_zone\n" + b"".join(
        b"+493012345%d,+0%d:00\n" % (place, place) for place in range(4)
    )
    for to, query in (("numbers", {"dry_run": "true"}), ("numbers", {})):
        answer = await upload(api, path, data, to=to, **query)
        assert (answer["added"], answer["rejected"]) == (2, 2)
        assert [(row["line"], row["phone"]) for row in answer["rejected_rows"]] == [
            (4, "+4930123452"),
            (5, "+4930123453"),
        ]
        assert {row["reason"] for row in answer["rejected_rows"]} == {schedules.TOO_MANY}
    rows = await skipped_rows(api, answer["import_id"])
    assert [row["line"] for row in rows] == ["4", "5"]
    checked = await upload(api, "/v1/lists", data, to="check")
    assert (checked["added"], checked["rejected"]) == (2, 2)
    given = [{"phone": "+4930123459", "time_zone": "+09:00"}, "+4930123458"]
    answer = await api("POST", f"{path}/numbers", json=given)
    assert (answer["added"], answer["rejected"]) == (0, 2)


async def test_appending_to_a_running_campaign(api, path):
    await api.add(path, "+4930123456")
    await api("POST", f"{path}/start")
    answer = await upload(api, path, b"phone\n+4930123457\n")
    assert answer["added"] == 1
    found = (await api("GET", f"{path}/calls"))["items"]
    assert [(call["number"], call["status"]) for call in found] == [
        ("+4930123457", "planned"),
        ("+4930123456", "planned"),
    ]


async def test_numbers_not_yet_called_are_removed_and_the_rest_is_told(api, path):
    first = await api.add(path, "+4930123456", "+4930123457", "200")
    second = await api.add(path, "+4930123458", "+4930123459")
    remove = f"{path}/numbers/remove"
    answer = await api("POST", remove, json={"numbers": ["+49 30 123456", "+49301", "x;y"]})
    assert answer == {
        "removed": 1,
        "kept": 2,
        "kept_calls": [
            {"phone": "x;y", "call_id": None, "reason": "is not a telephone number: 'x;y'"},
            {"phone": "+49301", "call_id": None, "reason": "is not in this campaign"},
        ],
        "kept_calls_truncated": False,
    }
    ids = [call["id"] for call in (await api("GET", f"{path}/calls"))["items"]]
    answer = await api("POST", remove, json={"call_ids": [ids[0], 999]})
    assert (answer["removed"], answer["kept"]) == (1, 1)
    answer = await api("POST", remove, json={"import_id": first["import_id"]})
    assert (answer["removed"], answer["kept"]) == (2, 0)
    left = [call["number"] for call in (await api("GET", f"{path}/calls"))["items"]]
    assert left == ["+4930123458"]
    answer = await api(
        "POST", remove, json={"numbers": [f"+4930{place:07}" for place in range(150)]}
    )
    assert (answer["kept"], len(answer["kept_calls"])) == (150, 100)
    assert answer["kept_calls_truncated"] is True
    assert second["import_id"] > first["import_id"]


async def test_removing_asks_for_one_of_three(api, path):
    for body in ({}, {"numbers": ["1"], "call_ids": [1]}, {"numbers": []}, {"call_ids": [0]}):
        await api("POST", f"{path}/numbers/remove", 422, json=body)
    await api("POST", f"{path}/numbers/remove", 404, json={"import_id": 999})
    await api("POST", "/v1/campaigns/999/numbers/remove", 404, json={"numbers": ["1"]})


async def test_there_is_no_such_import(api):
    for path in ("/v1/imports/999", "/v1/imports/999/skipped.csv", "/v1/imports/x"):
        await api("GET", path, 404)
    await api("GET", "/v1/campaigns/999/imports", 404)

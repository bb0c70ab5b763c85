"""Adding numbers over HTTP: JSON, CSV and uploads, with good rows and bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json

import aiohttp
import pytest

from dialer.api.intake import BATCH

CSV = {"Content-Type": "text/csv"}
NOTHING = {
    "added": 0,
    "duplicates": 0,
    "rejected": 0,
    "undialable": 0,
    "dry_run": False,
    "duplicate_rows": [],
    "duplicate_rows_truncated": False,
    "rejected_rows": [],
    "rejected_rows_truncated": False,
}


@pytest.fixture
async def path(api):
    return await api.campaign()


async def stored(api, path):
    """Return what the campaign holds, in list order."""
    calls = (await api("GET", f"{path}/calls", params={"limit": 500}))["items"]
    return [(call["number"], call["payload"]) for call in reversed(calls)]


def told(answer):
    """What an answer says of the rows."""
    return {name: value for name, value in answer.items() if name not in {"import_id", "format"}}


async def upload(api, path, data, expect=200, **headers):
    return await api("POST", f"{path}/numbers", expect, data=data, headers={**CSV, **headers})


async def test_texts_and_objects(api, path):
    answer = await api.add(
        path,
        "+49 (30) 123-456",
        {"phone": "4930123457", "payload": {"name": "Ärzte ☎"}},
        {"phone": "200", "priority": 5, "max_attempts": 1, "retry_interval_minutes": 7},
    )
    assert told(answer) == {**NOTHING, "added": 3}
    assert await stored(api, path) == [
        ("+4930123456", {}),
        ("+4930123457", {"name": "Ärzte ☎"}),
        ("200", {}),
    ]
    (last, *_) = (await api("GET", f"{path}/calls"))["items"]
    assert last["priority"] == 5
    assert last["status"] == "planned"
    assert last["status_label"] == "Planned"
    assert last["next_attempt_at"] is not None


async def test_exact_duplicates_are_skipped_and_told(api, path):
    await api.add(path, "+4930123456", {"phone": "+4930123457", "payload": {"a": "1", "b": "2"}})
    answer = await api.add(
        path,
        "004930123458",
        "+49 30 123456",
        {"phone": "+4930123457", "payload": {"b": "2", "a": "1"}},
        {"phone": "+4930123457", "payload": {"a": "2"}},
        "+4930123459",
        "+4930123459",
    )
    assert answer["added"] == 3
    assert answer["duplicates"] == 3
    assert answer["duplicate_rows"] == [
        {"line": 2, "phone": "+4930123456"},
        {"line": 3, "phone": "+4930123457"},
        {"line": 6, "phone": "+4930123459"},
    ]


async def test_numbers_that_cannot_exist_go_in_and_are_counted(api, path):
    answer = await api.add(path, "+49", "+4930123456", "+999123456789", "+49")
    assert answer["added"] == 3
    assert answer["duplicates"] == 1
    assert answer["undialable"] == 2
    problems = {
        call["number"]: call["problem"] for call in (await api("GET", f"{path}/calls"))["items"]
    }
    assert problems["+4930123456"] == ""
    assert problems["+49"]
    assert problems["+999123456789"]


BAD_PHONES = [
    "",
    " ",
    "abc",
    "+4930\r\nX-Evil: 1",
    "+4930%0d%0aX",
    "+4930;phone-context=x",
    "+4930@evil.example",
    "sip:200@pbx",
    "+4930?x",
    "<+4930>",
    "+4930123456\u0660",
    "++4930123456",
    "1" * 100,
]


async def test_texts_that_are_no_numbers_are_rejected_one_by_one(api, path):
    answer = await api.add(path, "+4930123456", *BAD_PHONES, "+4930123457\n")
    assert answer["added"] == 2
    assert [row["phone"] for row in answer["rejected_rows"]] == BAD_PHONES
    assert [row["line"] for row in answer["rejected_rows"]] == list(range(2, 2 + len(BAD_PHONES)))
    for row in answer["rejected_rows"]:
        assert row["reason"].startswith("phone: ")
        assert row["reason"].isprintable()


async def test_rows_told_are_bounded_and_counts_are_not(api, path):
    answer = await api.add(path, *["x"] * 250, *["+4930123456"] * 251)
    assert answer["added"] == 1
    assert answer["rejected"] == 250
    assert answer["duplicates"] == 250
    for kind in ("rejected", "duplicate"):
        assert len(answer[f"{kind}_rows"]) == 100
        assert answer[f"{kind}_rows_truncated"] is True


JSON_THAT_DOES_NOT_FIT = [
    ([], ""),
    ({}, ""),
    ("+4930123456", ""),
    ([4930123456], "/0"),
    ([None], "/0"),
    (["1", {"phone": 1}], "/1/phone"),
    ([{"phon": "1"}], "/0/phone"),
    ([{"phone": "1", "payload": {"a": 1}}], "/0/payload/a"),
    ([{"phone": "1", "payload": []}], "/0/payload"),
    ([{"phone": "1", "payload": {"a": "x" * 20_000}}], "/0/payload"),
    ([{"phone": "1", "payload": {"a": "\0"}}], ""),
    ([{"phone": "1", "priority": 1.5}], "/0/priority"),
    ([{"phone": "1", "priority": 10**30}], "/0/priority"),
    ([{"phone": "1", "max_attempts": 0}], "/0/max_attempts"),
    ([{"phone": "1", "retry_interval_minutes": "5"}], "/0/retry_interval_minutes"),
    ([{"phone": "1", "name": "x"}], "/0/name"),
    (["1"] * 20_001, ""),
]


async def test_json_that_does_not_fit_adds_nothing(api, path):
    for body, pointer in JSON_THAT_DOES_NOT_FIT:
        problem = await api("POST", f"{path}/numbers", 422, json=body)
        assert problem["errors"][0]["pointer"] == pointer
    assert await stored(api, path) == []


async def test_a_body_of_another_type(api, path):
    for content_type in ("application/xml", "text/plain", "application/x-www-form-urlencoded"):
        await api("POST", f"{path}/numbers", 415, data=b"x", headers={"Content-Type": content_type})


async def test_csv_with_everything_that_spreadsheets_do(api, path):
    answer = await upload(
        api,
        path,
        "\ufeffname;Phone;note\r\n"
        'Ärzte;"+49 30 123456";"a;b"\r\n'
        "\r\n"
        "Bad;not a number;\r\n"
        'Multi;+4930123457;"two\r\nlines"\r\n'
        "Twice;+49-30-123457;x\r\n"
        "Short;+49;\r\n".encode(),
    )
    assert answer["added"] == 4
    assert answer["undialable"] == 1
    assert answer["rejected_rows"] == [
        {"line": 4, "phone": "not a number",
         "reason": "phone: is not a telephone number: 'not a number'"},
    ]  # fmt: skip
    assert await stored(api, path) == [
        ("+4930123456", {"name": "Ärzte", "note": "a;b"}),
        ("+4930123457", {"name": "Multi", "note": "two\nlines"}),
        ("+4930123457", {"name": "Twice", "note": "x"}),
        ("+49", {"name": "Short", "note": ""}),
    ]


async def test_csv_rows_that_are_broken_do_not_stop_the_others(api, path):
    answer = await upload(
        api,
        path,
        b"phone,n\n+4930123456,\xc3\xa4\xc3\xb6\xc3\xbc\n\xff\xfe\n+49301\x0023\n"
        + b"9" * 70_000
        + b"\n+4930123457",
    )
    assert answer["added"] == 2
    assert [row["line"] for row in answer["rejected_rows"]] == [3, 4, 5]
    reasons = [row["reason"] for row in answer["rejected_rows"]]
    for reason, word in zip(reasons, ("UTF-8", "NUL", "longer"), strict=True):
        assert word in reason


UNREADABLE = [
    (b"PK\x03\x04rest of a workbook", "damaged"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", "XLS file, or a workbook with a password; save it as XLSX"),
    (b"\x1f\x8b\x08\0", "GZIP"),
    (b"phone,a,a\n+4930123456,1,2\n", "two columns"),
]


async def test_a_list_that_cannot_be_read_at_all(api, path):
    for data, word in UNREADABLE:
        problem = await upload(api, path, data, 422)
        assert word in problem["detail"]
    assert await stored(api, path) == []


async def test_an_empty_list_adds_nothing(api, path):
    for data in (b"", b"\n\n", b"phone\n", b"\xef\xbb\xbf"):
        assert told(await upload(api, path, data)) == NOTHING


async def test_a_long_list_comes_in_pieces_and_keeps_its_order(api, path):
    total = 5_000

    async def pieces():
        yield b"phone,name\n"
        for place in range(total):
            row = f"+4930{1_000_000 + place},n{place}\n".encode()
            yield row[:7]
            yield row[7:]

    assert told(await upload(api, path, pieces())) == {**NOTHING, "added": total}
    counts = (await api("GET", path))["counts"]
    assert counts[0] == {"status": "planned", "label": "Planned", "calls": total}
    # sent again, as after a connection that broke, it adds nothing
    again = await upload(api, path, pieces())
    assert (again["added"], again["duplicates"]) == (0, total)


async def test_a_list_that_is_too_large_tells_what_went_in(api, pool, path, serve):
    async with serve(pool, max_upload_bytes=30_000) as small:
        rows = "".join(f"+4930{1_000_000 + place}\n" for place in range(3_000)).encode()
        problem = await upload(small, path, rows, 413)
    assert "30000 bytes" in problem["detail"]
    assert problem["added"] == len(await stored_numbers(api, path)) > 0


async def stored_numbers(api, path):
    numbers, cursor = [], {}
    while True:
        page = await api("GET", f"{path}/calls", params={"limit": 500, **cursor})
        numbers += [call["number"] for call in page["items"]]
        if page["next_cursor"] is None:
            return numbers
        cursor = {"cursor": page["next_cursor"]}


async def test_a_file_upload(api, path):
    form = aiohttp.FormData()
    form.add_field("comment", "spring list")
    form.add_field(
        "file", io.BytesIO(b"phone\n+4930123456\n"), filename="list.csv", content_type="text/csv"
    )
    answer = await api("POST", f"{path}/numbers", data=form)
    assert told(answer) == {**NOTHING, "added": 1}
    assert (await api("GET", f"/v1/imports/{answer['import_id']}"))["file_name"] == "list.csv"


BROKEN_UPLOADS = [
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n",
         "multipart/form-data; boundary=x", "no file"),
        (b"x", "multipart/form-data", "boundary"),
        (b"nothing of the kind", "multipart/form-data; boundary=x", ""),
        (b"--x\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\nphone\n+49301",
         "multipart/form-data; boundary=x", ""),
        (b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--x--\r\n",
         "multipart/form-data; boundary=x", "alone"),
        (b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n\r\n--x--\r\n",
         "multipart/form-data; boundary=x", ""),
    ]  # fmt: skip


async def test_a_broken_upload(api, path):
    for body, content_type, word in BROKEN_UPLOADS:
        headers = {"Content-Type": content_type}
        problem = await api("POST", f"{path}/numbers", 400, data=body, headers=headers)
        assert word in problem["detail"]
    assert await stored(api, path) == []


async def _send(api, path, body, length):
    """Begin an upload of `length` bytes over a connection of its own, and send `body` of it."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    writer.write(
        f"POST {path}/numbers HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        f"Content-Length: {length}\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    return reader, writer


async def test_a_list_that_breaks_off_behind_the_end_of_its_campaign_is_closed(api, path):
    await api("POST", f"{path}/start")
    lines = "".join(f"+49301{number:06}\n" for number in range(BATCH))
    _, writer = await _send(api, path, f"phone\n{lines}".encode(), 10**6)
    async with asyncio.timeout(20):
        while not (await api("GET", path))["counts"][0]["calls"]:  # noqa: ASYNC110 - the rows tell
            await asyncio.sleep(0.01)
    await api("POST", f"{path}/finish")
    writer.write(b"+4930999999\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await api.answered("POST", "/v1/campaigns/{id}/numbers", 409)
    (made,) = (await api("GET", f"{path}/imports"))["items"]
    assert "finished" in made["problem"]
    assert made["finished_at"] is not None


async def test_a_list_that_stops_coming(pool, path, serve):
    async with serve(pool, read_timeout=0.1) as impatient:
        reader, writer = await _send(impatient, path, b"phone\n+4930123456\n", 1000)
        head = await reader.readuntil(b"\r\n\r\n")
        problem = json.loads(await reader.readuntil(b"}"))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 408 ")
    assert problem["added"] == 1


async def test_a_list_whose_sender_leaves(api, path):
    rows = "".join(f"+4930{1_000_000 + place}\n" for place in range(BATCH + 1_000)).encode()
    _, writer = await _send(api, path, rows[: (BATCH + 500) * 13 + 5], len(rows))
    async with asyncio.timeout(20):
        while not (await api("GET", path))["counts"][0]["calls"]:  # noqa: ASYNC110 - the rows tell
            await asyncio.sleep(0.01)
    writer.close()
    await writer.wait_closed()
    await api.answered("POST", "/v1/campaigns/{id}/numbers", 400)
    assert (await api("GET", path))["counts"][0]["calls"] == BATCH + 500
    (made,) = (await api("GET", f"{path}/imports"))["items"]
    assert made["added"] == BATCH + 500
    assert made["problem"] == "the connection ended before the body was complete"
    assert made["finished_at"] is not None
    # the whole list again adds what is missing
    assert (await upload(api, path, rows))["added"] == 500

"""Lists that come as XLSX: told by their content, read beside the event loop, within limits."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest
from tests.api.workbooks import MAIN, archive, sheet, workbook

from dialer.api import workbook_rows
from dialer.api.list_upload import XLSX

NUMBERS = [["phone", "name", "amount"], [4930123456.0, "Ada", 1.5], ["+49 30 123457", "Ben", 2e21]]


@pytest.fixture
async def path(api):
    return await api.campaign()


async def upload(api, path, data, expect=200, content_type=XLSX, **query):
    headers = {"Content-Type": content_type}
    return await api("POST", f"{path}/numbers", expect, data=data, headers=headers, params=query)


async def stored(api, path):
    calls = (await api("GET", f"{path}/calls", params={"limit": 500}))["items"]
    return [(call["number"], call["payload"]) for call in reversed(calls)]


async def test_numbers_in_numeric_cells_are_read_without_point_or_exponent(api, path):
    answer = await upload(api, path, workbook(Leads=sheet(NUMBERS)))
    assert (answer["added"], answer["rejected"]) == (2, 0)
    assert answer["format"] == "XLSX, sheet 'Leads'"
    assert await stored(api, path) == [
        ("+4930123456", {"name": "Ada", "amount": "1.5"}),
        ("+4930123457", {"name": "Ben", "amount": "2000000000000000000000"}),
    ]


async def test_a_workbook_is_known_by_its_content_whatever_it_is_called(api, path):
    answer = await upload(api, path, workbook(A=sheet(NUMBERS)), content_type="text/csv")
    assert answer["added"] == 2
    answer = await upload(api, path, b"phone\n+4930123458\n", content_type=XLSX)
    assert (answer["added"], answer["format"]) == (1, "CSV in UTF-8 with commas")


async def test_the_first_sheet_that_is_seen_is_read_or_the_one_named(api, path):
    data = workbook(
        hidden=["Notes"],
        Notes=sheet([["phone"], ["+4930000001"]]),
        Leads=sheet([["phone"], ["+4930000002"]]),
        More=sheet([["phone"], ["+4930000003"]]),
    )
    assert (await upload(api, path, data))["format"] == "XLSX, sheet 'Leads'"
    assert (await upload(api, path, data, sheet="More"))["added"] == 1
    assert [number for number, _ in await stored(api, path)] == ["+4930000002", "+4930000003"]
    problem = await upload(api, path, data, 422, sheet="Less")
    assert problem["detail"] == (
        "there is no sheet 'Less' in the workbook; it has 'Notes', 'Leads', 'More'"
    )
    problem = await upload(api, path, b"phone\n", 422, sheet="More")
    assert problem["detail"] == "the list is CSV and has no sheets; leave `sheet` out"


async def test_a_row_that_cannot_be_used_is_reported_with_its_row_in_the_sheet(api, path):
    rows = [["phone", "name"], ["xx", "Ada"], [], ["+4930123456", "B" * 70_000], ["+4930123457"]]
    answer = await upload(api, path, workbook(A=sheet(rows, first=4)))
    assert answer["added"] == 1
    assert [(row["line"], row["reason"]) for row in answer["rejected_rows"]] == [
        (5, "phone: is not a telephone number: 'xx'"),
        (7, "the row is longer than 65536 characters"),
    ]


async def test_rows_as_wide_as_a_sheet_are_only_ragged_ones(api, path):
    wide = "".join(
        f'<row r="{row}"><c r="A{row}"><v>1</v></c><c r="XFD{row}"><v>1</v></c></row>'
        for row in range(2, 200)
    )
    rows = f'<row r="1"><c r="A1"><v>4930123456</v></c></row>{wide}'
    data = workbook(A=f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>')
    answer = await upload(api, path, data)
    assert (answer["added"], answer["rejected"]) == (1, 198)
    reason = "has 16384 columns where the first row has 1"
    assert {row["reason"] for row in answer["rejected_rows"]} == {reason}


NOT_WORKBOOKS = [
    (workbook(A=sheet(NUMBERS))[:-100], "the workbook is damaged: it is no whole ZIP file"),
    (archive({"content.xml": "<a/>"}), "the list is an ODS file or another OpenDocument; save it"),
    (archive({"xl/workbook.bin": ""}), "the list is an XLSB file; save it as XLSX, or as CSV in"),
    (archive({"list.csv": "phone"}), "the list is another ZIP file; save it as XLSX, or as CSV"),
    (workbook(A="<worksheet><sheetData><row>"), "the workbook"),
    (workbook(parts={"xl/workbook.xml": "<<<"}), "the workbook is damaged: "),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), NOT_WORKBOOKS)
async def test_what_is_no_workbook_gets_one_clear_line_and_makes_no_import(
    api, path, data, message
):
    problem = await upload(api, path, data, 422)
    assert problem["detail"].startswith(message)
    assert (await api("GET", f"{path}/imports"))["items"] == []


async def test_a_zip_bomb_is_refused_before_it_is_unpacked(api, path):
    bomb = workbook(A=sheet(NUMBERS), parts={f"xl/{place}": "" for place in range(10_001)})
    problem = await upload(api, path, bomb, 422)
    assert problem["detail"].startswith("the workbook unpacks to 0 MiB in 1000")

    # as a bomb says of itself that it unpacks to 3 GiB
    data = workbook(A=sheet(NUMBERS), parts={"xl/large": "x"})
    name = data.rindex(b"xl/large")
    size = name - 46 + 24  # in the central directory, before the name
    liar = data[:size] + (3 * 1024**3).to_bytes(4, "little") + data[size + 4 :]
    problem = await upload(api, path, liar, 422)
    assert problem["detail"] == (
        "the workbook unpacks to 3072 MiB in 6 parts, more than 2048 MiB or 10000 parts;"
        " save it as CSV"
    )


async def test_a_sheet_that_would_take_all_memory_ends_its_reader_only(api, path):
    corner = (
        f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    )
    problem = await upload(api, path, workbook(A=corner), 422)
    assert problem["detail"].startswith("the workbook cannot be read within 4 GiB of memory")
    assert (await upload(api, path, workbook(A=sheet(NUMBERS))))["added"] == 2


async def test_a_workbook_larger_than_an_upload_may_be(pool, path, serve):
    async with serve(pool, max_upload_bytes=500) as small:
        problem = await upload(small, path, workbook(A=sheet(NUMBERS)), 413)
    assert "500 bytes" in problem["detail"]


async def longest_turn(api, path, rows):
    """Upload a workbook; return the seconds of processor of the loop's longest turn meanwhile."""
    longest = 0.0

    async def watch():
        nonlocal longest
        while True:
            before = time.thread_time()  # what others take of the processor is not the loop's
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - before)

    watching = asyncio.create_task(watch())
    try:
        answer = await upload(api, path, workbook(A=sheet(rows)))
    finally:
        watching.cancel()
    assert answer["added"] == len(rows) - 1
    return longest


async def test_the_event_loop_is_not_held_up_while_a_workbook_is_read(api, path):
    gc.collect()
    gc.freeze()  # as dialer serve does
    try:
        # what others do meanwhile makes it longer, and the least is true
        turns = []
        for first in (1_000_000, 2_000_000, 3_000_000):
            rows = [["phone", "name"], *([f"+4930{first + n}", f"N{n}"] for n in range(20_000))]
            turns.append(await longest_turn(api, path, rows))
            if turns[-1] < 0.05:
                break
    finally:
        gc.unfreeze()
    assert min(turns) < 0.05


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (49301234567.0, "49301234567"),
        (49301234567, "49301234567"),
        (1e15, "1000000000000000"),
        (0.1, "0.1"),
        (1e-07, "0.0000001"),
        (True, "TRUE"),
        (" x ", "x"),
    ],
)
def test_a_cell_is_read_as_a_person_sees_it(value, text):
    assert workbook_rows.text_of(value) == text

# ruff: noqa: E501 - a case is one line

from __future__ import annotations

import csv
import io
import itertools
import pathlib
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.csv_rows import LONGEST_LINE, MOST_LINES
from dialer.campaign.list_row import NewNumber, NumberListError, RowProblem
from dialer.campaign.number_list import read

EXAMPLE = pathlib.Path(__file__).parents[3] / "config" / "lists" / "example.csv"
A, B = "+493023125000", "+12125550100"
OPEN = "a quote is opened and not closed"
SHUT = "a quote is closed before the end of its cell"


def rows(text, **options):
    data = text if isinstance(text, bytes) else text.encode()
    return list(read([data], **options))


def good(text):
    return [(row.line, row.number.text, dict(row.payload)) for row in rows(text) if number(row)]


def number(row):
    return isinstance(row, NewNumber)


def bad(text):
    return [(row.line, row.reason) for row in rows(text) if not number(row)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\r\n  \n;;\n", []),
        ("phone\n", []),
        (A, [(1, A, {})]),
        (f"{A}\n{B}\n", [(1, A, {}), (2, B, {})]),
        (f"\n\n{A}\r\n", [(3, A, {})]),
        (f"phone,name\n{A},Ann", [(2, A, {"name": "Ann"})]),
        (f"\ufeffName;PHONE \r\nAnn;{A}\r\n", [(2, A, {"Name": "Ann"})]),
        (f"name\tphone\ncity, region\t{A}", [(2, A, {"name": "city, region"})]),
        (f"Nummer,Name\n{A},Ann", [(2, A, {"Name": "Ann"})]),
        (f"{A},Ann,7", [(1, A, {"column_2": "Ann", "column_3": "7"})]),
        (f"phone,,x\n{A},1,2", [(2, A, {"column_2": "1", "x": "2"})]),
        (f"phone,name,city\n{A},Ann", [(2, A, {"name": "Ann", "city": ""})]),
        (f"phone,name\n{A},Ann,,", [(2, A, {"name": "Ann"})]),
        (f"phone\n49 30 23125-000\n({B[:2]}) 2125550100", [(2, A, {}), (3, B, {})]),
        (f'phone,note\n"{A}","a ""b"", c"', [(2, A, {"note": 'a "b", c'})]),
        (f'phone,note\n{A},"one\r\ntwo\n"\n{B},x', [(2, A, {"note": "one\ntwo"}), (5, B, {"note": "x"})]),
        (f'phone,note\n{A},5" pipe\n{B},x', [(2, A, {"note": '5" pipe'}), (3, B, {"note": "x"})]),
        (f'"pho\nne",x\n{A},1\n', [(3, A, {"x": "1"})]),
        (f'"a;b","phone","c;d;e"\n1,{A},2', [(2, A, {"a;b": "1", "c;d;e": "2"})]),
        (f"name|phone\nAnn|{A}", [(2, A, {"name": "Ann"})]),
        (f"phone;name, title, city\n{A};Ann, Dr.", [(2, A, {"name, title, city": "Ann, Dr."})]),
        (f"{A};Doe, Ann, Dr.\n{B};x", [(1, A, {"column_2": "Doe, Ann, Dr."}), (2, B, {"column_2": "x"})]),
        (f"sep=;\nphone;a,b,c\n{A};1", [(3, A, {"a,b,c": "1"})]),
    ],
)  # fmt: skip
def test_lists_that_are_read_whole(text, expected):
    assert good(text) == expected
    assert bad(text) == []


@pytest.mark.parametrize(
    ("text", "problems", "lines"),
    [
        (f"{A}\nabc\n{B}", [(2, "phone: is not a telephone number: 'abc'")], [1, 3]),
        (f"phone,n\n,Ann\n{B},Bob", [(2, "phone: is empty")], [3]),
        (f"n,phone\nAnn\n{B},{A}", [(2, "phone: is empty")], [3]),
        (f"phone,n\n{A},a,b\n{B},a", [(2, "has 3 columns where the first row has 2")], [3]),
        (f'phone,n\n{A},"a"b\n{B},c', [(2, SHUT)], [3]),
        (f'phone,n\n{A},"a\n{B},c', [(2, OPEN)], [3]),
        (f'phone,n\n{A},"a\n{B},"c', [(2, SHUT), (3, OPEN)], []),
        (f'phone,n\n{A},"a' + f"\n{B},c" * MOST_LINES, [(2, OPEN)], range(3, MOST_LINES + 3)),
        (f'phone\n"{A}\n\0\n{B}', [(2, OPEN), (3, "the line has a NUL byte")], [4]),
        (b"phone,n\n" + b"\xff1\n+1\xe9\n" + f"{B},\u00e4\u00f6\u00fc".encode(), [(2, "byte 1 of the line is not UTF-8"), (3, "byte 3 of the line is not UTF-8")], [4]),
        (f"phone\r{A}\r\n{B}", [(1, "the line has a carriage return within; end lines with LF or CRLF")], [2]),
        (f"phone\n{'1' * (LONGEST_LINE + 1)}\n{B}", [(2, "the line is longer than 65536 bytes")], [3]),
        (f"phone\n{'1' * LONGEST_LINE}\n{B}", [(2, "phone: is longer than 64 characters")], [3]),
        (f"phone,n\n{A},{'x' * (LONGEST_LINE - len(A) - 1)}\n{B},y", [], [2, 3]),
        (f'phone,n\n{A},"' + f"{'x' * 60000}\n" * 2 + f"{B},y", [(2, OPEN), (3, "phone: is longer than 64 characters")], [4]),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_reported_and_the_rest_goes_in(text, problems, lines):
    assert bad(text) == problems
    assert [row.line for row in rows(text) if number(row)] == list(lines)


def test_a_problem_shows_what_stood_for_the_number():
    assert rows(f"name,phone\nAnn,{'x' * 100}")[0].phone == "x" * 64
    assert rows("phone,name\n12x,Ann") == [
        RowProblem(2, "phone: is not a telephone number: '12x'", "12x")
    ]


def test_a_number_that_cannot_exist_goes_in_with_its_problem():
    (row,) = rows("phone,name\n+49,Ann")
    assert (row.number.text, row.number.dialable) == ("+49", False)


def test_extensions_are_taken_where_they_are_told():
    (row,) = rows("1001", internal=re.compile(r"\d{4}"))
    assert (row.number.text, row.number.dialable) == ("1001", True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\nphone,x,x\n", "line 2: two columns are named 'x'; rename one"),
        (b"phone" + b"," * 256, "line 1: more than 256 columns; leave some out"),
    ],
)
def test_a_list_of_which_no_row_can_be_read(data, message):
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        with pytest.raises(NumberListError) as caught:
            list(read(pieces))
        assert str(caught.value).startswith(message)


def test_a_line_of_any_length_takes_bounded_memory():
    piece = b"9" * 65536
    tracemalloc.start()
    found = list(
        read(itertools.chain([b"phone\n"], itertools.repeat(piece, 800), [b"\n" + A.encode()]))
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.line for row in found] == [2, 3]
    assert found[0].reason == "the line is longer than 65536 bytes"
    assert peak < 1_000_000  # of 52 MB


def test_a_quote_left_open_takes_bounded_memory():
    line = b'"' + b"9" * 1000 + b"\n"
    tracemalloc.start()
    problems = sum(1 for _ in read(itertools.repeat(line, 3000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problems == 3000
    assert peak < 1_000_000


@given(
    st.binary(max_size=300) | st.text('phone,;\t"\r\n+0123456789\0', max_size=300).map(str.encode),
    st.data(),
)
def test_the_pieces_make_no_difference_and_nothing_else_is_raised(data, draw):
    def outcome(pieces):
        try:
            return list(read(pieces))
        except NumberListError as error:
            return str(error)

    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    pieces = [data[a:b] for a, b in itertools.pairwise([0, *cuts, len(data)])]
    found = outcome(pieces)
    assert found == outcome([data])
    if isinstance(found, list):
        lines = [row.line for row in found]
        assert lines == sorted(set(lines))
        assert all(1 <= line <= data.count(b"\n") + 1 for line in lines)


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)


@given(st.sampled_from(",;\t"), st.lists(st.tuples(CELL, CELL), max_size=10))
def test_what_the_csv_module_writes_is_read_back(delimiter, cells):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([["phone", "one", "two"], *([A, *pair] for pair in cells)])
    expected = [{"one": one.strip(), "two": two.strip()} for one, two in cells]
    assert [dict(row.payload) for row in rows(text.getvalue())] == expected


def test_the_example_list_is_right():
    assert bad(EXAMPLE.read_bytes()) == []
    assert all(row.number.dialable for row in rows(EXAMPLE.read_bytes()))
    assert len(good(EXAMPLE.read_bytes())) == 4

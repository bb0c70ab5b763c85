from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.list_encoding import LEGACY, SAMPLE, ListEncoding, encoding_of
from dialer.campaign.list_row import NewNumber, NumberListError, RowProblem
from dialer.campaign.number_list import NumberList

A, B = "+493023125000", "+12125550100"


def taken(data, encoding="", size=7):
    """The encoding that was taken, and the rows."""
    numbers = NumberList(encoding=encoding)
    rows = []
    for first in range(0, len(data), size):
        rows += numbers.feed(data[first : first + size])
    rows += numbers.close()
    return numbers.encoding, rows


LANGUAGES = [
    ("utf-8", "Zoë Müller, Łódź, Ωmega, Москва, 東京"),
    ("cp1252", "Müller;Größe;Straße 5"),
    ("cp1252", "Hélène;Orléans;rue des Écoles"),
    ("cp1252", "Muñoz;Málaga;calle Peñón"),
    ("cp1250", "Łódź;Łukasz;Żółkiewski;Gdańsk;Śliwiński;Kraków;Wójcik"),
    ("cp1251", "Иван;Москва;улица Ленина;Мария;Казань;Алексей"),
    ("cp1253", "Γιώργος;Αθήνα;Μαρία;Θεσσαλονίκη"),
    ("cp932", "山田太郎;東京都;佐藤花子;大阪府"),
    ("gb18030", "王小明;北京市;李华;上海市"),
    ("cp949", "김철수;서울;이영희;부산"),
]


@pytest.mark.parametrize(("encoding", "text"), LANGUAGES)
def test_the_encoding_is_found_out_and_told(encoding, text):
    data = f"phone|note\n{A}|plain\n{B}|{text}\n".encode(encoding)
    found, rows = taken(data)
    assert found == encoding
    assert [dict(row.payload) for row in rows] == [{"note": "plain"}, {"note": text}]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("\ufeffphone,n\n", "utf-8"),
        ("phone,n\n", "utf-8"),
        ("\ufeffphone,n\n", "utf-16-le"),
        ("\ufeffphone,n\n", "utf-16-be"),
    ],
)
def test_a_byte_order_mark_is_taken_off(data, found):
    encoding, rows = taken((data + f"{A},Zoë 東京").encode(found))
    assert (encoding, [(row.line, dict(row.payload)) for row in rows]) == (
        found,
        [(2, {"n": "Zoë 東京"})],
    )


def test_the_first_letter_that_is_not_ascii_may_come_late():
    plain = "".join(f"{A},n{place}\n" for place in range(10_000))
    found, rows = taken(f"phone,n\n{plain}{B},Müller\n".encode("cp1252"), size=4096)
    assert found == "cp1252"
    assert rows[-1].payload["n"] == "Müller"


def test_an_encoding_that_a_person_names_is_taken():
    text = f"phone,n\n{A},Straße".encode("cp850")
    assert taken(text, "cp850")[1][0].payload["n"] == "Straße"
    assert taken(f"{A},x".encode("utf-16-le"), "UTF-16LE")[0] == "utf-16-le"
    assert taken(f"{A},Zoë".encode("latin-1"), "ISO-8859-1")[1][0].payload == {"column_2": "Zoë"}
    with pytest.raises(NumberListError, match=r"^encoding 'klingon' is not known here; take utf-8"):
        ListEncoding("klingon")


def test_a_row_that_cannot_be_decoded_is_reported_with_its_line_and_the_rest_goes_in():
    good = f"{A},äöü\n".encode()
    _, rows = taken(b"phone,n\n" + good + f"{B},".encode() + b"\xff\n" + good)
    assert [row.line for row in rows if isinstance(row, NewNumber)] == [2, 4]
    assert RowProblem(3, "byte 14 of the line is not UTF-8") in rows

    _, rows = taken(f"{B},\x81\n{A},x\n".encode("latin-1"), "cp1252")
    assert rows[0] == RowProblem(1, "the line is not CP1252, as the list seems to be")

    half = f"\ufeff{A},x\n{B},".encode("utf-16-le") + b"\x00\xd8\n\0" + f"{A},y".encode("utf-16-le")
    _, rows = taken(half + b"\x41")
    assert [(row.line, isinstance(row, NewNumber)) for row in rows] == [
        (1, True),
        (2, False),
        (3, False),
    ]
    assert rows[1].reason == "the line is not UTF-16-LE, as the list seems to be"


def test_every_encoding_keeps_ascii_and_line_ends():
    for name in LEGACY:
        assert bytes(range(128)).decode(name) == bytes(range(128)).decode("ascii"), name
        for lead in range(128, 256):  # no line feed is the second byte of a character
            assert "\n" in (bytes([lead]) + b"\n").decode(name, "replace"), name


def test_what_is_held_back_is_bounded():
    encoding = ListEncoding()
    encoding.feed(b"abc")
    tracemalloc.start()
    for _ in range(2000):
        encoding.feed(b"\xe4" * 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


@given(st.binary(max_size=200), st.data())
def test_the_pieces_make_no_difference(data, draw):
    def out(pieces):
        encoding = ListEncoding()
        text = b"".join(encoding.feed(piece) for piece in pieces) + encoding.close()
        return text, encoding.codec

    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=4)))
    pieces = [data[a:b] for a, b in itertools.pairwise([0, *cuts, len(data)])]
    assert out(pieces) == out([data])


@given(st.text(min_size=1, max_size=100).map(lambda text: ("é" + text).encode("utf-8", "replace")))
def test_what_is_utf_8_is_taken_for_it(sample):
    assert encoding_of(sample) == "utf-8"


def test_a_sample_that_ends_within_a_character_is_still_utf_8():
    for shift in range(3):
        sample = ("x" * shift + "東" * SAMPLE).encode()[:SAMPLE]
        assert encoding_of(sample) == "utf-8"

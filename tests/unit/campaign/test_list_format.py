from __future__ import annotations

import pytest

from dialer.campaign.list_format import LONGEST_MARK, ListFormat, format_of
from dialer.campaign.list_row import NumberListError


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"PK\x03\x04rest", ListFormat.XLSX),
        (b"phone", ListFormat.CSV),
        (b"", ListFormat.CSV),
        (b"PK,1", ListFormat.CSV),
        (b"\xff\xfep\0", ListFormat.CSV),
    ],
)
def test_a_format_is_told_by_its_first_bytes(start, found):
    assert format_of(start) is found


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an XLS file, or a workbook with a password"),
        (b"\x1f\x8b\x08\x00", "a GZIP file"),
        (b"%PDF-1.7", "a PDF file"),
        (b"\xff\xfe\0\0", "text in UTF-32"),
        (b"PK\x05\x06", "an empty ZIP file"),
    ],
)
def test_another_format_gets_one_clear_line(start, what):
    with pytest.raises(NumberListError) as caught:
        format_of(start[:LONGEST_MARK])
    assert str(caught.value) == f"the list is {what}; save it as XLSX, or as CSV in UTF-8"

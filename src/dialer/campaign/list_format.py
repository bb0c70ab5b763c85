"""What kind of file a list is, told by its first bytes and never by its name."""

from __future__ import annotations

import enum

from dialer.campaign.list_row import NumberListError

LONGEST_MARK = 4  # bytes that tell
WORKBOOK = b"PK\x03\x04"
OTHERS = {
    b"\xd0\xcf\x11\xe0": "an XLS file, or a workbook with a password",
    b"PK\x05\x06": "an empty ZIP file",
    b"\x1f\x8b": "a GZIP file",
    b"BZh": "a BZIP2 file",
    b"\xfd7zX": "an XZ file",
    b"7z\xbc\xaf": "a 7-Zip file",
    b"Rar!": "a RAR file",
    b"%PDF": "a PDF file",
    b"\xff\xfe\0\0": "text in UTF-32",
    b"\0\0\xfe\xff": "text in UTF-32",
}


class ListFormat(enum.Enum):
    """How a list is read."""

    CSV = "csv"
    XLSX = "xlsx"


def format_of(start: bytes) -> ListFormat:
    """Return the format of a list that begins so; LONGEST_MARK bytes are enough.

    Raises NumberListError for what is known to be neither.
    """
    for mark, what in OTHERS.items():
        if start.startswith(mark):
            raise NumberListError(f"the list is {what}; save it as XLSX, or as CSV in UTF-8")
    return ListFormat.XLSX if start.startswith(WORKBOOK) else ListFormat.CSV

"""Finding out how the bytes of a CSV list stand for text."""

from __future__ import annotations

import codecs
import unicodedata

from charset_normalizer import from_bytes

from dialer.campaign.list_row import NumberListError

UTF8 = "utf-8"
SAMPLE = 32 * 1024  # bytes from the first that is not ASCII; they decide
UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# Of each, the bytes below 128 are ASCII, and no line feed stands within a character. In the order
# in which they are preferred where a sample reads well in several.
LATIN = (
    "cp1252", "cp1250", "cp1254", "cp1257", "iso8859-15", "iso8859-2", "cp850", "cp852",
    "mac-roman",
)  # fmt: skip
OTHERS = (
    "cp1251", "cp1253", "cp1255", "cp1256", "cp1258", "cp866", "koi8-r", "cp874",
    "cp932", "gb18030", "big5", "cp949",
)  # fmt: skip
LEGACY = (*LATIN, *OTHERS)
TYPOGRAPHIC = "€\u2013\u2014\u2019“”„«»°§"
KNOWN = (UTF8, *UTF16_MARKS.values(), *LEGACY)


class ListEncoding:
    """Turns the bytes of a list into bytes whose line ends and ASCII are plain to see.

    `codec` decodes them; it is known before the first byte that is not ASCII is given out. UTF-8
    is taken where the sample is UTF-8 but for single characters, and a legacy encoding otherwise,
    as charset-normalizer finds it. UTF-16 needs its byte order mark, and comes out as UTF-8.
    Holds SAMPLE bytes at most.
    """

    def __init__(self, told: str = "") -> None:
        """Begin; `told` is an encoding that a person named. Raises NumberListError."""
        self.name = _known(told) if told else ""
        self._told = bool(told)
        self._held = bytearray()
        self._marked = False  # past the place of a byte order mark
        self._utf16: codecs.IncrementalDecoder | None = None

    @property
    def codec(self) -> str:
        """What the bytes that were given out are decoded by."""
        return UTF8 if self._utf16 or not self.name else self.name

    @property
    def shown(self) -> str:
        """The encoding, as a person is told of it."""
        return self.name or UTF8

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece; return what may be read."""
        if not self._marked:
            self._held += piece
            if len(self._held) < len(codecs.BOM_UTF8):
                return b""
            piece = self._begin()
        if self._utf16:
            return self._utf16.decode(piece).encode(UTF8, "surrogatepass")
        if self.name:
            return piece
        return self._look(piece)

    def close(self) -> bytes:
        """Return the rest."""
        rest = b""
        if not self._marked:
            rest = self.feed(self._begin())
        if self._utf16:
            pending, _ = self._utf16.getstate()
            return rest + (b"\xff" if pending else b"")  # half a character, and no UTF-8
        return rest + (self._decide() if self._held else b"")

    def _begin(self) -> bytes:
        """Take off a byte order mark."""
        self._marked = True
        start = bytes(self._held)
        self._held.clear()
        if start.startswith(codecs.BOM_UTF8) and self.name in {"", UTF8}:
            self.name = UTF8
            return start.removeprefix(codecs.BOM_UTF8)
        marked = UTF16_MARKS.get(start[:2], "")
        if marked and self.name in {"", marked}:
            self.name = marked
            start = start[2:]
        if self.name in UTF16_MARKS.values():
            self._utf16 = codecs.getincrementaldecoder(self.name)("surrogatepass")
        return start

    def _look(self, piece: bytes) -> bytes:
        """Give out ASCII; hold the rest until there is enough to decide by."""
        plain = b""
        if not self._held:
            if piece.isascii():
                return piece
            begins = next(place for place, byte in enumerate(piece) if byte > 127)
            plain, piece = piece[:begins], piece[begins:]
        self._held += piece
        return plain if len(self._held) < SAMPLE else plain + self._decide()

    def _decide(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        self.name = encoding_of(held[:SAMPLE])
        return held


def encoding_of(sample: bytes) -> str:
    """Return the encoding of a sample that begins with a byte that is not ASCII."""
    if _mostly_utf8(sample):
        return UTF8
    ends = sample.rfind(b"\n")
    found = from_bytes(
        sample[: ends + 1] or sample, cp_isolation=list(LEGACY), enable_fallback=False
    )
    names = [
        codecs.lookup(name).name
        for match in found
        for name in (match.encoding, *match.could_be_from_charset)
    ]
    best = names[0] if names else LATIN[0]
    if best not in LATIN or best == "cp1254":
        return best
    return min(
        (name for name in LATIN if name in names),
        key=lambda name: _strange(sample.decode(name, "replace")),
        default=LATIN[0],
    )


def _mostly_utf8(sample: bytes) -> bool:
    """Whether what is not ASCII is UTF-8 more often than not; a cut end is no fault."""
    text = sample.decode(UTF8, "replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    good = sum(not char.isascii() for char in text) - broken
    if len(sample) == SAMPLE and text.endswith("\N{REPLACEMENT CHARACTER}"):
        broken -= 1
    return good > broken or not broken


def _strange(text: str) -> int:
    """Count characters that names and streets do not hold, as wrong encodings show them."""
    return sum(
        not char.isascii() and unicodedata.category(char)[0] != "L" and char not in TYPOGRAPHIC
        for char in text
    )


def _known(told: str) -> str:
    """Return a named encoding as we write it."""
    try:
        name = codecs.lookup(told).name
    except LookupError:
        name = ""
    if name == "iso8859-1":
        name = "cp1252"  # which is what those mean who say so
    if name not in KNOWN:
        raise NumberListError(f"encoding {told!r} is not known here; take {', '.join(KNOWN)}")
    return name

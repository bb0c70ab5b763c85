"""Keys of secure RTP that stand in the session description (SDES, RFC 4568)."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")  # in our order of preference
KEY_BYTES = 30  # of both suites: a master key of 16 bytes and its salt of 14

_VALUE = re.compile(r"([0-9]{1,9})[ \t]+([\w-]+)[ \t]+(\S+)((?:[ \t]+\S+)*)[ \t]*", re.ASCII)
_LIFETIME = re.compile(r"2\^[0-9]{1,2}|[0-9]{1,15}")


class CryptoError(ValueError):
    """An a=crypto that we cannot read, or whose demands we do not meet."""


@dataclasses.dataclass(frozen=True, slots=True)
class Crypto:
    """The value of an a=crypto attribute: what its writer encrypts with.

    `key` has the `KEY_BYTES` bytes of master key and salt; `lifetime` is as written ("2^20"), ""
    where none is given. It says after how many packets the key is used up, which no call reaches.
    """

    tag: int
    suite: str
    key: bytes = dataclasses.field(repr=False)
    lifetime: str = ""

    def __str__(self) -> str:
        lifetime = f"|{self.lifetime}" if self.lifetime else ""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}{lifetime}"


def parse(value: str) -> Crypto:
    """Read "1 AES_CM_128_HMAC_SHA1_80 inline:…"; raises `CryptoError` (RFC 4568 §9.1).

    Refused are other suites, several keys, key identifiers (MKI), and session parameters that
    change what is sent.
    """
    found = _VALUE.fullmatch(value)
    if found is None:
        raise CryptoError("not of the form tag suite key")
    tag, suite, keys, parameters = found.groups()
    suite = suite.upper()
    if suite not in SUITES:
        raise CryptoError(f"the suite {suite[:40]} is not ours")
    for parameter in parameters.split():
        # §6.3.7: those that begin with "-" may be ignored; a window size only advises the receiver
        if not parameter.startswith("-") and not parameter.upper().startswith("WSH="):
            raise CryptoError(f"the session parameter {parameter[:40]} is not supported")
    method, _, rest = keys.partition(":")
    encoded, *more = rest.split("|")
    if method.lower() != "inline" or ";" in rest:
        raise CryptoError("it does not have one inline key")
    if len(more) > 1 or (more and not _LIFETIME.fullmatch(more[0])):
        raise CryptoError("it has a key identifier (MKI)")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise CryptoError("the key is not base64") from None
    if len(key) != KEY_BYTES:
        raise CryptoError(f"the key has {len(key)} bytes, not {KEY_BYTES}")
    return Crypto(int(tag), suite, key, more[0] if more else "")


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """What was agreed: the suite, the key that we send with, and the peer's."""

    suite: str
    ours: bytes = dataclasses.field(repr=False)
    theirs: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Security:
    """Our wish for secure RTP: whether it must be, and the keys that we send with."""

    required: bool
    offered: tuple[Crypto, ...]

    @classmethod
    def with_new_keys(cls, random_bytes: Callable[[int], bytes], *, required: bool) -> Security:
        """Make a key for each suite; §6.1 wants them unpredictable and of this call alone."""
        offered = (
            Crypto(tag, suite, random_bytes(KEY_BYTES)) for tag, suite in enumerate(SUITES, start=1)
        )
        return cls(required, tuple(offered))

    def choose(self, theirs: Iterable[Crypto]) -> tuple[Crypto, Keys] | None:
        """Take the first of the peer's that we have, be they an offer or an answer (§5.1.2).

        Returns what stands in our answer (their tag and suite, our key) and the keys agreed; None
        where nothing fits.
        """
        ours = {crypto.suite: crypto for crypto in self.offered}
        for their in theirs:
            our = ours.get(their.suite)
            if our is not None:
                answer = Crypto(their.tag, their.suite, our.key)
                return answer, Keys(their.suite, our.key, their.key)
        return None

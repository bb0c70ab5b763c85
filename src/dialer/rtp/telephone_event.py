"""DTMF digits as RTP payloads (RFC 4733 §2.3 and §3.2)."""

from __future__ import annotations

import dataclasses
import struct

DIGITS = "0123456789*#ABCD"  # a digit's place is its event code
_PAYLOAD = struct.Struct("!BBH")
_END = 0x80


class TelephoneEventError(ValueError):
    """A payload that is not a telephone event."""


@dataclasses.dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One report of an event: `duration` so far in timestamp units, `volume` in -dBm0 (0 to 63).

    The packets of one event share their RTP timestamp; the last is sent three times with `end`.
    """

    event: int
    duration: int
    end: bool = False
    volume: int = 10

    @property
    def digit(self) -> str | None:
        """The DTMF digit, None for an event that is not one (a flash, a tone)."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None

    def __bytes__(self) -> bytes:
        return _PAYLOAD.pack(self.event, self.volume | (_END if self.end else 0), self.duration)


def parse(payload: bytes) -> TelephoneEvent:
    """Read the first event of a payload; raises `TelephoneEventError` where it is cut off."""
    if len(payload) < _PAYLOAD.size:
        raise TelephoneEventError("shorter than a telephone event")
    event, flags, duration = _PAYLOAD.unpack_from(payload)
    return TelephoneEvent(event, duration, bool(flags & _END), flags & 0x3F)

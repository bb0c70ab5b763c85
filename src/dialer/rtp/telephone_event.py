"""DTMF digits as RTP payloads (RFC 4733 §2.3 and §3.2)."""

from __future__ import annotations

import dataclasses
import struct

from dialer.rtp.g711 import FRAME_SAMPLES

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

    @property
    def begins(self) -> bool:
        """Whether it is the first report of a key, sent with the first frame."""
        return self.duration <= FRAME_SAMPLES and not self.end

    def __bytes__(self) -> bytes:
        return _PAYLOAD.pack(self.event, self.volume | (_END if self.end else 0), self.duration)


def reports(key: str, frames: int) -> list[TelephoneEvent]:
    """Return what is sent of a key held for so many frames: a report for each, and its end.

    A frame has 20 ms. The end goes out three times (RFC 4733 §2.5.1.4). Raises ValueError for what
    is no key.
    """
    event = DIGITS.index(key)
    held = [TelephoneEvent(event, place * FRAME_SAMPLES) for place in range(1, frames + 1)]
    return [*held, *[TelephoneEvent(event, held[-1].duration, end=True)] * 3]


def parse(payload: bytes) -> TelephoneEvent:
    """Read the first event of a payload; raises `TelephoneEventError` where it is cut off."""
    if len(payload) < _PAYLOAD.size:
        raise TelephoneEventError("shorter than a telephone event")
    event, flags, duration = _PAYLOAD.unpack_from(payload)
    return TelephoneEvent(event, duration, bool(flags & _END), flags & 0x3F)

"""G.711: 16-bit linear PCM at 8 kHz to and from 8-bit µ-law (PCMU) and A-law (PCMA).

ITU-T G.711 tables 1a to 2b give the intervals. They leave open which side a value on a boundary
falls; here, as in the ITU's own G.191 software, negative samples are complemented (-1 is to 0 what
0 is to -1), so that coding is symmetric. Everything is by table, made once at import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples: TypeAlias = NDArray[np.int16]

SAMPLE_RATE = 8000  # Hz
FRAME_SAMPLES = 160  # of 20 ms; one octet each when coded
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
CODECS = ("PCMU", "PCMA")

_MU_LAW_BIAS = 33  # in 14-bit units: it makes every segment begin at a power of two
_MU_LAW_TOP = 0x1FFF
_A_LAW_EVEN_BITS = 0x55  # inverted on the wire


def _decode_mu_law(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    segment, step = (~codes >> 4) & 7, ~codes & 15
    magnitude = ((2 * step + _MU_LAW_BIAS) << segment) - _MU_LAW_BIAS
    return _signed(magnitude * 4, codes)


def _encode_mu_law(samples: NDArray[np.int32]) -> NDArray[np.int32]:
    magnitude = np.where(samples < 0, ~samples, samples) >> 2
    biased = np.minimum(magnitude + _MU_LAW_BIAS, _MU_LAW_TOP)
    segment = _highest_bit(biased) - 5
    step = (biased >> (segment + 1)) & 15
    codes: NDArray[np.int32] = ~(segment << 4 | step) & 0x7F | np.where(samples < 0, 0, 0x80)
    return codes


def _decode_a_law(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    plain = codes ^ _A_LAW_EVEN_BITS
    segment, step = (plain >> 4) & 7, plain & 15
    # Segment 0 has the step of segment 1; from there each step is twice the one before.
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return _signed(magnitude * 8, plain)


def _encode_a_law(samples: NDArray[np.int32]) -> NDArray[np.int32]:
    magnitude = np.where(samples < 0, ~samples, samples) >> 4
    segment = np.maximum(_highest_bit(magnitude) - 3, 0)
    step = (magnitude >> np.maximum(segment - 1, 0)) & 15
    plain: NDArray[np.int32] = segment << 4 | step | np.where(samples < 0, 0, 0x80)
    return plain ^ _A_LAW_EVEN_BITS


def _signed(magnitude: NDArray[np.int32], codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give each magnitude the sign of its code, whose highest bit is set for positive values."""
    return np.where(codes & 0x80 != 0, magnitude, -magnitude)


def _highest_bit(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the number of the highest bit set, 0 for 0 and 1; exact below 2**24."""
    return np.log2(np.maximum(values, 1)).astype(np.int32)


_CODES = np.arange(256, dtype=np.int32)
# Indexed by the sample's two's complement: 0 … 32767, -32768 … -1.
_SAMPLES = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
_DECODED = {
    "PCMU": _decode_mu_law(_CODES).astype(np.int16),
    "PCMA": _decode_a_law(_CODES).astype(np.int16),
}
_ENCODED = {
    "PCMU": _encode_mu_law(_SAMPLES).astype(np.uint8),
    "PCMA": _encode_a_law(_SAMPLES).astype(np.uint8),
}
_RECODED = {
    (origin, codec): _ENCODED[codec][_DECODED[origin].view(np.uint16)].tobytes()
    for origin in CODECS
    for codec in CODECS
    if origin != codec
}
_SILENCE = {codec: table[:1].tobytes() for codec, table in _ENCODED.items()}


def encode(samples: Samples, codec: str) -> bytes:
    """Return one octet for each int16 sample; `codec` is "PCMU" or "PCMA"."""
    return _ENCODED[codec][samples.view(np.uint16)].tobytes()


def decode(payload: bytes, codec: str) -> Samples:
    """Return one int16 sample for each octet; `codec` is "PCMU" or "PCMA"."""
    return _DECODED[codec][np.frombuffer(payload, dtype=np.uint8)]


def recode(payload: bytes, origin: str, codec: str) -> bytes:
    """Return the same audio in another codec, octet for octet."""
    return payload if origin == codec else payload.translate(_RECODED[origin, codec])


def silence(samples: int, codec: str) -> bytes:
    """Return `samples` octets of silence."""
    return _SILENCE[codec] * samples

import warnings

import numpy as np
import pytest

from dialer.rtp import g711

with warnings.catch_warnings():
    # an implementation by other people; later Pythons take it from a package of the same name
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)


def coded(sample, codec):
    return g711.encode(np.array([sample], dtype=np.int16), codec)[0]


def decoded(code, codec):
    return int(g711.decode(bytes([code]), codec)[0])


@pytest.mark.parametrize(
    ("code", "sample"),
    [
        # ITU-T G.711 tables 2a and 2b, 14-bit values, here four times as large
        (0x80, 4 * 8031),
        (0x8F, 4 * 4191),
        (0x9F, 4 * 2079),
        (0xAF, 4 * 1023),
        (0xBF, 4 * 495),
        (0xCF, 4 * 231),
        (0xDF, 4 * 99),
        (0xEF, 4 * 33),
        (0xFE, 4 * 2),
        (0xFF, 0),
        (0x00, 4 * -8031),
        (0x0F, 4 * -4191),
        (0x6F, 4 * -33),
        (0x7E, 4 * -2),
        (0x7F, 0),
    ],
)
def test_mu_law_values_of_the_recommendation(code, sample):
    assert decoded(code, "PCMU") == sample


@pytest.mark.parametrize(
    ("code", "sample"),
    [
        # ITU-T G.711 tables 1a and 1b, 12-bit values and sign, here eight times as large; the wire
        # has the even bits inverted
        (0xFF ^ 0x55, 8 * 4032),
        (0xF0 ^ 0x55, 8 * 2112),
        (0xE0 ^ 0x55, 8 * 1056),
        (0xD0 ^ 0x55, 8 * 528),
        (0xC0 ^ 0x55, 8 * 264),
        (0xB0 ^ 0x55, 8 * 132),
        (0xA0 ^ 0x55, 8 * 66),
        (0x80 ^ 0x55, 8 * 1),
        (0x7F ^ 0x55, 8 * -4032),
        (0x70 ^ 0x55, 8 * -2112),
        (0x20 ^ 0x55, 8 * -66),
        (0x00 ^ 0x55, 8 * -1),
    ],
)
def test_a_law_values_of_the_recommendation(code, sample):
    assert decoded(code, "PCMA") == sample


@pytest.mark.parametrize(
    ("codec", "decode"), [("PCMU", audioop.ulaw2lin), ("PCMA", audioop.alaw2lin)]
)
def test_every_code_decodes_as_with_another_implementation(codec, decode):
    assert g711.decode(ALL_CODES, codec).tobytes() == decode(ALL_CODES, 2)


@pytest.mark.parametrize(
    ("codec", "encode"), [("PCMU", audioop.lin2ulaw), ("PCMA", audioop.lin2alaw)]
)
def test_every_positive_sample_encodes_as_with_another_implementation(codec, encode):
    positive = ALL_SAMPLES[ALL_SAMPLES >= 0]
    assert g711.encode(positive, codec) == encode(positive.tobytes(), 2)


@pytest.mark.parametrize("codec", g711.CODECS)
def test_every_code_comes_back(codec):
    again = g711.encode(g711.decode(ALL_CODES, codec), codec)
    differ = [code for code in range(256) if again[code] != code]
    assert differ == ([0x7F] if codec == "PCMU" else [])  # µ-law has a negative zero


@pytest.mark.parametrize("codec", g711.CODECS)
def test_a_sample_is_off_by_at_most_half_the_step_at_its_level(codec):
    """G.711 puts each output in the middle of its interval, whose width the levels show."""
    result = g711.decode(g711.encode(ALL_SAMPLES, codec), codec).astype(int)
    levels = np.unique(g711.decode(ALL_CODES, codec)).astype(int)
    gaps = np.diff(levels)
    widest_neighbour = np.maximum(np.append(gaps, 0), np.insert(gaps, 0, 0))
    half_step = dict(zip(levels.tolist(), (widest_neighbour / 2).tolist(), strict=True))
    in_range = np.abs(ALL_SAMPLES.astype(int)) <= levels.max() + 2 * 256
    error = np.abs(result - ALL_SAMPLES)[in_range]
    allowed = np.array([half_step[level] for level in result[in_range].tolist()])
    assert (error <= allowed).all()


@pytest.mark.parametrize("codec", g711.CODECS)
def test_coding_is_monotonic_and_symmetric(codec):
    result = g711.decode(g711.encode(ALL_SAMPLES, codec), codec).astype(int)
    assert (np.diff(result) >= 0).all()
    assert (result == -result[::-1]).all()  # a sample and its complement


@pytest.mark.parametrize(("codec", "code"), [("PCMU", 0xFF), ("PCMA", 0xD5)])
def test_silence_is_the_code_of_zero(codec, code):
    assert g711.silence(160, codec) == bytes([code]) * 160
    assert coded(0, codec) == code


@pytest.mark.parametrize("codec", g711.CODECS)
def test_nothing_in_nothing_out(codec):
    assert g711.encode(np.array([], dtype=np.int16), codec) == b""
    assert len(g711.decode(b"", codec)) == 0


@pytest.mark.parametrize(("origin", "codec"), [("PCMU", "PCMA"), ("PCMA", "PCMU")])
def test_recoding_is_decoding_and_encoding(origin, codec):
    octets = bytes(range(256))
    assert g711.recode(octets, origin, codec) == g711.encode(g711.decode(octets, origin), codec)
    assert g711.recode(octets, origin, origin) == octets

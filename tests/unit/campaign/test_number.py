from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dialer.campaign import number
from dialer.campaign.number import Number, NumberError, normalise

EXTENSIONS = re.compile(r"\d{4}")


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("+493023125000", "+493023125000"),
        ("493023125000", "+493023125000"),
        (" +49 30 23125-000 ", "+493023125000"),
        ("+49.30.23125.000", "+493023125000"),
        ("(+49) 30 23125000", "+493023125000"),
        ("+1\u00a0(212)\u202f555\u20110100", "+12125550100"),
        ("+44 (0)20 7946 0000", "+442079460000"),
        ("+39 06 698 12345", "+390669812345"),
        ("+800 1234 5678", "+80012345678"),
    ],
)
def test_a_number_is_stored_as_e164(written, dialled):
    assert normalise(written) == Number(dialled)


@pytest.mark.parametrize(
    ("written", "kept", "problem"),
    [
        ("+49", "+49", "too short for a telephone number"),
        ("1", "+1", "too short for a telephone number"),
        ("+39 06698", "+3906698", "too short for a number of +39"),
        ("+1 212 555 01000", "+121255501000", "too long for a number of +1"),
        ("+1 555 0100", "+15550100", "the area code is missing"),
        ("0171 2345678", "+01712345678", "starts with no country calling code"),
        ("0049 30 23125000", "+00493023125000", "starts with no country calling code"),
        ("+999 12345678", "+99912345678", "starts with no country calling code"),
        ("4" * 30, "+" + "4" * 30, "too long for a telephone number"),
        ("+800 1234567", "+8001234567", "too short for a number of +800"),
        ("+354 123 45 678", "+35412345678", "a number of +354 never has this length"),
    ],
)
def test_a_number_that_cannot_exist_is_kept_with_its_problem(written, kept, problem):
    assert normalise(written) == Number(kept, dialable=False, problem=problem)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "is empty"),
        (" \t", "is empty"),
        ("()", "is empty"),
        ("+", "is not a telephone number: '+'"),
        ("abc", "is not a telephone number: 'abc'"),
        ("12a4", "is not a telephone number: '12a4'"),
        ("4.93E+11", "is not a telephone number: '4.93E+11'"),
        ("+4930+23125000", "is not a telephone number: '+4930+23125000'"),
        ("++4930", "is not a telephone number: '++4930'"),
        ("+4930\r\nX: y", "is not a telephone number: '+4930\\r\\nX: y'"),
        ("+4930%0d%0a", "is not a telephone number: '+4930%0d%0a'"),
        ("+4930@evil.example", "is not a telephone number: '+4930@evil.example'"),
        ("+4930;phone-context=x", "is not a telephone number: '+4930;phone-context=x'"),
        ("\u0664\u0669\u0663\u0660", "is not a telephone number: '\\u0664\\u0669\\u0663\\u0660'"),
        ("+4930\n", None),
        ("4" * 65, "is longer than 64 characters"),
    ],
)
def test_text_that_is_no_number_is_refused_in_one_line(written, message):
    if message is None:
        assert normalise(written).text == "+4930"
        return
    with pytest.raises(NumberError) as caught:
        normalise(written)
    assert str(caught.value) == message


def test_an_extension_is_dialled_as_it_is():
    assert normalise("1001", EXTENSIONS) == Number("1001")
    assert normalise("10-01", EXTENSIONS) == Number("1001")
    assert normalise("493023125000", EXTENSIONS) == Number("+493023125000")
    assert not normalise("1001").dialable


# Country calling codes of every length, real and not, and what may follow them.
DIGITS = st.from_regex(r"[0-9]{1,18}", fullmatch=True) | st.builds(
    "{}{}".format,
    st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)),
    st.from_regex(r"[0-9]{0,15}", fullmatch=True),
)


@given(DIGITS)
@example("03110000")
@example("3758805247554")  # Belarus, with the prefix for calls within
@example("86121877038248")
@settings(max_examples=500)
def test_the_quick_answer_is_that_of_the_library(digits):
    if number._plainly_possible(digits):
        assert number._examined(digits) == Number("+" + digits)


@given(st.text() | st.from_regex(r"[+0-9 ()\-.\r\n;@?>%]{1,30}", fullmatch=True))
def test_nothing_but_plus_and_digits_comes_out(text):
    try:
        number = normalise(text)
    except NumberError as error:
        number = error
    if isinstance(number, NumberError):
        assert len(str(number).splitlines()) == 1
        return
    assert re.fullmatch(r"\+[0-9]{1,64}", number.text)
    assert bool(number.problem) is not number.dialable
    assert normalise(number.text) == number


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_numbers_of_every_country(region):
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            assert normalise(text) == Number(text)

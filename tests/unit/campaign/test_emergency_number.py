"""Emergency and short numbers are never dialled, however they are written."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from phonenumbers import shortnumberinfo

from dialer.campaign.emergency_number import LONGEST, is_emergency_or_short, regions_of
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.number_rewriting import Rewriting, dialled
from dialer.config import Numbers

EXTENSIONS = re.compile("[0-9]{2,5}")


@pytest.mark.parametrize("text", ["112", "+112", "1-1-2", "911", "999", "000", "110", "118", "119"])
def test_what_is_an_emergency_number_in_most_countries_is_no_extension(text):
    for internal in (None, EXTENSIONS):
        with pytest.raises(NumberError, match="emergency or short number, which is never dialled"):
            normalise(text, internal)


@pytest.mark.parametrize(
    "text", ["+49 112", "49112", "+1 911", "+44999", "+39 115", "+33 15", "+49 11833", "+81 119"]
)
def test_nor_is_one_dialled_behind_its_country_calling_code(text):
    with pytest.raises(NumberError, match="emergency or short number"):
        normalise(text)


@pytest.mark.parametrize("text", ["115", "101", "1001", "1120", "49112", "11833", "15"])
def test_other_extensions_are_dialled(text):
    assert normalise(text, EXTENSIONS).text == text


@pytest.mark.parametrize(
    ("region", "urgent", "free"),
    [("FR", "15", "115"), ("IT", "115", "15"), ("GB", "999", "192"), ("BR", "190", "100")],
)
def test_the_emergency_numbers_of_the_region_of_the_pbx_are_no_extensions(region, urgent, free):
    internal = Numbers(internal="[0-9]{2,5}", region=region).internal_pattern()
    with pytest.raises(NumberError, match="never dialled"):
        normalise(urgent, internal)
    assert normalise(free, internal).text == free
    with pytest.raises(NumberError, match="never dialled"):
        normalise(urgent, Numbers(region=region).internal_pattern())


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_emergency_number_of_every_country_is_refused_behind_its_code(region):
    code = phonenumbers.country_code_for_region(region)
    metadata = phonenumbers.PhoneMetadata.short_metadata_for_region(region)
    known = metadata.emergency if metadata else None
    for length in known.possible_length if known else ():
        assert length <= LONGEST
        for number in range(10 ** min(length, 3)):
            text = f"{number:0{length}}"
            if shortnumberinfo.is_emergency_number(text, region):
                assert is_emergency_or_short(f"+{code}{text}")
                assert is_emergency_or_short(text, [region])


@pytest.mark.parametrize(
    ("number", "rules", "region", "result"),
    [
        ("+4989112", [(r"^\+4989", "")], "", "112"),
        ("+390612115", [(r"^\+390612", "")], "", "115"),  # of the number's country
        ("12115", [(r"^12", "")], "IT", "115"),  # of the country of the PBX
        ("9112", [("^9", "")], "", "112"),
        ("112", [], "", "112"),
        ("+49112", [], "", "\\+49112"),
    ],
)
def test_what_rewriting_gives_may_not_be_an_emergency_number(number, rules, region, result):
    made = [Rewriting.of(*rule) for rule in rules]
    with pytest.raises(ValueError, match=f"is dialled as {result}, an emergency or short number"):
        dialled(made, number, region)


@pytest.mark.parametrize(
    ("number", "rules", "result"),
    [
        ("+4930115", [(r"^\+4930", "")], "115"),  # an office in Germany
        ("12115", [(r"^12", "")], "115"),
        ("+4930112345", [(r"^\+49", "0")], "030112345"),
    ],
)
def test_other_numbers_are_dialled_as_the_trunk_wants_them(number, rules, result):
    assert dialled([Rewriting.of(*rule) for rule in rules], number) == result


def test_the_regions_of_a_number():
    assert regions_of("+4930") == ("DE",)
    assert regions_of("+999") == regions_of("1001") == regions_of("+") == regions_of("+x") == ()

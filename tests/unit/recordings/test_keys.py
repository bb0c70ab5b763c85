from __future__ import annotations

import base64

import pytest

from dialer.recordings.keys import WRAPPED_LENGTH, RecordingKeys, RecordingSealed

ONE, TWO = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_a_data_key_is_fresh_each_time_and_opens_from_its_wrapped_form():
    keys = RecordingKeys(ONE)
    first, second = keys.new(), keys.new()
    assert first[0] != second[0]
    for key, wrapped in (first, second):
        assert (len(key), len(wrapped)) == (32, WRAPPED_LENGTH)
        assert keys.open(wrapped) == key


def test_the_first_key_seals_and_all_open():
    key, wrapped = RecordingKeys(ONE).new()
    assert RecordingKeys(f" {TWO}\n{ONE} ").open(wrapped) == key
    _, fresh = RecordingKeys(f"{TWO} {ONE}").new()
    assert RecordingKeys(TWO).open(fresh)
    with pytest.raises(RecordingSealed, match="another key"):
        RecordingKeys(ONE).open(fresh)


def test_without_a_key_nothing_is_sealed_and_nothing_opens():
    keys = RecordingKeys()
    assert not keys.sealing
    assert RecordingKeys(ONE).sealing
    with pytest.raises(RecordingSealed, match="no key to seal"):
        keys.new()
    with pytest.raises(RecordingSealed, match="no key to open"):
        keys.open(RecordingKeys(ONE).new()[1])


@pytest.mark.parametrize("wrong", ["secret", ONE[:-4], "ü" * 44, f"{ONE} x"])
def test_what_is_no_key_is_refused_with_the_command_that_makes_one(wrong):
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        RecordingKeys(wrong)


@pytest.mark.parametrize("wrapped", ["", "x" * WRAPPED_LENGTH, "é" * WRAPPED_LENGTH])
def test_what_is_no_wrapped_key_is_told_as_sealed_with_another(wrapped):
    with pytest.raises(RecordingSealed, match="another key"):
        RecordingKeys(ONE).open(wrapped)

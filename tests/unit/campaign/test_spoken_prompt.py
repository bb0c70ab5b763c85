"""Texts to be said: columns of the list in them, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dialer.campaign.settings import PlayPrompt
from dialer.campaign.spoken_prompt import MOST_SPOKEN, Prompt, filled


def test_columns_stand_where_the_text_has_them_and_what_is_missing_is_said_otherwise():
    text = "Hello {name|there}, you owe {amount|some money}{tail|}."
    assert filled(text, {"name": " Ann ", "amount": ""}) == "Hello Ann, you owe some money."
    assert filled(text, {"tail": "\x07 now\n"}) == "Hello there, you owe some moneynow."


@given(st.text(), st.dictionaries(st.sampled_from("ab"), st.text()))
def test_a_value_is_never_read_as_a_placeholder_and_nothing_grows_without_bound(value, payload):
    said = filled("{a|x} {b|y}", {**payload, "a": value})
    assert len(said) <= MOST_SPOKEN
    if "{" not in value:
        assert "{" not in filled("{a|x}", {"a": value})
    assert filled("{a|x}", {"a": "{b|y}", "b": "no"}) == "{b|y}"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"say": "Hello {name}"}, "write {name|something}, or {name|} for nothing"),
        ({"say": "Hello {name|"}, "a brace that belongs to no {column|otherwise}"),
        ({"say": "{name|}"}, "says nothing where a number has none of its columns"),
        ({"say": "a\nb"}, "control characters"),
        ({"say": "Hello", "file": "hello.wav"}, "give one of file and say"),
        ({}, "give one of file and say"),
        ({"file": "hello.wav", "voice": "en"}, "a voice is for say"),
        ({"say": "Hello", "voice": "--help"}, "match pattern"),
    ],
)
def test_what_cannot_be_said_is_refused_in_a_sentence(given_, said):
    with pytest.raises(ValidationError) as caught:
        Prompt.model_validate(given_)
    assert said in caught.value.errors()[0]["msg"]


def test_what_was_not_given_is_not_kept():
    assert PlayPrompt(file="a.wav").model_dump() == {"kind": "prompt", "file": "a.wav"}
    assert Prompt(say="Hi").model_dump(mode="json") == {"say": "Hi"}

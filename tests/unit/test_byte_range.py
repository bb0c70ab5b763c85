from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.api.byte_range import NotSatisfiable, part_of


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("bytes=0-", (0, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=999-", (999, 1000)),
        ("bytes=10-19", (10, 20)),
        ("bytes=990-5000", (990, 1000)),
        ("bytes=-1", (999, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("Bytes= 5-6 ", (5, 7)),
    ],
)
def test_one_part_is_given(field, part):
    assert part_of(field, 1000) == part


@pytest.mark.parametrize(
    "field",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-5",
        "lines=1-2",
        "bytes=1-2,4-5",
        "bytes=a-b",
    ],
)
def test_what_is_no_range_or_several_stands_for_all(field):
    assert part_of(field, 1000) is None


@pytest.mark.parametrize("field", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_what_begins_behind_the_end_cannot_be_had(field):
    with pytest.raises(NotSatisfiable):
        part_of(field, 1000)


@given(st.text("bytes=-0123456789, ", max_size=20), st.integers(0, 100))
def test_a_part_lies_within_whatever_is_asked_for(field, length):
    try:
        part = part_of(field, length)
    except NotSatisfiable:
        return
    assert part is None or 0 <= part[0] < part[1] <= length

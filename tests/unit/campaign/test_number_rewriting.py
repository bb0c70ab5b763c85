from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.number_rewriting import Rewriting, RewritingError, rewritten


@pytest.mark.parametrize(
    ("rules", "number", "result"),
    [
        ([], "+4930123", "+4930123"),
        ([(r"^\+49", "0")], "+4930123", "030123"),
        ([(r"^\+49", "0"), (r"^\+", None, 1, "00")], "+4330123", "004330123"),
        ([(r"^\+49(30|40)", r"0\1*")], "+4930123", "030*123"),
        ([("", None, 1)], "+4930123", "4930123"),
        ([("", None, 0, "9")], "100", "9100"),
        ([("^5", "x")], "100", "100"),
    ],
)
def test_the_first_rule_that_fits(rules, number, result):
    assert rewritten([Rewriting.of(*rule) for rule in rules], number) == result


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (("[",), "no regular expression"),
        ((r"^\+", r"\1"), "no regular expression"),
        (("^0", "1", 1), "exclude each other"),
        (("^0",), "changes nothing"),
        (("^0", None, 0, "a b"), "holds what no number can"),
        (("^0", None, 0, "\r\n"), "holds what no number can"),
    ],
)
def test_rules_that_make_no_sense(rule, said):
    with pytest.raises(RewritingError, match=said):
        Rewriting.of(*rule)


def test_a_result_that_cannot_be_dialled_is_refused():
    for rule in (("^.*$", ""), ("^0", "a b"), ("^0", "sip:x@y")):
        with pytest.raises(ValueError, match="cannot be dialled"):
            rewritten([Rewriting.of(*rule)], "0123")


@given(st.text(max_size=10), st.integers(0, 20), st.text(max_size=5), st.text(max_size=20))
def test_what_comes_out_can_be_dialled_or_is_what_went_in(replace, strip, prepend, number):
    try:
        rule = Rewriting.of("^[0-9]", replace if strip == 0 else None, strip, prepend)
        result = rewritten([rule], number)
    except ValueError:
        return
    assert result == number or not set(result) & set('\r\n;@?<>" ')

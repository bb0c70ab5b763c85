import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.ua.reason import Reason, parse, q850_cause


@pytest.mark.parametrize(
    ("value", "reasons"),
    [
        ("Q.850;cause=17", [Reason("Q.850", 17)]),
        ('Q.850 ;cause=16 ;text="Terminated"', [Reason("Q.850", 16, "Terminated")]),
        (
            'SIP;cause=580;text="Precondition Failure",Q.850;cause=35',
            [Reason("SIP", 580, "Precondition Failure"), Reason("Q.850", 35)],
        ),
        ('Q.850;cause=1;text="a, \\"b\\"; c"', [Reason("Q.850", 1, 'a, "b"; c')]),
        ("SIP ;Cause=200;Text=plain", [Reason("SIP", 200, "plain")]),
        ("Q.850;cause=x", [Reason("Q.850")]),
        ("Q.850;cause=", [Reason("Q.850")]),
        ("Q.850;cause=²", [Reason("Q.850")]),
        ('Q.850;cause=17;text="open', [Reason("Q.850", 17, "open")]),
        ("", []),
        (" , ;cause=3, ;", []),
    ],
)
def test_values(value, reasons):
    assert parse(value) == reasons


def test_the_last_q850_cause_counts():
    assert q850_cause([]) is None
    assert q850_cause(["SIP;cause=486"]) is None
    assert q850_cause(["Q.850;cause=31", "q.850;cause=17", "SIP;cause=487"]) == 17
    assert q850_cause(["Q.850;cause=17,Q.850;cause=999"]) == 17
    assert q850_cause(["Q.850;cause=0"]) == 0


@given(st.text(alphabet=st.sampled_from('Q.850;cause=17,"\\ text\t\r\nx')))
def test_any_text_is_read_without_complaint(value):
    for reason in parse(value):
        assert reason.protocol
    q850_cause([value])

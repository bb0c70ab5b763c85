import pytest

from dialer.simulator.behaviours import (
    TABLE,
    UNALLOCATED,
    Behaviour,
    Challenge,
    OnCancel,
    Step,
    behaviour_of,
    demo_numbers,
    expected,
)
from dialer.simulator.ledger import Facts


@pytest.mark.parametrize(
    ("number", "behaviour"),
    [
        ("+15550000000", Behaviour()),
        ("15551001234", Behaviour((Step(100),))),
        ("+15551800000", Behaviour((Step(180),))),
        ("+15551832486", Behaviour((Step(183, media=True), Step(486, 2.0)))),
        ("+15551831200", Behaviour((Step(183, media=True), Step(200, 1.0, media=True)))),
        ("+15551830000", Behaviour((Step(183, media=True),))),
        ("+15552000077", Behaviour((Step(200, media=True),))),
        (
            "+15552003277",
            Behaviour((Step(180), Step(200, 3.0, media=True)), hang_up_after=2.0),
        ),
        ("+15554860000", Behaviour((Step(486),))),
        ("+15554861017", Behaviour((Step(180), Step(486, cause=17)))),
        ("+15556990999", Behaviour((Step(699),))),
        ("+15557010000", Behaviour((Step(180),), on_cancel=OnCancel.ANSWER)),
        ("+15557040120", Behaviour((Step(503, retry_after=120),))),
        ("+15557130000", Behaviour(challenge=Challenge(407, "MD5", endless=True))),
        ("+15557203000", Behaviour((Step(180), Step(200, media=True)), loss=0.3)),
        (
            "+15557302016",
            Behaviour((Step(200, media=True),), hang_up_after=2.0, hang_up_cause=16),
        ),
        ("+15557990000", UNALLOCATED),
        ("+15552990000", UNALLOCATED),
        ("+15557000000", UNALLOCATED),
        ("+49301234567", UNALLOCATED),
        ("+1555200000", UNALLOCATED),
        ("+1555²000000", UNALLOCATED),
    ],
)
def test_the_digits_choose(number, behaviour):
    assert behaviour_of(number) == behaviour


def test_every_final_code_has_its_numbers():
    for code in range(300, 700):
        assert expected(f"+1555{code}0000", 40) == Facts(code, rang=False, answered=False)
        assert expected(f"+1555{code}1127", 40) == Facts(code, rang=True, answered=False, cause=127)


@pytest.mark.parametrize(
    ("number", "facts"),
    [
        ("+15552009000", Facts(487, rang=True, answered=False)),
        ("+15552003000", Facts(200, rang=True, answered=True)),
        ("+15550000000", Facts(None, rang=False, answered=False)),
        ("+15551000000", Facts(487, rang=False, answered=False)),
        ("+15557010000", Facts(200, rang=True, answered=True)),
        ("+15557050000", Facts(None, rang=True, answered=False)),
        ("+15557110000", Facts(200, rang=False, answered=True)),
        ("+15557130000", Facts(407, rang=False, answered=False)),
        ("+15557301016", Facts(200, rang=False, answered=True, cause=16)),
    ],
)
def test_what_the_far_end_should_see_within_five_seconds_of_ringing(number, facts):
    assert expected(number, 5) == facts


def test_without_credentials_a_challenge_is_the_end():
    assert expected("+15557110000", 5, authenticates=False).code == 407
    assert expected("+15557120000", 5, authenticates=False).code == 401


def test_demo_numbers_are_different_and_show_every_behaviour():
    numbers = demo_numbers(200)
    assert len(set(numbers)) == 200
    selectors = {number[5:8] for number in numbers}
    assert selectors > set(TABLE)
    assert {selector[0] for selector in selectors} == set("01234567")
    assert len(set(demo_numbers(1000))) == 1000
    answered = sum(expected(number, 5).answered for number in numbers)
    assert 80 < answered < 120

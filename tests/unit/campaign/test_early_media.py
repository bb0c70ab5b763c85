import pytest

from dialer.campaign.early_media import flags, sentence


def heard(kind, begin, end, confidence=0.9, **more):
    return {"kind": kind, "begin": begin, "end": end, "confidence": confidence, **more}


RINGS = heard("ringback", 0.5, 4.7)
VACANT = heard("special_information", 5.1, 6.1, special_information="vacant_code")
SPEECH = heard("speech", 6.4, 9.4)


@pytest.mark.parametrize(
    ("things", "words"),
    [
        (
            (RINGS, VACANT, SPEECH),
            (
                "ringback 4.2 s, then special information tone (vacant code) at 5.1 s,"
                " then speech 3.0 s"
            ),
        ),
        (
            (heard("special_information", 1.0, 2.0, special_information="unspecified"),),
            "special information tone at 1.0 s",
        ),
        (
            (RINGS, heard("silence", 5, 9), heard("busy", 9, 12)),
            "ringback 4.2 s, then busy tone 3.0 s",
        ),
        (
            (heard("congestion", 0, 2.5), heard("music", 3, 5)),
            "congestion tone 2.5 s, then music 2.0 s",
        ),
        ((heard("tone", 1, 3, frequencies=[350.2, 439.9]),), "tone of 350 and 440 Hz 2.0 s"),
        ((heard("silence", 0, 8),), "silence 8.0 s"),
        ((), "nothing to be heard"),
        ((SPEECH,) * 10, ", then ".join(["speech 3.0 s"] * 8 + ["2 more"])),
    ],
)
def test_a_sentence_says_what_was_heard_in_its_order(things, words):
    assert sentence({"heard": things}) == words


@pytest.mark.parametrize(
    ("things", "marks"),
    [
        ((RINGS, VACANT, SPEECH), ("heard_sit", "heard_announcement")),
        ((heard("busy", 0, 3), heard("busy", 9, 12)), ("heard_busy_tone",)),
        ((heard("congestion", 0, 3),), ("heard_congestion_tone",)),
        ((heard("busy", 0, 3, confidence=0.6), heard("speech", 0, 9, confidence=0.6)), ()),
        ((heard("speech", 0, 0.8), heard("speech", 4, 4.9)), ("heard_announcement",)),
        ((heard("speech", 0, 0.8), heard("music", 4, 40)), ()),
        ((), ()),
    ],
)
def test_flags_are_raised_for_what_is_sure(things, marks):
    assert flags({"heard": things}) == marks

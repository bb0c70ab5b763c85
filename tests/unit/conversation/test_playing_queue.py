"""The queue between a bot that speaks in messages and a line that takes 20 ms at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.conversation.playing_queue import PlayingQueue

SILENCE = b"\xff"


@pytest.fixture
def queue():
    return PlayingQueue(max_seconds=1.0)


def speech(octets, first=0):
    return bytes((first + n) % 250 for n in range(octets))


def test_an_empty_queue_gives_nothing(queue):
    assert queue.next_frame() is None
    assert not queue


@given(st.lists(st.integers(0, 700), max_size=20))
def test_frames_hold_all_that_was_said_in_order_whatever_the_lengths(lengths):
    queue = PlayingQueue(max_seconds=10.0)
    said = b""
    for length in lengths:
        piece = speech(length, len(said))
        queue.add(piece)
        said += piece
    frames = []
    while (frame := queue.next_frame()) is not None:
        frames.append(frame)
    assert all(len(frame) == 160 for frame in frames)
    assert b"".join(frames) == said + SILENCE * (-len(said) % 160)
    assert (queue.played, queue.dropped, queue.queued_seconds) == (len(said), 0, 0)


def test_what_does_not_fit_is_dropped_and_counted_the_newest_first(queue):
    queue.add(speech(7990))
    queue.add(b"x" * 20)
    queue.add(b"y" * 20)
    assert (queue.queued_seconds, queue.dropped) == (1.0, 30)
    heard = b"".join(iter(queue.next_frame, None))
    assert heard == speech(7990) + b"x" * 10


def test_marks_are_reached_when_all_before_them_was_given_out(queue):
    queue.add(speech(160))
    assert queue.mark("one") is None
    queue.add(speech(100))
    assert queue.mark("two") is None
    assert queue.mark("three") is None
    queue.add(speech(320))
    assert queue.mark("four") is None
    reached = []
    for _ in range(5):
        queue.next_frame()
        reached.append(queue.reached())
    assert reached == [["one"], ["two", "three"], [], ["four"], []]


def test_a_mark_behind_nothing_is_reached_at_once(queue):
    assert queue.mark("now") == "now"
    queue.add(speech(160))
    queue.next_frame()
    assert queue.mark("again") == "again"


def test_clear_drops_what_is_queued_and_gives_the_marks_back_in_order(queue):
    queue.add(speech(160))
    queue.mark("one")
    queue.add(speech(320))
    queue.mark("two")
    queue.mark("three")
    queue.next_frame()
    queue.reached()
    assert queue.clear() == ["two", "three"]
    assert queue.next_frame() is None
    assert (queue.barge_ins, queue.cleared, queue.played) == (1, 320, 160)


def test_clear_of_nothing_is_no_barge_in(queue):
    assert queue.clear() == []
    assert queue.barge_ins == 0


def test_after_clear_it_goes_on_with_what_comes_then(queue):
    queue.add(speech(500))
    queue.clear()
    queue.add(b"a" * 160)
    assert queue.mark("end") is None
    assert queue.next_frame() == b"a" * 160
    assert queue.reached() == ["end"]


def test_too_many_marks_are_refused(queue):
    queue = PlayingQueue(max_seconds=1.0, max_marks=2)
    queue.add(speech(160))
    queue.mark("one")
    queue.mark("two")
    with pytest.raises(OverflowError, match="more than 2 marks"):
        queue.mark("three")
    assert queue.clear() == ["one", "two"]


def test_silence_between_frames_of_speech_is_late_and_a_pause_is_not(queue):
    def silent(frames):
        for _ in range(frames):
            assert queue.next_frame() is None

    silent(3)
    queue.add(speech(160))
    queue.next_frame()
    silent(2)
    queue.add(speech(160))
    queue.next_frame()
    assert queue.late_frames == 2
    silent(10)
    queue.add(speech(160))
    queue.next_frame()
    assert queue.late_frames == 2
    queue.add(speech(160))
    queue.clear()
    silent(1)
    queue.add(speech(160))
    queue.next_frame()
    assert queue.late_frames == 2


def test_speech_in_real_time_begins_after_the_delay_and_may_be_late_by_it():
    queue = PlayingQueue(max_seconds=1.0, delay=2)
    given = []
    for comes in (1, 1, 1, 1, 0, 0, 3, 1, 1, 1):  # frames that come before each tick
        for _ in range(comes):
            queue.add(speech(160))
        given.append(queue.next_frame() is not None)
    assert given == [False, False] + [True] * 8
    assert queue.late_frames == 0


def test_speech_that_comes_ahead_is_heard_at_once():
    queue = PlayingQueue(max_seconds=1.0, delay=2)
    queue.add(speech(1601))
    assert queue.next_frame() == speech(160)


def test_speech_in_real_time_may_come_in_pieces_that_are_no_frames():
    """As Pipecat's resampler gives it out: 758 samples after each four or five frames."""
    queue = PlayingQueue(max_seconds=1.0, delay=2)
    due = given = 0
    for tick in range(1, 500):
        if (tick * 160) // 758 > due:
            due += 1
            queue.add(speech(758))
        given += queue.next_frame() is not None
    assert queue.played == 160 * given > 400 * 160
    assert queue.late_frames == 0


def test_a_single_word_is_not_held_back_for_longer_than_the_delay():
    queue = PlayingQueue(max_seconds=1.0, delay=2)
    queue.add(speech(100))
    assert queue.mark("end") is None
    frames = [queue.next_frame() for _ in range(4)]
    assert frames == [None, None, speech(100) + SILENCE * 60, None]
    assert queue.reached() == ["end"]


@pytest.mark.parametrize("last", [160, 154])
def test_speech_that_has_run_out_begins_anew(last):
    queue = PlayingQueue(max_seconds=1.0, delay=2)
    queue.add(speech(1600 + last))
    assert all(queue.next_frame() for _ in range(11))
    assert last < 160 or queue.next_frame() is None
    given = []
    for _ in range(4):
        queue.add(speech(160))
        given.append(queue.next_frame() is not None)
    assert given == [False, False, True, True]
    assert queue.late_frames == 2 + (last == 160)


def test_speech_that_comes_in_the_last_moment_goes_on():
    queue = PlayingQueue(max_seconds=1.0, delay=2)
    queue.add(speech(1760))
    for _ in range(11):
        queue.next_frame()
    queue.add(speech(160))
    assert queue.next_frame() == speech(160)


def test_after_clear_speech_waits_its_delay_again():
    queue = PlayingQueue(max_seconds=1.0, delay=1)
    queue.add(speech(1760))
    assert queue.next_frame() is not None
    queue.clear()
    queue.add(speech(160))
    assert queue.next_frame() is None
    assert queue.next_frame() == speech(160)


@given(
    st.lists(
        st.one_of(
            st.integers(0, 3000).map(lambda n: ("add", n)),
            st.just(("mark", 0)),
            st.just(("clear", 0)),
            st.just(("frame", 0)),
        ),
        max_size=60,
    ),
    st.integers(0, 3),
)
def test_no_octet_and_no_mark_is_lost_or_doubled(steps, delay):
    queue = PlayingQueue(max_seconds=1.0, delay=delay)
    added = marks = 0
    came_back = []
    for step, amount in steps:
        if step == "add":
            queue.add(bytes(amount))
            added += amount
        elif step == "mark":
            now = queue.mark(str(marks))
            came_back += [] if now is None else [now]
            marks += 1
        elif step == "clear":
            came_back += queue.clear()
        else:
            queue.next_frame()
            came_back += queue.reached()
        assert queue.queued_seconds <= 1.0
    queued = round(queue.queued_seconds * 8000)
    assert queue.played + queue.dropped + queue.cleared + queued == added
    came_back += queue.clear()
    assert came_back == [str(n) for n in range(marks)]

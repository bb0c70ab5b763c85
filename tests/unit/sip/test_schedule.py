"""Deadlines of many owners in one heap."""

from __future__ import annotations

import weakref

import pytest

from dialer.sip.schedule import Schedule


class Owner:
    def __init__(self, schedule=None):
        self.timers = {}
        self.fired = []
        self.schedule = schedule

    def fire(self, timer):
        self.fired.append(timer)


@pytest.fixture
def schedule():
    return Schedule()


def test_nothing_waits(schedule):
    assert schedule.next_at() is None
    schedule.run_due(1e9)


def test_in_order_of_deadline_then_of_start(schedule):
    owner = Owner()
    for timer, at in [("late", 3.0), ("first", 1.0), ("second", 1.0), ("never", 9.0)]:
        schedule.start(owner, timer, at)
    assert schedule.next_at() == 1.0
    schedule.run_due(3.0)
    assert owner.fired == ["first", "second", "late"]
    assert schedule.next_at() == 9.0


def test_a_stopped_timer_does_not_fire(schedule):
    owner = Owner()
    schedule.start(owner, "A", 1.0)
    owner.timers.pop("A")
    assert schedule.next_at() is None


@pytest.mark.parametrize("moved", [0.5, 2.0])
def test_a_moved_timer_fires_once(schedule, moved):
    owner = Owner()
    schedule.start(owner, "A", 1.0)
    schedule.start(owner, "A", moved)
    assert schedule.next_at() == moved
    schedule.run_due(5.0)
    assert owner.fired == ["A"]


def test_an_owner_may_stop_the_others_and_start_anew(schedule):
    class Restless(Owner):
        def fire(self, timer):
            super().fire(timer)
            self.timers.clear()
            if len(self.fired) < 3:
                self.schedule.start(self, "again", 1.0)

    owner = Restless(schedule)
    schedule.start(owner, "A", 1.0)
    schedule.start(owner, "B", 1.0)
    schedule.run_due(1.0)
    assert owner.fired == ["A", "again", "again"]
    assert schedule.next_at() is None


def test_what_was_stopped_is_not_kept_until_its_time(schedule):
    gone = []
    for number in range(20_000):
        owner = Owner()
        schedule.start(owner, "A", 1e6 + number)
        if number % 100:
            owner.timers.clear()
            gone.append(weakref.ref(owner))
    del owner
    assert sum(reference() is not None for reference in gone) < 1_000
    assert schedule.next_at() == 1e6

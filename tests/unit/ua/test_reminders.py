import math
import random

from dialer.ua.reminders import Reminders


class One:
    def remind(self, now):
        """Only who is due counts here."""


def test_each_is_due_once_at_the_moment_that_it_set_last():
    reminders, first, second = Reminders(), One(), One()
    reminders.set(first, 1.0)
    reminders.set(second, 2.0)
    reminders.set(first, 3.0)
    assert reminders.next_at() == 2.0
    assert reminders.take(1.9) == []
    assert reminders.take(2.0) == [second]
    assert reminders.take(9.0) == [first]
    assert reminders.next_at() == math.inf


def test_one_that_is_dropped_is_not_due_and_may_come_back():
    reminders, one = Reminders(), One()
    reminders.set(one, 1.0)
    reminders.drop(one)
    reminders.drop(one)
    assert reminders.next_at() == math.inf
    reminders.set(one, 5.0)
    assert reminders.take(5.0) == [one]


def test_many_come_in_the_order_of_their_moments():
    chance, reminders = random.Random(1), Reminders()
    moments = {One(): chance.random() for _ in range(200)}
    for one, at in moments.items():
        reminders.set(one, at)
    assert reminders.take(1.0) == sorted(moments, key=moments.__getitem__)

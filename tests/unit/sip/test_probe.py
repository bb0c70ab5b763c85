"""Two failures in a row mean down, one success means up."""

from __future__ import annotations

import pytest

from dialer.sip.probe import QUICK, Probe


def asked(interval=30.0):
    """A probe whose first OPTIONS is out since 100.0."""
    probe = Probe(interval, 100.0, 0.0)
    assert probe.handle_timer(100.0)
    return probe


def again(probe, code, fraction=1.0):
    """Let the next one go out and be answered; return how long it waited."""
    at = probe.timer_at()
    assert not probe.handle_timer(at - 0.001)
    assert probe.handle_timer(at)
    probe.answered(code, "", at, fraction)
    return probe.timer_at() - at


@pytest.mark.parametrize("code", [200, 302, 401, 403, 404, 405, 481, 483, 486, 500, 501, 603])
def test_an_answer_of_nearly_any_code_means_alive(code):
    probe = asked()
    probe.answered(None, "", 100.0, 0.5)
    probe.handle_timer(1000.0)
    probe.answered(code, "", 1000.0, 0.5)
    assert (probe.failures, probe.down, probe.reason) == (0, False, "")


@pytest.mark.parametrize("code", [None, 408, 503, 504])
def test_two_failures_in_a_row_mean_down_and_one_success_up(code):
    probe = asked()
    probe.answered(code, "Phrase", 100.0, 0.5)
    assert (probe.failures, probe.down) == (1, False)
    assert probe.reason.startswith("OPTIONS got ")
    again(probe, code)
    assert probe.down
    again(probe, 404)
    assert not probe.down
    again(probe, code)
    assert not probe.down


def test_probes_come_quicker_while_they_fail_with_back_off():
    probe = asked(interval=60.0)
    probe.answered(None, "", 100.0, 1.0)
    waits = [probe.timer_at() - 100.0, *(again(probe, None) for _ in range(5))]
    assert waits == pytest.approx([QUICK, 2 * QUICK, 4 * QUICK, 8 * QUICK, 60.0, 60.0])
    assert again(probe, 200, fraction=0.0) == pytest.approx(54.0)
    assert again(probe, 200, fraction=1.0) == pytest.approx(66.0)


def test_a_short_interval_is_never_exceeded_after_a_failure():
    probe = asked(interval=1.0)
    probe.answered(None, "", 100.0, 1.0)
    assert probe.timer_at() == 101.0


def test_the_first_probes_of_many_are_spread():
    assert [Probe(30.0, 0.0, part).timer_at() for part in (0.0, 0.5, 1.0)] == [0.0, 2.5, 5.0]


def test_what_nobody_waits_for_changes_nothing():
    probe = Probe(30.0, 100.0, 0.5)
    at = probe.timer_at()
    probe.answered(None, "", 100.0, 0.5)
    probe.answered(200, "OK", 100.0, 0.5)
    probe.failed("no address", 100.0, 0.5)
    assert (probe.timer_at(), probe.failures) == (at, 0)


def test_no_second_probe_goes_out_while_one_is():
    probe = asked()
    assert probe.timer_at() is None
    assert not probe.handle_timer(1e9)

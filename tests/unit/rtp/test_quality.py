"""Against values that are published: ITU-T G.107 table B.1, G.113 appendix I, Cole & Rosenbluth."""

import pytest

from dialer.rtp import quality


@pytest.mark.parametrize(
    ("rating", "score"),
    [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (-9, 1.0),
     (100, 4.5), (120, 4.5)],
)  # fmt: skip
def test_ratings_become_the_scores_of_g107(rating, score):
    assert quality.opinion_score(rating) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(
    ("percent", "impairment"), [(0, 0), (1, 3.64), (2, 7.01), (5, 15.78), (10, 27.07)]
)
def test_loss_impairs_concealed_g711_as_g107_says(percent, impairment):
    assert quality.loss_impairment(percent / 100) == pytest.approx(impairment, abs=0.01)


def test_losses_in_bursts_are_worse():
    assert quality.loss_impairment(0.05, burst_ratio=2) > quality.loss_impairment(0.05)


@pytest.mark.parametrize(
    ("delay", "impairment"), [(0, 0), (100, 2.4), (177.3, 4.26), (277.3, 17.66)]
)
def test_delay_impairs_little_up_to_its_knee(delay, impairment):
    assert quality.delay_impairment(delay) == pytest.approx(impairment, abs=0.01)


def test_a_clean_call_is_as_good_as_g711_gets():
    assert quality.estimate(0, 0, 0, 0.02) == pytest.approx(4.40, abs=0.01)


def test_no_score_is_below_1_whatever_is_lost():
    assert all(
        1 <= quality.estimate(loss / 20, jitter, 2 * jitter, 0.02) <= 4.5
        for loss in range(21)
        for jitter in (0, 0.1, 1, 10)
    )

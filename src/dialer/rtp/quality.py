"""How good a call sounded, estimated from its packets (ITU-T G.107, the E-model).

R = 93.2 - Id - Ie,eff (G.107 §7.1 with its default values but for delay and loss). Delay: the
approximation of R. G. Cole and J. H. Rosenbluth, "Voice over IP performance monitoring" (2001), to
G.107 §7.4. Loss: G.107 §7.5, with the values of G.711 whose losses are concealed by its appendix I,
from G.113 appendix I: Ie = 0, Bpl = 25.1. From R to the mean opinion score: G.107 annex B.
"""

from __future__ import annotations

_R_DEFAULT = 93.2
_EQUIPMENT = 0.0  # Ie of G.711
_ROBUSTNESS = 25.1  # Bpl of G.711 with packet loss concealment, for losses at random
_KNEE = 177.3  # ms from mouth to ear, after which a conversation suffers
_BUFFER = 2  # times the jitter: the buffer that a listener is taken to have


def delay_impairment(milliseconds: float) -> float:
    """Return Id of a delay from mouth to ear."""
    over = max(0.0, milliseconds - _KNEE)
    return 0.024 * milliseconds + 0.11 * over


def loss_impairment(loss: float, burst_ratio: float = 1.0) -> float:
    """Return Ie,eff of a loss from 0 to 1; a burst ratio of 1 is loss at random."""
    percent = 100 * loss
    return _EQUIPMENT + (95 - _EQUIPMENT) * percent / (percent / burst_ratio + _ROBUSTNESS)


def opinion_score(rating: float) -> float:
    """Return the mean opinion score (1 to 4.5) of a rating factor R."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def estimate(
    loss: float, jitter_seconds: float, round_trip_seconds: float, packet_seconds: float
) -> float:
    """Return the mean opinion score of one direction of a call.

    `loss` from 0 to 1. The delay is taken to be half the round trip, a packet's own length and a
    jitter buffer.
    """
    delay = round_trip_seconds / 2 + packet_seconds + _BUFFER * jitter_seconds
    return opinion_score(_R_DEFAULT - delay_impairment(1000 * delay) - loss_impairment(loss))

"""When RTCP reports are sent (RFC 3550 §6.2, §6.3.1 and appendix A.7)."""

from __future__ import annotations

import math

LEAST = 5.0  # seconds; half of it before the first report
BANDWIDTH = 0.05 * 80_000 / 8  # octets per second: a twentieth of G.711's with its headers
_MEMBERS = 2  # a call has one other end
_COMPENSATION = math.e - 1.5  # of the timer reconsideration, which converges below the mean


def seconds(average_size: float, fraction: float, *, first: bool) -> float:
    """Return the time to the next report: the calculated interval times 0.5 to 1.5, compensated.

    `average_size` is that of the compound packets in octets, UDP and IP included; `fraction` a
    random number from 0 to 1. Two members never share the bandwidth unequally (§6.3.1 rule 1 holds
    for more senders than a quarter), and as their number does not change, there is nothing to
    reconsider (§6.3.3).
    """
    least = LEAST / 2 if first else LEAST
    calculated = max(least, _MEMBERS * average_size / BANDWIDTH)
    return calculated * (0.5 + fraction) / _COMPENSATION

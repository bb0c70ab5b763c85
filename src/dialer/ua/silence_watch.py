"""Tells when the far end has been silent for so long that it must be gone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.ua.media_stream import MediaStream
    from dialer.ua.ticker import Ticker


@dataclasses.dataclass(frozen=True, slots=True)
class SilenceLimits:
    """Seconds without a packet after which a call is over, 0 for never.

    `held` is the limit while packets need not come: the call is on hold, or the last packet that
    came was comfort noise, by which the far end said that it stops sending (RFC 3389 §5).
    """

    talking: float = 0.0
    held: float = 0.0


class SilenceWatch:
    """Watches one stream; `on_silent(seconds)` is called once, when a limit has been reached.

    Signs of life are RTP, and reports in which the far end does not claim to have sent more since.
    """

    def __init__(
        self,
        stream: MediaStream,
        ticker: Ticker,
        limits: SilenceLimits,
        on_silent: Callable[[float], None],
    ) -> None:
        self._stream = stream
        self._ticker = ticker
        self._limits = limits
        self._on_silent = on_silent
        self._since = 0.0

    def begin(self, now: float) -> None:
        """Count from now on: the call was answered, held, or taken back."""
        self._since = now
        shortest = min(filter(None, (self._limits.talking, self._limits.held)), default=0.0)
        if shortest:
            self._ticker.remind(self, now + shortest)

    def remind(self, now: float) -> None:
        """Look whether a limit has been reached."""
        limits, stream = self._limits, self._stream
        expected = stream.receiving and not stream.suppressing
        limit = limits.talking if expected else limits.held
        signs = (self._since, stream.reception.last_at, stream.control.silent_at)
        last = max(at for at in signs if at is not None)
        shortest = min(filter(None, (limits.talking, limits.held)))
        if not limit:
            self._ticker.remind(self, now + shortest)
        elif now < last + limit:
            # not later than the other limit could be reached, should it hold by then
            self._ticker.remind(self, min(last + limit, now + shortest))
        else:
            self._on_silent(limit)

    def close(self) -> None:
        """Watch no longer."""
        self._ticker.remind_no_more(self)

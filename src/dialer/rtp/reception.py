"""What was received of a stream: count, loss, duplicates, reordering, jitter (RFC 3550 §6.4.1)."""

from __future__ import annotations

_MAX_DROPOUT = 3000  # RFC 3550 appendix A.1: a larger step forward is another stream
_MAX_MISORDER = 100  # a larger step back is another stream
_WINDOW = (1 << (_MAX_MISORDER + 1)) - 1
_HALF = 1 << 31


class Reception:
    """Statistics of the packets of one sender, fed in the order of their arrival.

    A new SSRC, or a jump in the sequence that goes on from where it landed, begins a new stream:
    the counts go on, sequence and jitter start anew.
    """

    __slots__ = (
        "_expected_before",
        "_first",
        "_highest",
        "_jump",
        "_seen",
        "_timestamp",
        "_transit",
        "_unique",
        "clock_rate",
        "duplicates",
        "jitter",
        "last_at",
        "received",
        "reordered",
        "ssrc",
    )

    def __init__(self, clock_rate: int = 8000) -> None:
        self.clock_rate = clock_rate  # Hz
        self.received = 0  # packets, duplicates included
        self.duplicates = 0
        self.reordered = 0
        self.jitter = 0.0  # interarrival jitter, in units of the clock rate
        self.last_at: float | None = None  # seconds, when the last packet came
        self.ssrc: int | None = None
        self._unique = 0
        self._expected_before = 0  # of streams that are over
        self._first = 0
        self._highest = -1  # extended sequence numbers: wraps are counted in the upper bits
        self._seen = 0  # bit n: the packet n before the highest has come
        self._jump: int | None = None  # the sequence number that would confirm a jump
        self._transit = 0
        self._timestamp: int | None = None

    @property
    def expected(self) -> int:
        """Packets that the sender sent, as far as the sequence numbers tell."""
        return self._expected_before + self._highest - self._first + 1

    @property
    def lost(self) -> int:
        """Packets that were sent and have not come."""
        return max(0, self.expected - self._unique)

    @property
    def highest_sequence(self) -> int:
        """The extended highest sequence number of the stream, -1 before the first packet."""
        return self._highest

    @property
    def jitter_seconds(self) -> float:
        """Interarrival jitter in seconds."""
        return self.jitter / self.clock_rate

    def add(self, sequence: int, timestamp: int, ssrc: int, at: float) -> None:
        """Count a packet that arrived at `at` seconds on a clock that never steps."""
        self.received += 1
        self.last_at = at
        if ssrc != self.ssrc:
            self.ssrc = ssrc
            self._begin(sequence)
        elif not self._follow(sequence):
            return
        self._measure_jitter(timestamp, at)

    def _begin(self, sequence: int) -> None:
        """Start a stream at `sequence`."""
        if self._highest >= 0:
            self._expected_before = self.expected
        self._first = self._highest = sequence
        self._seen = 1
        self._unique += 1
        self._jump = None
        self._timestamp = None
        self.jitter = 0.0

    def _follow(self, sequence: int) -> bool:
        """Place a packet in the running stream; False where it adds nothing in order."""
        step = (sequence - self._highest) & 0xFFFF
        if 0 < step < _MAX_DROPOUT:
            self._highest += step
            self._seen = (self._seen << step | 1) & _WINDOW
            self._unique += 1
            self._jump = None
            return True
        behind = (self._highest - sequence) & 0xFFFF
        if behind <= _MAX_MISORDER:
            if self._seen >> behind & 1:
                self.duplicates += 1
            elif self._highest - behind < self._first:
                # It was sent before the first that came: the stream began earlier than we thought.
                self._first = self._highest - behind
                self._came_late(behind)
            else:
                self._came_late(behind)
            return False
        if sequence == self._jump:
            self._begin(sequence)
            return True
        self._jump = (sequence + 1) & 0xFFFF
        return False

    def _came_late(self, behind: int) -> None:
        self._seen |= 1 << behind
        self._unique += 1
        self.reordered += 1

    def _measure_jitter(self, timestamp: int, at: float) -> None:
        """Apply RFC 3550 §A.8; packets of one timestamp (telephone-event) measure nothing."""
        if timestamp == self._timestamp:
            return
        transit = int(at * self.clock_rate) - timestamp
        if self._timestamp is not None:
            difference = (transit - self._transit + _HALF) % (2 * _HALF) - _HALF
            self.jitter += (abs(difference) - self.jitter) / 16
        self._transit = transit
        self._timestamp = timestamp

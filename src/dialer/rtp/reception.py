"""What was received of a stream: count, loss, duplicates, reordering, jitter (RFC 3550 §6.4.1)."""

from __future__ import annotations

_MAX_DROPOUT = 3000  # RFC 3550 appendix A.1: a larger step forward is another stream
_MAX_MISORDER = 100  # a larger step back is another stream
_WINDOW = (1 << (_MAX_MISORDER + 1)) - 1
_HALF = 1 << 31


class Reception:
    """Statistics of the packets of one peer, fed in the order of their arrival.

    A new SSRC, or a jump in the sequence that goes on from where it landed, begins a new stream:
    the counts go on, sequence and jitter start anew.
    """

    __slots__ = (
        "_expected_before",
        "_first",
        "_gap_from",
        "_highest",
        "_jitters",
        "_jump",
        "_measured",
        "_received_before",
        "_seen",
        "_timestamp",
        "_transit",
        "_unique",
        "clock_rate",
        "duplicates",
        "jitter",
        "last_at",
        "longest_gap",
        "most_jitter",
        "received",
        "reordered",
        "ssrc",
        "streams",
    )

    def __init__(self, clock_rate: int = 8000) -> None:
        self.clock_rate = clock_rate  # Hz
        self.received = 0  # packets, duplicates included
        self.duplicates = 0
        self.reordered = 0
        self.jitter = 0.0  # interarrival jitter, in units of the clock rate
        self.most_jitter = 0.0  # the greatest that it was
        self.last_at: float | None = None  # seconds, when the last packet came
        self.longest_gap = 0.0  # seconds between two packets
        self.ssrc: int | None = None
        self.streams = 0
        self._gap_from: float | None = None  # None while there is no reason to expect packets
        self._jitters = 0.0  # the sum of all values that it took
        self._measured = 0
        self._received_before = 0
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
    def loss(self) -> float:
        """The share of the packets sent that has not come, 0 to 1."""
        return self.lost / self.expected if self.expected else 0.0

    @property
    def expected_of_stream(self) -> int:
        """Packets of the SSRC heard last that were sent, as far as the sequence numbers tell."""
        return self._highest - self._first + 1

    @property
    def received_of_stream(self) -> int:
        """Packets of the SSRC heard last that came, duplicates included (RFC 3550 §A.3)."""
        return self.received - self._received_before

    @property
    def highest_sequence(self) -> int:
        """The extended highest sequence number of the stream, -1 before the first packet."""
        return self._highest

    @property
    def jitter_seconds(self) -> float:
        """Interarrival jitter in seconds, as it is now."""
        return self.jitter / self.clock_rate

    @property
    def mean_jitter_seconds(self) -> float:
        """The mean of all values that the jitter took, in seconds."""
        return self._jitters / self._measured / self.clock_rate if self._measured else 0.0

    def pause(self) -> None:
        """Expect no packets for a while: until the next, time is no gap."""
        self._gap_from = None

    def end_gap(self, at: float) -> None:
        """Count the time since the last packet as a gap, if packets were expected."""
        if self._gap_from is not None:
            self.longest_gap = max(self.longest_gap, at - self._gap_from)

    def add(self, sequence: int, timestamp: int, ssrc: int, at: float) -> None:
        """Count a packet that arrived at `at` seconds on a clock that never steps."""
        self.received += 1
        if self._gap_from is not None and at - self._gap_from > self.longest_gap:
            self.longest_gap = at - self._gap_from
        self.last_at = self._gap_from = at
        if ssrc != self.ssrc:
            self.ssrc = ssrc
            self._begin(sequence)
        elif not self._follow(sequence):
            return
        if timestamp != self._timestamp:
            self._measure_jitter(timestamp, at)

    def _begin(self, sequence: int) -> None:
        """Start a stream at `sequence`."""
        if self._highest >= 0:
            self._expected_before = self.expected
            self._received_before = self.received - 1
        self.streams += 1
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
        transit = int(at * self.clock_rate) - timestamp
        if self._timestamp is not None:
            difference = (transit - self._transit + _HALF) % (2 * _HALF) - _HALF
            self.jitter += (abs(difference) - self.jitter) / 16
            self._jitters += self.jitter
            self._measured += 1
            self.most_jitter = max(self.most_jitter, self.jitter)
        self._transit = transit
        self._timestamp = timestamp

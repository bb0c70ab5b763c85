"""Symmetric RTP: whose packets are taken, and where ours go (RFC 4961, RFC 7362 §4)."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

Address: TypeAlias = tuple[str, int]  # host literal in canonical form, port

STEADY = 4  # packets in a row, of one SSRC, with consecutive sequence numbers
_MAX_CANDIDATES = 8  # sources that are looked at together, whoever sends from how many addresses

# How well a source fits; the lower the better.
_SDP, _SDP_HOST, _SIGNALLING_HOST, _UNKNOWN, _NOBODY = range(5)


@dataclasses.dataclass(slots=True)
class _Candidate:
    """A source that is not latched to: its stream, and how many of its packets came in a row."""

    rank: int
    ssrc: int
    sequence: int
    steady: int = 1

    def follow(self, ssrc: int, sequence: int) -> None:
        """Count a packet; one that does not go on where the last one was begins anew."""
        if ssrc == self.ssrc and sequence == (self.sequence + 1) & 0xFFFF:
            self.steady += 1
        elif ssrc != self.ssrc or sequence != self.sequence:  # a duplicate changes nothing
            self.ssrc, self.steady = ssrc, 1
        self.sequence = sequence


class Latch:
    """Latches to the first steady source, and then takes packets from no other.

    A peer behind NAT names an address that its packets do not come from, so the first source whose
    packets come `STEADY` in a row is kept. Whoever is quicker than the peer shall not have the call
    for good: a steady source that fits better displaces one that fits worse. The address of the
    SDP fits best, then other ports of that host, then the host that we signal with; so the SDP's
    own address is never displaced. Only those three are heard before they are steady. An address
    that a new SDP has left is heard no more: what still comes from there is the old stream.
    """

    __slots__ = (
        "_candidates",
        "_favourite",
        "_left",
        "_rank",
        "destination",
        "expected",
        "signalling_host",
        "source",
    )

    def __init__(self) -> None:
        self.expected: Address | None = None  # from the SDP, None until there is one
        self.signalling_host: str | None = None
        self.source: Address | None = None  # latched to, None until there is one
        self.destination: Address | None = None  # where our packets go: to either of the two
        self._rank = _NOBODY  # of `source`
        self._left: Address | None = None  # what the SDP said before
        self._favourite: Address | None = None  # heard while nobody is latched to
        self._candidates: dict[Address, _Candidate] = {}

    def expect(self, address: Address) -> None:
        """Take the address of the peer's SDP; a new one opens the latch again."""
        if address == self.expected:
            return
        self._left, self.expected = self.expected, address
        self._candidates.clear()
        self._favourite = None
        if self.source == address:
            self._rank = _SDP
        else:
            self.source, self._rank = None, _NOBODY
        self.destination = address

    def allows(self, address: Address) -> bool:
        """Whether a packet from `address` is worth reading."""
        return address == self.source or (self._rank > _SDP and self._fit(address) < self._rank)

    def heard(self, address: Address, ssrc: int, sequence: int) -> bool:
        """Note valid RTP from an address that `allows` let in; return whether it is the peer's."""
        if address == self.source:
            return True
        candidate = self._candidates.get(address)
        if candidate is None:
            candidate = _Candidate(self._fit(address), ssrc, sequence)
            self._add(address, candidate)
        else:
            candidate.follow(ssrc, sequence)
        if candidate.steady >= STEADY:
            self._latch(address, candidate.rank)
            return True
        return self.source is None and address == self._favourite

    def _fit(self, address: Address) -> int:
        if address == self.expected:
            return _SDP
        if address == self._left:
            return _NOBODY
        if self.expected is not None and address[0] == self.expected[0]:
            return _SDP_HOST
        return _SIGNALLING_HOST if address[0] == self.signalling_host else _UNKNOWN

    def _add(self, address: Address, candidate: _Candidate) -> None:
        """Look at one source more, in the place of the least promising if there are too many."""
        if len(self._candidates) >= _MAX_CANDIDATES:
            worst = max(self._candidates.items(), key=lambda one: (one[1].rank, -one[1].steady))
            if worst[1].rank < candidate.rank:
                return
            del self._candidates[worst[0]]
        self._candidates[address] = candidate
        favourite = self._candidates.get(self._favourite) if self._favourite else None
        if candidate.rank < (_UNKNOWN if favourite is None else favourite.rank):
            self._favourite = address

    def _latch(self, address: Address, rank: int) -> None:
        self.source, self.destination, self._rank = address, address, rank
        self._favourite = None
        self._candidates = {
            other: one for other, one in self._candidates.items() if one.rank < rank
        }

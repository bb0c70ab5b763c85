"""Symmetric RTP: whose packets are taken, and where ours go (RFC 4961)."""

from __future__ import annotations

from typing import TypeAlias

Address: TypeAlias = tuple[str, int]  # host literal in canonical form, port


class Latch:
    """Takes packets from the address of the peer's SDP, or from one other source.

    A peer behind NAT names an address that its packets do not come from. The first source that
    sends valid RTP is therefore kept, once; but the SDP's address, as soon as it is heard,
    displaces it for good. What any third one sends is dropped.
    """

    __slots__ = ("expected", "source")

    def __init__(self) -> None:
        self.expected: Address | None = None  # from the SDP, None until there is one
        self.source: Address | None = None  # whose packets we take, None until one came

    @property
    def destination(self) -> Address | None:
        """Where our packets go."""
        return self.source or self.expected

    def expect(self, address: Address) -> None:
        """Take the address of the peer's SDP; a new one opens the latch again."""
        if address != self.expected:
            self.expected = address
            if self.source != address:
                self.source = None

    def allows(self, address: Address) -> bool:
        """Whether a packet from `address` is worth reading."""
        return self.source is None or address in (self.source, self.expected)

    def heard(self, address: Address) -> None:
        """Note that valid RTP came from an address that `allows` let in."""
        self.source = address

"""Where an INVITE goes, and where next if nothing comes of that (RFC 3263 §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.sip.identity import HostPort
    from dialer.sip.settings import InviteDraft

MAX_DATAGRAM = 1300  # bytes; RFC 3261 §18.1.1, for a path MTU that nobody knows
# RFC 3263 §4.3 waits for Timer B, 64*T1, before the next target: longer than most telephones ring.
# RFC 3261 §17.2.1 has a server say 100 within 200 ms, and by 10*T1 four INVITEs have left, so that
# a target which is silent then is not there.
PATIENCE = 10  # in T1, for the first response of a target that is not the last


class Targets:
    """The targets of one call: the current one, and those that are left."""

    def __init__(self, draft: InviteDraft) -> None:
        self.current = draft.target
        self._left = list(draft.alternatives)
        self._large_by_tcp = draft.large_by_tcp
        self._enlarged: set[HostPort] = set()

    def __bool__(self) -> bool:
        """Say whether any is left."""
        return bool(self._left)

    def enlarge(self, size: int) -> bool:
        """Go by TCP to the same address with a request of `size` bytes (RFC 3261 §18.1.1).

        False where it may go as it is. The address is tried by UDP next.
        """
        target = self.current
        fits = size <= MAX_DATAGRAM or target.transport != "udp"
        if fits or not self._large_by_tcp or target in self._enlarged:
            return False
        self._enlarged.add(target)
        self._left.insert(0, target)
        self.current = target._replace(transport="tcp")
        return True

    def advance(self, *, refused: bool) -> bool:
        """Go on to the next target, False where none is left.

        One that `refused` by 503 is not asked again over another transport.
        """
        server = self.current[:2]
        if refused:
            self._left = [target for target in self._left if target[:2] != server]
        if not self._left:
            return False
        self.current = self._left.pop(0)
        return True

"""What the user agent knows of a trunk besides its calls: registration, probes, address."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from dialer.sip.identity import HostPort


class Availability(enum.StrEnum):
    """Whether a trunk takes calls, as far as registration and probes tell."""

    UP = "up"
    DEGRADED = "degraded"  # usable, and something about it is wrong
    DOWN = "down"  # no call may be given to it


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkStatus:
    """How a trunk stands; `reason` is a sentence for a person, "" while all is well.

    `since` is when the availability last changed. `registered_until` is None where we do not
    register, or are not registered. `service_route` holds Route values that the registrar wants in
    our requests (RFC 3608); `learned_address` is where the trunk sees us (RFC 3581).
    """

    availability: Availability = Availability.UP
    reason: str = ""
    since: dt.datetime | None = None
    registered_until: dt.datetime | None = None
    service_route: tuple[str, ...] = ()
    learned_address: HostPort | None = None

    @property
    def usable(self) -> bool:
        """Whether a call may be given to the trunk."""
        return self.availability is not Availability.DOWN

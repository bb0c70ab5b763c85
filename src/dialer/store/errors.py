"""What the store raises, told apart by whose fault it is.

`Unavailable`: the database cannot be reached or is going down; the same call may succeed later.
`Refused` and its kinds: the request meets a state that does not allow it; its text is for a person.
Anything else that asyncpg raises is a fault of our own and passes unchanged.
"""

from __future__ import annotations


class StoreError(Exception):
    """Whatever the store says no to."""


class Unavailable(StoreError):  # noqa: N818 - read as a sentence: raise Unavailable
    """The database is away, going down, out of connections, or too slow to answer."""


class Misconfigured(StoreError):  # noqa: N818 - as above
    """The address, name or credentials of the database are wrong; its text is for a person."""


class Refused(StoreError):  # noqa: N818 - as above
    """The request does not fit the state in the database."""


class NotFound(Refused):
    """There is no such row, or it was deleted, or it belongs to another account."""


class VersionConflict(Refused):
    """The row has changed since the caller read it."""


class CampaignClosed(Refused):
    """The campaign is finished and takes no more numbers or settings."""


class CallIsUp(Refused):
    """A node holds the call, so that its record cannot be changed now."""


class NodeNameInUse(Refused):
    """Another process holds the lease of this node name."""


class SchemaMismatch(StoreError):  # noqa: N818 - as above
    """The database's schema is not the one that this version of the program needs."""

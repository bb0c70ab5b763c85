"""What the bearer of a token may do."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """Each may do what the one before may, and more.

    A viewer reads. An operator also creates, changes and steers campaigns, adds numbers, keeps the
    do-not-call list, and listens to recordings. An admin also makes tokens, steers trunks, and
    deletes recordings.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: Role) -> bool:
        """Whether this role suffices where `needed` is needed."""
        order = list(Role)
        return order.index(self) >= order.index(needed)

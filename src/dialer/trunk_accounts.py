"""Which accounts may use which trunks: the configuration names accounts, the database has ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.engine.trunk_definition import ids_of
from dialer.store import accounts

if TYPE_CHECKING:
    from dialer.config import Config
    from dialer.store.pool import Pool


class TrunkAccounts:
    """The accounts that trunks are kept for.

    `ids` has those that were looked up, by name. `by_trunk` has the ids of those that may use a
    trunk, none where all may.
    """

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.by_trunk: dict[str, frozenset[int]] = {}

    def unknown(self, settings: Config) -> bool:
        """Whether a trunk names an account that was not looked up yet."""
        return any(
            isinstance(name, str) and name not in self.ids
            for trunk in settings.trunk
            for name in trunk.accounts
        )

    async def look_up(self, pool: Pool, settings: Config) -> None:
        """Look the accounts up; raises ConfigError for one that is not there, and store errors."""
        if not self.unknown(settings):
            return
        self.ids |= {one.settings.name: one.id for one in await accounts.list_all(pool)}
        for trunk in settings.trunk:
            for name in trunk.accounts:
                if isinstance(name, str) and name not in self.ids:
                    raise settings.trunk_mistake(
                        trunk,
                        "accounts",
                        f"there is no account {name}, or it is closed; make it with:"
                        f" dialer account create {name}",
                    )

    def take(self, settings: Config) -> None:
        """Go by what a configuration says from now on."""
        self.by_trunk.clear()
        self.by_trunk.update({trunk.name: ids_of(trunk, self.ids) for trunk in settings.trunk})

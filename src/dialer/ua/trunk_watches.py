"""The trunks that a user agent keeps registered and probed, by name."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from dialer.sip.effects import RegisterAnswered
from dialer.ua.trunk_status import TrunkStatus
from dialer.ua.trunk_watch import TrunkWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dialer.sip.effects import OptionsAnswered
    from dialer.ua.call import Trunk
    from dialer.ua.surroundings import Surroundings

_UNWATCHED = TrunkStatus()


class TrunkWatches:
    """One `TrunkWatch` for each trunk that wants registration or probes."""

    def __init__(
        self, around: Surroundings, on_status: Callable[[str, TrunkStatus, TrunkStatus], None]
    ) -> None:
        self._around = around
        self._on_status = on_status
        self._watches: dict[str, TrunkWatch] = {}
        self._leaving: set[TrunkWatch] = set()

    def watch(self, trunks: Iterable[Trunk]) -> None:
        """Watch trunks; one that is watched already goes on unless its definition has changed."""
        for trunk in trunks:
            old = self._watches.get(trunk.name)
            if old is not None and old.trunk == trunk:
                continue
            self.unwatch([trunk.name])
            if trunk.registration is None and trunk.options_interval <= 0:
                continue
            watch = TrunkWatch(trunk, self._around, self._on_status)
            self._watches[trunk.name] = watch
            if old is None:
                watch.start()
            else:
                # both may have the same Contact: first the old binding has to be gone
                old.gone.add_done_callback(partial(_start, watch))

    def unwatch(self, names: Iterable[str]) -> None:
        """Let go of trunks; a binding is removed."""
        for name in names:
            watch = self._watches.pop(name, None)
            if watch is not None:
                self._leaving.add(watch)
                watch.gone.add_done_callback(partial(self._left, watch))
                watch.leave()

    def status(self, name: str) -> TrunkStatus:
        """Return how a trunk stands."""
        watch = self._watches.get(name)
        return _UNWATCHED if watch is None else watch.status

    def contact_user(self, name: str) -> str | None:
        """Return the user part of the Contact that a trunk's registrar has of us, if any."""
        watch = self._watches.get(name)
        return None if watch is None else watch.contact_user

    def on_answer(self, event: RegisterAnswered | OptionsAnswered) -> None:
        """Pass an answer on to the watch that waits for it."""
        for watch in (*self._watches.values(), *self._leaving):
            if isinstance(event, RegisterAnswered):
                taken = watch.registered(event)
            else:
                taken = watch.probed(event)
            if taken:
                return

    def _left(self, watch: TrunkWatch, _gone: asyncio.Future[None]) -> None:
        self._leaving.discard(watch)

    async def close(self) -> None:
        """Let go of every trunk, and wait until that is done: a short time at most."""
        self.unwatch(tuple(self._watches))
        if self._leaving:
            await asyncio.wait([watch.gone for watch in self._leaving])


def _start(watch: TrunkWatch, _gone: asyncio.Future[None]) -> None:
    watch.start()

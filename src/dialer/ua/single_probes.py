"""OPTIONS that somebody waits for: one question to one target of a trunk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dialer.sip.effects import OptionsAnswered
from dialer.sip.message import sip_uri
from dialer.ua.surroundings import own_route

if TYPE_CHECKING:
    from dialer.sip.effects import RegisterAnswered
    from dialer.sip.identity import HostPort
    from dialer.ua.call import Trunk
    from dialer.ua.surroundings import Surroundings


class SingleProbes:
    """The questions that are out."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._waiting: dict[str, asyncio.Future[OptionsAnswered]] = {}  # by Call-ID

    async def ask(self, trunk: Trunk, target: HostPort, patience: float) -> OptionsAnswered:
        """Return what a target makes of our OPTIONS within so many seconds.

        Raises OSError where it cannot be reached, ValueError for what cannot stand in the request.
        """
        driver = await self._around.reach(trunk, (target,))
        call_id = self._around.token()
        answer: asyncio.Future[OptionsAnswered] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = answer
        try:
            driver.perform(
                driver.endpoint.options(
                    target,
                    sip_uri("", trunk.host, trunk.port),
                    self._around.clock.monotonic(),
                    call_id=call_id,
                    route=own_route(trunk),
                    patience=patience,
                )
            )
            return await answer
        finally:
            del self._waiting[call_id]

    def on_answer(self, event: RegisterAnswered | OptionsAnswered) -> bool:
        """Take in an answer; False says that nobody here waits for it."""
        answer = self._waiting.get(event.call_id)
        if answer is None or not isinstance(event, OptionsAnswered):
            return False
        if not answer.done():
            answer.set_result(event)
        return True

"""A call that another process began and did not live to end."""

from __future__ import annotations

import asyncio

from dialer.sip import effects


class Remnant:
    """Waits for the end of such a call, once its CANCEL or BYE was sent: `over`."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_endpoint_event(self, event: effects.Event) -> None:
        """Note the end, whichever it is; a late 2xx has had its ACK and BYE already."""
        if not isinstance(event, effects.ProvisionalReceived):
            self.abandon()

    def abandon(self) -> None:
        """Wait no longer."""
        if not self.over.done():
            self.over.set_result(None)

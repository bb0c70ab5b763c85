"""A listening socket for TCP or TLS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from dialer.sip.identity import HostPort

if TYPE_CHECKING:
    import socket
    import ssl

    from dialer.clock import Clock, Timer
    from dialer.sip.identity import Transport
    from dialer.ua.connections import Connections

_log = structlog.get_logger(__name__)

_AT_ONCE = 64  # connections taken per turn of the loop
_PAUSE = 1.0  # seconds, when the process may open no further file


class Listener:
    """Accepts connections on a socket; with `refuses` it hangs up on all of them."""

    def __init__(
        self, bound: socket.socket, transport: Transport, connections: Connections, clock: Clock
    ) -> None:
        host, port = bound.getsockname()[:2]
        self.local = HostPort(host, port, transport)
        self.refuses = False
        self.context: ssl.SSLContext | None = None
        self._bound = bound
        self._connections = connections
        self._clock = clock
        self._paused: Timer | None = None

    def start(self) -> None:
        """Begin to accept."""
        self._paused = None
        asyncio.get_running_loop().add_reader(self._bound.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, address = self._bound.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.warning("cannot accept connections", at=self.local, reason=error.strerror)
                self._stop()
                again = self._clock.monotonic() + _PAUSE
                self._paused = self._clock.call_at(again, self.start)
                return
            accepted.setblocking(False)  # noqa: FBT003 - the standard library's signature
            if self.refuses:
                accepted.close()
                continue
            peer = HostPort(address[0], address[1], self.local.transport)
            self._connections.accept(accepted, peer, self.context)

    def _stop(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
        asyncio.get_running_loop().remove_reader(self._bound.fileno())

    def close(self) -> None:
        """Accept nothing more."""
        self._stop()
        self._bound.close()

"""Opening a TCP or TLS connection, and the sentence that says why it cannot be."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from dialer.ua.sockets import for_connection, where
from dialer.ua.tls import DATED, explain, unverified_context

if TYPE_CHECKING:
    import datetime as dt

    from dialer.sip.identity import HostPort


async def connect(
    host: str,
    dscp: int,
    destination: HostPort,
    protocol: asyncio.Protocol,
    context: ssl.SSLContext | None = None,
    name: str | None = None,
) -> asyncio.BaseTransport:
    """Connect from `host`, with TLS where there is a context; `name` is told by SNI.

    Raises OSError, of which ssl.SSLError is one.
    """
    loop = asyncio.get_running_loop()
    opened = for_connection(host, dscp)
    try:
        await loop.sock_connect(opened, (destination.host, destination.port))
    except BaseException:
        opened.close()
        raise
    transport, _ = await loop.create_connection(
        lambda: protocol, sock=opened, server_hostname=name, **tls_options(context)
    )
    return transport


def tls_options(context: ssl.SSLContext | None) -> dict[str, Any]:
    """Return the arguments that make a connection one of TLS, none without a context."""
    # so long a peer has to take leave (RFC 8446 §6.1), which many never do
    return {} if context is None else {"ssl": context, "ssl_shutdown_timeout": 0.3}


async def refused_certificate(
    host: str, dscp: int, destination: HostPort, name: str | None, error: ssl.SSLError
) -> bytes | None:
    """Return the certificate (DER) that was refused, where its dates are the reason.

    `ssl` keeps it to itself, so the destination is asked once more.
    """
    if getattr(error, "verify_code", None) not in DATED:
        return None
    with contextlib.suppress(OSError):
        look = _Look()
        await connect(host, dscp, destination, look, unverified_context(), name)
        await look.over
        return look.certificate
    return None


class _Look(asyncio.Protocol):
    """Takes a look at the peer's certificate and leaves at once; `over` is set when it is gone."""

    def __init__(self) -> None:
        self.certificate: bytes | None = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Keep the certificate (DER)."""
        self.certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Let whoever waits go on."""
        if not self.over.done():
            self.over.set_result(None)


def failure(
    peer: HostPort, error: Exception, now: dt.datetime, certificate: bytes | None = None
) -> str:
    """Return why there is no connection to a peer, or none any longer, as a sentence."""
    if isinstance(error, ssl.SSLError):
        return explain(error, where(peer), now, certificate)
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {peer.transport} {where(peer)}"
    if isinstance(error, ConnectionResetError):
        return f"{where(peer)} broke the connection off"
    return f"{where(peer)} cannot be reached: {getattr(error, 'strerror', None) or error}"

"""A network in memory under the loop's datagram sockets: it delays, and loses what it is told to.

It is also the witness of every INVITE that left: what was sent, by whom, and when.
"""

from __future__ import annotations

import asyncio

DELAY = 0.01  # seconds from one end to the other


class Network:
    """Carries datagrams between sockets of one loop.

    `loses(destination, now)` gives the share of datagrams that are lost on the way to or from an
    address at a time; `random` decides which.
    """

    def __init__(self, loop, random, loses):
        self._loop = loop
        self._random = random
        self._loses = loses
        self._ends = {}
        self.sent = 0
        self.lost = 0
        self.invites = {}  # by Call-ID: (when it left for the first time, where to)
        loop.network = self

    def attach(self, protocol, sock):
        """Serve a protocol at a socket's address; return transport and protocol."""
        address = sock.getsockname()[:2]
        transport = _End(self, sock, address, protocol)
        self._ends[address] = protocol
        protocol.connection_made(transport)
        return transport, protocol

    def detach(self, address):
        """Deliver no more to an address."""
        self._ends.pop(address, None)

    def carry(self, source, destination, data):
        """Deliver in a while, or never."""
        now = self._loop.time()
        self.sent += 1
        if data.startswith(b"INVITE "):
            self._note(data, destination, now)
        loss = self._loses(source, now) or self._loses(destination, now)
        if loss and self._random.random() < loss:
            self.lost += 1
            return
        self._loop.call_at(now + DELAY, self._deliver, source, destination, data)

    def _deliver(self, source, destination, data):
        end = self._ends.get(destination)
        if end is not None:
            end.datagram_received(data, source)

    def _note(self, data, destination, now):
        at = data.lower().find(b"\r\ncall-id:") + 10
        call_id = data[at : data.index(b"\r\n", at)].strip().decode()
        self.invites.setdefault(call_id, (now, destination))


class _End(asyncio.DatagramTransport):
    """One bound socket; it keeps the port, and nothing passes through it."""

    def __init__(self, network, sock, address, protocol):
        super().__init__({"socket": sock, "sockname": address})
        self._network = network
        self._socket = sock
        self._address = address
        self._protocol = protocol
        self._closing = False

    def sendto(self, data, addr=None):
        self._network.carry(self._address, tuple(addr[:2]), bytes(data))

    def is_closing(self):
        return self._closing

    def close(self):
        if not self._closing:
            self._closing = True
            self._network.detach(self._address)
            self._socket.close()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

"""The far end of a stream as a bare socket, and audio to tell apart."""

from __future__ import annotations

import asyncio
import random

import numpy as np

from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.rtp.packet import Packet, parse
from dialer.sip.sdp import Negotiated
from dialer.ua.media_ports import RtpPorts

PORTS = (21000, 23998)
SILENCE = {codec: g711.silence(160, codec) for codec in g711.CODECS}


def peer_ports(host="127.0.0.1"):
    """A pair of ports for RTP and its reports, apart from those that the system gives out."""
    return RtpPorts(host, (24000, 29999), start=random.randrange(3000)).bind()


class Peer:
    """The far end: a socket of its own that notes the packets it gets.

    It holds the port for reports as well: else they would reach whoever has that one.
    """

    def __init__(self, host="127.0.0.1"):
        self.received = []
        self._changed = asyncio.Event()
        self.host = host
        self.port, self._socket, self._reports = peer_ports(host)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self):
        self.received.append(parse(self._socket.recv(2048)))
        self._changed.set()

    async def wait_for(self, packets):
        async with asyncio.timeout(10):
            while len(self.received) < packets:
                self._changed.clear()
                await self._changed.wait()
        return self.received

    def send(self, stream, sequence, payload=b"x" * 160, **changes):
        values = {"payload_type": 0, "timestamp": sequence * 160, "ssrc": 99} | changes
        self.send_raw(stream, bytes(Packet(sequence=sequence, payload=payload, **values)))

    def send_raw(self, stream, data):
        self._socket.sendto(data, (self.host, stream.local_port))

    def agreed(self, **changes):
        values = {"codec": "PCMU", "payload_type": 0} | changes
        return Negotiated(host=self.host, port=self.port, **values)

    def close(self):
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._reports.close()


async def counted(stream, packets, *, dropped=0):
    """Wait until the stream has seen so many datagrams; each turn of the loop reads its socket."""
    async with asyncio.timeout(10):
        while stream.packets_received < packets or stream.packets_dropped < dropped:  # noqa: ASYNC110 - the stream has no event for this
            await asyncio.sleep(0)


def loud(frames, codec="PCMU"):
    """Audio of which every frame differs from the others and from silence."""
    return Frames.of(np.repeat(np.arange(1, frames + 1) * 100, 160).astype(np.int16), codec)

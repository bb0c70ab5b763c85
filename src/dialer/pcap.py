"""A capture file of one call, as Wireshark opens it: its SIP and its RTP in packets of IP.

What was kept are messages, not packets, so the packets are made anew: each message is one, over
UDP or TCP as it went; what went over TLS is shown in clear, as UDP.
"""

from __future__ import annotations

import collections
import io
import ipaddress
from typing import TYPE_CHECKING

import dpkt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.store.records import Passage

_LINKTYPE_RAW = 101  # IP without a link layer
_MAX_PAYLOAD = 65_000  # bytes: what fits one IP packet
_SNAPLEN = 65_535


def capture(passages: Iterable[Passage]) -> bytes:
    """Return the file of what passed, in the order of its times."""
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, snaplen=_SNAPLEN, linktype=_LINKTYPE_RAW)
    sequences: collections.Counter[tuple[str, int, str, int]] = collections.Counter()
    for passage in sorted(passages, key=lambda one: one.at):
        writer.writepkt(_packet(passage, sequences), ts=passage.at.timestamp())
    return file.getvalue()


def _packet(passage: Passage, sequences: collections.Counter[tuple[str, int, str, int]]) -> bytes:
    ends = ((passage.local_host, passage.local_port), (passage.peer_host, passage.peer_port))
    (source, source_port), (target, target_port) = ends if passage.sent else ends[::-1]
    payload = passage.data[:_MAX_PAYLOAD]
    segment: dpkt.udp.UDP | dpkt.tcp.TCP
    if passage.transport == "tcp":
        way = (source, source_port, target, target_port)
        back = (target, target_port, source, source_port)
        segment = dpkt.tcp.TCP(
            sport=source_port,
            dport=target_port,
            seq=1 + sequences[way],
            ack=1 + sequences[back],
            flags=dpkt.tcp.TH_ACK | dpkt.tcp.TH_PUSH,
            data=payload,
        )
        sequences[way] += len(payload)
        protocol = dpkt.ip.IP_PROTO_TCP
    else:
        segment = dpkt.udp.UDP(
            sport=source_port, dport=target_port, ulen=8 + len(payload), data=payload
        )
        protocol = dpkt.ip.IP_PROTO_UDP
    addresses = [ipaddress.ip_address(one) for one in (source, target)]
    if addresses[0].version == 6:
        head = dpkt.ip6.IP6(
            src=addresses[0].packed,
            dst=addresses[1].packed,
            nxt=protocol,
            plen=len(segment),
            hlim=64,
            data=segment,
        )
        head.extension_hdrs = {}
        return bytes(head)
    return bytes(
        dpkt.ip.IP(
            src=addresses[0].packed,
            dst=addresses[1].packed,
            p=protocol,
            ttl=64,
            len=20 + len(segment),
            data=segment,
        )
    )

"""The RTCP side of one stream: what we report, and what the far end reports (RFC 3550 §6.4)."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

from dialer.rtp import rtcp

if TYPE_CHECKING:
    from dialer.rtp.reception import Reception

_REMEMBERED = 8  # of our sender reports, for round trips
_ROUNDING = 1 / 65536  # seconds by which a delay may be told too long
_LONGEST_ROUND_TRIP = 60.0  # seconds; more is not a round trip but a mistake


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """What we have sent by now: packets, octets of payload, and the timestamp that is due."""

    packets: int
    octets: int
    timestamp: int


@dataclasses.dataclass(slots=True)
class FarEnd:
    """What the far end reports of our stream; nothing is known before `reports` is 1.

    `lost` packets of all, `loss` their share of those it expected, 0 to 1; `jitter` in timestamp
    units; `round_trip` in seconds, None until one was measured.
    """

    reports: int = 0
    lost: int = 0
    loss: float = 0.0
    jitter: int = 0
    most_jitter: int = 0
    round_trip: float | None = None
    gone: bool = False  # it said goodbye


class Reports:
    """Writes and reads the compound packets of one stream; `cname` is our canonical name."""

    def __init__(self, ssrc: int, cname: str, reception: Reception) -> None:
        self.far_end = FarEnd()
        self.sent = 0  # compound packets
        self._ssrc = ssrc
        self._cname = cname
        self._reception = reception
        self._reported: tuple[int | None, int, int] = (None, 0, 0)  # SSRC, expected, received
        self._packets_told = 0
        self._sender_reports: collections.OrderedDict[int, float] = collections.OrderedDict()
        self._heard: tuple[int, int, float] | None = None  # SSRC, middle of its NTP, when
        self._their_packets = 0  # sent, as they last said

    def write(self, sent: Sent, now: float, unix_seconds: float, *, last: bool = False) -> bytes:
        """Return the report that is due, `last` with a goodbye.

        It is a sender report where something was sent since the one before (§6.4).
        """
        blocks = self._blocks(now)
        report: rtcp.RtcpPacket = rtcp.ReceiverReport(self._ssrc, blocks)
        if sent.packets > self._packets_told:
            ntp = rtcp.ntp_timestamp(unix_seconds)
            report = rtcp.SenderReport(
                self._ssrc, ntp, sent.timestamp, sent.packets, sent.octets, blocks
            )
            self._sender_reports[rtcp.middle_of(ntp)] = now
            if len(self._sender_reports) > _REMEMBERED:
                self._sender_reports.popitem(last=False)
        self._packets_told = sent.packets
        self.sent += 1
        packets = [report, rtcp.SourceDescription(self._ssrc, self._cname)]
        if last:
            packets.append(rtcp.Goodbye((self._ssrc,)))
        return b"".join(map(bytes, packets))

    def read(self, datagram: bytes, now: float, sent: Sent) -> bool:
        """Take in what the far end says; raises `rtcp.RtcpError`.

        Returns whether it is silent of its own will: it does not say that it sent more packets than
        when it last reported.
        """
        silent = True
        for packet in rtcp.parse(datagram):
            if isinstance(packet, rtcp.SenderReport):
                self._heard = packet.ssrc, rtcp.middle_of(packet.ntp), now
                silent = packet.packets == self._their_packets
                self._their_packets = packet.packets
            if isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                for block in packet.blocks:
                    if block.ssrc == self._ssrc:
                        self._take(block, now, sent)
            elif isinstance(packet, rtcp.Goodbye):
                self.far_end.gone = True
        return silent

    def _blocks(self, now: float) -> tuple[rtcp.ReportBlock, ...]:
        """Report on the SSRC heard last (§A.3), if it was heard."""
        reception = self._reception
        ssrc = reception.ssrc
        if ssrc is None:
            return ()
        expected, received = reception.expected_of_stream, reception.received_of_stream
        known, expected_before, received_before = self._reported
        if known != ssrc:
            expected_before = received_before = 0
        self._reported = ssrc, expected, received
        due = expected - expected_before
        lost = due - (received - received_before)
        last_sr, delay = 0, 0
        if self._heard is not None and self._heard[0] == ssrc:
            last_sr, delay = self._heard[1], round((now - self._heard[2]) * 65536)
        return (
            rtcp.ReportBlock(
                ssrc=ssrc,
                fraction_lost=min(255, 256 * lost // due) if due > 0 and lost > 0 else 0,
                lost=expected - received,
                highest_sequence=reception.highest_sequence,
                jitter=int(reception.jitter),
                last_sr=last_sr,
                delay=delay,
            ),
        )

    def _take(self, block: rtcp.ReportBlock, now: float, sent: Sent) -> None:
        """Note what is said of our stream, and how long the way there and back took (§6.4.1)."""
        far = self.far_end
        far.reports += 1
        far.lost = max(0, min(block.lost, sent.packets))
        far.loss = far.lost / sent.packets if sent.packets else 0.0
        far.jitter = block.jitter
        far.most_jitter = max(far.most_jitter, block.jitter)
        sent_at = self._sender_reports.get(block.last_sr)
        if sent_at is not None:
            took = now - sent_at - block.delay / 65536
            if -_ROUNDING <= took <= _LONGEST_ROUND_TRIP:
                far.round_trip = max(0.0, took)

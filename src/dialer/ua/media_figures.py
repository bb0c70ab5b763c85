"""How the media of a call was, in figures."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.rtp import g711, quality

if TYPE_CHECKING:
    from dialer.ua.media_stream import MediaStream


@dataclasses.dataclass(frozen=True, slots=True)
class MediaFigures:
    """The packets of a call each way, counted, and how they must have sounded.

    `sent` left; `unsent` were refused by our own host. `received` came from the peer, of which
    `duplicates` twice, `reordered` late and `comfort_noise` without speech; `lost` never came;
    `dropped` were no RTP, not from the peer or not authentic. `streams` counts SSRCs. `jitter_ms`
    is the mean of RFC 3550's estimate, `jitter_most_ms` its peak. `longest_gap_ms` leaves out hold
    and announced silence. What begins with `far_end_` is the far end's own word on what we sent,
    None without a report. `mos` and `far_end_mos` are estimates (1 to 4.5) of what we and the far
    end heard, None where nothing came or nothing was reported.
    """

    codec: str
    secured: bool
    sent: int
    unsent: int
    received: int
    lost: int
    loss_percent: float
    duplicates: int
    reordered: int
    dropped: int
    comfort_noise: int
    streams: int
    jitter_ms: float
    jitter_most_ms: float
    longest_gap_ms: int
    mos: float | None
    far_end_lost: int | None
    far_end_loss_percent: float | None
    far_end_jitter_ms: float | None
    far_end_mos: float | None
    round_trip_ms: float | None


def figures_of(stream: MediaStream) -> MediaFigures | None:
    """Return the figures of a stream; None for one that was never connected."""
    if stream.codec is None:
        return None
    heard, far = stream.reception, stream.control.reports.far_end
    told, trip = far.reports > 0, far.round_trip or 0.0
    far_jitter = far.jitter / g711.SAMPLE_RATE
    mos = far_mos = None
    if heard.received:
        mos = quality.estimate(heard.loss, heard.mean_jitter_seconds, trip, stream.packet_seconds)
    if told:
        far_mos = quality.estimate(far.loss, far_jitter, trip, stream.packet_seconds)
    return MediaFigures(
        codec=stream.codec,
        secured=stream.srtp.agreed,
        sent=stream.packets_sent,
        unsent=stream.packets_unsent,
        received=heard.received,
        lost=heard.lost,
        loss_percent=round(100 * heard.loss, 2),
        duplicates=heard.duplicates,
        reordered=heard.reordered,
        dropped=stream.packets_dropped,
        comfort_noise=stream.packets_of_noise,
        streams=heard.streams,
        jitter_ms=round(1000 * heard.mean_jitter_seconds, 2),
        jitter_most_ms=round(1000 * heard.most_jitter / heard.clock_rate, 2),
        longest_gap_ms=round(1000 * heard.longest_gap),
        mos=None if mos is None else round(mos, 2),
        far_end_lost=far.lost if told else None,
        far_end_loss_percent=round(100 * far.loss, 2) if told else None,
        far_end_jitter_ms=round(1000 * far_jitter, 2) if told else None,
        far_end_mos=None if far_mos is None else round(far_mos, 2),
        round_trip_ms=None if far.round_trip is None else round(1000 * far.round_trip, 1),
    )

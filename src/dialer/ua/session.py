"""The media session of a call: offers and answers, applied to its RTP stream (RFC 3264)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialer.sip import sdp
from dialer.ua.media_ports import MediaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialer.ua.media import MediaStream

UNUSABLE = (sdp.SdpError, MediaError)  # a description that we cannot read, speak or reach


class MediaSession:
    """What was agreed about one stream.

    `address` is what the peer is told to send to; `codecs` in order of preference.
    """

    def __init__(
        self,
        stream: MediaStream,
        address: str,
        codecs: Sequence[str],
        session_id: int,
        *,
        ptime: int = 20,
        srtp: Literal["off", "optional", "required"] = "off",
    ) -> None:
        self.stream = stream
        self._address = address
        self._codecs = codecs
        self._session_id = session_id
        self._version = 0
        self._ptime = ptime
        self._srtp = srtp

    def offer(self) -> bytes:
        """Write an offer."""
        self._version += 1
        return sdp.offer(
            self._address,
            self.stream.local_port,
            self._codecs,
            session_id=self._session_id,
            version=self._version,
        )

    def accept(self, body: bytes, content_type: str) -> None:
        """Take the answer to our offer; raises one of UNUSABLE where it leaves no audio."""
        self.stream.connect(sdp.negotiate(self._codecs, sdp.parse(body, content_type)))

    def answer(self, body: bytes, content_type: str) -> bytes:
        """Answer the peer's offer; raises one of UNUSABLE, and then nothing has changed."""
        offered = sdp.parse(body, content_type)
        agreed = sdp.negotiate(self._codecs, offered)
        answer = sdp.answer(
            offered,
            self._address,
            self.stream.local_port,
            self._codecs,
            session_id=self._session_id,
            version=self._version + 1,
        )
        self.stream.connect(agreed)
        self._version += 1
        return answer

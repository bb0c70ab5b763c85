"""The media session of a call: offers and answers, applied to its RTP stream (RFC 3264)."""

from __future__ import annotations

import functools
import secrets
from typing import TYPE_CHECKING, Literal

from dialer.sip import sdp
from dialer.ua.media_ports import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dialer.ua.media import MediaStream

UNUSABLE = (sdp.SdpError, MediaError)  # a description that we cannot read, speak or reach


class MediaSession:
    """What was agreed about one stream.

    `address` is what the peer is told to send to; `codecs` in order of preference; `ptime` in ms.
    `srtp` says whether media is secured (RFC 4568): "optional" falls back to plain RTP where the
    peer has none, "required" leaves no audio then. `random_bytes(n)` supplies its keys.
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
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.stream = stream
        self._address = address
        self._codecs = codecs
        self._session_id = session_id
        security = None
        if srtp != "off":
            required = srtp == "required"
            security = sdp.Security.with_new_keys(random_bytes, required=required)
            stream.secure_only = required
        self._terms = sdp.Terms(ptime, security)
        self._others = sdp.Sections()
        self._version = 0
        self._described = b""  # what the peer was told last

    def offer(self) -> bytes:
        """Write an offer; its version rises only where it says something new (RFC 3264 §8)."""
        return self._keep(*self._versioned(self._offer))

    def accept(self, body: bytes, content_type: str) -> None:
        """Take the answer to our offer; raises one of UNUSABLE where it leaves no audio."""
        self.stream.connect(self._negotiate(sdp.parse(body, content_type)))

    def answer(self, body: bytes, content_type: str) -> bytes:
        """Answer the peer's offer; raises one of UNUSABLE, and then nothing has changed."""
        offered = sdp.parse(body, content_type)
        agreed = self._negotiate(offered)
        answer, version = self._versioned(functools.partial(self._answer, offered))
        self.stream.connect(agreed)
        self._others = agreed.others
        return self._keep(answer, version)

    def _negotiate(self, remote: sdp.Session) -> sdp.Negotiated:
        return sdp.negotiate(self._codecs, remote, terms=self._terms)

    def _offer(self, version: int) -> bytes:
        return sdp.offer(
            self._address,
            self.stream.local_port,
            self._codecs,
            session_id=self._session_id,
            version=version,
            terms=self._terms,
            others=self._others,
        )

    def _answer(self, offered: sdp.Session, version: int) -> bytes:
        return sdp.answer(
            offered,
            self._address,
            self.stream.local_port,
            self._codecs,
            session_id=self._session_id,
            version=version,
            terms=self._terms,
        )

    def _versioned(self, describe: Callable[[int], bytes]) -> tuple[bytes, int]:
        """Return a description and its version: the one before it, if it says the same."""
        body = describe(self._version)
        if body == self._described:
            return body, self._version
        return describe(self._version + 1), self._version + 1

    def _keep(self, body: bytes, version: int) -> bytes:
        self._described, self._version = body, version
        return body

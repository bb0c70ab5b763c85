"""Secure RTP (RFC 3711), by libsrtp."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pylibsrtp

if TYPE_CHECKING:
    from dialer.sip.security_description import Keys

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


class SrtpError(Exception):
    """A packet that cannot be protected, or that is forged, repeated or too old."""


class SecureRtp:
    """Protects what one stream sends and checks what it receives, by the keys last agreed.

    Until there are any, `agreed` is False and packets must be neither protected nor unprotected.
    """

    def __init__(self) -> None:
        self.agreed = False
        self._senders: dict[tuple[str, bytes], pylibsrtp.Session] = {}  # by each key of ours
        self._sender: pylibsrtp.Session | None = None
        self._receiver: pylibsrtp.Session | None = None
        self._receiving_with: tuple[str, bytes] | None = None

    def use(self, keys: Keys | None) -> None:
        """Take what was agreed, None for plain RTP.

        A direction whose key stays the same goes on counting its packets: a key with a count that
        began anew would give the same key stream twice.
        """
        self.agreed = keys is not None
        if keys is None:
            return
        ours, theirs = (keys.suite, keys.ours), (keys.suite, keys.theirs)
        if ours not in self._senders:
            self._senders[ours] = _session(*ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._sender = self._senders[ours]
        if theirs != self._receiving_with:
            self._receiver = _session(*theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)
            self._receiving_with = theirs

    def protect(self, packet: bytes) -> bytes:
        """Return an RTP packet encrypted and authenticated; raises `SrtpError`."""
        assert self._sender is not None
        try:
            return self._sender.protect(packet)
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(str(error)) from None

    def protect_control(self, packet: bytes) -> bytes:
        """Return an RTCP packet encrypted and authenticated; raises `SrtpError`."""
        assert self._sender is not None
        try:
            return self._sender.protect_rtcp(packet)
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(str(error)) from None

    def unprotect(self, datagram: bytes) -> bytes:
        """Return the RTP packet in a datagram; raises `SrtpError`."""
        assert self._receiver is not None
        try:
            return self._receiver.unprotect(datagram)
        except (pylibsrtp.Error, ValueError) as error:  # ValueError: longer than libsrtp takes
            raise SrtpError(str(error)) from None

    def unprotect_control(self, datagram: bytes) -> bytes:
        """Return the RTCP packet in a datagram; raises `SrtpError`."""
        assert self._receiver is not None
        try:
            return self._receiver.unprotect_rtcp(datagram)
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(str(error)) from None


def _session(suite: str, key: bytes, direction: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=_PROFILES[suite])
    return pylibsrtp.Session(policy=policy)

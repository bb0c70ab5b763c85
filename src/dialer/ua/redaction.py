"""What nobody may read in a kept message: digest answers and media keys, blotted out in place."""

from __future__ import annotations

import re

# A digest answer can be tried against guessed passwords; the rest of the header explains failures.
_DIGEST = re.compile(
    rb"^(?:Proxy-)?Authorization[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_DIGEST_ANSWER = re.compile(rb'(\bresponse\s*=\s*"?)([0-9a-f]+)', re.IGNORECASE)
_OTHER_SCHEME = re.compile(rb"\A[^:]*:\s*(?!digest\b)(\S+\s+)(\S[^\r\n]*)", re.IGNORECASE)
# RFC 4568 §9.2: the master key and salt of SRTP.
_MEDIA_KEYS = re.compile(rb"^a=crypto:[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_MEDIA_KEY = re.compile(rb"(inline:)([^\s|;]+)", re.IGNORECASE)


def redacted(data: bytes) -> bytes:
    """Return a SIP message without its secrets; no byte moves, so that lengths stay true."""
    data = _DIGEST.sub(lambda found: _without_answer(found[0]), data)
    if b"crypto:" in data:
        data = _MEDIA_KEYS.sub(lambda line: _MEDIA_KEY.sub(_blotted, line[0]), data)
    return data


def _without_answer(header: bytes) -> bytes:
    return _OTHER_SCHEME.sub(_credentials_blotted, _DIGEST_ANSWER.sub(_blotted, header))


def _blotted(found: re.Match[bytes]) -> bytes:
    return found[1] + b"x" * len(found[2])


def _credentials_blotted(found: re.Match[bytes]) -> bytes:
    whole, start = found[0], found.start(2) - found.start(0)
    return whole[:start] + b"x" * (len(whole) - start)

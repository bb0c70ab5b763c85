"""Digest authentication of the caller (RFC 3261 §22, RFC 7616, RFC 8760)."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING

from dialer.sip.message import check_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.identity import Credentials
    from dialer.sip.message import Response

# Strongest first (RFC 8760 §2.4: MD5 is the last resort).
_HASHES = {
    name: library_name
    for name, library_name in {
        "SHA-512-256": "sha512_256",
        "SHA-256": "sha256",
        "MD5": "md5",
    }.items()
    if library_name in hashlib.algorithms_available  # SHA-512/256 depends on the OpenSSL below
}
_ALGORITHMS = tuple(name + suffix for name in _HASHES for suffix in ("", "-SESS"))
_ANSWERS = {
    "www-authenticate": "Authorization",
    "proxy-authenticate": "Proxy-Authorization",
}
_MAX_REALMS = 4  # answered in one request, proxies and server together
_MAX_STALE = 2  # a peer may call our nonce stale so often for one request
_PARAMETER = re.compile(
    r'[ \t,]*([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s,"]*))'
)


@dataclasses.dataclass(frozen=True, slots=True)
class Challenge:
    """One Digest challenge; quoted values are kept as they stand between the quotes."""

    header: str  # the header that answers it
    realm: str
    nonce: str
    algorithm: str  # in upper case, as in _ALGORITHMS, or one that we do not know
    algorithm_text: str  # as the peer wrote it, "" where absent
    qop: str  # "auth", or "" for the form without qop (RFC 2069)
    opaque: str | None
    stale: bool


def parse_challenge(header: str, value: str) -> Challenge | None:
    """Parse a WWW-Authenticate or Proxy-Authenticate value, None for what we cannot answer.

    `header` is the name in lower case.
    """
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    found: dict[str, str] = {}
    position = 0
    while match := _PARAMETER.match(rest, position):
        quoted, plain = match.group(2), match.group(3)
        found.setdefault(match.group(1).lower(), plain if quoted is None else quoted)
        position = match.end()
    if "realm" not in found or "nonce" not in found:
        return None
    offered = [option.strip().lower() for option in found.get("qop", "").split(",")]
    if offered != [""] and "auth" not in offered:
        return None
    algorithm = found.get("algorithm", "")
    return Challenge(
        header=_ANSWERS[header],
        realm=found["realm"],
        nonce=found["nonce"],
        algorithm=algorithm.upper() or "MD5",
        algorithm_text=algorithm,
        qop="auth" if "auth" in offered else "",
        opaque=found.get("opaque"),
        stale=found.get("stale", "").lower() == "true",
    )


def digest_response(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    cnonce: str = "",
    nonce_count: int = 1,
) -> str:
    """Return the `response` of RFC 7616 §3.4.1 (of RFC 2069 where there is no qop)."""
    hash_name = _HASHES[challenge.algorithm.removesuffix("-SESS")]

    def hashed(text: str) -> str:
        # Digest names MD5; it is no choice of ours (usedforsecurity keeps FIPS builds working).
        return hashlib.new(hash_name, text.encode(), usedforsecurity=False).hexdigest()

    secret = hashed(f"{credentials.username}:{challenge.realm}:{credentials.password}")
    if challenge.algorithm.endswith("-SESS"):
        secret = hashed(f"{secret}:{challenge.nonce}:{cnonce}")
    request = hashed(f"{method}:{uri}")
    if challenge.qop:
        middle = f"{challenge.nonce}:{nonce_count:08x}:{cnonce}:{challenge.qop}"
    else:
        middle = challenge.nonce
    return hashed(f"{secret}:{middle}:{request}")


@dataclasses.dataclass(slots=True)
class _Answered:
    """A challenge in use, and how often its nonce was."""

    challenge: Challenge
    nonce_count: int = 0


class Attempts:
    """What was tried for one request: it bounds the re-sends, whatever the peer says."""

    def __init__(self) -> None:
        self.nonces: set[tuple[str, str, str]] = set()
        self.rounds: dict[tuple[str, str], int] = {}


class Authenticator:
    """Answers the challenges of one call; nonces carry over from INVITE to ACK and BYE."""

    def __init__(self, credentials: Credentials, token: Callable[[], str]) -> None:
        check_text(credentials.username)
        self._credentials = credentials
        self._token = token
        self._answered: dict[tuple[str, str], _Answered] = {}

    def accept(self, response: Response, attempts: Attempts) -> bool:
        """Take the challenges of a 401 or 407; True says that the request is worth a re-send.

        A nonce is answered once for a request, a realm once unless the peer says `stale`
        (RFC 7616 §3.3), so that an endless 401 ends.
        """
        chosen = self._choose(response)
        for key, challenge in chosen.items():
            nonce_key = (*key, challenge.nonce)
            rounds = attempts.rounds.get(key, 0)
            fresh = rounds == 0 or (challenge.stale and rounds <= _MAX_STALE)
            if nonce_key in attempts.nonces or not fresh:
                return False
            attempts.nonces.add(nonce_key)
            attempts.rounds[key] = rounds + 1
            self._answered.pop(key, None)
            self._answered[key] = _Answered(challenge)
        while len(self._answered) > _MAX_REALMS:  # all of them stand in every further request
            del self._answered[next(iter(self._answered))]
        return bool(chosen) and len(attempts.rounds) <= _MAX_REALMS

    def _choose(self, response: Response) -> dict[tuple[str, str], Challenge]:
        """Return the strongest challenge that we may answer, by header and realm."""
        strongest: dict[tuple[str, str], Challenge] = {}
        for header in _ANSWERS:
            for value in response.headers.get(header, ()):
                challenge = parse_challenge(header, value)
                if challenge is None or challenge.algorithm not in _ALGORITHMS:
                    continue
                if challenge.algorithm.startswith("MD5") and not self._credentials.md5_allowed:
                    continue
                key = (challenge.header, challenge.realm)
                rank = _ALGORITHMS.index(challenge.algorithm)
                if key not in strongest or rank < _ALGORITHMS.index(strongest[key].algorithm):
                    strongest[key] = challenge
        return strongest

    def headers(self, method: str, uri: str) -> list[tuple[str, str]]:
        """Return the credentials for a request, for every challenge met so far."""
        return [
            (answered.challenge.header, self._authorization(answered, method, uri))
            for answered in self._answered.values()
        ]

    def _authorization(self, answered: _Answered, method: str, uri: str) -> str:
        challenge = answered.challenge
        answered.nonce_count += 1
        cnonce = self._token()
        username = self._credentials.username.replace("\\", "\\\\").replace('"', '\\"')
        result = digest_response(
            challenge, self._credentials, method, uri, cnonce, answered.nonce_count
        )
        text = (
            f'Digest username="{username}", realm="{challenge.realm}", '
            f'nonce="{challenge.nonce}", uri="{uri}", response="{result}"'
        )
        if challenge.algorithm_text:
            text += f", algorithm={challenge.algorithm_text}"
        if challenge.qop:
            text += f', cnonce="{cnonce}", qop={challenge.qop}, nc={answered.nonce_count:08x}'
        elif challenge.algorithm.endswith("-SESS"):
            text += f', cnonce="{cnonce}"'
        if challenge.opaque is not None:
            text += f', opaque="{challenge.opaque}"'
        return text

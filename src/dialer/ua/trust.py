"""Which destination is to prove what, and the TLS contexts that see to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dialer.ua.call import TlsSettings
from dialer.ua.tls import client_context

if TYPE_CHECKING:
    import ssl

    from dialer.sip.identity import HostPort

_REMEMBERED = 1000  # destinations


class Trust(NamedTuple):
    """How a destination proves who it is; `domain` is the one that the trunk is configured with."""

    settings: TlsSettings
    domain: str

    @property
    def expected(self) -> str:
        """What the certificate must say."""
        return self.settings.server_name or self.domain

    @property
    def indicated(self) -> str:
        """The name for SNI (RFC 6066 §3): no wildcard; `ssl` leaves an address out by itself."""
        return self.domain if "*" in self.expected else self.expected


class TrustTable:
    """What was said of destinations, and the contexts made from it; the files are read once."""

    def __init__(self) -> None:
        self._said: dict[HostPort, Trust] = {}
        self._contexts: dict[TlsSettings, tuple[tuple[float, ...], ssl.SSLContext]] = {}

    def say(self, destination: HostPort, trust: Trust) -> bool:
        """Note how a destination proves who it is; say whether something else held before."""
        before = self._said.pop(destination, None)
        self._said[destination] = trust
        if len(self._said) > _REMEMBERED:
            del self._said[next(iter(self._said))]
        return before is not None and before != trust

    def knows(self, destination: HostPort) -> bool:
        """Whether something was said of just this destination."""
        return destination in self._said

    def of(self, destination: HostPort) -> Trust:
        """Return what was said of a destination, or of the trunk that it seems to belong to.

        Within a call the peer may name another port or address of its own (RFC 3261 §12.1.2).
        """
        if destination in self._said:
            return self._said[destination]
        of_host = [trust for to, trust in self._said.items() if to.host == destination.host]
        if of_host:
            return of_host[-1]
        of_anybody = set(self._said.values())
        if len(of_anybody) == 1:
            return of_anybody.pop()
        return Trust(TlsSettings(), destination.host)

    def context(self, settings: TlsSettings) -> ssl.SSLContext:
        """Return the context for some settings, a new one where a file changed; raises TlsError."""
        as_of = _files_as_of(settings)
        known = self._contexts.get(settings)
        if known is None or known[0] != as_of:
            known = (as_of, client_context(settings))
            self._contexts[settings] = known
        return known[1]


def _files_as_of(settings: TlsSettings) -> tuple[float, ...]:
    """Return when each file of the settings last changed."""
    changed = []
    for path in (settings.ca_file, settings.certificate_file, settings.key_file):
        try:
            changed.append(Path(path).stat().st_mtime if path else 0.0)
        except OSError:
            changed.append(-1.0)
    return tuple(changed)

"""What a check of a trunk says of the certificate that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dialer.ua.certificate import facts

if TYPE_CHECKING:
    import datetime as dt

    from dialer.ua.certificate import TlsSession

_SOON = 21  # days: what is renewed by itself is renewed earlier


def certificate_lines(
    session: TlsSession, now: dt.datetime, *, verified: bool
) -> tuple[list[str], str, dict[str, Any]]:
    """Return lines for a person, what to do soon, "" for nothing, and facts for a program."""
    found = facts(session.certificate)
    if found is None:
        return ["certificate: cannot be read"], "", {"tls": session.version}
    days = (found.not_after - now).days
    expiry = f"expires on {found.not_after:%Y-%m-%d}"
    advice = ""
    if days < _SOON:
        left = "it has expired" if days < 0 else f"expires in {days} days"
        advice = f"{left}: ask whoever runs the trunk for a new certificate"
    if not verified:
        advice = advice or "anybody can play this trunk: leave `tls_verify` out"
    lines = [
        f"certificate {found.subject}, {expiry}",
        f"names: {', '.join(found.names) or 'none besides'}",
        f"issued by {found.issuer}",
    ]
    return (
        lines,
        advice,
        {
            "tls": session.version,
            "certificate": {
                "subject": found.subject,
                "names": found.names,
                "issuer": found.issuer,
                "expires": found.not_after.isoformat(),
                "days_left": days,
            },
        },
    )

"""The messages of an INVITE transaction: INVITE, CANCEL, and the ACK of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.sip.extensions import offered
from dialer.sip.message import serialise
from dialer.sip.session_timer import LEAST_INTERVAL
from dialer.sip.settings import ALLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.identity import LegState, Transport
    from dialer.sip.message import Response
    from dialer.sip.settings import EndpointSettings, InviteDraft


def invite_message(
    settings: EndpointSettings,
    leg: LegState,
    draft: InviteDraft,
    credentials: list[tuple[str, str]],
) -> bytes:
    """Build an INVITE (RFC 3261 §8.1.1, §13.2.1)."""
    headers = [
        *_leg_headers(leg, "INVITE", leg.to_header),
        ("Contact", contact_of(settings, draft, leg.target_transport)),
        *credentials,
        ("Allow", ALLOW),
        ("Supported", ", ".join(offered(draft))),
        *_session_interval(draft),
        ("User-Agent", settings.user_agent),
        *draft.headers,
    ]
    if draft.body:
        headers.append(("Content-Type", draft.content_type))
    return serialise(f"INVITE {leg.request_uri} SIP/2.0", headers, draft.body)


def _session_interval(draft: InviteDraft) -> list[tuple[str, str]]:
    """Ask for a session timer (RFC 4028 §7.1); who refreshes is left to the far end."""
    if not draft.session_expires:
        return []
    minimum = draft.min_session_expires
    # §5: the interval must not be below the minimum that goes with it.
    interval = max(draft.session_expires, minimum)
    headers = [("Session-Expires", str(interval))]
    return [*headers, ("Min-SE", str(minimum))] if minimum > LEAST_INTERVAL else headers


def contact_of(settings: EndpointSettings, draft: InviteDraft, transport: Transport) -> str:
    """Return our Contact value for a call that goes over a transport."""
    address = draft.contact_address
    if address is not None and transport != draft.target.transport:
        address = (address[0], None)  # the port is one of the other transport
    return settings.contact(draft.contact_user, transport, address)


def ack_of(leg: LegState) -> Callable[[Response], bytes]:
    """Return what builds the ACK of a 3xx to 6xx (RFC 3261 §17.1.1.3)."""

    def build(response: Response) -> bytes:
        # The INVITE's top Via, Route and CSeq number, the response's To.
        headers = _leg_headers(leg, "ACK", response.first("to"))
        return serialise(f"ACK {leg.request_uri} SIP/2.0", headers)

    return build


def cancel_message(leg: LegState, reason: str | None) -> bytes:
    """Build a CANCEL (RFC 3261 §9.1): all as in the INVITE, with its branch."""
    headers = _leg_headers(leg, "CANCEL", leg.to_header)
    if reason:
        headers.append(("Reason", reason))
    return serialise(f"CANCEL {leg.request_uri} SIP/2.0", headers)


def _leg_headers(leg: LegState, method: str, to: str) -> list[tuple[str, str]]:
    """Return the headers that INVITE, its CANCEL and the ACK of its failure share."""
    return [
        ("Via", leg.via),
        ("Max-Forwards", "70"),
        *(("Route", value) for value in leg.route),
        ("From", leg.from_header),
        ("To", to),
        ("Call-ID", leg.call_id),
        ("CSeq", f"{leg.cseq} {method}"),
    ]

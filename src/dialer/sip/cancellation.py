"""CANCEL of our INVITEs, and the wait for what comes of it (RFC 3261 §9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.sip.client_call import GIVE_UP
from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.fields import parse_via
from dialer.sip.invite import cancel_message

if TYPE_CHECKING:
    from dialer.sip.client_call import Branch
    from dialer.sip.transaction_layer import TransactionLayer


def send_cancel(layer: TransactionLayer, branch: Branch, reason: str | None) -> None:
    """Cancel an INVITE that has a provisional and no final response; once, however often asked."""
    if branch.cancel_sent or not branch.alive:
        return
    branch.cancel_sent = True
    timings = layer.timings_for(branch.target)
    layer.start_client(
        parse_via(branch.leg.via).branch,
        "CANCEL",
        ClientNonInvite(cancel_message(branch.leg, reason), timings),
        branch.target,
        # RFC 3261 §22.1: a CANCEL cannot be sent again, so its challenge is not answered.
        lambda _response: None,
        lambda _failure: None,
    )
    # RFC 3261 §9.1: without a final response in 64*T1, the INVITE counts as cancelled.
    layer.schedule.start(branch, GIVE_UP, layer.now + 64 * timings.t1)

"""Reliable provisional responses, as the caller has them: each gets its PRACK (RFC 3262 §4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dialer.sip.client_call import MAX_FORKS
from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.dialog import Dialog
from dialer.sip.digest import Attempts
from dialer.sip.message import serialise
from dialer.sip.transaction_layer import MAGIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.client_call import Branch
    from dialer.sip.digest import Authenticator
    from dialer.sip.message import Response
    from dialer.sip.transaction_layer import TransactionLayer

_MAX_RELIABLE = 50  # reliable responses that one early dialog gets PRACKs for
_MAX_RSEQ = 2**32 - 1  # RFC 3262 §7.1


class EarlyDialog:
    """A dialog without its 2xx, and the last response of its callee that was in order."""

    def __init__(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.rseq = 0
        self.count = 0


def response_number(response: Response) -> int | None:
    """Return the RSeq of a response that wants a PRACK, None for any other (RFC 3262 §4)."""
    required = {tag.lower() for tag in response.values("require")}
    text = response.first("rseq")
    # Without a To tag there is no dialog to send the PRACK in.
    if "100rel" not in required or response.code == 100 or not response.to_tag:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        return None
    return int(text) if 0 < int(text) <= _MAX_RSEQ else None


class Acknowledger:
    """Sends the PRACKs of all calls of an endpoint."""

    def __init__(self, layer: TransactionLayer, token: Callable[[], str]) -> None:
        self._layer = layer
        self._token = token

    def acknowledge(
        self, branch: Branch, authenticator: Authenticator | None, response: Response, number: int
    ) -> bool:
        """Send the PRACK of a response with RSeq `number`.

        False, and no PRACK, for one that is repeated or out of order: it is to be ignored
        (RFC 3262 §4, with errata 4600 and 4604: each fork counts for itself).
        """
        early = branch.early.get(response.to_tag)
        if early is None:
            if len(branch.early) >= MAX_FORKS:
                return False
            leg = branch.leg
            dialog = Dialog.of_caller(response, leg.from_header, leg.request_uri, branch.target)
            dialog.local_cseq = leg.cseq
            early = EarlyDialog(dialog)
            branch.early[response.to_tag] = early
        elif number != early.rseq + 1 or early.count >= _MAX_RELIABLE:
            return False
        else:
            early.dialog.refresh(response)
        early.rseq = number
        early.count += 1
        self._send(branch, early, f"{number} {branch.leg.cseq} INVITE", authenticator, Attempts())
        return True

    def _send(
        self,
        branch: Branch,
        early: EarlyDialog,
        rack: str,
        authenticator: Authenticator | None,
        attempts: Attempts,
    ) -> None:
        dialog, settings = early.dialog, self._layer.settings
        uri, route, destination = dialog.addressing()
        # A callee who names an address of his own as Contact sees no credentials of the trunk.
        trusted = authenticator if destination.host == branch.target.host else None
        token = MAGIC + self._token()
        via = settings.via(token, destination.transport)
        headers = [
            *dialog.headers("PRACK", via, route, dialog.next_cseq()),
            ("RAck", rack),
            *(trusted.headers("PRACK", uri) if trusted else ()),
            ("User-Agent", settings.user_agent),
        ]
        self._layer.start_client(
            token,
            "PRACK",
            ClientNonInvite(
                serialise(f"PRACK {uri} SIP/2.0", headers), self._layer.timings_for(destination)
            ),
            destination,
            partial(self._answered, branch, early, rack, trusted, attempts),
            lambda _failure: None,
        )

    def _answered(
        self,
        branch: Branch,
        early: EarlyDialog,
        rack: str,
        authenticator: Authenticator | None,
        attempts: Attempts,
        response: Response,
    ) -> None:
        """Send a PRACK again with credentials; whatever else it gets, the INVITE goes on."""
        if (
            response.code in {401, 407}
            and authenticator is not None
            and branch.alive
            and self._layer.source.host == branch.target.host
            and authenticator.accept(response, attempts)
        ):
            self._send(branch, early, rack, authenticator, attempts)

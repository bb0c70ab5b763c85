"""OPTIONS that we send to ask whether somebody is there (RFC 3261 §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.effects import OptionsAnswered
from dialer.sip.message import Response, check_text, check_uri, serialise
from dialer.sip.transaction import Failure
from dialer.sip.transaction_layer import MAGIC, Client, TransactionLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.identity import HostPort

_PATIENCE = "patience"


class _Question:
    """An OPTIONS under way, until it is answered or nobody waits any longer."""

    def __init__(self, layer: TransactionLayer, target: HostPort, call_id: str) -> None:
        self.timers: dict[str, float] = {}
        self.client: Client | None = None
        self._layer = layer
        self._target = target
        self._call_id = call_id

    def answered(self, response: Response) -> None:
        """Tell a final response."""
        if response.code >= 200:
            self.timers.clear()
            seen = self._layer.seen_address(response, self._target)
            software = response.first("server") or response.first("user-agent")
            self._layer.tell(
                OptionsAnswered(
                    self._target, response.code, response.phrase, self._call_id, seen, software
                )
            )

    def failed(self, failure: Failure | None = None) -> None:
        """Tell that nothing came."""
        self.timers.clear()
        unreachable = failure is Failure.TRANSPORT
        self._layer.tell(
            OptionsAnswered(self._target, None, call_id=self._call_id, unreachable=unreachable)
        )

    def fire(self, _timer: str) -> None:
        """Stop waiting."""
        if self.client is not None:
            self._layer.end_client(self.client)
        self.failed()


class OptionsClient:
    """The OPTIONS requests of an endpoint."""

    def __init__(self, layer: TransactionLayer, token: Callable[[], str]) -> None:
        self._layer = layer
        self._token = token

    def ask(
        self,
        target: HostPort,
        request_uri: str,
        *,
        call_id: str | None = None,
        route: tuple[str, ...] = (),
        patience: float | None = None,
    ) -> None:
        """Ask whether `target` is alive; raises ValueError."""
        check_uri(request_uri)
        check_text(call_id or "", *route)
        layer, branch = self._layer, MAGIC + self._token()
        settings = layer.settings
        call_id = call_id or self._token()
        headers = [
            ("Via", settings.via(branch, target.transport)),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in route),
            ("From", f"{settings.contact(transport=target.transport)};tag={self._token()}"),
            ("To", f"<{request_uri}>"),
            ("Call-ID", call_id),
            ("CSeq", "1 OPTIONS"),
            ("Contact", settings.contact(transport=target.transport)),
            ("Accept", "application/sdp"),
            ("User-Agent", settings.user_agent),
        ]
        data = serialise(f"OPTIONS {request_uri} SIP/2.0", headers)
        question = _Question(layer, target, call_id)
        question.client = layer.start_client(
            branch,
            "OPTIONS",
            ClientNonInvite(data, layer.timings_for(target)),
            target,
            question.answered,
            question.failed,
        )
        if patience is not None:
            layer.schedule.start(question, _PATIENCE, layer.now + patience)

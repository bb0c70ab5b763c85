"""The state of a call that we make: each INVITE that was sent for it, and what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.sip.digest import Attempts
from dialer.sip.fields import parse_address
from dialer.sip.identity import HostPort
from dialer.sip.transaction import State, Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.digest import Authenticator
    from dialer.sip.effects import SendDatagram
    from dialer.sip.identity import LegState
    from dialer.sip.reliable_provisional import EarlyDialog
    from dialer.sip.settings import InviteDraft
    from dialer.sip.targets import Targets
    from dialer.sip.transaction_layer import Client

MAX_FORKS = 20  # dialogs of one call that are kept, whatever a peer sends

# The timers of a branch.
NEXT_TARGET = "next target"  # nothing was heard from its target
GIVE_UP = "give up"  # it was cancelled, and has no final response


class Branch:
    """One INVITE of a call: what a CANCEL of it needs, and its client transaction."""

    def __init__(self, leg: LegState, credentials: list[tuple[str, str]]) -> None:
        self.leg = leg
        self.credentials = credentials  # of this INVITE, for its ACK
        self.client: Client | None = None
        self.provisional = False
        self.updates = False  # a provisional response has said that UPDATE is taken
        self.cancel_sent = False
        self.early: dict[str, EarlyDialog] = {}  # with reliable responses, by To tag
        self.timers: dict[str, float] = {}
        self.on_timer: Callable[[str], None] = lambda _timer: None

    @property
    def target(self) -> HostPort:
        """Where the INVITE went."""
        leg = self.leg
        return HostPort(leg.target_host, leg.target_port, leg.target_transport)

    @property
    def alive(self) -> bool:
        """Whether its final response is still to come."""
        unanswered = {State.CALLING, State.PROCEEDING}
        return self.client is not None and self.client.machine.state in unanswered

    def hush(self) -> None:
        """Repeat the INVITE no more: a target that comes to itself later shall not ring."""
        if self.client is not None:
            self.client.timers.pop(Timer.A, None)

    def fire(self, timer: str) -> None:
        """Act on a timer that is due."""
        self.on_timer(timer)


class ClientCall:
    """A call that we make, from its INVITE until no further answer can come.

    `branch` is the INVITE in force, whose final response decides; `branches` are all whose
    transaction is not over, with those that were given up for the next target.
    """

    def __init__(
        self,
        branch: Branch,
        draft: InviteDraft,
        targets: Targets,
        authenticator: Authenticator | None,
    ) -> None:
        self.branch = branch
        self.branches: list[Branch] = []
        self.draft = draft
        self.targets = targets
        self.authenticator = authenticator
        self.attempts = Attempts()  # at the credentials, with the current target
        self.adjusted: set[int] = set()  # codes that an adjusted INVITE was sent for
        self.rang = False
        self.cancel_wanted = False
        self.cancel_reason: str | None = None
        self.answered = False
        self.over = False  # a final response or a failure was told, or nobody waits any more
        self.acks: dict[str, SendDatagram] = {}  # by To tag of the 2xx
        self.ended_early: dict[str, tuple[str, ...]] = {}  # reasons of a BYE, by its From tag

    @property
    def call_id(self) -> str:
        """The Call-ID, the same in every branch."""
        return self.branch.leg.call_id

    @property
    def local_tag(self) -> str:
        """Our From tag, the same in every branch."""
        return parse_address(self.branch.leg.from_header).parameters.get("tag", "")

    @property
    def wanted(self) -> bool:
        """Whether another INVITE may be sent for it: who has been rung is not rung again."""
        return not (self.over or self.rang or self.cancel_wanted or self.ended_early)

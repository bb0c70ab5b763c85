"""What is known of one attempt that is over: all that its outcome may depend on."""

from __future__ import annotations

import dataclasses
import enum
import re

REASON_TEXT = re.compile(r';\s*text\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))', re.IGNORECASE)


class LocalCause(enum.StrEnum):
    """Why an attempt ended, where the reason is ours and not a response of the far end."""

    RING_TIMEOUT = "ring_timeout"  # our ring timeout passed; CANCEL was sent
    ANSWERED_LATE = "answered_late"  # a 2xx crossed our CANCEL; it got ACK and BYE
    TIMER_B = "timer_b"  # no response at all to the INVITE within 64*T1
    TRANSPORT = "transport"  # the socket refused the datagram
    DNS = "dns"  # the trunk's host name has no address
    AUTHENTICATION = "authentication"  # challenged; no credentials, or these were refused
    NO_MEDIA = "no_media"  # a 2xx whose SDP we cannot speak, or without SDP
    CANCELLED = "cancelled"  # ended by us, because a person asked for it
    NODE_LOST = "node_lost"  # the process died after the INVITE left
    BOT_FAILED = "bot_failed"  # answered, but the bot could not be reached or failed
    MACHINE = "machine"  # answered by a machine, where the campaign looks for one
    MESSAGE_LEFT = "message_left"  # a machine answered, and was left a message
    FAX = "fax"  # the same for a fax
    SILENT = "silent"  # the same for silence
    NO_ROUTE = "no_route"  # no INVITE: no trunk that is configured takes the number
    INVALID_NUMBER = "invalid_number"  # no INVITE: the number cannot be dialled at all
    SUPPRESSED = "suppressed"  # no INVITE: do-not-call list, or a destination not allowed
    PLAN_LIMIT = "plan_limit"  # no INVITE: the account's unique users are used up


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """The facts of one attempt.

    `code` and `phrase` are those of the final response, None and "" where none came. `reasons`
    are whole Reason header values (RFC 3326), `q850` the Q.850 cause (0 to 127) among them,
    `retry_after` seconds. `rang` means a 180; `progressed` any 1xx beyond 100; `answered` that a
    2xx is on record; `talking` that the call was up when it ended.
    """

    local_cause: LocalCause | None = None
    code: int | None = None
    phrase: str = ""
    reasons: tuple[str, ...] = ()
    q850: int | None = None
    retry_after: int | None = None
    rang: bool = False
    provisional: bool = False
    progressed: bool = False
    answered: bool = False
    talking: bool = False

    @property
    def reason_texts(self) -> tuple[str, ...]:
        """The `text` parameters of the Reason header values, unquoted."""
        return tuple(
            re.sub(r"\\(.)", r"\1", quoted) or token
            for reason in self.reasons
            for quoted, token in REASON_TEXT.findall(reason)
        )

"""What each number of the lab's dialplan must come to, read off the outcome rules by hand.

`code`, `cause` and `rang` are what Asterisk 22 puts on the wire. `outcome` is the rule's, and
`status` that of the call when its campaign allows one attempt: an outcome that is the trunk's
fault does not use it up, so such a call waits for another.
"""

from __future__ import annotations

import dataclasses

ANSWERED = "answered"
WITHOUT_ANSWER = "completed_without_answer"
TECHNICAL_ERROR = "technical_error"
RETRY = "retry_scheduled"

# outcome → the status after one attempt, of at most one, at which nothing rang
STATUS_OF = {
    "answered": ANSWERED,
    "no_answer": WITHOUT_ANSWER,
    "unreachable": WITHOUT_ANSWER,
    "busy": WITHOUT_ANSWER,
    "declined": WITHOUT_ANSWER,
    "invalid_number": TECHNICAL_ERROR,
    "redirected": TECHNICAL_ERROR,
    "no_route": RETRY,
    "forbidden": RETRY,
    "media_rejected": RETRY,
    "network_failure": RETRY,
    "trunk_congested": RETRY,
    "protocol_error": RETRY,
}


@dataclasses.dataclass(frozen=True)
class Expected:
    """A number; what the wire says; what it comes to."""

    number: str
    code: int | None
    cause: int | None
    outcome: str
    rang: bool = False
    timed_out: bool = False  # by our ring timeout
    hasty: bool = False  # Asterisk may respond before it has noted the cause, which is then 0

    @property
    def causes(self) -> set[int | None]:
        return {self.cause, 0} if self.hasty else {self.cause}

    @property
    def status(self) -> str:
        """The call's status after its only attempt; one that rang is used up in any case."""
        status = STATUS_OF[self.outcome]
        return TECHNICAL_ERROR if status == RETRY and self.rang else status


RING_TIMEOUT = 3.0  # seconds, for the numbers that ring for ever

ANSWERS = (
    Expected("1000", 200, None, "answered"),
    Expected("1001", 200, None, "answered"),
    Expected("1002", 200, None, "answered"),
    Expected("1003", 200, None, "answered"),
    Expected("1004", 200, None, "answered", rang=True),
    Expected("1005", 200, None, "answered"),
    Expected("1006", 200, None, "answered"),
    Expected("1007", 200, None, "answered"),
    Expected("1008", 200, None, "answered"),
    Expected("5016", 200, None, "answered"),
    Expected("5034", 200, None, "answered"),
)

NEVER_ANSWERED = (
    Expected("2000", 487, 0, "unreachable", timed_out=True),
    Expected("2001", 487, 0, "no_answer", rang=True, timed_out=True),
    Expected("2002", 487, 0, "no_answer", timed_out=True),
    Expected("2003", 486, 17, "busy"),
    Expected("2004", 480, 19, "no_answer", rang=True),
    Expected("2005", 486, 17, "busy", hasty=True),
    Expected("2006", 503, 34, "trunk_congested", hasty=True),
    Expected("2007", 302, 0, "redirected"),
    Expected("6001", 404, 3, "no_route"),  # nobody registered
    Expected("9999", 404, None, "invalid_number"),  # not in the dialplan: refused without a 100
)

CAUSES = (
    Expected("3000", 603, 16, "declined"),
    Expected("3001", 404, 1, "invalid_number"),
    Expected("3002", 404, 2, "no_route"),
    Expected("3003", 404, 3, "no_route"),
    Expected("3005", 603, 5, "network_failure"),
    Expected("3006", 603, 6, "network_failure"),
    Expected("3007", 603, 7, "network_failure"),
    Expected("3016", 603, 16, "declined"),
    Expected("3017", 486, 17, "busy"),
    Expected("3018", 408, 18, "no_answer"),
    Expected("3019", 480, 19, "no_answer"),
    Expected("3020", 480, 20, "unreachable"),
    Expected("3021", 403, 21, "declined"),
    Expected("3022", 410, 22, "invalid_number"),
    Expected("3023", 302, 23, "redirected"),
    Expected("3025", 603, 25, "network_failure"),
    Expected("3026", 603, 26, "no_answer"),
    Expected("3027", 502, 27, "unreachable"),
    Expected("3028", 484, 28, "invalid_number"),
    Expected("3029", 501, 29, "forbidden"),
    Expected("3030", 603, 30, "network_failure"),
    Expected("3031", 480, 31, "unreachable"),
    Expected("3034", 503, 34, "trunk_congested"),
    Expected("3038", 500, 38, "network_failure"),
    Expected("3041", 603, 41, "network_failure"),
    Expected("3042", 503, 42, "trunk_congested"),
    Expected("3044", 603, 44, "network_failure"),
    Expected("3045", 603, 45, "network_failure"),
    Expected("3050", 603, 50, "forbidden"),
    Expected("3052", 603, 52, "forbidden"),
    Expected("3057", 603, 57, "forbidden"),
    Expected("3058", 488, 58, "media_rejected"),
    Expected("3065", 603, 65, "media_rejected"),
    Expected("3066", 503, 66, "media_rejected"),
    Expected("3069", 603, 69, "media_rejected"),
    Expected("3079", 603, 79, "media_rejected"),
    Expected("3088", 603, 88, "media_rejected"),
    Expected("3101", 603, 101, "protocol_error"),
    Expected("3102", 603, 102, "network_failure"),
    Expected("3111", 603, 111, "protocol_error"),
    Expected("3127", 500, 127, "network_failure"),
)

# the same after a 180, where that changes what it means or that the attempt is used up
CAUSES_AFTER_RINGING = (
    Expected("4001", 404, 1, "no_answer", rang=True),
    Expected("4003", 404, 3, "no_route", rang=True),
    Expected("4016", 603, 16, "no_answer", rang=True),
    Expected("4017", 486, 17, "busy", rang=True),
    Expected("4018", 408, 18, "no_answer", rang=True),
    Expected("4019", 480, 19, "no_answer", rang=True),
    Expected("4020", 480, 20, "no_answer", rang=True),
    Expected("4021", 403, 21, "declined", rang=True),
    Expected("4022", 410, 22, "no_answer", rang=True),
    Expected("4027", 502, 27, "unreachable", rang=True),
    Expected("4028", 484, 28, "no_answer", rang=True),
    Expected("4031", 480, 31, "no_answer", rang=True),
    Expected("4034", 503, 34, "trunk_congested", rang=True),
    Expected("4038", 500, 38, "network_failure", rang=True),
)

DIALPLAN = ANSWERS + NEVER_ANSWERED + CAUSES + CAUSES_AFTER_RINGING

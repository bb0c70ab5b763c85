"""When to send REGISTER, and for how long: one registration's state (RFC 3261 §10.2).

Every input returns the Expires, in seconds, of a REGISTER that has to be sent at once, or None.
`now` is in seconds on a clock that never steps, `fraction` a fresh random number from 0 to 1.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.sip.effects import RegisterAnswered

START_SPREAD = 2.0  # seconds over which the nodes that start together spread their first REGISTER
MARGIN = 5.0  # seconds before its end at which a binding is refreshed at the latest
BASE, LONGEST = 5.0, 300.0  # seconds: back-off after a failure (in the manner of RFC 5626 §4.5)
REFUSED_BASE, REFUSED_LONGEST = 30.0, 1800.0  # the same where the credentials are refused
LONGEST_ASKED = 3600.0  # seconds that a Retry-After may keep us away
LONGEST_EXPIRES = 604_800  # seconds that a 423 may raise our Expires to
MAX_RAISES = 3  # 423 in a row
RENEWAL_PAUSE = 30.0  # seconds between changes of our address that are registered at once
_MAX_PHRASE = 80


class RegistrationState(enum.Enum):
    """Where a registration stands."""

    WAITING = enum.auto()  # there is no binding; REGISTER follows when its time comes
    REGISTERING = enum.auto()  # there is no binding; REGISTER is out
    REGISTERED = enum.auto()
    REFRESHING = enum.auto()  # there is a binding; REGISTER is out
    UNREGISTERING = enum.auto()  # REGISTER with Expires 0 is out
    ENDED = enum.auto()


_OUT = {RegistrationState.REGISTERING, RegistrationState.REFRESHING}
_BOUND = {RegistrationState.REGISTERED, RegistrationState.REFRESHING}


def refresh_after(expires: float, fraction: float) -> float:
    """Return the seconds after which a binding of `expires` seconds is refreshed.

    From 80 to 90 % of them, at the latest `MARGIN` before its end, but never before its half.
    """
    return max(expires / 2, min(expires * (0.8 + 0.1 * fraction), expires - MARGIN))


def back_off(failures: int, fraction: float, base: float, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row (RFC 5626 §4.5)."""
    return min(longest, base * 2.0 ** min(failures, 16)) * (0.5 + 0.5 * fraction)


class Registration:
    """One address of record's binding to our Contact, and what keeps it.

    `reason` is a sentence for a person: why there is no binding, or what is wrong with the last
    refresh; "" while all is well. `until` is when the binding ends.
    """

    def __init__(self, expires: int, now: float, fraction: float) -> None:
        self.state = RegistrationState.WAITING
        self.expires = expires
        self.reason = "not registered yet"
        self.until = 0.0
        self._at = now + START_SPREAD * fraction
        self._failures = 0
        self._raises = 0
        self._leaving = False
        self._renewed_at = -RENEWAL_PAUSE

    @property
    def registered(self) -> bool:
        """Whether the registrar knows our Contact."""
        return self.state in _BOUND

    def timer_at(self) -> float | None:
        """Return when `handle_timer` is next wanted."""
        match self.state:
            case RegistrationState.WAITING:
                return self._at
            case RegistrationState.REGISTERED:
                return min(self._at, self.until)
            case RegistrationState.REFRESHING:
                return self.until
            case _:
                return None

    def handle_timer(self, now: float) -> int | None:
        """Let a binding run out, register, refresh: whatever is due."""
        if self.state in _BOUND and now >= self.until:
            self.reason = f"the registration ran out: {self.reason or 'it was not refreshed'}"
            self.state = (
                RegistrationState.REGISTERING
                if self.state is RegistrationState.REFRESHING
                else RegistrationState.WAITING
            )
        if (
            self.state in {RegistrationState.WAITING, RegistrationState.REGISTERED}
            and now >= self._at
        ):
            self.state = (
                RegistrationState.REFRESHING
                if self.state is RegistrationState.REGISTERED
                else RegistrationState.REGISTERING
            )
            return self.expires
        return None

    def answered(self, answer: RegisterAnswered, now: float, fraction: float) -> int | None:
        """Take in what became of the REGISTER that is out."""
        if self.state is RegistrationState.UNREGISTERING:
            self.state = RegistrationState.ENDED
            return None
        if self.state not in _OUT:
            return None
        code = answer.code
        said = f"{code} {answer.phrase[:_MAX_PHRASE]}".rstrip()
        if code is None:
            return self.failed("no answer to REGISTER", now, fraction)
        if code < 300:
            return self._accepted(answer.expires, now, fraction)
        if code == 423 and self._raised(answer.min_expires):
            return self._leave_or(self.expires, now)
        if answer.challenged or code in {401, 403, 407}:
            return self._refused(said, answer.retry_after, now, fraction)
        return self.failed(f"REGISTER got {said}", now, fraction, answer.retry_after)

    def _accepted(self, expires: int, now: float, fraction: float) -> int | None:
        self._raises = 0
        if expires <= 0:
            return self.failed("the registrar keeps our Contact for 0 seconds", now, fraction)
        self.state = RegistrationState.REGISTERED
        self.reason, self._failures = "", 0
        # RFC 3261 §10.3: a registrar may shorten what we ask for, not lengthen it
        lifetime = min(expires, self.expires)
        self.until = now + lifetime
        self._at = now + refresh_after(lifetime, fraction)
        return self._leave_or(None, now)

    def _raised(self, wanted: int | None) -> bool:
        """Ask for as much as a 423 wants (RFC 3261 §10.2.8), within reason."""
        self._raises += 1
        if (
            wanted is None
            or not self.expires < wanted <= LONGEST_EXPIRES
            or self._raises > MAX_RAISES
        ):
            return False
        self.expires = wanted
        return True

    def _refused(
        self, said: str, retry_after: int | None, now: float, fraction: float
    ) -> int | None:
        # What refuses a refresh will hardly take a call.
        self.until = now
        reason = f"credentials refused: REGISTER got {said}"
        return self.failed(reason, now, fraction, retry_after, refused=True)

    def failed(
        self,
        reason: str,
        now: float,
        fraction: float,
        retry_after: int | None = None,
        *,
        refused: bool = False,
    ) -> int | None:
        """Take in that the REGISTER that is out, or was due, came to nothing."""
        if self.state not in _OUT:
            return None
        self._failures += 1
        self._raises = 0
        self.reason = reason
        base, longest = (REFUSED_BASE, REFUSED_LONGEST) if refused else (BASE, LONGEST)
        wait = back_off(self._failures, fraction, base, longest)
        self._at = now + max(wait, min(retry_after or 0, LONGEST_ASKED))
        bound = self.state is RegistrationState.REFRESHING and now < self.until
        self.state = RegistrationState.REGISTERED if bound else RegistrationState.WAITING
        return self._leave_or(None, now)

    def renew(self, now: float) -> None:
        """Register anew soon, since our address has changed; not over and over."""
        if self.state is RegistrationState.REGISTERED:
            at = max(now, self._renewed_at + RENEWAL_PAUSE)
            if at < self._at:
                self._at = self._renewed_at = at

    def leave(self, now: float) -> int | None:
        """Remove the binding (RFC 3261 §10.2.2); while a REGISTER is out, once it is answered."""
        self._leaving = True
        return self._leave_or(None, now)

    def _leave_or(self, expires: int | None, now: float) -> int | None:
        """Return `expires`, but go where we are leaving."""
        if not self._leaving or self.state is RegistrationState.UNREGISTERING:
            return expires
        if self.state in _OUT:
            if expires is None:
                return None
            # refused for its brevity only: there is nothing to wait for any more
            self.state = (
                RegistrationState.REGISTERED
                if self.state is RegistrationState.REFRESHING
                else RegistrationState.WAITING
            )
        bound = self.state is RegistrationState.REGISTERED and now < self.until
        self.state = RegistrationState.UNREGISTERING if bound else RegistrationState.ENDED
        return 0 if bound else None

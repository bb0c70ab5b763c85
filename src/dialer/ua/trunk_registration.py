"""Keeps us registered with one trunk (RFC 3261 §10.2), and the NAT's binding towards it."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
from typing import TYPE_CHECKING

from dialer.sip.digest import Authenticator
from dialer.sip.message import name_addr, sip_uri
from dialer.sip.register_client import RegisterDraft
from dialer.sip.registration import Registration, RegistrationState
from dialer.ua.surroundings import credentials_of, own_route
from dialer.ua.trunk_route import contact_address

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from dialer.sip.effects import RegisterAnswered
    from dialer.sip.identity import HostPort
    from dialer.sip.settings import ContactAddress
    from dialer.ua.call import RegistrationSettings, Trunk
    from dialer.ua.driver import SipDriver
    from dialer.ua.surroundings import Surroundings

_CRLF = b"\r\n\r\n"  # RFC 5626 §3.5.1


class TrunkRegistration:
    """One trunk's registration: it sends what `Registration` wants, and hears what comes of it.

    `begin` runs a coroutine, `on_change` is called after each of them. `learned` is where the
    trunk sees us, and goes into the next Contact.
    """

    def __init__(
        self,
        trunk: Trunk,
        settings: RegistrationSettings,
        around: Surroundings,
        begin: Callable[[Coroutine[Any, Any, None]], None],
        on_change: Callable[[], None],
    ) -> None:
        self.call_id = around.token()  # of every REGISTER
        self.contact_user: str | None = None
        self.learned: HostPort | None = None
        self._trunk = trunk
        self._settings = settings
        self._around = around
        self._begin = begin
        self._on_change = on_change
        self._authenticator: Authenticator | None = None  # its nonces outlive a REGISTER
        self._registration = Registration(
            settings.expires, around.clock.monotonic(), around.fraction()
        )
        self._cseq = 0
        self._driver: SipDriver | None = None
        self._target: HostPort | None = None
        self._bound_to: list[ContactAddress | None] = []  # what our binding's Contact names
        self._until: dt.datetime | None = None
        self._service_route: tuple[str, ...] = ()
        self._keep_alive_at: float | None = None

    # how it stands

    @property
    def registered(self) -> bool:
        """Whether the registrar knows our Contact."""
        return self._registration.registered

    @property
    def reason(self) -> str:
        """Why we are not registered, or what is wrong with the last refresh; "" if all is well."""
        return self._registration.reason

    @property
    def until(self) -> dt.datetime | None:
        """When the binding ends, None while there is none."""
        return self._until if self.registered else None

    @property
    def service_route(self) -> tuple[str, ...]:
        """The Route values that the registrar wants in our requests (RFC 3608)."""
        return self._service_route if self.registered else ()

    @property
    def ended(self) -> bool:
        """Whether nothing more is going to happen."""
        return self._registration.state is RegistrationState.ENDED

    # what happens

    def timer_at(self) -> float | None:
        """Return when `handle_timer` is next wanted."""
        due = (self._registration.timer_at(), self._keep_alive_at)
        return min((at for at in due if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Register, refresh, keep alive: whatever is due."""
        self._send(self._registration.handle_timer(now))
        if self._keep_alive_at is not None and now >= self._keep_alive_at:
            self._keep_alive(now)

    def leave(self) -> None:
        """Remove the binding, if there is one."""
        self._keep_alive_at = None
        self._send(self._registration.leave(self._around.clock.monotonic()))

    def answered(self, answer: RegisterAnswered) -> None:
        """Take in what became of our REGISTER."""
        now = self._around.clock.monotonic()
        self._cseq, self._target = answer.cseq, answer.target
        expires = self._registration.answered(answer, now, self._around.fraction())
        if self._registration.state is RegistrationState.REGISTERED and answer.expires > 0:
            self._bound_to = [answer.contact_address]
            lifetime = dt.timedelta(seconds=self._registration.until - now)
            self._until = self._around.clock.now() + lifetime
            self._service_route = answer.service_route
            if self._keep_alive_at is None and self._trunk.keep_alive > 0:
                self._keep_alive_at = now + self._trunk.keep_alive
        self._send(expires)

    def learn(self, seen: HostPort) -> None:
        """Take in where the trunk sees us; what is registered with another address goes anew."""
        self.learned = seen
        if self._driver is None or not self._bound_to:
            return
        ours = self._driver.endpoint.settings
        host, port = self._bound_to[0] or (ours.host, None)
        if (host, port or ours.port_of(seen.transport)) != (seen.host, seen.port):
            self._registration.renew(self._around.clock.monotonic())

    # sending

    def _send(self, expires: int | None) -> None:
        if expires is None:
            return
        if expires == 0 and self._driver is not None and self._target is not None:
            # no look-up any more: the registrar that has our binding is the one to tell
            self._perform(self._driver, (self._target,), 0)
        else:
            self._begin(self._register(expires))

    async def _register(self, expires: int) -> None:
        try:
            targets = await self._around.targets(self._trunk)
            driver = await self._around.reach(self._trunk, targets)
            # one socket serves one address family
            same_family = [one for one in targets if (":" in one.host) == (":" in targets[0].host)]
            self._perform(driver, tuple(same_family), expires)
        except (OSError, ValueError) as error:
            now = self._around.clock.monotonic()
            reason = f"cannot register: {error}"
            self._send(self._registration.failed(reason, now, self._around.fraction()))
        self._on_change()

    def _perform(self, driver: SipDriver, targets: tuple[HostPort, ...], expires: int) -> None:
        trunk, local = self._trunk, driver.transport.local
        credentials = credentials_of(trunk)
        if self._authenticator is None and credentials is not None:
            self._authenticator = Authenticator(credentials, self._around.token)
        self._driver, self._target = driver, targets[0]
        self.contact_user = own_user(trunk.name, local)
        address = contact_address(trunk, self.learned, targets[0])
        user = self._settings.user or trunk.username or ""
        domain = self._settings.domain or trunk.host
        draft = RegisterDraft(
            request_uri=sip_uri("", domain),
            address_of_record=name_addr(sip_uri(user, domain)),
            targets=targets,
            call_id=self.call_id,
            cseq=self._cseq + 1,
            contact_user=self.contact_user,
            expires=expires,
            contact_address=address,
            gone=tuple(old for old in self._bound_to if old != address),
            route=own_route(trunk),
            authenticator=self._authenticator,
            learn_address=trunk.learns_address,
        )
        driver.perform(driver.endpoint.register(draft, self._around.clock.monotonic()))

    def _keep_alive(self, now: float) -> None:
        """Let a datagram pass the NAT; where we are not registered any more, that is all."""
        if not self.registered or self._driver is None or self._target is None:
            self._keep_alive_at = None
            return
        if self._target.transport == "udp":
            self._driver.transport.send(_CRLF, self._target)
        self._keep_alive_at = now + self._trunk.keep_alive


def own_user(trunk: str, local: HostPort) -> str:
    """Return a Contact user that no other node has, and that this one keeps over a restart.

    So a node replaces the binding that it left behind, and finds its own among those of others.
    """
    seed = f"{socket.gethostname()} {local.host} {local.port} {trunk}"
    return f"dialer-{hashlib.sha256(seed.encode()).hexdigest()[:12]}"

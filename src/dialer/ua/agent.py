"""The SIP user agent: places calls and ends them, one result for each."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import secrets
from typing import TYPE_CHECKING, Any

import structlog

from dialer.sip import effects
from dialer.sip.endpoint import EndpointSettings, InviteDraft
from dialer.sip.identity import DialogState, HostPort, LegState
from dialer.sip.message import parse_uri
from dialer.ua.call import LegIdentity, LocalCause, TlsSettings
from dialer.ua.driver import SipDriver
from dialer.ua.dscp import RTP_DSCP, SIP_DSCP
from dialer.ua.invitation import invitation
from dialer.ua.media import MediaPlane
from dialer.ua.outbound import OutboundCall, PreparedCall, Route, leg_identity
from dialer.ua.remnant import Remnant
from dialer.ua.resolver import Resolver
from dialer.ua.session import MediaSession
from dialer.ua.single_probes import SingleProbes
from dialer.ua.sockets import where
from dialer.ua.surroundings import Surroundings, credentials_of, own_route
from dialer.ua.tls import self_signed_context, server_context
from dialer.ua.transport import local_address_towards
from dialer.ua.trunk_route import NextHop, contact_address, next_hop, preloaded_route
from dialer.ua.trunk_watches import TrunkWatches

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from dialer.clock import Clock
    from dialer.sip.effects import OptionsAnswered
    from dialer.ua.call import CallEvent, CallRequest, CallResult, DialogIdentity, Trunk
    from dialer.ua.certificate import TlsSession
    from dialer.ua.invitation import Invitation
    from dialer.ua.resolver import Found
    from dialer.ua.transport import Passed
    from dialer.ua.trunk_status import TrunkStatus

_log = structlog.get_logger(__name__)


def random_token() -> str:
    """Return fresh text of letters and digits, 80 bits of it, for tags, branches and Call-IDs."""
    return secrets.token_hex(10)


def random_fraction() -> float:
    """Return a fresh random number from 0 to 1, for jitter."""
    return secrets.randbelow(1 << 32) / (1 << 32)


@dataclasses.dataclass(frozen=True, slots=True)
class UserAgentSettings:
    """Where the user agent listens and how it shows itself.

    `bind_host` is an address literal; with 0.0.0.0 or :: each trunk is called from the address
    that the machine's routes choose. `bind_port` is for UDP and TCP, 0 takes any free port;
    without a `tls_port` TLS has the next, or any. `tls_certificate` and `tls_key` are PEM files
    for peers that connect to us, without them a certificate is made. `external_address` stands in
    Via, Contact and SDP where a NAT maps us one to one. `rtp_ports` are first and last port.
    `rtp_dscp` and `sip_dscp` mark what is sent, 0 leaves it alone. `t1`, `t2`, `t4` in seconds
    (RFC 3261 §17.1.1.1). `on_message` sees every message that passes,
    `on_status(name, before, after)` each change of a watched trunk.
    """

    bind_host: str = "0.0.0.0"  # noqa: S104 - a dialer is meant to be reached by its trunk
    bind_port: int = 0
    tls_port: int | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    external_address: str | None = None
    user_agent: str = "dialer"
    rtp_ports: tuple[int, int] = (16384, 32767)
    rtp_dscp: int = RTP_DSCP
    sip_dscp: int = SIP_DSCP
    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    on_message: Callable[[Passed], None] | None = None
    on_status: Callable[[str, TrunkStatus, TrunkStatus], None] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Connected:
    """Our end of the way to a target and what TLS agreed on, or why there is no way."""

    local: HostPort | None = None
    session: TlsSession | None = None
    failure: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """One local address: the SIP socket there and the RTP ports."""

    driver: SipDriver
    media: MediaPlane


class UserAgent:
    """Places calls; see `OutboundCall` for what becomes of one."""

    def __init__(
        self,
        settings: UserAgentSettings,
        clock: Clock,
        token: Callable[[], str] = random_token,
        resolver: Resolver | None = None,
        fraction: Callable[[], float] = random_fraction,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._token = token
        self._resolver = resolver or Resolver(clock)
        self._lines: dict[str, _Line] = {}
        self._opening = asyncio.Lock()
        self._calls: dict[str, OutboundCall] = {}
        self._remnants: dict[str, Remnant] = {}
        self._closed = False
        around = Surroundings(clock, self._find, self._reach, token, fraction, settings.t1)
        self._watches = TrunkWatches(around, settings.on_status or (lambda *_: None))
        self._probes = SingleProbes(around)
        self._invites_allowed: Callable[[], bool] = lambda: True
        self._looking_ahead: set[asyncio.Task[None]] = set()
        self._own_tls: ssl.SSLContext | None = None

    @property
    def local_address(self) -> HostPort | None:
        """Where we listen; with several addresses the first, None before there is one."""
        return next((line.driver.transport.local for line in self._lines.values()), None)

    @property
    def calls(self) -> tuple[OutboundCall, ...]:
        """The calls that are not over."""
        return tuple(self._calls.values())

    def why_not(self, target: HostPort) -> str:
        """Return why the last connection to a TCP or TLS target failed, "" where it did not."""
        reasons = (line.driver.transport.why_not(target) for line in self._lines.values())
        return next(filter(None, reasons), "")

    async def start(self) -> None:
        """Listen where the settings name an address.

        Without one, the sockets are opened with the first call. Raises ListenError, and TlsError
        for a certificate of ours that cannot be used.
        """
        settings = self._settings
        if settings.tls_certificate is not None:
            self._own_tls = server_context(settings.tls_certificate, settings.tls_key)
        if not ipaddress.ip_address(self._settings.bind_host).is_unspecified:
            await self._line(self._settings.bind_host)

    async def close(self, grace: float = 2.0) -> None:
        """End what is up, wait up to `grace` seconds for the far ends, close the sockets.

        Registrations are removed last, with a short wait of their own.
        """
        self._closed = True
        await self._resolver.close()
        calls = self.calls
        for call in calls:
            call.hang_up()
        ends = [call.result for call in calls], [left.over for left in self._remnants.values()]
        if any(ends):
            everything = asyncio.gather(*ends[0], *ends[1])
            patience = asyncio.ensure_future(self._clock.sleep(grace))
            waiting: set[asyncio.Future[Any]] = {everything, patience}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            patience.cancel()
            for call in self.calls:
                call.abandon()
            for remnant in tuple(self._remnants.values()):
                remnant.abandon()
            await everything
        await self._watches.close()
        async with self._opening:  # a line on its way is one to close as well
            for line in self._lines.values():
                await line.driver.close()
                line.media.close()
            self._lines.clear()

    @property
    def late_frames(self) -> int:
        """RTP frames of all calls that were more than one frame late."""
        return sum(line.media.ticker.late_frames for line in self._lines.values())

    def invite_only_while(self, allowed: Callable[[], bool]) -> None:
        """Let no INVITE leave, be it sent for the first time or again, unless `allowed()`."""
        self._invites_allowed = allowed

    # registrations and probes

    def watch(self, trunks: Iterable[Trunk]) -> None:
        """Keep trunks registered and probed, as far as each wants it.

        One that is watched already goes on undisturbed unless its definition has changed.
        """
        trunks = tuple(trunks)
        self._watches.watch(trunks)
        for trunk in trunks:
            # The first look-up of a name is the only one that a call may have to wait for.
            hop = next_hop(trunk, preloaded_route(trunk, self.status(trunk.name)))
            task = asyncio.create_task(self._look_ahead(trunk, hop), name=f"look up {trunk.name}")
            self._looking_ahead.add(task)
            task.add_done_callback(self._looking_ahead.discard)

    def unwatch(self, names: Iterable[str]) -> None:
        """Leave trunks alone, and their registrars."""
        self._watches.unwatch(names)

    def status(self, name: str) -> TrunkStatus:
        """Return how a trunk stands; one that is not watched is up."""
        return self._watches.status(name)

    # trying a trunk out

    async def find(self, trunk: Trunk) -> Found:
        """Return where requests to a trunk itself go; never raises."""
        return await self._find(trunk, next_hop(trunk, own_route(trunk)))

    async def connect(self, trunk: Trunk, target: HostPort) -> Connected:
        """Open a connection to a target of a trunk, over UDP look for a route; never raises.

        It takes as long as a call's would: 5 s at the most. The connection stays open.
        """
        try:
            driver = await self._reach(trunk, (target,))
        except (OSError, ValueError) as error:
            shown = getattr(error, "strerror", None) or error
            return Connected(failure=f"{where(target)} cannot be reached: {shown}")
        transport = driver.transport
        failure = await transport.connect(target)
        return Connected(transport.local_towards(target), transport.session(target), failure)

    async def probe(self, trunk: Trunk, target: HostPort, patience: float) -> OptionsAnswered:
        """Ask a target of a trunk by OPTIONS, and wait so many seconds for the answer.

        Raises OSError where the target cannot be reached, ValueError for a trunk whose URI would be
        none.
        """
        return await self._probes.ask(trunk, target, patience)

    # placing calls

    async def prepare(self, request: CallRequest) -> PreparedCall:
        """Find the trunk, take an RTP port and make the INVITE; nothing is sent.

        A trunk that cannot be found or reached gives a `PreparedCall` with its failure. Raises
        ValueError for a number or caller ID that cannot stand in a SIP URI, and NoPortAvailable.
        """
        trunk = request.trunk
        worded = invitation(request)
        status = self.status(trunk.name)
        preloaded = preloaded_route(trunk, status)
        found = await self._find(trunk, next_hop(trunk, preloaded))
        if not found.targets:
            return self._unreachable(request, worded, LocalCause.DNS)
        target = found.targets[0]
        # one socket serves one address family: the rest would fail, and with them the call
        targets = [one for one in found.targets if (":" in one.host) == (":" in target.host)]
        try:
            line = await self._line_towards(target)
            self._tell_connections(line, targets, trunk)
        except OSError as error:
            _log.info("a trunk cannot be reached", trunk=trunk.name, reason=str(error))
            return self._unreachable(request, worded, LocalCause.TRANSPORT)
        contact = contact_address(trunk, status.learned_address, target)
        stream = line.media.open()
        stream.latch.signalling_host = target.host
        try:
            # RFC 8866 §5.2: unique by time; the port keeps calls of one second apart
            session_id = int(self._clock.now().timestamp()) << 16 | stream.local_port
            session = MediaSession(
                stream,
                line.media.address if contact is None else contact[0],
                trunk.codecs,
                session_id,
                ptime=trunk.ptime,
                srtp=trunk.srtp,
            )
            draft = InviteDraft(
                request_uri=worded.request_uri,
                to=worded.to,
                from_=worded.from_,
                headers=worded.headers,
                target=target,
                body=session.offer(),
                contact_user=self._watches.contact_user(trunk.name),
                contact_address=contact,
                route=preloaded,
                credentials=credentials_of(trunk),
                alternatives=tuple(targets[1:]),
                large_by_tcp=trunk.large_by_tcp,
                reliable_provisionals=trunk.reliable_provisionals,
                session_expires=trunk.session_expires,
                min_session_expires=trunk.min_session_expires,
            )
            invite = line.driver.endpoint.prepare_invite(draft)
        except BaseException:
            stream.close()
            raise
        route = Route(line.driver, invite, session)
        return PreparedCall(request, leg_identity(invite.identity), route)

    def _unreachable(
        self, request: CallRequest, worded: Invitation, why: LocalCause
    ) -> PreparedCall:
        trunk = request.trunk
        identity = LegIdentity(
            call_id=self._token(),
            from_header=worded.from_,
            to_header=worded.to,
            request_uri=worded.request_uri,
            via="",
            cseq=1,
            route=(),
            target_host=trunk.host,
            target_port=trunk.port or 5060,
        )
        return PreparedCall(request, identity, None, why)

    def place(self, prepared: PreparedCall, on_event: Callable[[CallEvent], None]) -> OutboundCall:
        """Send the INVITE of a prepared call."""
        call = OutboundCall(prepared, self._clock, on_event, self._over)
        if self._closed:
            call.abandon()
        else:
            self._calls[call.call_id] = call
            call.start()
        return call

    async def call(
        self, request: CallRequest, on_event: Callable[[CallEvent], None] = lambda _: None
    ) -> CallResult:
        """Place a call and wait for its result; a caller that is cancelled hangs up."""
        placed = self.place(await self.prepare(request), on_event)
        try:
            return await placed.result
        except asyncio.CancelledError:
            placed.hang_up()
            raise

    # ending calls of a process that died

    async def hang_up_leg(self, identity: LegIdentity, trunk: Trunk | None = None) -> None:
        """Cancel an INVITE that another process sent; returns once it is over, or unreachable.

        `trunk` supplies the credentials, should they be asked for.
        """
        target = HostPort(identity.target_host, identity.target_port, identity.target_transport)
        leg = LegState(**dataclasses.asdict(identity))
        await self._end_remnant(
            leg.call_id,
            target,
            trunk,
            lambda driver, now: driver.endpoint.cancel_leg(leg, now, credentials_of(trunk)),
        )

    async def hang_up_dialog(self, identity: DialogIdentity, trunk: Trunk | None = None) -> None:
        """End an answered call that another process had; returns once it is over."""
        target = HostPort(identity.target_host, identity.target_port, identity.target_transport)
        dialog = DialogState(**dataclasses.asdict(identity))
        await self._end_remnant(
            dialog.call_id,
            target,
            trunk,
            lambda driver, now: driver.endpoint.bye_dialog(dialog, now, credentials_of(trunk)),
        )

    async def _end_remnant(
        self,
        call_id: str,
        target: HostPort,
        trunk: Trunk | None,
        end: Callable[[SipDriver, float], list[effects.Effect]],
    ) -> None:
        try:
            line = await self._line_towards(target)
        except (OSError, ValueError):  # ValueError: the leg never had an address
            return
        if trunk is not None:
            self._tell_connections(line, (target,), trunk)
        remnant = self._remnants.setdefault(call_id, Remnant())
        try:
            line.driver.perform(end(line.driver, self._clock.monotonic()))
            await asyncio.shield(remnant.over)
        finally:
            self._remnants.pop(call_id, None)

    # inside

    def _on_event(self, _driver: SipDriver, event: effects.Event) -> None:
        if isinstance(event, effects.RegisterAnswered | effects.OptionsAnswered):
            if not self._probes.on_answer(event):
                self._watches.on_answer(event)
            return
        call = self._calls.get(event.call_id) or self._remnants.get(event.call_id)
        if call is not None:
            call.on_endpoint_event(event)

    def _may_invite(self) -> bool:
        return self._invites_allowed()

    def _over(self, call: OutboundCall) -> None:
        self._calls.pop(call.call_id, None)

    async def _find(self, trunk: Trunk, hop: NextHop) -> Found:
        return await self._resolver.find(hop.host, hop.port, hop.transport, trunk.family)

    async def _look_ahead(self, trunk: Trunk, hop: NextHop) -> None:
        await self._find(trunk, hop)

    async def _reach(self, trunk: Trunk, targets: tuple[HostPort, ...]) -> SipDriver:
        line = await self._line_towards(targets[0])
        self._tell_connections(line, targets, trunk)
        return line.driver

    def _tell_connections(self, line: _Line, targets: Iterable[HostPort], trunk: Trunk) -> None:
        """Say how the connections to a trunk are kept and verified, and be there for its own."""
        transport = line.driver.transport
        # RFC 5922 §4: the name that is configured, whatever DNS makes of it
        proxy = parse_uri(trunk.proxy) if trunk.proxy is not None else None
        domain = proxy.host.strip("[]") if proxy is not None else trunk.host
        for target in targets:
            if target.transport != "udp":
                transport.keep_alive(target, trunk.keep_alive)
            if target.transport == "tls":
                transport.trust(target, trunk.tls or TlsSettings(), domain)
                if not transport.serves_tls:
                    transport.serve_tls(self._own_tls or self._self_signed(transport.local.host))

    def _self_signed(self, host: str) -> ssl.SSLContext:
        return self_signed_context(host, self._clock.now())

    async def _line_towards(self, target: HostPort) -> _Line:
        """Return the line whose address suits a target; raises OSError where there is none."""
        bound = ipaddress.ip_address(self._settings.bind_host)
        same_family = bound.version == ipaddress.ip_address(target.host).version
        if same_family and not bound.is_unspecified:
            return await self._line(self._settings.bind_host)
        return await self._line(local_address_towards(target))

    async def _line(self, host: str) -> _Line:
        async with self._opening:
            if self._closed:
                raise OSError("the user agent is closed")
            if host not in self._lines:
                self._lines[host] = await self._open_line(host)
            return self._lines[host]

    async def _open_line(self, host: str) -> _Line:
        settings = self._settings
        external = settings.external_address
        same_family = external is not None and (":" in external) == (":" in host)
        address = external if external is not None and same_family else host
        driver = SipDriver(self._clock, self._on_event, settings.on_message, self._may_invite)
        endpoint = EndpointSettings(
            host=address,
            port=settings.bind_port,
            user_agent=settings.user_agent,
            t1=settings.t1,
            t2=settings.t2,
            t4=settings.t4,
        )
        await driver.start(
            host,
            settings.bind_port,
            endpoint,
            self._token,
            tls_port=settings.tls_port,
            dscp=settings.sip_dscp,
        )
        media = MediaPlane(
            self._clock,
            host,
            settings.rtp_ports,
            external_address=address,
            dscp=settings.rtp_dscp,
        )
        return _Line(driver, media)

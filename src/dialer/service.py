"""One process of the service: database, user agent, engine and API, put together from a file."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import functools
import gc
import re
import resource
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from dialer import config
from dialer.api.app import create_app, listen
from dialer.api.settings import ApiSettings
from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.system_failure import Thresholds
from dialer.campaign.windows import quiet_hours
from dialer.clock import SystemClock
from dialer.config import ConfigError, split_address
from dialer.conversation.prompt import HELLO
from dialer.conversation.speech import SpeechSettings
from dialer.engine.bot_access import BotAccess, bot_access
from dialer.engine.call_recordings import CallRecordings, SpoolSettings
from dialer.engine.conversations import Conversations
from dialer.engine.engine import Engine
from dialer.engine.recording_delivery import RecordingDelivery
from dialer.engine.recording_upkeep import RecordingUpkeep
from dialer.engine.trace_writer import TraceWriter
from dialer.engine.trunk_definition import table_of
from dialer.engine.trunk_set import TrunkSet, log_status
from dialer.homer import HomerExporter
from dialer.metrics import Metrics
from dialer.our_side import start_user_agent
from dialer.recordings.configured import keys_of, place_of
from dialer.store import migrate
from dialer.store.embedded import EmbeddedPostgres
from dialer.store.errors import StoreError, Unavailable
from dialer.store.pool import close_pool, open_pool
from dialer.trunk_accounts import TrunkAccounts
from dialer.ua.call_trace import CallTraces
from dialer.webhook_service import (
    rules_of,
    secret_box_of,
    start_webhooks,
    trust_of,
    window_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from dialer.api.door import Listener
    from dialer.clock import Clock
    from dialer.config import Config
    from dialer.store.pool import Pool
    from dialer.ua.transport import Passed

log = structlog.get_logger(__name__)

MOST_DESCRIPTORS = 65_536
_CSEQ = re.compile(rb"\r\nCSeq[ \t]*:[ \t]*\d+[ \t]+([A-Z]+)", re.IGNORECASE)


@contextlib.asynccontextmanager
async def database_of(settings: Config) -> AsyncIterator[str]:
    """Give the address of the configured database, or of a private server that runs meanwhile."""
    url = settings.database_url()
    if url:
        yield url
        return
    server = EmbeddedPostgres(settings.path(settings.database.data))
    url = await server.start()
    try:
        yield url
    finally:
        await server.stop()


async def upgrade(url: str) -> str:
    """Bring the schema to this version's and return its revision; raises one-line store errors."""
    try:
        return await migrate.upgrade(url)
    except Unavailable as error:
        address = urlsplit(url)
        where = f"{address.hostname}:{address.port or 5432}" if address.hostname else "its socket"
        raise Unavailable(f"{error}; is Postgres up at {where}, and DATABASE_URL right?") from None


class Service:
    """The parts of one process, started and stopped in order.

    `engine` and `api` say which of the two this process runs. `t1` in seconds is SIP's
    round-trip estimate (RFC 3261 §17.1.1.1).
    """

    def __init__(
        self,
        settings: Config,
        *,
        clock: Clock | None = None,
        engine: bool = True,
        api: bool = True,
        t1: float = 0.5,
    ) -> None:
        if not engine and not api:
            raise ConfigError("neither engine nor API: nothing to run")
        self.settings = settings
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self.engine: Engine | None = None
        self._trunk_names = {trunk.name for trunk in settings.trunk}
        self._trunk_set = TrunkSet()
        self._accounts = TrunkAccounts()
        self._bots = BotAccess()
        self._pool: Pool | None = None  # once everything goes by what it says of accounts
        self._looking_up: asyncio.Task[None] | None = None
        self.api_url = ""
        self._with_engine = engine
        self._with_api = api
        self._t1 = t1
        self._parts = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Start everything; raises ConfigError, SettingsError or a store error, each one line."""
        # what the file alone can tell comes first: nothing is started for a mistake in it
        trunks = self._trunks(self.settings) if self._with_engine else None
        if trunks is not None:
            self._trunk_set = trunks
        self._quiet()
        box, trust = secret_box_of(self.settings), trust_of(self.settings)
        self._bots = bot_access(self.settings, self.clock)
        self._parts.push_async_callback(self._bots.settings.resolver.close)
        self._recordings, self._recording_keys = place_of(self.settings), keys_of(self.settings)
        api = self._api_settings() if self._with_api else None
        try:
            url = await self._parts.enter_async_context(database_of(self.settings))
            await upgrade(url)
            pool = await open_pool(url, size=self.settings.database.pool_size)
            self._parts.push_async_callback(close_pool, pool)
            await self._look_accounts_up(pool)
            if api is not None:
                await self._start_api(pool, api)
            if trunks is not None:
                await self._start_engine(pool, trunks)
            if self.settings.webhooks.send:
                await start_webhooks(
                    self.settings,
                    box,
                    trust,
                    url=url,
                    clock=self.clock,
                    metrics=self.metrics,
                    parts=self._parts,
                )
        except BaseException:
            await self._parts.aclose()
            raise
        log.info("dialer is up", api=self.api_url or None, trunks=sorted(trunks or ()))

    async def stop(self) -> None:
        """Hang up what is left, record it, and stop everything."""
        if self.engine is not None:
            await self.engine.stop()
        await self._parts.aclose()

    def reload(self) -> None:
        """Read the configuration file again: trunks change at once, calls that are up do not.

        A file with a mistake in it changes nothing; the log says what is wrong.
        """
        if self.settings.source is None:
            log.warning("no configuration file was named, so there is none to read again")
            return
        try:
            settings = config.load(self.settings.source[0])
            if self._pool is not None and self._accounts.unknown(settings):
                work = self._reload_with_accounts(self._pool, settings)
                self._looking_up = asyncio.create_task(work, name="accounts of trunks")
            else:
                self._take(settings)
        except ConfigError as error:
            log.error("the configuration stays as it was", reason=str(error))  # noqa: TRY400 - the line says it all

    async def _reload_with_accounts(self, pool: Pool, settings: Config) -> None:
        """Go by a configuration that names accounts which were not looked up yet."""
        try:
            await self._accounts.look_up(pool, settings)
            self._take(settings)
        except (ConfigError, StoreError) as error:
            log.error("the configuration stays as it was", reason=str(error))  # noqa: TRY400 - the line says it all

    async def _look_accounts_up(self, pool: Pool) -> None:
        """Let trunks know the accounts that they name; raises ConfigError and store errors."""
        looked_up = None
        while looked_up is not self.settings:  # it may be read again meanwhile
            looked_up = self.settings
            await self._accounts.look_up(pool, looked_up)
        if self._with_engine:
            self._trunk_set.take(self._trunks(self.settings))
        self._accounts.take(self.settings)
        self._pool = pool
        self._parts.push_async_callback(self._stop_looking_up)

    async def _stop_looking_up(self) -> None:
        if self._looking_up is not None:
            self._looking_up.cancel()
            await asyncio.wait({self._looking_up})

    def _take(self, settings: Config) -> None:
        """Go by another configuration from now on; raises ConfigError."""
        trunks = self._trunks(settings) if self._with_engine else TrunkSet()
        changes = self._trunk_set.take(trunks)
        self._accounts.take(settings)
        self._trunk_names.clear()
        self._trunk_names.update(trunk.name for trunk in settings.trunk)
        if self.engine is not None:
            self.engine.watch_trunks()
        log.info("configuration read again", **dataclasses.asdict(changes))
        for name in type(settings).model_fields:
            if name not in {"trunk", "source"} and (
                getattr(settings, name) != getattr(self.settings, name)
            ):
                log.warning("a change takes effect at the next start only", setting=name)
        self.settings = settings

    def _trunks(self, settings: Config) -> TrunkSet:
        trunks = TrunkSet.from_config(settings, self.clock.monotonic(), self._accounts.ids)
        if not trunks:
            raise ConfigError(
                "no [[trunk]] is configured, so no call can be placed;"
                " name a file that has one with --config, see config/dialer.toml"
            )
        return trunks

    async def _start_engine(self, pool: Pool, trunks: TrunkSet) -> None:
        capture = self.settings.capture
        traces = CallTraces(self.clock, capture.messages) if capture.keep_days else None
        hooks: list[Callable[[Passed], None]] = [
            self._count,
            *self._exporters(),
            *([traces] if traces else []),
        ]
        agent = await start_user_agent(
            self.settings,
            self.clock,
            t1=self._t1,
            on_message=_each(hooks),
            on_status=log_status,
        )
        self._parts.push_async_callback(agent.close)
        spool = self._spool()
        recordings = CallRecordings(spool, self.clock, self.metrics)
        conversations = Conversations(
            self.settings.path(self.settings.prompts),
            self.clock,
            self._bots,
            self._speech(),
            pool,
            recordings,
        )
        engine = Engine(
            pool=pool,
            clock=self.clock,
            agent=agent,
            trunks=trunks,
            table=self._table(),
            metrics=self.metrics,
            converse=conversations,
            node=self.settings.engine.node_name(),
            lease_seconds=self.settings.engine.lease_seconds,
            batch=self.settings.engine.batch,
            pauses=self._pauses(),
            quiet=self._quiet(),
            keep_calls=dt.timedelta(days=self.settings.retention.calls_days) or None,
            keep_keys=dt.timedelta(hours=self.settings.retention.idempotency_hours),
            keep_audit=dt.timedelta(days=self.settings.retention.audit_days) or None,
            recordings=RecordingUpkeep(pool, self._recordings, self.metrics),
            call_recordings=recordings,
            recording_delivery=RecordingDelivery(
                pool, self._recordings, spool.keys, spool.folder, self.metrics
            ),
            internal_numbers=self.settings.numbers.internal_pattern(),
            traces=None
            if traces is None
            else TraceWriter(
                pool,
                self.clock,
                traces,
                dt.timedelta(days=capture.keep_days),
                rtp_seconds=capture.rtp_seconds,
                rtp_audio=capture.rtp_audio,
            ),
        )
        conversations.second_legs = engine.second_legs
        await engine.start()
        self.engine = engine
        engine.watch_trunks()  # once more: they may have been read again meanwhile

    def _spool(self) -> SpoolSettings:
        section = self.settings.recordings
        return SpoolSettings(
            folder=self.settings.path(section.spool_folder),
            keys=self._recording_keys,
            node=self.settings.engine.node_name(),
            keep_days=section.keep_days,
            spare_mib=section.spare_mib,
        )

    def _quiet(self) -> tuple[int, int] | None:
        """Return between which minutes of the day nobody is called; raises ConfigError."""
        try:
            return quiet_hours(self.settings.care.quiet_hours)
        except ValueError as error:
            raise self.settings.mistake(("care", "quiet_hours"), str(error)) from None

    def _pauses(self) -> Thresholds:
        pause = self.settings.pause
        return Thresholds(
            trunks_unusable=dt.timedelta(seconds=pause.trunks_unusable_seconds),
            technical_share=pause.technical_share,
            technical_attempts=pause.technical_attempts,
            invalid_share=pause.invalid_share,
            invalid_calls=pause.invalid_calls,
        )

    def _table(self) -> OutcomeTable:
        """Return the outcome table for all trunks; raises ConfigError."""
        try:
            return table_of(self.settings, None) or OutcomeTable.default()
        except (ValueError, OSError) as error:
            raise self.settings.mistake(("outcomes",), str(error)) from None

    def _exporters(self) -> list[HomerExporter]:
        """Start what sends copies of messages elsewhere; raises ConfigError."""
        capture = self.settings.capture
        if not capture.homer:
            return []
        password = self.settings.secret(
            env=capture.homer_password_env, file=None, needed_by="capture"
        )
        try:
            exporter = HomerExporter(
                split_address(capture.homer, 9060),
                self.clock,
                capture_id=capture.homer_id,
                password=password or "",
                node=self.settings.engine.node_name(),
            )
        except OSError as error:
            raise ConfigError(f"capture.homer: {capture.homer}: {error.strerror}") from None
        self._parts.callback(exporter.close)
        return [exporter]

    def _speech(self) -> SpeechSettings:
        speech = self.settings.speech
        return SpeechSettings(
            command=speech.command,
            folder=self.settings.path(speech.cache_folder),
            voice=speech.voice,
            timeout=speech.timeout_seconds,
            simultaneous=speech.simultaneous,
            max_bytes=speech.cache_mib * 1024 * 1024,
        )

    def _api_settings(self) -> ApiSettings:
        return ApiSettings(
            bind_host=self.settings.api.host,
            port=self.settings.api.port,
            token=self.settings.api_token(),
            allowed_hosts=self.settings.api.allowed_hosts,
            internal_numbers=self.settings.numbers.internal_pattern(),
            known_trunks=self._trunk_names,
            trunk_accounts=self._accounts.by_trunk,
            prompts=(self.settings.path(self.settings.prompts), HELLO.parent),
            quiet=self._quiet(),
            bots=self.settings.bots,
            speaks=bool(self.settings.speech.command),
            recordings=self._recordings,
            recording_keys=self._recording_keys,
            max_upload_bytes=self.settings.api.max_upload_mib * 1024 * 1024,
            read_timeout=self.settings.api.read_timeout_seconds,
            requests_per_second=self.settings.api.requests_per_second,
            request_burst=self.settings.api.request_burst,
            failed_logins_per_minute=self.settings.api.failed_logins_per_minute,
            max_connections=self.settings.api.max_connections,
            engine_ready=self._engine_ready,
            webhook_rules=rules_of(self.settings),
            secret_box=secret_box_of(self.settings),
            webhook_window=window_of(self.settings),
            event_streams=self.settings.api.event_streams,
            event_streams_per_token=self.settings.api.event_streams_per_token,
        )

    async def _start_api(self, pool: Pool, settings: ApiSettings) -> None:
        listener = await listen(create_app(pool, settings, self.clock, self.metrics))
        self._parts.push_async_callback(listener.cleanup)
        self.api_url = _url(listener, self.settings.api.host)

    def _engine_ready(self) -> str | None:
        if self.engine is None:
            return "the engine is starting" if self._with_engine else None
        return self.engine.not_ready()

    def _count(self, passed: Passed) -> None:
        direction, data = passed.direction, passed.data
        if data.startswith(b"SIP/2.0 "):
            cseq = _CSEQ.search(data)
            method, code = cseq[1].decode() if cseq else "other", data[8:11]
            self.metrics.sip_message(direction, method, int(code) if code.isdigit() else None)
        else:
            method = data[:16].partition(b" ")[0].decode("ascii", "replace")
            self.metrics.sip_message(direction, method, None)


def _each(hooks: Sequence[Callable[[Passed], None]]) -> Callable[[Passed], None]:
    """Return a hook that calls others in turn."""

    def hook(passed: Passed) -> None:
        for one in hooks:
            one(passed)

    return hook


def _url(listener: Listener, host: str) -> str:
    port = listener.addresses[0][1]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - how to reach it
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _take_descriptors() -> None:
    """Use as many file descriptors as the process may: each call and each connection takes some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def serve_until_signal(service: Service) -> int:
    """Run until SIGTERM or SIGINT, then drain; a second signal hangs up at once."""
    _take_descriptors()
    signals: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, functools.partial(signals.put_nowait, number.name))
    loop.add_signal_handler(signal.SIGHUP, service.reload)
    await service.start()
    # What is loaded by now stays: looking it through again and again would hold up the event loop
    # for 40 ms a time while a long list is read.
    gc.collect()
    gc.freeze()
    name = await signals.get()
    if service.engine is not None:
        seconds = service.settings.engine.drain_seconds
        log.info("stopping", signal=name)
        drain = asyncio.create_task(service.engine.drain(seconds), name="drain")
        again = asyncio.create_task(signals.get(), name="second-signal")
        await asyncio.wait({drain, again}, return_when=asyncio.FIRST_COMPLETED)
        for task in (drain, again):
            task.cancel()
    await service.stop()
    return 0

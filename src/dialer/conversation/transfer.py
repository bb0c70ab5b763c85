"""An answered call transferred: by REFER at the far end, or joined here with a second call."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from dialer.conversation.menu import Prompt
from dialer.conversation.ringback import ringback
from dialer.conversation.waiting import Sound, looped
from dialer.ua.audio import AudioError
from dialer.ua.call import Answered, HungUpBy, LocalCause, Progress
from dialer.ua.guard import guarded
from dialer.ua.media_relay import MediaRelay
from dialer.ua.referral import ReferralEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dialer.clock import Clock
    from dialer.ua.call import CallEvent, CallResult
    from dialer.ua.outbound import OutboundCall

log = structlog.get_logger(__name__)

_GRACE = 2.0  # seconds that the far end has to hang up after a REFER that succeeded
_PATIENCE = 5.0  # seconds that the end of a second call is waited for, once it was asked for
_REASONS = {
    LocalCause.RING_TIMEOUT: "no_answer",
    LocalCause.CANCELLED: "hung_up",
    LocalCause.NO_MEDIA: "no_media",
}
_BY_CODE = {486: "busy", 600: "busy", 603: "declined", 607: "declined", 408: "no_answer"}
_BY_CODE |= {480: "no_answer"}


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Whom a call may be transferred to, as the campaign says.

    Without a `number` it stands in the call's column `number_from`. `waiting` is a prompt,
    ringback or silence.
    """

    name: str
    number: str = ""
    number_from: str = ""
    by: str = "bridge"
    trunk: str | None = None
    ring_seconds: float = 30
    waiting: str | Prompt = "ringback"
    hangs_up: bool = False  # where it fails

    @classmethod
    def of(cls, name: str, wanted: Mapping[str, Any]) -> Target:
        """Read a target of a campaign's settings, which were checked when they were given."""
        waiting = wanted.get("waiting", "ringback")
        return cls(
            name=name,
            number=wanted.get("number") or "",
            number_from=wanted.get("number_from") or "",
            by=str(wanted.get("by", "bridge")),
            trunk=wanted.get("trunk"),
            ring_seconds=float(wanted.get("ring_seconds", 30)),
            waiting=waiting if isinstance(waiting, str) else Prompt.given(waiting),
            hangs_up=wanted.get("on_failure") == "hang_up",
        )


class TransferRefusedError(Exception):
    """A transfer that may not begin; the text is a sentence, `reason` a word."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Lines(Protocol):
    """Where second calls come from, for one call; all raise `TransferRefusedError`."""

    def looked_up(self, target: Target) -> Target:
        """Return the target with the number that is meant, checked."""

    async def number(self, target: Target) -> str:
        """Return the target's number as it is dialled over the trunk of the call."""

    async def dial(self, target: Target, on_event: Callable[[CallEvent], None]) -> OutboundCall:
        """Place the second call."""


class Transfers:
    """The transfers of one answered call, one at a time.

    `sound` returns what a prompt sounds like. `tell` hears how the one under way goes, in values of
    JSON. `handed_over` is set when the person speaks with somebody else: nothing more is to be said
    to them. `records` is what the attempt's record keeps of each.
    """

    def __init__(
        self,
        call: OutboundCall,
        targets: Mapping[str, Target],
        lines: Lines,
        clock: Clock,
        sound: Sound,
    ) -> None:
        self.tell: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.handed_over = asyncio.Event()
        self.records: list[dict[str, Any]] = []
        self._call = call
        self._targets = targets
        self._lines = lines
        self._clock = clock
        self._sound = sound
        self._waiting: Callable[[], bytes] | None = None
        self._task: asyncio.Task[bool] | None = None

    def begin(self, name: object) -> str | None:
        """Begin a transfer to a target of the campaign; return why it cannot, or None."""
        if self.under_way:
            return "a transfer is under way"
        target = self._targets.get(name) if isinstance(name, str) else None
        if target is None:
            known = ", ".join(sorted(self._targets)) or "none"
            return f"the campaign has no transfer {str(name)[:100]!r}; it has {known}"
        self._task = asyncio.create_task(self._transfer(target), name="transfer")
        return None

    @property
    def under_way(self) -> bool:
        """Whether one is tried, or stands."""
        return self._task is not None and not self._task.done()

    async def settled(self) -> bool:
        """Wait for the end of the one under way; return whether the person was handed over."""
        return self._task is not None and await asyncio.shield(self._task)

    async def close(self) -> None:
        """End what is under way, with the second call."""
        if self._task is not None:
            if not self._call.result.done():  # else it ends by itself, and has its record
                self._task.cancel()
            await asyncio.wait({self._task})

    def waiting_frame(self) -> bytes | None:
        """Return what the person hears now while the target rings, a frame of the call's codec."""
        return None if self._waiting is None else self._waiting()

    # one transfer

    async def _transfer(self, target: Target) -> bool:
        record: dict[str, Any] = {
            "name": target.name,
            "number": target.number or None,
            "by": target.by,
            "at": self._clock.now().isoformat(),
            "status": "failed",
            "reason": "",
            "code": None,
        }
        self.records.append(record)
        began = self._clock.monotonic()
        playing = None
        try:
            target = self._lines.looked_up(target)
            record["number"] = target.number
            if isinstance(target.waiting, Prompt):
                work = self._play_while_waiting(target.waiting, record)
                playing = asyncio.create_task(work, name="waiting-prompt")
            if target.by == "refer":
                await self._refer(target, record)
            else:
                await self._bridge(target, record)
        except TransferRefusedError as refused:
            record["reason"], record["detail"] = refused.reason, str(refused)
        except Exception:
            log.exception("a transfer failed", sip_call_id=self._call.call_id)
            record["reason"] = "error"
        finally:
            if playing is not None:
                playing.cancel()
            self._waiting = None
            record["seconds"] = round(self._clock.monotonic() - began, 3)
            log.info(
                "transfer over",
                sip_call_id=self._call.call_id,
                to=target.name,
                by=target.by,
                status=record["status"],
                reason=record["reason"],
                code=record["code"],
            )
        if record["status"] == "failed":
            self._say(record, "failed")
            if target.hangs_up:
                self._call.hang_up()
        return bool(record["status"] != "failed")

    async def _play_while_waiting(self, prompt: Prompt, record: dict[str, Any]) -> None:
        """Let the person hear a prompt over and over, ringback where it cannot be played."""
        media = self._call.media

        def codec() -> str:
            return media.codec or "PCMU"

        try:
            source = looped(await self._sound(prompt, codec()), codec)
        except AudioError as error:
            call_id = self._call.call_id
            log.error("a prompt cannot be played", sip_call_id=call_id, reason=str(error))  # noqa: TRY400 - the line says it all
            record["waiting_failed"] = str(error)
            source = ringback(codec)
        if not self.handed_over.is_set():
            self._waiting = source

    def _say(self, record: Mapping[str, Any], status: str) -> None:
        told = {name: record[name] for name in ("name", "by", "reason", "code")}
        guarded(self.tell, {**told, "status": status})

    async def _refer(self, target: Target, record: dict[str, Any]) -> None:
        try:
            number = await self._lines.number(target)
            rings = False

            def progress(code: int) -> None:
                nonlocal rings
                if code in {180, 183} and not rings:
                    rings = True
                    self._say(record, "ringing")

            referral = self._call.refer(number, target.ring_seconds, progress)
        except ValueError as error:
            raise TransferRefusedError("invalid_number", str(error)) from None
        result = await referral.result
        record["code"] = result.code
        if result.end in {ReferralEnd.COMPLETED, ReferralEnd.ACCEPTED}:
            record["status"] = result.end.value
            self._waiting = None
            self.handed_over.set()
            self._say(record, result.end.value)
            patience = asyncio.ensure_future(self._clock.sleep(_GRACE))
            await _first(patience, self._call.result)
            patience.cancel()
            self._call.hang_up()
            return
        reasons = {ReferralEnd.REFUSED: "refused", ReferralEnd.TIMEOUT: "timeout"}
        reasons[ReferralEnd.HUNG_UP] = "hung_up"
        record["reason"] = reasons.get(result.end) or reason_of(result.code)

    async def _bridge(self, target: Target, record: dict[str, Any]) -> None:
        call = self._call
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()
        rings = False

        def happened(event: CallEvent) -> None:
            nonlocal rings
            if isinstance(event, Answered) and not answered.done():
                answered.set_result(None)
            elif isinstance(event, Progress) and event.rings and not rings:
                rings = True
                self._say(record, "ringing")
                if target.waiting == "ringback":
                    self._waiting = ringback(lambda: call.media.codec or "PCMU")

        second = await self._lines.dial(target, happened)
        record["sip_call_id"] = second.call_id
        bridge = _Bridge(call, second, early=not isinstance(target.waiting, Prompt))
        try:
            await _first(answered, second.result, call.result)
            if answered.done() and not call.result.done() and not second.result.done():
                began = self._clock.monotonic()
                record["status"] = "bridged"
                self._waiting = None
                bridge.join()
                self.handed_over.set()
                self._say(record, "answered")
                await _first(second.result, call.result)
                record["bridged_seconds"] = round(self._clock.monotonic() - began, 3)
                record["hung_up_by"] = _who(call, second)
        finally:
            bridge.close()
            second.hang_up()
            if record["status"] == "bridged":
                call.hang_up()
        patience = asyncio.ensure_future(self._clock.sleep(_PATIENCE))
        await _first(second.result, patience)
        patience.cancel()
        ended = second.result.result() if second.result.done() else None
        record["code"] = None if ended is None else ended.code
        if record["status"] != "bridged":
            theirs = None if call.result.done() else ended
            record["reason"] = "hung_up" if theirs is None else _reason(theirs)


class _Bridge:
    """The media of two calls: if `early`, first what the network plays, and then both ways."""

    def __init__(self, first: OutboundCall, second: OutboundCall, *, early: bool) -> None:
        self._first, self._second = first, second
        self._relays: list[MediaRelay] = []
        self._listening = second.placed_media if early else None
        if self._listening is not None:
            self._listening.listeners.append(self._early)

    def _early(self, _packet: object) -> None:
        """Let the person hear the network, from its first packet on."""
        self._deaf()
        self._relays.append(MediaRelay(self._second.media, self._first.media))

    def _deaf(self) -> None:
        if self._listening is not None:
            self._listening.listeners.remove(self._early)
            self._listening = None

    def join(self) -> None:
        """Let the two hear each other."""
        if not self._relays:
            self._deaf()
            self._relays.append(MediaRelay(self._second.media, self._first.media))
        self._relays.append(MediaRelay(self._first.media, self._second.media))

    def close(self) -> None:
        """Take them apart."""
        self._deaf()
        for relay in self._relays:
            relay.close()
        self._relays.clear()


def reason_of(code: int | None) -> str:
    """Return the word for a final response that is no 2xx."""
    return _BY_CODE.get(code or 0, "unavailable")


async def _first(*ends: asyncio.Future[Any]) -> None:
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


def _reason(result: CallResult) -> str:
    if result.local_cause in _REASONS:
        return _REASONS[result.local_cause]
    return reason_of(result.code)


def _who(call: OutboundCall, second: OutboundCall) -> str:
    """Return who ended a bridge: the person called, the target, or we."""
    for one, name in ((call, "caller"), (second, "target")):
        if one.result.done() and one.result.result().hung_up_by is HungUpBy.THEM:
            return name
    return "dialer"

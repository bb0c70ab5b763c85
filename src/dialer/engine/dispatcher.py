"""Takes calls that are due, commits their attempts, and lets the INVITEs leave."""

from __future__ import annotations

import uuid
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import structlog

from dialer.campaign.evidence import LocalCause
from dialer.campaign.pacing import TokenBucket
from dialer.engine import placer
from dialer.engine.trunk_set import burst_of
from dialer.store import attempts, promotion, queue, withdrawal
from dialer.store.attempt_records import Refusal
from dialer.ua.media import NoPortAvailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from uuid import UUID

    from dialer.campaign.windows import Span
    from dialer.clock import Clock
    from dialer.engine.lease import NodeLease
    from dialer.engine.live_calls import LiveCalls
    from dialer.engine.trunk_choice import TrunkChoice
    from dialer.engine.trunk_set import TrunkState
    from dialer.engine.undialed import UndialedCalls
    from dialer.store.attempt_records import CampaignToDial, ClaimedCall
    from dialer.store.pool import Pool
    from dialer.ua.agent import UserAgent
    from dialer.ua.outbound import PreparedCall

log = structlog.get_logger(__name__)

PROMOTE_EVERY = 0.25  # seconds
FULL_PASS_EVERY = 30.0  # seconds
LATE = 0.1  # seconds from the commit of a leg within which its INVITE must leave


class Ready(NamedTuple):
    """A claimed call whose INVITE is made, and waits for its commit."""

    claimed: ClaimedCall
    attempt_id: UUID
    prepared: PreparedCall


class Dispatcher:
    """One turn: promote what is due, claim within limits and pace, commit, send."""

    def __init__(  # noqa: PLR0913 - the parts that a call touches before it is live
        self,
        *,
        pool: Pool,
        clock: Clock,
        lease: NodeLease,
        agent: UserAgent,
        choice: TrunkChoice,
        live: LiveCalls,
        undialed: UndialedCalls,
        batch: int,
        may_dial: Callable[[], bool],
        quiet: Span | None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._agent = agent
        self._choice = choice
        self._live = live
        self._undialed = undialed
        self._batch = batch
        self._may_dial = may_dial
        self._quiet = quiet
        self._buckets: dict[int, TokenBucket] = {}
        self._promoted_at = self._full_pass_at = float("-inf")
        self._doubtful: set[UUID] | None = None
        self._token_at = inf

    def token_at(self) -> float:
        """Return when the pace lets a call start for which the last turn came too early.

        Infinity where nothing waits for the pace; on the clock's monotonic seconds.
        """
        return self._token_at

    async def run_once(self) -> int:
        """Place what may be placed now, and end what no trunk takes; return how many calls.

        Raises `Unavailable`.
        """
        if not self._may_dial():
            return 0
        await self._resolve_doubt()
        await self._promote()
        campaigns = await queue.dialable_campaigns(self._pool)
        self._forget_others({campaign.id for campaign in campaigns})
        self._token_at = inf
        placed = 0
        try:
            for campaign in campaigns:
                placed += await self._dial(campaign)
        except BaseException:
            self._doubtful = self._doubtful or set()
            raise
        return placed

    async def _resolve_doubt(self) -> None:
        """Undo what a turn that failed may have left claimed or committed: none of it was sent."""
        if self._doubtful is None:
            return
        node, epoch = self._lease.name, self._lease.epoch
        # In this order: what is given back can no longer be committed by a statement still at work.
        held = await withdrawal.claimed_by(self._pool, node, epoch)
        await self._give_back(held)
        withdrawn = await withdrawal.withdraw(self._pool, node, epoch, self._doubtful)
        self._doubtful = None
        log.info("calls taken back that were never sent", committed=withdrawn, claimed=len(held))

    async def _promote(self) -> None:
        now = self._clock.monotonic()
        if now - self._promoted_at < PROMOTE_EVERY:
            return
        full = now - self._full_pass_at >= FULL_PASS_EVERY
        await promotion.start_due_campaigns(self._pool)
        await promotion.promote(self._pool, full=full, quiet=self._quiet)
        self._promoted_at = now
        if full:
            self._full_pass_at = now

    async def _dial(self, campaign: CampaignToDial) -> int:
        now, share = self._clock.monotonic(), self._lease.share()
        if share <= 0:
            return 0
        unroutable = await self._end_unroutable(campaign)
        placed = 0
        left = min(self._batch, campaign.ready, self._campaign_tokens(campaign, share, now))
        dry: set[str] = set()  # they have no room, or take nothing more of what is ready
        for trunk, places in self._choice.places(campaign, left, share, now):
            name = trunk.trunk.name
            limit = min(places, left, trunk.available(share, self._clock.monotonic()))
            if limit < 1 or name in dry:
                continue
            if not self._may_dial():
                break
            claimed = await queue.claim(
                self._pool,
                campaign.id,
                self._lease.name,
                self._lease.epoch,
                limit,
                {name: trunk.definition.max_calls},
                prefixes=trunk.definition.rule.match,
            )
            if len(claimed) < limit:
                dry.add(name)
            if claimed:
                left -= len(claimed)
                placed += await self._place(claimed, trunk)
        if campaign.ready:
            self._token_at = min(self._token_at, self._next_token(campaign))
        if left > 0 and not unroutable and campaign.ready > promotion.READY_BOUND // 2:
            await self._set_aside(campaign)
        return placed + unroutable

    async def _set_aside(self, campaign: CampaignToDial) -> None:
        """Let numbers get ready that stand behind many whose trunks are down or held."""
        beginnings = self._choice.usable_beginnings(campaign, self._clock.monotonic())
        if beginnings:
            await queue.set_aside(self._pool, campaign.id, beginnings)

    async def _end_unroutable(self, campaign: CampaignToDial) -> int:
        """End numbers that no trunk here takes: they would keep the others from getting ready."""
        beginnings = self._choice.beginnings(campaign)
        if not beginnings:
            return 0
        node, epoch = self._lease.name, self._lease.epoch
        nobodys = await queue.claim_unroutable(
            self._pool, campaign.id, node, epoch, self._batch, beginnings
        )
        why = Refusal(LocalCause.NO_ROUTE, "")
        await self._undialed.record((call, call.refused or why) for call in nobodys)
        return len(nobodys)

    def _campaign_tokens(self, campaign: CampaignToDial, share: float, now: float) -> int:
        rates = [campaign.calls_per_second, (campaign.calls_per_minute or inf) / 60]
        rate = min(rate for rate in rates if rate is not None) * share
        if rate == inf:
            return self._batch
        bucket = self._buckets.get(campaign.id)
        if bucket is None:
            bucket = self._buckets[campaign.id] = TokenBucket(rate, burst_of(rate), now)
        bucket.set_rate(rate, burst_of(rate), now)
        return bucket.available(now)

    def _next_token(self, campaign: CampaignToDial) -> float:
        """Return when campaign and trunks have a token again, infinity where they have one."""
        now = self._clock.monotonic()
        bucket = self._buckets.get(campaign.id)
        own = now if bucket is None else bucket.next_at(now)
        trunks = [
            trunk.bucket.next_at(now)
            for trunk in self._choice.known(campaign)
            if trunk.usable(now) and trunk.trunk.name not in campaign.held
        ]
        at = max(own, min(trunks, default=inf))
        return at if at > now else inf

    async def _place(self, claimed: Sequence[ClaimedCall], trunk: TrunkState) -> int:
        ready: list[Ready] = []
        try:
            refused = await self._prepare(claimed, trunk, ready)
            await self._undialed.record(refused)
            done = await self._commit_and_send(ready, trunk)
        except BaseException:
            self._doubtful = {one.attempt_id for one in ready}
            raise
        finally:
            _release(ready)
        placed = len(done)
        done.update(call.id for call, _ in refused)
        await self._give_back([call.id for call in claimed if call.id not in done])
        return placed

    async def _prepare(
        self, claimed: Sequence[ClaimedCall], trunk: TrunkState, ready: list[Ready]
    ) -> list[tuple[ClaimedCall, Refusal]]:
        """Put the calls into `ready`, as far as there are ports; return those never to be sent."""
        refused: list[tuple[ClaimedCall, Refusal]] = []
        for call in claimed:
            if call.refused is not None:
                refused.append((call, call.refused))
                continue
            try:
                request = placer.call_request(call, trunk.definition)
                prepared = await self._agent.prepare(request)
            except NoPortAvailable as error:
                log.warning("calls wait for a free port", reason=str(error))
                break
            except ValueError as error:
                log.warning("number cannot be dialled", call=call.id, reason=str(error))
                refused.append((call, Refusal(LocalCause.INVALID_NUMBER, str(error))))
            else:
                ready.append(Ready(call, uuid.uuid4(), prepared))
        return refused

    async def _commit_and_send(self, ready: list[Ready], trunk: TrunkState) -> set[int]:
        """Commit the legs and let their INVITEs leave; return the calls that have left `ready`."""
        legs = [
            placer.new_leg(one.claimed, one.attempt_id, one.prepared.request, one.prepared.identity)
            for one in ready
        ]
        node, epoch = self._lease.name, self._lease.epoch
        asked = self._clock.monotonic()
        wanted = await attempts.dial(self._pool, node, epoch, legs) if legs else set()
        placed: set[int] = set()
        while wanted and self._may_dial():
            placed |= self._send(ready, wanted, asked + LATE, trunk)
            wanted = {one.attempt_id for one in ready if one.attempt_id in wanted}
            if wanted:
                asked = self._clock.monotonic()
                wanted = await self._still_held(wanted)
        if wanted:
            await self._take_back(wanted)
        return placed

    def _send(
        self, ready: list[Ready], wanted: Collection[UUID], until: float, trunk: TrunkState
    ) -> set[int]:
        """Place the wanted calls that there is time for, and return them."""
        placed = set()
        for one in [one for one in ready if one.attempt_id in wanted]:
            now = self._clock.monotonic()
            if now > until:
                break
            trunk.started(1, now)
            bucket = self._buckets.get(one.claimed.campaign_id)
            if bucket is not None:
                bucket.take(1, now)
            ready.remove(one)
            placed.add(one.claimed.id)
            self._live.place(one.claimed, one.attempt_id, one.prepared, trunk)
        return placed

    async def _still_held(self, attempt_ids: set[UUID]) -> set[UUID]:
        """After a delay: take back the calls that are not wanted by now, return the others.

        Meanwhile their campaign may have been paused, or another node may have rescued them.
        """
        node, epoch = self._lease.name, self._lease.epoch
        held = await withdrawal.still_held(self._pool, node, epoch, attempt_ids)
        if held != attempt_ids:
            await self._take_back(attempt_ids - held)
        return held

    async def _take_back(self, attempt_ids: set[UUID]) -> None:
        # Nothing is withdrawn of what another node has rescued.
        log.warning("calls taken back that were not sent in time", calls=len(attempt_ids))
        await withdrawal.withdraw(self._pool, self._lease.name, self._lease.epoch, attempt_ids)

    async def _give_back(self, call_ids: Sequence[int]) -> None:
        if call_ids:
            await queue.give_back(self._pool, self._lease.name, self._lease.epoch, call_ids)

    def _forget_others(self, campaign_ids: Collection[int]) -> None:
        self._buckets = {
            campaign_id: bucket
            for campaign_id, bucket in self._buckets.items()
            if campaign_id in campaign_ids or bucket.available(self._clock.monotonic()) < 1
        }
        self._choice.forget_others(campaign_ids)


def _release(ready: Iterable[Ready]) -> None:
    for one in ready:
        one.prepared.release()

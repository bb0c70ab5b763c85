"""The next leg of an attempt: chosen, prepared and committed before its INVITE leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import structlog

from dialer.engine import placer
from dialer.store import failover, withdrawal
from dialer.store.failover import Commit
from dialer.ua.media import NoPortAvailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    from dialer.clock import Clock
    from dialer.engine.lease import NodeLease
    from dialer.engine.trunk_choice import TrunkChoice
    from dialer.engine.trunk_set import TrunkState
    from dialer.store.attempt_records import ClaimedCall, FailedLeg
    from dialer.store.pool import Pool
    from dialer.ua.agent import UserAgent
    from dialer.ua.outbound import PreparedCall

log = structlog.get_logger(__name__)

AT_ONCE = 3  # so that a trunk that fails with all its calls up leaves connections to the others
LATE = 0.1  # seconds from the commit of a leg within which its INVITE must leave


class NextLeg(NamedTuple):
    """A committed leg whose INVITE may leave at once, and at no other time."""

    trunk: TrunkState
    prepared: PreparedCall


class Failover:
    """Takes calls from a trunk that failed them to the next one of their campaign."""

    def __init__(
        self,
        *,
        pool: Pool,
        clock: Clock,
        lease: NodeLease,
        agent: UserAgent,
        choice: TrunkChoice,
        may_dial: Callable[[], bool],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._agent = agent
        self._choice = choice
        self._may_dial = may_dial
        self._places = asyncio.Semaphore(AT_ONCE)

    async def next_leg(
        self, claimed: ClaimedCall, attempt_id: UUID, failed: FailedLeg, tried: Collection[str]
    ) -> NextLeg | None:
        """Return the leg that follows `failed`, None where the attempt ends with that.

        `tried` are the trunks of the legs so far. Raises `Unavailable`: the leg may then be
        committed all the same, and must not be sent; the attempt's result takes it back.
        """
        async with self._places:
            share, now = self._lease.share(), self._clock.monotonic()
            for trunk in self._choice.next_for(claimed, tried, share, now):
                if not self._may_dial():
                    break
                try:
                    prepared = await self._prepare(claimed, trunk)
                except NoPortAvailable as error:
                    log.warning("no failover without a free port", reason=str(error))
                    break
                except ValueError as error:
                    log.warning("number cannot be dialled", call=claimed.id, reason=str(error))
                    continue
                try:
                    done = await self._commit(claimed, attempt_id, failed, trunk, prepared)
                except BaseException:
                    prepared.release()
                    raise
                if done is Commit.DONE:
                    return NextLeg(trunk, prepared)
                prepared.release()
                if done is Commit.REFUSED:
                    break
        return None

    async def _prepare(self, claimed: ClaimedCall, trunk: TrunkState) -> PreparedCall:
        return await self._agent.prepare(placer.call_request(claimed, trunk.definition))

    async def _commit(
        self,
        claimed: ClaimedCall,
        attempt_id: UUID,
        failed: FailedLeg,
        trunk: TrunkState,
        prepared: PreparedCall,
    ) -> Commit:
        """Commit the leg; an INVITE that could not leave in time leaves if it is still wanted."""
        node, epoch = self._lease.name, self._lease.epoch
        leg = placer.new_leg(claimed, attempt_id, prepared.request, prepared.identity)
        asked = self._clock.monotonic()
        done = await failover.commit(
            self._pool, node, epoch, failed, leg, trunk.definition.max_calls
        )
        while done is Commit.DONE and self._clock.monotonic() > asked + LATE:
            asked = self._clock.monotonic()
            if not await withdrawal.still_held(self._pool, node, epoch, {attempt_id}):
                done = Commit.REFUSED
        return done if self._may_dial() else Commit.REFUSED

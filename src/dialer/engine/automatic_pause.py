"""Pauses campaigns by itself: out of minutes, or because the system has failed for them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import structlog

from dialer.campaign.moves import CampaignAction, MoveRefused
from dialer.campaign.status import CampaignStatus, PauseReason
from dialer.campaign.system_failure import (
    REFUSALS,
    CampaignFacts,
    TrunkCondition,
    technical_outcomes,
    why_pause,
)
from dialer.campaign.trunk_health import Availability, Trouble
from dialer.store import automatic_pause as store
from dialer.store import campaigns
from dialer.store.errors import Refused
from dialer.store.records import PauseNote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.campaign.system_failure import Thresholds
    from dialer.engine.call_recordings import CallRecordings
    from dialer.engine.lease import NodeLease
    from dialer.store.pool import Pool

log = structlog.get_logger(__name__)

# A trunk with one of these has not proved itself since, even while a single call may try it.
UNPROVED = REFUSALS | {Trouble.BREAKER}

LOST_COMMITS = (
    "the database has lost attempts of this campaign that it had committed, so that people would be"
    " called again; see that a replica takes over only with every commit (synchronous_commit),"
    " compare with the trunk's records whom to remove, then resume"
)


class AutomaticPause:
    """One turn: look at every campaign in progress, pause those that should not go on.

    All nodes take turns; two that pause the same campaign do no harm.
    """

    def __init__(
        self,
        pool: Pool,
        lease: NodeLease,
        table: OutcomeTable,
        thresholds: Thresholds,
        recordings: CallRecordings | None = None,
    ) -> None:
        self._pool = pool
        self._lease = lease
        self._technical = technical_outcomes(table.rules)
        self._thresholds = thresholds
        self._recordings = recordings
        self._nowhere: dict[int, dt.datetime] = {}  # since when a campaign has no trunk at all

    async def run_once(self) -> int:
        """Pause what should be paused; return how many campaigns. Raises `Unavailable`."""
        now = self._lease.database_now()
        return (
            await self._out_of_minutes(now)
            + await self._system_failure(now)
            + await self._not_recorded(now)
        )

    async def lost_commits(self, attempts: Mapping[UUID, int | None]) -> None:
        """Pause the campaigns of attempts, by call, that were committed and are not on record.

        Their people would be called again. Raises `Unavailable`.
        """
        if not attempts:
            return
        for account_id, campaign_id in await store.forgotten(self._pool, attempts):
            log.error("the database has lost what it committed", campaign_id=campaign_id)
            note = PauseNote(PauseReason.SYSTEM_FAILURE, LOST_COMMITS)
            await self._pause(account_id, campaign_id, note, self._lease.database_now())

    async def _out_of_minutes(self, now: dt.datetime) -> int:
        paused = 0
        for found in await store.out_of_minutes(self._pool):
            account = found.account
            note = PauseNote(
                PauseReason.OUT_OF_MINUTES,
                f"the {account.minutes} minutes of the account's plan are used up; raise the"
                f" limit, or resume when the next period begins at"
                f" {account.period.ends_at:%Y-%m-%d %H:%M} UTC",
            )
            for campaign_id in found.campaign_ids:
                paused += await self._pause(account.account_id, campaign_id, note, now)
        return paused

    async def _system_failure(self, now: dt.datetime) -> int:
        thresholds = self._thresholds
        found = await store.facts(
            self._pool, self._technical, thresholds.technical_attempts, thresholds.invalid_calls
        )
        if not found:
            return 0
        conditions = await store.conditions(self._pool)
        paused = 0
        for one in found:
            facts = CampaignFacts(
                since=one.since,
                trunks=self._conditions(one, conditions, now),
                attempts=one.attempts,
                technical=one.technical,
                invalid_by_trunk=one.invalid,
            )
            why = why_pause(facts, thresholds, now)
            if why:
                note = PauseNote(PauseReason.SYSTEM_FAILURE, why)
                paused += await self._pause(one.account_id, one.campaign_id, note, now)
        self._nowhere = {
            one.campaign_id: since
            for one in found
            if (since := self._nowhere.get(one.campaign_id)) is not None
        }
        return paused

    async def _not_recorded(self, now: dt.datetime) -> int:
        """Pause what has to be recorded while this node cannot record."""
        recording = [] if self._recordings is None else await store.recording(self._pool)
        trouble = await self._recordings.look() if self._recordings and recording else ""
        if not trouble:
            return 0
        note = PauseNote(
            PauseReason.SYSTEM_FAILURE, f"node {self._lease.name}: {trouble}, then resume"
        )
        paused = 0
        for account_id, campaign_id in recording:
            paused += await self._pause(account_id, campaign_id, note, now)
        return paused

    def _conditions(
        self, facts: store.Facts, conditions: store.Conditions, now: dt.datetime
    ) -> tuple[TrunkCondition, ...]:
        """Return the campaign's trunks on every node that has them configured."""
        found = [
            _condition(name, node[name], conditions.held.get(name))
            for node in conditions.nodes
            for name in facts.trunks
            if name in node
        ]
        if found:
            self._nowhere.pop(facts.campaign_id, None)
            return tuple(found)
        since = self._nowhere.setdefault(facts.campaign_id, now)
        return tuple(
            TrunkCondition(name, "no node has it in its configuration", since)
            for name in facts.trunks
        )

    async def _pause(
        self, account_id: int, campaign_id: int, note: PauseNote, now: dt.datetime
    ) -> bool:
        try:
            campaign = await campaigns.act(
                self._pool, account_id, campaign_id, CampaignAction.PAUSE, pause=note, now=now
            )
        except (MoveRefused, Refused):
            return False  # a person was faster
        if campaign.status is not CampaignStatus.PAUSED or campaign.pause_detail != note.detail:
            return False
        log.warning(
            "campaign paused by itself",
            campaign_id=campaign_id,
            reason=note.reason.value,
            detail=note.detail,
        )
        return True


def _condition(
    name: str, published: Mapping[str, Any], held: tuple[dt.datetime, str] | None
) -> TrunkCondition:
    """Return how a trunk stands on a node."""
    if held is not None:
        return TrunkCondition(name, f"held by a person ({held[1]})", held[0])
    health = published["health"]
    trouble = health["trouble"]
    if health["availability"] != Availability.DOWN and trouble not in UNPROVED:
        return TrunkCondition(name)
    since = health["since"]
    return TrunkCondition(
        name,
        health["reason"] or "down",
        None if since is None else dt.datetime.fromisoformat(since),
        refused=trouble in REFUSALS,
    )

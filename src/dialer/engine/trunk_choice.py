"""Which trunks carry a campaign's calls, by its order, their routing, their room and health."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import structlog

from dialer.campaign import routing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from dialer.engine.trunk_set import TrunkSet, TrunkState
    from dialer.store.attempt_records import CampaignToDial, ClaimedCall

log = structlog.get_logger(__name__)


class TrunkChoice:
    """Chooses among the trunks of this node.

    A campaign's trunks are asked in its order, each for as much as it has room for, or with
    `trunk_order` weighted by the priorities and weights of the configuration.
    """

    def __init__(self, trunks: TrunkSet) -> None:
        self._trunks = trunks
        self._turns: dict[int, int] = {}  # by campaign: the places given out so far
        self._complained: set[int] = set()

    def known(self, campaign: CampaignToDial) -> list[TrunkState]:
        """Return the campaign's trunks that are configured here for its account."""
        found = [
            trunk
            for name in campaign.trunks
            if (trunk := self._trunks.get(name)) is not None
            and routing.takes(_for_any_number(trunk), "", campaign.account_id)
        ]
        if not found and campaign.id not in self._complained:
            self._complained.add(campaign.id)
            log.warning(
                "no trunk of the campaign is configured on this node",
                campaign_id=campaign.id,
                trunks=campaign.trunks,
            )
        return found

    def places(
        self, campaign: CampaignToDial, limit: int, share: float, now: float
    ) -> list[tuple[TrunkState, int]]:
        """Return whom to ask for how many of up to `limit` calls, one after the other.

        What one does not take the next ones are asked for, so the sum may be above `limit`.
        """
        room = {
            trunk.trunk.name: available
            for trunk in self.known(campaign)
            if trunk.trunk.name not in campaign.held
            and (available := trunk.available(share, now)) > 0
        }
        listed = [(self._trunks[name], min(limit, free)) for name, free in room.items()]
        if campaign.trunk_order == "listed" or len(room) < 2:
            return listed
        rules = {name: _for_any_number(self._trunks[name]) for name in room}
        given = dict.fromkeys(room, 0)
        turn = self._turns.get(campaign.id, 0)
        self._turns[campaign.id] = turn + limit
        for place in range(turn, turn + limit):
            able = [rule for name, rule in rules.items() if given[name] < room[name]]
            if not able:
                break
            first, *_ = routing.order(able, "", campaign.account_id, place, weighted=True)
            given[first.name] += 1
        by_weight = [(self._trunks[name], count) for name, count in given.items() if count]
        return [*by_weight, *listed]

    def beginnings(self, campaign: CampaignToDial) -> frozenset[str] | None:
        """Return how the numbers begin that its trunks take, whatever their health; None: all."""
        return _beginnings(self.known(campaign))

    def usable_beginnings(self, campaign: CampaignToDial, now: float) -> frozenset[str] | None:
        """Return the same of those of its trunks that are neither down nor held."""
        return _beginnings(
            [
                trunk
                for trunk in self.known(campaign)
                if trunk.usable(now) and trunk.trunk.name not in campaign.held
            ]
        )

    def next_for(
        self, claimed: ClaimedCall, tried: Collection[str], share: float, now: float
    ) -> list[TrunkState]:
        """Return the trunks over which an attempt may go on, the best first."""
        rules = [
            trunk.definition.rule
            for name in claimed.trunks
            if name not in tried
            and (trunk := self._trunks.get(name)) is not None
            and trunk.available(share, now) > 0
        ]
        ordered = routing.order(
            rules,
            claimed.number,
            claimed.account_id,
            self._turns.get(claimed.campaign_id, 0),
            weighted=claimed.trunk_order == "weighted",
        )
        return [self._trunks[rule.name] for rule in ordered]

    def forget_others(self, campaign_ids: Collection[int]) -> None:
        """Forget campaigns that have nothing to dial."""
        self._turns = {one: turn for one, turn in self._turns.items() if one in campaign_ids}
        self._complained &= set(campaign_ids)


def _beginnings(trunks: Iterable[TrunkState]) -> frozenset[str] | None:
    matches = [trunk.definition.rule.match for trunk in trunks]
    if not all(matches):
        return None
    return frozenset(prefix for match in matches for prefix in match)


def _for_any_number(trunk: TrunkState) -> routing.TrunkRule:
    """Return a trunk's rule without its prefixes, which the claim looks at."""
    return dataclasses.replace(trunk.definition.rule, match=())

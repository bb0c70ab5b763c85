"""What a node tells the others of its trunks, when it changes: definition and health."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, Any

from dialer.campaign.trunk_health import Availability
from dialer.store import trunks as store

if TYPE_CHECKING:
    from dialer.clock import Clock
    from dialer.engine.lease import NodeLease
    from dialer.engine.trunk_definition import TrunkDefinition
    from dialer.engine.trunk_set import TrunkSet, TrunkState
    from dialer.store.pool import Pool

SECRETS = frozenset({"password"})


class Publisher:
    """Keeps the node's row in Postgres at what its trunks are."""

    def __init__(self, pool: Pool, clock: Clock, lease: NodeLease, trunks: TrunkSet) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._trunks = trunks
        self._published: object = None
        self._described: dict[str, tuple[TrunkDefinition, dict[str, Any]]] = {}

    async def run_once(self) -> bool:
        """Publish what has changed; return whether something had. Raises `Unavailable`."""
        now = self._clock.monotonic()
        epoch = self._clock.now() - dt.timedelta(seconds=now)
        described = {
            name: self._definition(name, trunk) | {"health": health(trunk, now)}
            for name, trunk in self._trunks.items()
        }
        state = (self._lease.epoch, described)
        if state == self._published:
            return False
        told = {
            name: one | {"health": _dated(one["health"], epoch)} for name, one in described.items()
        }
        await store.publish(self._pool, self._lease.name, self._lease.epoch, told)
        self._published = state
        return True

    def _definition(self, name: str, trunk: TrunkState) -> dict[str, Any]:
        """Return a trunk's definition as it was written down last, while it is the same one."""
        known = self._described.get(name)
        if known is None or known[0] is not trunk.definition:
            known = self._described[name] = (trunk.definition, definition(trunk))
        return known[1]


def definition(trunk: TrunkState) -> dict[str, Any]:
    """Return the facts of a trunk's definition, and the hash of all of it but its secrets."""
    whole = {
        "trunk": _public(dataclasses.asdict(trunk.trunk)),
        "routing": dataclasses.asdict(trunk.definition.rule),
        "caller_id": trunk.definition.caller_id,
        "max_calls": trunk.definition.max_calls,
        "calls_per_second": trunk.definition.calls_per_second,
        "file": trunk.definition.fingerprint,
    }
    text = json.dumps(whole, sort_keys=True, default=_sorted)
    agent = trunk.trunk
    return {
        "definition": hashlib.sha256(text.encode()).hexdigest()[:16],
        "host": agent.host,
        "port": agent.port,
        "transport": agent.transport,
        "proxy": agent.proxy,
        "registers": agent.registration is not None,
        "max_calls": trunk.definition.max_calls,
        "calls_per_second": trunk.definition.calls_per_second,
        "priority": trunk.definition.rule.priority,
        "weight": trunk.definition.rule.weight,
        "match": list(trunk.definition.rule.match),
        "accounts": sorted(trunk.definition.rule.accounts),
    }


def health(trunk: TrunkState, now: float) -> dict[str, Any]:
    """Return how a trunk stands, its worst trouble; `since` and `until` in seconds as `now` is.

    What registration and probes say goes before what became of calls where it is worse.
    """
    standing = trunk.health.standing(now)
    status = trunk.status()
    availability, reason = standing.availability, standing.reason
    trouble = None if standing.trouble is None else standing.trouble.value
    since: float | dt.datetime | None = standing.since
    seen = Availability(status.availability.value)
    order = list(Availability)
    if order.index(seen) > order.index(availability):
        availability, reason, trouble, since = seen, status.reason, "registration", status.since
    learned = status.learned_address
    return {
        "availability": availability.value,
        "trouble": trouble,
        "reason": reason,
        "since": since,
        "held_until": standing.until,
        "rate": round(standing.rate, 3),
        "registered_until": status.registered_until,
        "learned_address": None if learned is None else f"{learned.host}:{learned.port}",
    }


def _dated(told: dict[str, Any], epoch: dt.datetime) -> dict[str, Any]:
    """Return it with times of the wall clock, where it has those of our own."""
    return {
        name: (epoch + dt.timedelta(seconds=value)).isoformat(timespec="milliseconds")
        if name in {"since", "held_until"} and isinstance(value, float)
        else value
        for name, value in told.items()
    }


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _public(one) for name, one in value.items() if name not in SECRETS}
    return value


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)

"""Trunks over HTTP: how they stand, and holding and releasing them; nothing is edited here.

The default account, whose people run the instance, sees every trunk with all that it carries;
another account the trunks that it may use, with its own calls.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import structlog

from dialer.api import inputs, models, trunk_models
from dialer.api.context import account_of, answer, context_of, runs_instance
from dialer.api.problem import Problem
from dialer.campaign.outcome_table import OutcomeTable
from dialer.store import trunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from dialer.store.trunk_records import NodeTrunk, Trunk

log = structlog.get_logger(__name__)

WINDOW = dt.timedelta(hours=1)
# What the table calls the trunk's or the network's fault: it uses up no attempt.
FAULTS = frozenset(rule.outcome.value for rule in OutcomeTable.default().rules if not rule.counts)
BEST_FIRST: tuple[trunk_models.Availability, ...] = ("up", "degraded", "down")


async def list_all(request: web.Request) -> web.Response:
    """List every trunk."""
    found = await _found(request)
    items = [trunk_models.Trunk(**_shown(request, one)) for one in found]
    return answer(trunk_models.TrunkList(items=items))


async def read(request: web.Request) -> web.Response:
    """Read a trunk with its last failures."""
    context = context_of(request)
    trunk = await _named(request)
    failures = await trunks.failures(
        context.pool, trunk.name, FAULTS, account_id=_of_account(request)
    )
    return answer(
        trunk_models.TrunkWithFailures(
            **_shown(request, trunk),
            recent_failures=[trunk_models.TrunkFailure.model_validate(one) for one in failures],
        )
    )


async def hold(request: web.Request) -> web.Response:
    """Hold a trunk: once this is answered, no node claims a call for it."""
    context = context_of(request)
    asked = await inputs.json_body(request, trunk_models.HOLD_TRUNK, context.settings)
    name = (await _named(request)).name
    await trunks.hold(context.pool, name, asked.reason, asked.by)
    log.warning("trunk held by a person", trunk=name, reason=asked.reason, by=asked.by)
    return answer(trunk_models.Trunk(**_shown(request, await _named(request))))


async def release(request: web.Request) -> web.Response:
    """Let the nodes give calls to a trunk again."""
    context = context_of(request)
    await inputs.json_body(request, models.NOTHING, context.settings, empty="{}")
    name = (await _named(request)).name
    await trunks.release(context.pool, name)
    log.info("trunk released", trunk=name)
    return answer(trunk_models.Trunk(**_shown(request, await _named(request))))


async def _found(request: web.Request) -> Sequence[Trunk]:
    """Return the trunks that the request's account may see."""
    context = context_of(request)
    found = await trunks.list_all(
        context.pool, context.settings.known_trunks, WINDOW, account_id=_of_account(request)
    )
    return found if runs_instance(request) else [one for one in found if _usable(request, one)]


def _of_account(request: web.Request) -> int | None:
    """Return the account whose calls are shown, None for those of all."""
    return None if runs_instance(request) else account_of(request)


def _usable(request: web.Request, trunk: Trunk) -> bool:
    """Whether an account may use a trunk, by the configuration here, or else by every node's."""
    account, settings = account_of(request), context_of(request).settings
    if trunk.name in settings.known_trunks:
        return settings.may_use(trunk.name, account)
    given = [node.published["accounts"] for node in trunk.nodes]
    return bool(given) and all(not accounts or account in accounts for accounts in given)


async def _named(request: web.Request) -> Trunk:
    name = request.match_info["name"]
    found = await _found(request)
    for trunk in found:
        if trunk.name == name:
            return trunk
    names = ", ".join(trunk.name for trunk in found) or "none"
    raise Problem(404, f"there is no trunk {name[:100]!r}; there is {names}")


def _shown(request: web.Request, trunk: Trunk) -> dict[str, Any]:
    nodes = [trunk_models.NodeTrunk.model_validate(one) for one in trunk.nodes]
    offered = {node.health.availability for node in nodes} if trunk.hold is None else set()
    definition = trunk.nodes[0].published if trunk.nodes else None
    return {
        "name": trunk.name,
        "availability": next((one for one in BEST_FIRST if one in offered), "down"),
        "hold": trunk.hold,
        "definition": None
        if definition is None
        else trunk_models.TrunkDefinition.model_validate(_own(request, definition)),
        "calls_up": trunk.calls_up,
        "last_hour": trunk.traffic,
        "nodes": nodes,
        "warnings": list(_warnings(trunk.nodes)),
    }


def _own(request: web.Request, definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a definition that names no other account to an account that runs nothing here."""
    if runs_instance(request):
        return definition
    own = account_of(request)
    return {**definition, "accounts": [one for one in definition["accounts"] if one == own]}


def _warnings(nodes: Sequence[NodeTrunk]) -> list[str]:
    if not nodes:
        return ["no live node has this trunk, so nothing is called over it"]
    by_hash: dict[str, list[str]] = {}
    for node in nodes:
        by_hash.setdefault(node.published["definition"], []).append(node.node)
    if len(by_hash) == 1:
        return []
    groups = " and ".join(", ".join(names) for names in by_hash.values())
    return [f"its definition differs between {groups}: give all nodes the same configuration"]

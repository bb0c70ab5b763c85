"""Whether an attempt whose leg has failed goes on over another trunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.campaign.outcome import Failover

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dialer.campaign.evidence import Evidence
    from dialer.campaign.outcome import Outcome, Rule


def wanted(
    rule: Rule,
    evidence: Evidence,
    before: Sequence[Rule],
    outcomes: Collection[Outcome] | None = None,
) -> bool:
    """Whether the next trunk may be tried after a leg that ended by `rule`.

    `before` are the rules by which the attempt's earlier legs ended. Never once a telephone rang
    or an answer is on record: the person would be called twice. `once` is once in an attempt, so
    that a number which every carrier refuses is not hawked around; `yes` and `other_trunk_only`
    go on as long as there is a trunk that was not tried. `outcomes`, where a trunk names them, take
    the place of the rule's word.
    """
    if evidence.rang or evidence.answered:
        return False
    if outcomes is not None:
        return rule.outcome in outcomes
    match rule.failover:
        case Failover.NO:
            return False
        case Failover.ONCE:
            return all(earlier.failover is not Failover.ONCE for earlier in before)
        case Failover.YES | Failover.OTHER_TRUNK_ONLY:
            return True

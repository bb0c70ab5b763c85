from __future__ import annotations

import dataclasses

import pytest

from dialer.campaign import failover
from dialer.campaign.evidence import Evidence, LocalCause
from dialer.campaign.outcome import Failover, Outcome
from dialer.campaign.outcome_table import OutcomeTable

TABLE = OutcomeTable.default()


def wanted(before=(), **evidence):
    facts = Evidence(**evidence)
    return failover.wanted(TABLE.rule_for(facts), facts, [TABLE.rule_for(one) for one in before])


@pytest.mark.parametrize(
    "evidence",
    [
        {"code": 503},
        {"code": 503, "q850": 34},
        {"code": 500},
        {"code": 404, "q850": 3},
        {"code": 488},
        {"code": 482},
        {"code": 403},
        {"local_cause": LocalCause.TIMER_B},
        {"local_cause": LocalCause.TRANSPORT},
        {"local_cause": LocalCause.DNS},
    ],
)
def test_what_is_the_trunks_fault_goes_on_over_another_one_unless_it_rang(evidence):
    assert wanted(**evidence)
    assert not wanted(**evidence, rang=True)
    assert not wanted(**evidence, answered=True)


@pytest.mark.parametrize(
    "evidence",
    [
        {"code": 603},
        {"code": 480},
        {"code": 486},
        {"code": 404, "q850": 1},
        {"code": 480, "q850": 20},
        {"code": 480, "q850": 19},
        {"code": 408},
        {"code": 302},
        {"code": 407},
        {"local_cause": LocalCause.RING_TIMEOUT},
        {"local_cause": LocalCause.NO_MEDIA},
        {"local_cause": LocalCause.CANCELLED},
        {"local_cause": LocalCause.NODE_LOST},
        {"local_cause": LocalCause.NO_ROUTE},
    ],
)
def test_a_person_who_declined_or_was_not_reached_is_not_called_again_at_once(evidence):
    assert not wanted(**evidence)


def test_a_number_that_is_forbidden_is_tried_once_more_in_an_attempt():
    forbidden, congested = Evidence(code=403), Evidence(code=503)
    assert wanted([congested], code=403)
    assert not wanted([forbidden], code=403)
    assert not wanted([forbidden, congested], code=403)
    assert wanted([forbidden, congested], code=503)


def test_every_kind_of_failover_is_decided():
    rule = TABLE.rule_for(Evidence(code=503))
    decided = {
        kind: failover.wanted(dataclasses.replace(rule, failover=kind), Evidence(), [])
        for kind in Failover
    }
    assert decided == {
        Failover.NO: False,
        Failover.YES: True,
        Failover.ONCE: True,
        Failover.OTHER_TRUNK_ONLY: True,
    }


def test_a_trunk_may_name_the_outcomes_itself():
    busy, congested = Evidence(code=486), Evidence(code=503)
    named = frozenset({Outcome.BUSY})
    assert failover.wanted(TABLE.rule_for(busy), busy, [], named)
    assert not failover.wanted(TABLE.rule_for(congested), congested, [], named)
    rang = dataclasses.replace(busy, rang=True)
    assert not failover.wanted(TABLE.rule_for(rang), rang, [], named)

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from dialer.campaign.evidence import Evidence
from dialer.campaign.outcome import Alarm
from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.pacing import TokenBucket
from dialer.engine import alarms
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.engine.trunk_set import TrunkSet, TrunkState
from dialer.metrics import Metrics
from dialer.ua.call import Trunk

TABLE = OutcomeTable.default()


@pytest.fixture
def trunks():
    bucket = TokenBucket(1.0, 1.0, 0.0)
    return TrunkSet({"pbx": TrunkState(TrunkDefinition(Trunk("pbx", "192.0.2.1")), bucket)})


def end(trunks, metrics, code):
    rule = TABLE.rule_for(Evidence(code=code))
    trunks.ended(trunks["pbx"], rule, None, 100.0)
    with capture_logs() as logged:
        alarms.sound(rule, trunks["pbx"], metrics)
    return [entry["alarm"] for entry in logged]


def counted(metrics, alarm):
    labels = {"alarm": alarm, "trunk": "pbx"}
    return metrics.registry.get_sample_value("dialer_alarms_total", labels)


def test_a_burst_of_busy_is_logged_and_counted_once(trunks):
    metrics = Metrics()
    told = [end(trunks, metrics, 486) for _ in range(39)]
    assert [one for one in told if one] == [["busy_burst"]]
    assert told.index(["busy_burst"]) == 19
    assert counted(metrics, "busy_burst") == 1


def test_what_has_an_alarm_is_told_each_time_and_the_rest_never(trunks):
    metrics = Metrics()
    assert end(trunks, metrics, 608) == ["caller_id"]
    assert end(trunks, metrics, 437) == ["caller_id"]
    assert counted(metrics, "caller_id") == 2
    assert end(trunks, metrics, 404) == []
    assert end(trunks, metrics, 503) == []


def test_every_alarm_has_its_words():
    assert alarms.WORDS.keys() == set(Alarm) - {Alarm.NONE}

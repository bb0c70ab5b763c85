"""What a person should look at: told in the log, and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from dialer.campaign.outcome import Alarm

if TYPE_CHECKING:
    from dialer.campaign.outcome import Rule
    from dialer.engine.trunk_set import TrunkState
    from dialer.metrics import Metrics

log = structlog.get_logger(__name__)

WORDS = {
    Alarm.MEDIA: "a call was answered without usable media",
    Alarm.BOT: "the bot failed an answered call",
    Alarm.CALLER_ID: "the network refuses the caller ID",
    Alarm.BUSY_BURST: "most of the last calls were busy: the carrier may be throttling us",
}


def sound(rule: Rule, trunk: TrunkState, metrics: Metrics) -> None:
    """Raise the alarm of the rule by which a call over `trunk` ended, if it has one.

    Single calls are busy all the time; a burst of them is told once.
    """
    burst = trunk.health.busy_burst()
    if rule.alarm is Alarm.NONE or (rule.alarm is Alarm.BUSY_BURST and not burst):
        return
    metrics.alarms.labels(rule.alarm.value, trunk.trunk.name).inc()
    log.warning(WORDS[rule.alarm], alarm=rule.alarm.value, trunk=trunk.trunk.name, rule=rule.name)

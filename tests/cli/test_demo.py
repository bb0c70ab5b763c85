"""The demonstration's comparison sees a difference where there is one."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from dialer.api import call_models
from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus
from dialer.demo import compare
from dialer.simulator.ledger import CallRecord, Ledger

NUMBER = "+15554860000"
LOSSY = "+15557203000"  # loses 30 % of its datagrams
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def our_call(code=486, number=NUMBER):
    evidence = dict.fromkeys(call_models.Evidence.model_fields) | {
        "code": code, "phrase": "", "reasons": [], "provisionals": [], "rang": False,
        "answered": False, "talk_seconds": 0, "rtp_packets_sent": 0, "rtp_packets_received": 0,
    }  # fmt: skip
    leg = call_models.Leg(
        ordinal=1, trunk="simulator", number=number, caller_id="1", sip_call_id="abc",
        request_uri="sip:x", evidence=evidence, outcome=Outcome.BUSY, rule="busy-486",
        created_at=NOW,
    )  # fmt: skip
    attempt = call_models.Attempt(
        id=uuid.UUID(int=1), ordinal=1, node="n", outcome=Outcome.BUSY, rule="busy-486",
        status=CallStatus.COMPLETED_WITHOUT_ANSWER, counted=True, flags=[], created_at=NOW,
        ended_at=NOW, legs=[leg], detail="", conversation={}, report_data={},
    )  # fmt: skip
    return call_models.CallWithAttempts(
        id=1, campaign_id=1, number=number, problem="", payload={}, priority=0,
        alternates=[], import_id=None,
        status=CallStatus.COMPLETED_WITHOUT_ANSWER, phase=None, trunk=None, next_attempt_at=None,
        attempts_made=1, attempts_counted=1, last_outcome=Outcome.BUSY, last_rule="busy-486",
        created_at=NOW, updated_at=NOW, attempts=[attempt], campaign_name="demo",
        campaign_deleted_at=None,
    )  # fmt: skip


def their_call(call_id="abc", number=NUMBER, **facts):
    return CallRecord(call_id, number, 0.0, **{"finals": [486], **facts})


def ledger_of(*records):
    ledger = Ledger()
    ledger.calls.update({record.call_id: record for record in records})
    return ledger


def test_no_difference():
    assert compare([our_call()], ledger_of(their_call())) == []


def test_a_180_that_was_lost_on_the_way_is_no_difference():
    ours, theirs = our_call(number=LOSSY), their_call(number=LOSSY, provisionals=[180])
    assert compare([ours], ledger_of(theirs)) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "what"),
    [
        (our_call(), ledger_of(), "INVITEs (Call-IDs)"),
        (our_call(), ledger_of(their_call(), their_call("def")), "INVITEs (Call-IDs)"),
        (our_call(480), ledger_of(their_call()), "final code"),
        (our_call(), ledger_of(their_call(provisionals=[180])), "rang"),
        (our_call(), ledger_of(their_call(live={"tag"})), "dialogs left open"),
    ],
)
def test_a_difference_names_the_number_and_what(ours, theirs, what):
    assert [(one.number, one.what) for one in compare([ours], theirs)] == [(NUMBER, what)]

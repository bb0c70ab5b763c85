"""SIP words become campaign words, none of them lost."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

import pytest

from dialer.campaign import evidence as campaign
from dialer.campaign.calendar import Calendar
from dialer.campaign.number_rewriting import Rewriting
from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.status import CallStatus, Phase
from dialer.campaign.windows import windows_of
from dialer.engine import placer
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.rtp.early_media import EarlyMedia
from dialer.rtp.heard import Heard, HeardKind
from dialer.rtp.special_information import SpecialInformation
from dialer.store import attempt_records, records
from dialer.ua import call as sip
from dialer.ua.media_figures import MediaFigures

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
TABLE = OutcomeTable.default()
ATTEMPT = uuid.UUID(int=1)
TRYING, RINGING, PROGRESS = (
    sip.Provisional(code, phrase, NOW)
    for code, phrase in ((100, "Trying"), (180, "Ringing"), (183, "Session Progress"))
)
IDENTITY = sip.LegIdentity(
    call_id="abc",
    from_header="<sip:a@one>;tag=1",
    to_header="<sip:b@two>",
    request_uri="sip:b@two",
    via="SIP/2.0/UDP one;branch=z9hG4bK1",
    cseq=7,
    route=("<sip:three;lr>",),
    target_host="192.0.2.1",
    target_port=5070,
)
EARLY = EarlyMedia(
    begin=0.5,
    seconds=5.0,
    streams=1,
    packets=250,
    comfort_noise=0,
    others=2,
    heard=(
        Heard(
            HeardKind.SPECIAL_INFORMATION,
            1.0,
            2.0,
            0.97,
            SpecialInformation.REORDER,
            (914.0, 1428.5, 1776.7),
        ),
    ),
)
DIALOG = sip.DialogIdentity(
    call_id="abc",
    local="<sip:a@one>;tag=1",
    remote="<sip:b@two>;tag=2",
    local_cseq=8,
    remote_target="sip:b@four",
    route=("<sip:three;lr>",),
    target_host="192.0.2.1",
    target_port=5070,
)
RETRY = attempt_records.RetrySettings(
    max_attempts=3,
    retry_interval_seconds=600,
    retry_by_outcome={"busy": 90},
    redial_interrupted=False,
)
CLAIMED = attempt_records.ClaimedCall(
    id=10,
    account_id=1,
    campaign_id=2,
    number="+15552000000",
    dialable=True,
    problem="",
    payload={},
    trunk="carrier",
    trunks=("carrier", "pbx"),
    trunk_order="listed",
    caller_ids=("one", "two", "three"),
    ring_timeout_seconds=33,
    max_talk_seconds=44,
    on_answer={},
    retry=RETRY,
    history=attempt_records.CallHistory(
        attempts=0, counted=0, technical_in_a_row=0, declined=0, was=CallStatus.PLANNED
    ),
)


@pytest.mark.parametrize("cause", list(sip.LocalCause))
def test_every_local_cause_of_the_user_agent_has_its_like_and_a_rule(cause):
    evidence = placer.evidence_of(sip.CallResult("abc", local_cause=cause))
    assert evidence.local_cause == campaign.LocalCause(cause.value)
    assert TABLE.rule_for(evidence).match.local


def test_a_result_says_what_was_seen():
    result = sip.CallResult(
        "abc",
        code=480,
        phrase="Away",
        reasons=("Q.850;cause=19",),
        q850_cause=19,
        retry_after=5,
        provisionals=(TRYING, RINGING),
        rang=True,
    )
    assert placer.evidence_of(result) == campaign.Evidence(
        code=480,
        phrase="Away",
        reasons=("Q.850;cause=19",),
        q850=19,
        retry_after=5,
        rang=True,
        provisional=True,
        progressed=True,
    )


@pytest.mark.parametrize(
    ("provisionals", "provisional", "progressed"),
    [((), False, False), ((TRYING,), True, False), ((TRYING, PROGRESS), True, True)],
)
def test_only_more_than_100_is_progress(provisionals, provisional, progressed):
    evidence = placer.evidence_of(sip.CallResult("abc", provisionals=provisionals))
    assert (evidence.provisional, evidence.progressed) == (provisional, progressed)


@pytest.mark.parametrize(
    ("code", "answered", "has_2xx", "talking"),
    [(None, False, False, False), (200, True, True, True), (202, False, True, False),
     (300, False, False, False), (199, False, False, False)],
)  # fmt: skip
def test_a_2xx_is_an_answer_and_only_usable_media_is_talking(code, answered, has_2xx, talking):
    evidence = placer.evidence_of(sip.CallResult("abc", code=code, answered=answered))
    assert (evidence.answered, evidence.talking) == (has_2xx, talking)


def test_a_bye_is_an_answer_whose_2xx_was_lost():
    result = sip.CallResult("abc", hung_up_by=sip.HungUpBy.THEM)
    assert placer.evidence_of(result).answered


FIGURES = MediaFigures(
    codec="PCMU", secured=False, sent=125, unsent=0, received=124, lost=1, loss_percent=0.8,
    duplicates=0, reordered=0, dropped=0, comfort_noise=0, streams=1, jitter_ms=0.5,
    jitter_most_ms=2.0, longest_gap_ms=41, mos=4.2, far_end_lost=None, far_end_loss_percent=None,
    far_end_jitter_ms=None, far_end_mos=None, round_trip_ms=None,
)  # fmt: skip


def test_a_call_that_fell_silent_is_marked_and_explained():
    silent = sip.CallResult("abc", code=200, answered=True, rtp_timeout=60.0)
    rule = OutcomeTable.default().rule_for(placer.evidence_of(silent))
    assert (rule.outcome, placer.flags_of(rule, silent)) == ("answered", ("rtp_timeout",))
    assert placer.detail_of(silent) == "we hung up: no RTP had come from the far end for 60 s"
    assert placer.detail_of(sip.CallResult("abc")) == ""


def test_all_of_a_result_is_kept_as_evidence():
    times = {
        name: NOW + dt.timedelta(seconds=n)
        for n, name in enumerate(
            ("sent_at", "first_provisional_at", "ringing_at", "answered_at", "ended_at")
        )
    }
    result = sip.CallResult(
        "abc",
        code=200,
        phrase="OK",
        reasons=("SIP;cause=200",),
        q850_cause=16,
        retry_after=3,
        provisionals=(RINGING,),
        local_cause=sip.LocalCause.ANSWERED_LATE,
        rang=True,
        answered=True,
        hung_up_by=sip.HungUpBy.THEM,
        talk_seconds=2.5,
        rtp_packets_sent=125,
        rtp_packets_received=124,
        media=FIGURES,
        early_media=EARLY,
        **times,
    )
    kept = placer.leg_evidence(result)
    assert kept == records.LegEvidence(
        code=200,
        phrase="OK",
        reasons=("SIP;cause=200",),
        q850=16,
        retry_after=3,
        local_cause="answered_late",
        rang=True,
        answered=True,
        hung_up_by="them",
        provisionals=(records.Provisional(180, "Ringing", NOW),),
        talk_seconds=2.5,
        rtp_packets_sent=125,
        rtp_packets_received=124,
        media=dataclasses.asdict(FIGURES),
        early_media={
            "begin": 0.5,
            "seconds": 5.0,
            "streams": 1,
            "packets": 250,
            "comfort_noise": 0,
            "others": 2,
            "heard": [
                {
                    "kind": "special_information",
                    "begin": 1.0,
                    "end": 2.0,
                    "confidence": 0.97,
                    "special_information": "reorder",
                    "frequencies": [914.0, 1428.5, 1776.7],
                }
            ],
        },
        **times,
    )
    empty = records.LegEvidence()
    assert all(
        getattr(kept, field.name) != getattr(empty, field.name)
        for field in dataclasses.fields(kept)
    )


def test_what_a_cancel_or_a_bye_needs_survives_the_store():
    assert placer.stored_leg(placer.leg_identity(IDENTITY)) == IDENTITY
    kept = placer.progress(10, ATTEMPT, 0, sip.Answered(DIALOG, NOW)).dialog
    assert placer.stored_dialog(kept) == DIALOG


def test_every_event_of_a_call_becomes_progress():
    row = attempt_records.LegProgress(call_id=10, attempt_id=ATTEMPT, leg_ordinal=2)
    expected = {
        sip.InviteSent(IDENTITY, NOW): {
            "identity": records.LegIdentity(**dataclasses.asdict(IDENTITY)),
            "sent_at": NOW,
        },
        sip.Progress(PROGRESS, rings=False): {"first_provisional_at": NOW},
        sip.Progress(RINGING, rings=True): {
            "phase": Phase.RINGING,
            "first_provisional_at": NOW,
            "ringing_at": NOW,
        },
        sip.Answered(DIALOG, NOW): {
            "phase": Phase.TALKING,
            "dialog": records.DialogIdentity(**dataclasses.asdict(DIALOG)),
            "answered_at": NOW,
        },
    }
    for event, changes in expected.items():
        assert placer.progress(10, ATTEMPT, 2, event) == dataclasses.replace(row, **changes)
    assert {type(event) for event in expected} == set(sip.CallEvent.__args__)


def test_a_claimed_call_becomes_a_request_and_a_leg():
    trunk = sip.Trunk("carrier", "192.0.2.1")
    request = placer.call_request(CLAIMED, TrunkDefinition(trunk))
    assert request == sip.CallRequest(
        trunk=trunk, number="+15552000000", caller_id="two", ring_timeout=33.0, max_talk=44.0
    )
    leg = placer.new_leg(CLAIMED, ATTEMPT, request, IDENTITY)
    assert (leg.call_id, leg.attempt_id, leg.trunk) == (10, ATTEMPT, "carrier")
    assert (leg.number, leg.caller_id) == ("+15552000000", "two")
    assert placer.stored_leg(leg.identity) == IDENTITY


def test_caller_ids_take_turns_over_calls_and_attempts():
    used = [
        placer.caller_id_for(
            dataclasses.replace(
                CLAIMED,
                id=call,
                history=dataclasses.replace(CLAIMED.history, attempts=attempts),
            ),
            "trunk",
        )
        for call, attempts in ((9, 0), (10, 0), (11, 0), (11, 1))
    ]
    assert used == ["one", "two", "three", "one"]
    assert placer.caller_id_for(dataclasses.replace(CLAIMED, caller_ids=()), "trunk") == "trunk"


def test_flags_are_the_rules_and_that_more_than_one_has_answered():
    rule = TABLE.rule_for(campaign.Evidence(local_cause=campaign.LocalCause.ANSWERED_LATE))
    assert placer.flags_of(rule, None) == ("answered_late",)
    assert placer.flags_of(rule, sip.CallResult("abc", early_media=EARLY)) == (
        "answered_late",
        "heard_sit",
    )
    assert placer.flags_of(rule, sip.CallResult("abc", extra_forks=1)) == (
        "answered_late",
        "extra_forks",
    )


@pytest.mark.parametrize(
    ("counted", "status", "waits"),
    [(0, CallStatus.RETRY_SCHEDULED, 90), (2, CallStatus.COMPLETED_WITHOUT_ANSWER, None)],
)
def test_a_verdict_goes_by_the_history_and_the_campaigns_wishes(counted, status, waits):
    history = dataclasses.replace(CLAIMED.history, counted=counted)
    rule, verdict = placer.judge(TABLE, campaign.Evidence(code=486), history, RETRY, NOW)
    assert rule.name == verdict.rule == "busy-486"
    assert verdict == attempt_records.Verdict(
        outcome="busy",
        rule="busy-486",
        status=status,
        final_status=CallStatus.COMPLETED_WITHOUT_ANSWER,
        counted=True,
        next_attempt_at=None if waits is None else NOW + dt.timedelta(seconds=waits),
        technical_in_a_row=0,
        declined=0,
    )


def test_calls_that_failed_together_are_tried_again_within_the_campaigns_share_of_jitter():
    retry = dataclasses.replace(RETRY, retry_by_outcome={"busy": 1000}, jitter_percent=20)
    waits = [
        (verdict.next_attempt_at - NOW).total_seconds()
        for _, verdict in (
            placer.judge(TABLE, campaign.Evidence(code=486), CLAIMED.history, retry, NOW)
            for _ in range(200)
        )
    ]
    assert 1000 <= min(waits) < 1100 < max(waits) <= 1200
    assert len(set(waits)) > 100


def test_the_next_attempt_lies_in_the_hours_of_the_campaign():
    opens = NOW + dt.timedelta(hours=3)
    day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    hours = [{"days": day, "from": f"{opens:%H:%M}", "to": "24:00"}]
    retry = dataclasses.replace(RETRY, calendar=Calendar(("UTC",), windows=windows_of(hours)))
    _, verdict = placer.judge(TABLE, campaign.Evidence(code=486), CLAIMED.history, retry, NOW)
    assert verdict.next_attempt_at == opens


def test_a_number_that_a_trunk_would_be_asked_for_as_an_emergency_number_is_not_dialled():
    trunk = sip.Trunk("carrier", "192.0.2.1")
    definition = TrunkDefinition(trunk, rewriting=(Rewriting.of(r"^\+4989", ""),))
    munich = dataclasses.replace(CLAIMED, number="+4989112")
    with pytest.raises(ValueError, match="an emergency or short number"):
        placer.call_request(munich, definition)

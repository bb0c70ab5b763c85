from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.calendar import Calendar
from dialer.campaign.evidence import Evidence, LocalCause
from dialer.campaign.moves import call_may_move
from dialer.campaign.outcome import Outcome, RetryKind
from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.retry import LONGEST_RETRY_AFTER, History, RetryPolicy, decide
from dialer.campaign.status import CallStatus
from dialer.campaign.windows import windows_of

TABLE = OutcomeTable.default()
NOW = dt.datetime(2026, 3, 8, 6, 59, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
POLICY = RetryPolicy(max_attempts=3, interval=45 * MINUTE)
PLANNED, RETRY = CallStatus.PLANNED, CallStatus.RETRY_SCHEDULED
BUSY = Evidence(code=486)
DECLINED = Evidence(code=603)
NO_ROUTE = Evidence(code=404, q850=3)
CONGESTED = Evidence(code=503)
RATE_LIMITED = Evidence(code=503, phrase="CPS limit exceeded")


def after(evidence, history=History(), policy=POLICY):  # noqa: B008 - it is frozen
    return decide(TABLE.rule_for(evidence), evidence, history, policy, NOW)


def waits(decision):
    return (decision.next_attempt_at - NOW) / MINUTE


def test_an_answer_ends_the_call():
    decision = after(Evidence(code=200, rang=True, answered=True, talking=True))
    assert (decision.outcome, decision.rule) == (Outcome.ANSWERED, "answered-2xx")
    assert (decision.status, decision.final_status) == (CallStatus.ANSWERED, CallStatus.ANSWERED)
    assert decision.counts
    assert decision.next_attempt_at is None


def test_busy_is_tried_again_until_the_attempts_are_used_up():
    seen = [after(BUSY, History(counted=counted)) for counted in range(4)]
    done = CallStatus.COMPLETED_WITHOUT_ANSWER
    assert [decision.status for decision in seen] == [RETRY, RETRY, done, done]
    assert {decision.final_status for decision in seen} == {done}
    assert waits(seen[0]) == 20
    assert seen[2].next_attempt_at is None


def test_one_attempt_means_no_second():
    decision = after(BUSY, policy=RetryPolicy(max_attempts=1, interval=MINUTE))
    assert decision.status is CallStatus.COMPLETED_WITHOUT_ANSWER


@pytest.mark.parametrize(
    ("evidence", "minutes"),
    [
        (BUSY, 20),  # the table's
        (NO_ROUTE, 45),  # the table has none: the campaign's
        (Evidence(code=480), 7),  # the campaign's for this outcome goes before the table's
        (Evidence(code=408), 7),
        (CONGESTED, 5),
        (RATE_LIMITED, 0.5),
        (DECLINED, 24 * 60),
    ],
)
def test_whose_interval_holds(evidence, minutes):
    policy = RetryPolicy(
        max_attempts=3, interval=45 * MINUTE, by_outcome={"unreachable": 7 * MINUTE}
    )
    assert waits(after(evidence, policy=policy)) == minutes


@pytest.mark.parametrize(("jitter", "minutes"), [(0.0, 20), (0.25, 25), (0.5, 30)])
def test_each_wait_is_lengthened_by_its_share_of_jitter(jitter, minutes):
    policy = RetryPolicy(max_attempts=3, interval=45 * MINUTE, jitter=jitter)
    assert waits(after(BUSY, policy=policy)) == minutes
    late = Evidence(code=486, retry_after=2 * 3600)
    assert waits(after(late, policy=policy)) >= 120


@pytest.mark.parametrize(
    ("opens", "closes", "minutes"),
    [
        ("07:00", "09:00", 20),  # now is 06:59
        ("07:30", "09:00", 31),
        ("06:00", "07:00", 23 * 60 + 1),  # closed by then: the next day
    ],
)
def test_the_next_attempt_is_moved_to_where_a_window_is_open(opens, closes, minutes):
    every_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    windows = windows_of([{"days": every_day, "from": opens, "to": closes}])
    policy = RetryPolicy(3, 45 * MINUTE, calendar=Calendar(("UTC",), windows=windows))
    assert waits(after(BUSY, policy=policy)) == minutes


@pytest.mark.parametrize("seen", [{"rang": True}, {"answered": True}])
def test_whatever_rang_or_was_answered_counts(seen):
    plain = after(CONGESTED, History(technical_in_a_row=4))
    assert (plain.counts, plain.technical_in_a_row) == (False, 5)
    decision = after(Evidence(code=503, **seen), History(technical_in_a_row=4))
    assert (decision.counts, decision.technical_in_a_row) == (True, 0)


def test_the_trunks_faults_use_up_no_attempt_but_are_capped_in_a_row():
    last_chance = History(counted=2, technical_in_a_row=8)
    assert after(CONGESTED, last_chance).status is RETRY
    tenth = after(CONGESTED, History(counted=2, technical_in_a_row=9))
    assert (tenth.status, tenth.counts) == (CallStatus.TECHNICAL_ERROR, False)
    assert tenth.next_attempt_at is None
    assert after(BUSY, History(counted=0, technical_in_a_row=9)).technical_in_a_row == 0


def test_attempts_lowered_meanwhile_end_the_call_at_its_next_failure():
    assert after(CONGESTED, History(counted=3)).status is CallStatus.TECHNICAL_ERROR


def test_a_declined_call_is_tried_once_more_the_next_day():
    first = after(DECLINED)
    assert (first.status, waits(first), first.declined) == (RETRY, 24 * 60, 1)
    second = after(DECLINED, History(counted=1, declined=first.declined))
    assert (second.status, second.declined) == (CallStatus.COMPLETED_WITHOUT_ANSWER, 2)
    busy_between = after(BUSY, History(counted=1, declined=1))
    assert (busy_between.status, busy_between.declined) == (RETRY, 1)


@pytest.mark.parametrize("was", [PLANNED, RETRY])
def test_a_rate_limited_call_goes_back_to_what_it_was(was):
    decision = after(RATE_LIMITED, History(counted=1, was=was))
    assert (decision.status, decision.counts) == (was, False)
    assert waits(decision) == 0.5
    rang = after(Evidence(code=503, phrase="CPS limit exceeded", rang=True), History(was=was))
    assert (rang.status, rang.counts) == (RETRY, True)
    capped = after(RATE_LIMITED, History(technical_in_a_row=9, was=was))
    assert capped.status is CallStatus.TECHNICAL_ERROR


@pytest.mark.parametrize("code", [404, 480, 486, 600, 603])
def test_retry_after_about_the_person_moves_the_next_attempt(code):
    late = after(Evidence(code=code, rang=True, retry_after=2 * 24 * 3600))
    soon = after(Evidence(code=code, rang=True, retry_after=1))
    assert waits(late) == 2 * 24 * 60
    assert waits(soon) == waits(after(Evidence(code=code, rang=True)))


@pytest.mark.parametrize("code", [408, 500, 503])
def test_retry_after_about_the_trunk_does_not_move_the_call(code):
    assert waits(after(Evidence(code=code, retry_after=7 * 24 * 3600))) <= 45


def test_a_retry_after_beyond_all_measure_is_capped():
    decision = after(Evidence(code=486, retry_after=10**30))
    assert decision.next_attempt_at == NOW + LONGEST_RETRY_AFTER


def test_an_interrupted_call_is_redialled_only_where_the_campaign_says_so():
    lost = Evidence(local_cause=LocalCause.NODE_LOST, rang=True)
    asked = RetryPolicy(max_attempts=3, interval=45 * MINUTE, redial_interrupted=True)
    assert after(lost).status is CallStatus.TECHNICAL_ERROR
    assert (after(lost, policy=asked).status, waits(after(lost, policy=asked))) == (RETRY, 45)


def test_whom_a_bot_could_not_speak_to_is_redialled_only_where_the_campaign_says_so():
    failed = Evidence(local_cause=LocalCause.BOT_FAILED, code=200, answered=True, talking=True)
    asked = RetryPolicy(max_attempts=3, interval=45 * MINUTE, redial_bot_failure=True)
    assert after(failed).status is CallStatus.TECHNICAL_ERROR
    assert (after(failed, policy=asked).status, waits(after(failed, policy=asked))) == (RETRY, 45)


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [(LocalCause.MACHINE, "machine"), (LocalCause.FAX, "fax"), (LocalCause.SILENT, "silent")],
)
def test_a_machine_is_called_again_only_where_the_campaign_says_so_of_it(cause, outcome):
    met = Evidence(local_cause=cause, code=200, answered=True, talking=True)
    asked = RetryPolicy(3, 45 * MINUTE, redial_answered_by=frozenset({outcome}))
    other = RetryPolicy(3, 45 * MINUTE, redial_answered_by=frozenset({"other"}))
    assert after(met).status is CallStatus.COMPLETED_WITHOUT_ANSWER
    assert after(met, policy=other).status is CallStatus.COMPLETED_WITHOUT_ANSWER
    assert (after(met, policy=asked).status, waits(after(met, policy=asked))) == (RETRY, 45)


@pytest.mark.parametrize("redial", [False, True])
def test_whoever_has_answered_an_interrupted_call_is_not_rung_again(redial):
    lost = Evidence(local_cause=LocalCause.NODE_LOST, rang=True, answered=True)
    policy = RetryPolicy(max_attempts=3, interval=MINUTE, redial_interrupted=redial)
    assert after(lost, policy=policy).status is CallStatus.ANSWERED


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ({"rang": True, "answered": True, "talking": True}, CallStatus.ANSWERED),
        ({"rang": True}, CallStatus.COMPLETED_WITHOUT_ANSWER),
        ({"progressed": True}, CallStatus.NOT_DIALED),
    ],
)
def test_a_cancelled_call_is_over(seen, status):
    decision = after(Evidence(local_cause=LocalCause.CANCELLED, code=487, **seen))
    assert (decision.status, decision.next_attempt_at) == (status, None)


EVIDENCE = st.builds(
    Evidence,
    local_cause=st.none() | st.sampled_from(LocalCause),
    code=st.none() | st.integers(200, 699),
    phrase=st.sampled_from(["", "No route", "CPS limit exceeded", "Network Blocked"]),
    q850=st.none() | st.integers(0, 127),
    retry_after=st.none() | st.integers(0, 2**40),
    rang=st.booleans(),
    progressed=st.booleans(),
    answered=st.booleans(),
    talking=st.booleans(),
)
INTERVALS = st.timedeltas(min_value=dt.timedelta(0), max_value=dt.timedelta(days=7))
POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 5),
    interval=INTERVALS,
    by_outcome=st.dictionaries(st.sampled_from(Outcome), INTERVALS, max_size=3),
    redial_interrupted=st.booleans(),
    technical_cap=st.integers(1, 4),
)


@given(POLICIES, st.lists(EVIDENCE, min_size=1, max_size=30))
def test_a_calls_whole_life(policy, attempts):
    """Dial as the decisions say, until the call is over or nothing more is seen."""
    now, history = NOW, History()
    for evidence in attempts:
        rule = TABLE.rule_for(evidence)
        decision = decide(rule, evidence, history, policy, now)
        counted = history.counted + decision.counts
        assert counted <= policy.max_attempts
        assert decision.technical_in_a_row <= policy.technical_cap
        assert decision.counts or not (evidence.rang or evidence.answered)
        assert decision.final_status.final
        assert call_may_move(CallStatus.IN_PROGRESS, decision.status) or evidence.local_cause in {
            LocalCause.INVALID_NUMBER,
            LocalCause.SUPPRESSED,
            LocalCause.PLAN_LIMIT,
        }
        if decision.status.final:
            assert decision.next_attempt_at is None
            assert decision.status is decision.final_status
            spent = (
                counted == policy.max_attempts
                or decision.technical_in_a_row == policy.technical_cap
            )
            stubborn = rule.retry.kind in {RetryKind.YES, RetryKind.SOON}
            assert spent or not stubborn
            return
        assert rule.retry.kind is not RetryKind.NO
        assert decision.next_attempt_at > now
        history = History(
            counted=counted,
            technical_in_a_row=decision.technical_in_a_row,
            declined=decision.declined,
            was=decision.status,
        )
        now = decision.next_attempt_at

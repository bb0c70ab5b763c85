"""Every row of the outcome table: what was seen, and what follows."""

# ruff: noqa: E501 - a row of the table is one line

from __future__ import annotations

import datetime as dt

import pytest

from dialer.campaign.evidence import Evidence, LocalCause
from dialer.campaign.outcome import RetryKind
from dialer.campaign.outcome_table import OutcomeTable

TABLE = OutcomeTable.default()
L = LocalCause


def local(cause, **seen):
    return Evidence(local_cause=cause, **seen)


def code(number, q850=None, *, rang=False, phrase="", reasons=()):
    return Evidence(
        code=number,
        q850=q850,
        rang=rang,
        progressed=rang,
        provisional=True,
        phrase=phrase,
        reasons=reasons,
    )


ANSWERED = Evidence(code=200, rang=True, progressed=True, answered=True, talking=True)
TIMED_OUT = {"code": 487, "provisional": True}

NO, YES, ONCE, SOON = RetryKind.NO, RetryKind.YES, RetryKind.ONCE, RetryKind.SOON
IF_ASKED = RetryKind.IF_REDIAL_INTERRUPTED
IF_RETRY = RetryKind.IF_FALLBACK_IS_RETRY
IF_DETECTED = RetryKind.IF_DETECTION_IS_RETRY
CAMPAIGN = None  # the campaign's interval
C, F = True, False  # counts, does not count

# row, evidence, rule, outcome, final, retry, minutes, counts, failover, trunk
ROWS = [
    ("2xx", ANSWERED, "answered-2xx", "answered", "answered", NO, CAMPAIGN, C, "no", "healthy"),
    ("2xx without media", local(L.NO_MEDIA, code=200, answered=True), "no-usable-media", "media_failure", "technical_error", YES, 60, C, "no", "none"),
    ("machine", local(L.MACHINE, code=200, answered=True), "machine", "machine", "completed_without_answer", IF_DETECTED, CAMPAIGN, C, "no", "healthy"),
    ("message left", local(L.MESSAGE_LEFT, code=200, answered=True), "message-left", "machine", "answered", NO, CAMPAIGN, C, "no", "healthy"),
    ("fax", local(L.FAX, code=200, answered=True), "fax", "fax", "completed_without_answer", IF_DETECTED, CAMPAIGN, C, "no", "healthy"),
    ("silence", local(L.SILENT, code=200, answered=True), "silent", "silent", "completed_without_answer", IF_DETECTED, CAMPAIGN, C, "no", "healthy"),
    ("bot failed", local(L.BOT_FAILED, code=200, answered=True), "bot-failed", "bot_failure", "technical_error", IF_RETRY, CAMPAIGN, C, "no", "healthy"),
    ("ring timeout", local(L.RING_TIMEOUT, rang=True, progressed=True, **TIMED_OUT), "ring-timeout", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("ring timeout, 183 only", local(L.RING_TIMEOUT, progressed=True, **TIMED_OUT), "ring-timeout", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("ring timeout, 100 only", local(L.RING_TIMEOUT, **TIMED_OUT), "ring-timeout-only-trying", "unreachable", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("ring timeout, then 480", local(L.RING_TIMEOUT, code=480, q850=20, rang=True), "ring-timeout", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("ring timeout, no final", local(L.RING_TIMEOUT, rang=True), "ring-timeout", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("200 crosses CANCEL", local(L.ANSWERED_LATE, code=200, rang=True, answered=True), "answered-late", "no_answer", "completed_without_answer", YES, CAMPAIGN, C, "no", "healthy"),
    ("487 not ours, rang", code(487, rang=True), "no-answer-487-rang", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("487 not ours", code(487), "network-failure-487", "network_failure", "technical_error", YES, 5, F, "yes", "none"),
    ("Q.850 18", code(408, 18), "no-answer-q850-18-19", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("Q.850 19", code(480, 19, rang=True), "no-answer-q850-18-19", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("480 rang", code(480, rang=True), "no-answer-480-rang", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("480 rang, 20", code(480, 20, rang=True), "no-answer-480-q850-20-31-rang", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("480 rang, 31", code(480, 31, rang=True), "no-answer-480-q850-20-31-rang", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("Q.850 20", code(480, 20), "unreachable-q850-20", "unreachable", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("Q.850 20, 500 rang", code(500, 20, rang=True), "unreachable-q850-20", "unreachable", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("480", code(480), "unreachable-480", "unreachable", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("480, 31", code(480, 31), "unreachable-480", "unreachable", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("404, 2", code(404, 2), "no-route-q850-2-3", "no_route", "technical_error", YES, CAMPAIGN, F, "yes", "none"),
    ("480, 3 rang", code(480, 3, rang=True), "no-route-q850-2-3", "no_route", "technical_error", YES, CAMPAIGN, F, "yes", "none"),
    ("404 No Route", code(404, 1, phrase="No route to destination"), "no-route-phrase", "no_route", "technical_error", YES, CAMPAIGN, F, "yes", "none"),
    ("480 NO_ROUTE", code(480, phrase="NO_ROUTE_DESTINATION"), "no-route-phrase", "no_route", "technical_error", YES, CAMPAIGN, F, "yes", "none"),
    ("408 rang", code(408, rang=True), "no-answer-408-rang", "no_answer", "completed_without_answer", YES, CAMPAIGN, C, "no", "healthy"),
    ("408", code(408), "unreachable-408", "unreachable", "completed_without_answer", YES, CAMPAIGN, C, "no", "healthy"),
    ("Timer B", local(L.TIMER_B), "timer-b", "trunk_unreachable", "technical_error", YES, CAMPAIGN, F, "yes", "breaker"),
    ("transport", local(L.TRANSPORT), "transport-error", "trunk_unreachable", "technical_error", YES, CAMPAIGN, F, "yes", "breaker"),
    ("DNS", local(L.DNS), "dns-error", "trunk_unreachable", "technical_error", YES, CAMPAIGN, F, "yes", "breaker"),
    ("transport after answer", local(L.TRANSPORT, code=200, answered=True), "answered-then-trunk-fault", "answered", "answered", NO, CAMPAIGN, C, "no", "none"),
    ("486", code(486, 17), "busy-486", "busy", "completed_without_answer", YES, 20, C, "no", "healthy"),
    ("600", code(600), "busy-600", "busy", "completed_without_answer", YES, 20, C, "no", "healthy"),
    ("Q.850 17", code(503, 17), "busy-q850-17", "busy", "completed_without_answer", YES, 20, C, "no", "healthy"),
    ("603 Network Blocked", code(603, 21, phrase="NETWORK BLOCKED"), "blocked-603", "blocked", "technical_error", NO, CAMPAIGN, C, "no", "none"),
    ("603 analytics", code(603, 16, rang=True, reasons=('Q.850;cause=16;text="v=analytics1;url=https://example.net"',)), "blocked-603", "blocked", "technical_error", NO, CAMPAIGN, C, "no", "none"),
    ("603 analytics later in the text", code(603, reasons=('SIP;cause=603;text="no v=analytics1"',)), "declined-603", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    ("608", code(608), "blocked-608", "blocked", "technical_error", NO, CAMPAIGN, C, "no", "none"),
    ("Q.850 21", code(403, 21), "declined-q850-21-24", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    ("Q.850 24", code(500, 24), "declined-q850-21-24", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    ("603", code(603, rang=True), "declined-603", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    ("603, 0 rang", code(603, 0, rang=True), "no-answer-603-q850-0-16-rang", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("603, 16 rang", code(603, 16, rang=True), "no-answer-603-q850-0-16-rang", "no_answer", "completed_without_answer", YES, 60, C, "no", "healthy"),
    ("603, 0", code(603, 0), "declined-603-q850-0-16", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    ("603, 16", code(603, 16), "declined-603-q850-0-16", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    ("other 6xx", code(699, 17), "declined-6xx", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    ("607", code(607), "unwanted-607", "unwanted", "completed_without_answer", NO, CAMPAIGN, C, "no", "none"),
    *(
        (f"{number}", code(number), "invalid-number-404-410-484-485-604", "invalid_number", "technical_error", NO, CAMPAIGN, C, "no", "healthy")
        for number in (404, 410, 484, 485, 604)
    ),
    *(
        (f"{number} rang", code(number, rang=True), "no-answer-404-410-484-485-604-rang", "no_answer", "completed_without_answer", YES, CAMPAIGN, C, "no", "healthy")
        for number in (404, 410, 484, 485, 604)
    ),
    *(
        (f"Q.850 {cause}", code(603, cause), "invalid-number-q850-1-22-28", "invalid_number", "technical_error", NO, CAMPAIGN, C, "no", "healthy")
        for cause in (1, 22, 28)
    ),
    *(
        (f"Q.850 {cause} rang", code(480, cause, rang=True), "no-answer-q850-1-22-28-rang", "no_answer", "completed_without_answer", YES, CAMPAIGN, C, "no", "healthy")
        for cause in (1, 22, 28)
    ),
    ("not dialable", local(L.INVALID_NUMBER), "number-not-dialable", "invalid_number", "technical_error", NO, CAMPAIGN, C, "no", "none"),
    ("no trunk takes it", local(L.NO_ROUTE), "no-trunk-takes-number", "no_route", "technical_error", YES, CAMPAIGN, F, "no", "none"),
    ("credentials refused", local(L.AUTHENTICATION, code=407), "auth-failed", "trunk_auth_failed", "technical_error", YES, CAMPAIGN, F, "no", "down"),
    ("401", code(401), "auth-failed-401-407", "trunk_auth_failed", "technical_error", YES, CAMPAIGN, F, "no", "down"),
    ("407", code(407), "auth-failed-401-407", "trunk_auth_failed", "technical_error", YES, CAMPAIGN, F, "no", "down"),
    ("402", code(402), "no-funds-402", "trunk_no_funds", "technical_error", YES, CAMPAIGN, F, "no", "down"),
    ("403", code(403), "forbidden-403", "forbidden", "technical_error", YES, CAMPAIGN, F, "once", "none"),
    *(
        (f"Q.850 {cause}", code(501, cause), "forbidden-q850", "forbidden", "technical_error", YES, CAMPAIGN, F, "once", "none")
        for cause in (29, 50, 52, 53, 54, 55, 57)
    ),
    *(
        (f"{number}", code(number), "caller-identity-428-433-436-437-438", "caller_identity_rejected", "technical_error", NO, CAMPAIGN, F, "no", "none")
        for number in (428, 433, 436, 437, 438)
    ),
    *(
        (f"{number}", code(number), "media-rejected-415-488-606", "media_rejected", "technical_error", YES, CAMPAIGN, F, "other_trunk_only", "none")
        for number in (415, 488, 606)
    ),
    *(
        (f"Q.850 {cause}", code(503, cause), "media-rejected-q850", "media_rejected", "technical_error", YES, CAMPAIGN, F, "other_trunk_only", "none")
        for cause in (58, *range(62, 80), 88)
    ),
    ("Q.850 27", code(502, 27), "unreachable-q850-27", "unreachable", "completed_without_answer", YES, 60, C, "no", "healthy"),
    *(
        (f"{number}", code(number), "network-failure-5xx-known", "network_failure", "technical_error", YES, 5, F, "yes", "none")
        for number in (500, 501, 502, 504, 505, 513, 555, 580)
    ),
    *(
        (f"Q.850 {cause}", code(603, cause), "network-failure-q850", "network_failure", "technical_error", YES, 5, F, "yes", "none")
        for cause in (38, 41, 102, 4, 5, 6, 7, 8, 9, 14, 25, 30, 39, 40, 43, 44, 45, 46, 48, 49, *range(112, 127))
    ),
    ("503", code(503), "trunk-congested-503", "trunk_congested", "technical_error", YES, 5, F, "yes", "hold_target"),
    *(
        (f"Q.850 {cause}", code(500, cause), "trunk-congested-q850-34-42-47", "trunk_congested", "technical_error", YES, 5, F, "yes", "hold_target")
        for cause in (34, 42, 47)
    ),
    *(
        (phrase, code(number, phrase=phrase), "rate-limited", "rate_limited", "technical_error", SOON, 0.5, F, "no", "slow_down")
        for number, phrase in (
            (403, "CPS limit exceeded"),
            (486, "Concurrent call limit exceeded"),
            (503, "Calls per second reached"),
            (480, "Rate Limited"),
            (503, "Maximum call rate reached"),
            (500, "Too many calls"),
            (403, "Channel limit exceeded"),
            (599, "throttled"),
        )
    ),
    ("rate limit in a Reason", code(503, 42, reasons=("Q.850;cause=42", 'SIP;cause=503;text="simultaneous calls"')), "rate-limited", "rate_limited", "technical_error", SOON, 0.5, F, "no", "slow_down"),
    ("rate limit on a 6xx", code(603, phrase="CPS limit"), "declined-603", "declined", "completed_without_answer", ONCE, 24 * 60, C, "no", "healthy"),
    *(
        (f"{number}", code(number, 23), "redirected-3xx", "redirected", "technical_error", NO, CAMPAIGN, C, "no", "none")
        for number in (300, 301, 302, 305, 380, 399)
    ),
    *(
        (f"{number}", code(number), "protocol-error-420-421-422", "protocol_error", "technical_error", YES, CAMPAIGN, F, "yes", "none")
        for number in (420, 421, 422)
    ),
    *(
        (f"{number}", code(number), "protocol-error-482-483-491", "protocol_error", "technical_error", YES, CAMPAIGN, F, "yes", "none")
        for number in (482, 483, 491)
    ),
    *(
        (f"{number}", code(number), "protocol-error-4xx", "protocol_error", "technical_error", YES, CAMPAIGN, F, "yes", "none")
        for number in (400, 405, 406, 413, 416, 477, 481, 493, 499)
    ),
    *(
        (f"Q.850 {cause}", code(404, cause), "protocol-error-q850", "protocol_error", "technical_error", YES, CAMPAIGN, F, "yes", "none")
        for cause in (80, 81, *range(95, 102), 103, 111)
    ),
    ("unknown 5xx", code(599), "network-failure-5xx", "network_failure", "technical_error", YES, 5, F, "yes", "none"),
    *(
        (f"Q.850 {cause}", code(603, cause), "no-answer-q850-23-26", "no_answer", "completed_without_answer", YES, CAMPAIGN, C, "no", "healthy")
        for cause in (23, 26)
    ),
    ("cancelled talking", local(L.CANCELLED, code=200, rang=True, answered=True, talking=True), "cancelled-talking", "cancelled", "answered", NO, CAMPAIGN, C, "no", "none"),
    ("cancelled ringing", local(L.CANCELLED, code=487, rang=True), "cancelled-ringing", "cancelled", "completed_without_answer", NO, CAMPAIGN, C, "no", "none"),
    ("cancelled early", local(L.CANCELLED, code=487, progressed=True), "cancelled-before-ringing", "cancelled", "not_dialed", NO, CAMPAIGN, C, "no", "none"),
    ("node died", local(L.NODE_LOST, rang=True), "interrupted", "interrupted", "technical_error", IF_ASKED, CAMPAIGN, C, "no", "none"),
    ("node died after the answer", local(L.NODE_LOST, rang=True, answered=True), "interrupted-answered", "interrupted", "answered", NO, CAMPAIGN, C, "no", "none"),
    ("unique users", local(L.PLAN_LIMIT), "plan-limit", "plan_limit_exceeded", "plan_limit_exceeded", NO, CAMPAIGN, F, "no", "none"),
    ("do not call", local(L.SUPPRESSED), "suppressed", "suppressed", "not_dialed", NO, CAMPAIGN, F, "no", "none"),
    ("their BYE, the 2xx was lost", Evidence(rang=True, answered=True), "answered-and-lost", "answered", "answered", NO, CAMPAIGN, C, "no", "healthy"),
    ("nothing final at all", Evidence(), "no-final-response", "network_failure", "technical_error", YES, 5, F, "yes", "none"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_row(row):
    _, evidence, name, outcome, final, retry, minutes, counts, failover, trunk = row
    rule = TABLE.rule_for(evidence)
    interval = None if minutes is None else dt.timedelta(minutes=minutes)
    assert (rule.name, rule.outcome, rule.final) == (name, outcome, final)
    assert (rule.retry.kind, rule.retry.interval) == (retry, interval)
    assert (rule.counts, rule.failover, rule.trunk) == (counts, failover, trunk)


def test_every_rule_is_met_by_a_row():
    assert {row[2] for row in ROWS} == {rule.name for rule in TABLE.rules}


@pytest.mark.parametrize(
    ("name", "flags", "alarm"),
    [
        ("answered-late", ("answered_late",), "none"),
        ("interrupted-answered", ("answered",), "none"),
        ("unwanted-607", ("do_not_call",), "none"),
        ("no-usable-media", (), "media"),
        ("bot-failed", (), "bot"),
        ("busy-486", (), "busy_burst"),
        ("busy-600", (), "none"),
        ("blocked-603", (), "caller_id"),
        ("blocked-608", (), "caller_id"),
        ("caller-identity-428-433-436-437-438", (), "caller_id"),
    ],
)
def test_flags_and_alarms(name, flags, alarm):
    (rule,) = [rule for rule in TABLE.rules if rule.name == name]
    assert (rule.flags, rule.alarm) == (flags, alarm)


@pytest.mark.parametrize(
    "phrase",
    [
        "Temporarily unavailable",
        "Rate center not found",
        "Operator separated",
        "Too Many Hops",
        "Credit limit exceeded",
        "Session Interval Too Small",
        "Request rejected by corporate policy",
    ],
)
def test_phrases_that_speak_of_no_rate(phrase):
    assert TABLE.rule_for(code(403, phrase=phrase)).outcome == "forbidden"


def test_reason_texts_are_read_from_header_values():
    evidence = Evidence(
        reasons=(
            'SIP ;cause=603 ;TEXT="a \\"b\\" ; c", Q.850;cause=21;text=token',
            "Q.850;cause=16",
        )
    )
    assert evidence.reason_texts == ('a "b" ; c', "token")

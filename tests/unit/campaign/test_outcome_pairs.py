"""Every pair of code and Q.850 cause meets one rule, the one that the table's words say."""

from __future__ import annotations

import pathlib
import re

import pytest

from dialer.campaign.evidence import Evidence
from dialer.campaign.outcome_table import OutcomeTable

TABLE = OutcomeTable.default()
CAUSES = [None, *range(128)]
OVERRULED = {403, 404, 408, 480, 500, 501, 502, 503, 504, 603}
ASTERISK = re.compile(r"(?P<code>\d{3}) (?P<phrase>.+?) \[(?P<reasons>.+?)\] -> (\w+) (\w+)")


def by_cause(cause, rang):
    """What a cause says of the codes that it overrules."""
    if cause in {18, 19, 23, 26}:
        return "no_answer"
    if cause in {20, 27}:
        return "unreachable"
    if cause == 17:
        return "busy"
    if cause in {21, 24}:
        return "declined"
    if cause in {1, 22, 28}:
        return "no_answer" if rang else "invalid_number"
    if cause in {29, 50, 52, 53, 54, 55, 57}:
        return "forbidden"
    if cause in {58, 88} or 62 <= cause <= 79:
        return "media_rejected"
    if cause in {34, 42, 47}:
        return "trunk_congested"
    if cause in {38, 102, 14, 25, 30} or 4 <= cause <= 9 or 39 <= cause <= 49:
        return "network_failure"
    if 112 <= cause <= 126:
        return "network_failure"
    if cause in {80, 81, 103, 111} or 95 <= cause <= 101:
        return "protocol_error"
    return None


def by_code(code, rang):
    """What a code says alone."""
    if code < 400:
        return "redirected"
    if code in {480, 408}:
        return "no_answer" if rang else "unreachable"
    if code == 487:
        return "no_answer" if rang else "network_failure"
    if code in {404, 410, 484, 485, 604}:
        return "no_answer" if rang else "invalid_number"
    named = {
        401: "trunk_auth_failed", 402: "trunk_no_funds", 403: "forbidden",
        407: "trunk_auth_failed", 415: "media_rejected", 428: "caller_identity_rejected",
        433: "caller_identity_rejected", 436: "caller_identity_rejected",
        437: "caller_identity_rejected", 438: "caller_identity_rejected", 486: "busy",
        488: "media_rejected", 503: "trunk_congested", 600: "busy", 606: "media_rejected",
        607: "unwanted", 608: "blocked",
    }  # fmt: skip
    classes = {4: "protocol_error", 5: "network_failure", 6: "declined"}
    return named.get(code, classes[code // 100])


def expected(code, cause, rang):
    if code in {404, 480} and cause in {2, 3}:
        return "no_route"
    if code == 480 and cause == 20 and rang:
        return "no_answer"
    if code == 603 and cause in {0, 16}:
        return "no_answer" if rang else "declined"
    said = None
    if code in OVERRULED and cause not in {None, 0, 16, 31, 127}:
        said = by_cause(cause, rang)
    return said or by_code(code, rang)


@pytest.mark.parametrize("hundred", range(300, 700, 100))
def test_every_pair_meets_exactly_one_rule(hundred):
    for code in range(hundred, hundred + 100):
        for cause in CAUSES:
            for rang in (False, True):
                evidence = Evidence(code=code, q850=cause, rang=rang)
                fitting = [rule for rule in TABLE.candidates(evidence) if rule.match.fits(evidence)]
                best = [rule for rule in fitting if rule.match.rank == fitting[0].match.rank]
                assert [rule.outcome for rule in best] == [expected(code, cause, rang)], evidence
                assert TABLE.rule_for(evidence) is best[0]


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in pathlib.Path(__file__).with_name("asterisk_causes.txt").read_text().splitlines()
        if not line.startswith("#")
    ],
)
def test_what_asterisk_sends_for_each_cause(line):
    extension, seen = line.split(" ", 1)
    parts = ASTERISK.fullmatch(seen)
    reasons = tuple(parts["reasons"].split("; Q.850;"))
    cause = int(re.search(r"cause=(\d+)", reasons[-1])[1])
    assert extension == f"3{cause:03}" or (extension, cause) == ("3000", 16)
    evidence = Evidence(
        code=int(parts["code"]),
        phrase=parts["phrase"],
        reasons=reasons,
        q850=cause,
        provisional=True,
    )
    rule = TABLE.rule_for(evidence)
    assert (str(rule.outcome), str(rule.final)) == (parts[4], parts[5])


def test_all_41_answers_of_asterisk_are_there():
    lines = pathlib.Path(__file__).with_name("asterisk_causes.txt").read_text().splitlines()
    assert sum(not line.startswith("#") for line in lines) == 41

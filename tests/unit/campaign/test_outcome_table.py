"""Reading an outcome table: what is wrong is said in one line with rule and key."""

from __future__ import annotations

import importlib.resources

import pytest

from dialer.campaign.evidence import Evidence, LocalCause
from dialer.campaign.moves import CALL_MOVES, CallAction
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable, OutcomeTableError
from dialer.campaign.status import CallStatus

TEXT = importlib.resources.files("dialer.campaign").joinpath("outcomes.toml").read_text()


def changed(old, new):
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def with_rule(text):
    return f'{TEXT}\n[[rule]]\nname = "new"\noutcome = "busy"\n{text}\n'


def test_the_default_is_what_the_file_says():
    assert OutcomeTable.load(TEXT).rules == OutcomeTable.default().rules


def test_every_outcome_is_reached_by_a_rule():
    assert {rule.outcome for rule in OutcomeTable.default().rules} == set(Outcome)


def test_every_final_status_is_one_that_an_attempt_may_lead_to():
    ends = (
        CALL_MOVES[CallStatus.IN_PROGRESS, CallAction.END]
        | CALL_MOVES[CallStatus.PLANNED, CallAction.REFUSE]
    )
    assert {rule.final for rule in OutcomeTable.default().rules} == ends


def test_a_rule_of_ones_own_goes_before_a_less_specific_one():
    table = OutcomeTable.load(with_rule('class = ["4xx"]\ntext = ["line engaged"]'))
    seen = Evidence(code=480, reasons=('Q.850;cause=31;text="Line ENGAGED"',))
    assert table.rule_for(seen).name == "new"
    assert table.rule_for(Evidence(code=480)).name == "unreachable-480"


def test_among_rules_with_text_the_first_in_the_file_goes_first():
    table = OutcomeTable.load(with_rule('class = ["5xx"]\nphrase = ["calls"]'))
    assert table.rule_for(Evidence(code=503, phrase="too many calls")).name == "rate-limited"
    assert table.rule_for(Evidence(code=503, phrase="no calls today")).name == "new"


def test_a_rule_may_differ_from_its_outcome():
    table = OutcomeTable.load(with_rule('code = [499]\nretry = "no"\nfinal = "not_dialed"'))
    rule = table.rule_for(Evidence(code=499))
    assert (rule.retry.kind, rule.final, rule.counts) == ("no", "not_dialed", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule = [", "outcome table: not TOML: "),
        ("", "outcome table: q850_codes: field required"),
        (with_rule("code = [486]"), "rule new: could match together with busy-486; make one more"),
        (with_rule("q850 = [17]"), "rule new: could match together with busy-q850-17; "),
        (with_rule('local = ["dns"]'), "rule new: could match together with dns-error; "),
        (with_rule('class = ["5xx"]'), "rule new: could match together with network-failure-5xx;"),
        (with_rule("rang = true"), "rule new: name one of local, code, class, q850"),
        (with_rule('code = [400]\nclass = ["5xx"]'), "rule new: class: a rule names codes or a "),
        (with_rule('local = ["dns"]\ncode = [400]'), "rule new: local: a local cause goes with no"),
        (with_rule("code = [99]"), "rule new: code.0"),
        (with_rule('code = ["400-700"]'), "rule new: code: 400-700 is not a range within 200-699"),
        (with_rule('q850 = ["9-4"]'), "rule new: q850: 9-4 is not a range within 0-127"),
        (with_rule('code = [499]\nphrase = ["("]'), "rule new: phrase: '(' is not a regular expr"),
        (with_rule('code = [499]\nretry = "later"'), "rule new: retry: 'later' is not one of "),
        (with_rule('code = [499]\nretry = "no, 5 min"'), "rule new: retry: 'no, 5 min' has a time"),
        (with_rule('code = [499]\nretry = "yes, 0 min"'), "rule new: retry: 'yes, 0 min' has a "),
        (with_rule('code = [499]\nfinal = "planned"'), "rule new: final: planned is not a final "),
        (with_rule("code = [499]\ncolour = 1"), "rule new: colour: extra inputs are not permitted"),
        (with_rule('code = [499]\nrang = "yes"'), "rule new: rang: input should be a valid bool"),
        (with_rule('code = [499]\ntrunk = "up"'), "rule new: trunk: input should be 'healthy', "),
        (
            changed('name = "busy-600"\n', 'name = "busy-486"\n'),
            "rule busy-486: this name is used twice; names are unique",
        ),
        (changed('name = "busy-600"\n', ""), "rule number 53: name: field required"),
        (
            changed('class = ["5xx"]\noutcome = "network_failure"', 'class = ["5xx"]\noutcome = 1'),
            "rule network-failure-5xx: outcome: input should be 'answered', ",
        ),
        (
            "\n".join(line for line in TEXT.splitlines() if not line.startswith("busy = ")),
            "rule busy-q850-17: outcome: add busy to [outcomes]",
        ),
        (
            changed('[[rule]]\nname = "declined-6xx"\nclass = ["6xx"]\noutcome = "declined"\n', ""),
            "outcome table: no rule for 601 with rang=False, progressed=False, answered=False, ",
        ),
        (
            changed('local = ["ring_timeout"]\nprogressed = false', 'local = ["fax"]\nrang = true'),
            "outcome table: no rule for local ring_timeout with rang=False, progressed=False, ",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, message):
    with pytest.raises(OutcomeTableError) as caught:
        OutcomeTable.load(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cause", LocalCause)
def test_every_local_cause_has_rules(cause):
    assert OutcomeTable.default().rule_for(Evidence(local_cause=cause)).match.local


@pytest.mark.parametrize("code", [0, 1, 100, 199, 700, 999])
def test_what_is_no_final_code_still_meets_a_rule(code):
    assert OutcomeTable.default().rule_for(Evidence(code=code)).name == "no-final-response"

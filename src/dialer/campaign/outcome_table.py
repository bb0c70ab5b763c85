"""The outcome table: rules read from TOML, of which exactly one decides for any evidence."""

from __future__ import annotations

import datetime as dt
import functools
import importlib.resources
import itertools
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
)

from dialer.campaign.evidence import Evidence, LocalCause
from dialer.campaign.outcome import (
    Alarm,
    Failover,
    Match,
    Outcome,
    Retry,
    RetryKind,
    Rule,
    TrunkEffect,
    final_code,
)
from dialer.campaign.status import CallStatus  # noqa: TC001 - pydantic needs it at run time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CLASSES = {f"{first}xx": range(first * 100, first * 100 + 100) for first in range(2, 7)}
CLASSES["none"] = range(1)
INTERVAL = re.compile(r"(?P<kind>[a-z_ ]+?)(?:, (?P<number>\d{1,5}) (?P<unit>s|min|h))?")
SECONDS = {"s": 1, "min": 60, "h": 3600}


class OutcomeTableError(ValueError):
    """A table that cannot be used; the message is one line: which rule, which key, what to do."""


class OutcomeTable:
    """Rules in the order in which they are asked, the most specific first."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.match.rank))
        self._by_cause = {
            cause: tuple(rule for rule in self.rules if cause in rule.match.local)
            for cause in LocalCause
        }
        self._by_code = {
            code: tuple(rule for rule in self.rules if code in rule.match.codes)
            for span in CLASSES.values()
            for code in span
        }

    @classmethod
    def load(cls, text: str, *changes: str) -> OutcomeTable:
        """Read a whole table from TOML text; raises OutcomeTableError.

        Each of `changes` is TOML of the same form: it replaces rules of the same name and single
        keys of [outcomes], and adds the rest. A table that is loaded has exactly one deciding rule
        for every evidence.
        """
        table = cls(_read(text, *changes))
        _check_unambiguous(table)
        _check_complete(table)
        return table

    @classmethod
    @functools.cache
    def default(cls) -> OutcomeTable:
        """Return the table that comes with the program."""
        return cls.load(default_text())

    def rule_for(self, evidence: Evidence) -> Rule:
        """Return the rule that decides; raises LookupError only where `load` was not used."""
        for rule in self.candidates(evidence):
            if rule.match.fits(evidence):
                return rule
        raise LookupError(f"no rule for {evidence}")

    def candidates(self, evidence: Evidence) -> tuple[Rule, ...]:
        """Return the rules that ask for its local cause or else its code, most specific first."""
        if evidence.local_cause is not None:
            return self._by_cause[evidence.local_cause]
        return self._by_code[final_code(evidence.code)]


def default_text() -> str:
    """Return the TOML of the table that comes with the program."""
    return (
        importlib.resources.files("dialer.campaign")
        .joinpath("outcomes.toml")
        .read_text(encoding="utf-8")
    )


Code = Annotated[int, Field(ge=200, le=699)]
CauseNumber = Annotated[int, Field(ge=0, le=127)]
ClassName = Literal["2xx", "3xx", "4xx", "5xx", "6xx", "none"]
Flag = Literal["answered", "answered_late", "do_not_call"]
Span = Annotated[str, StringConstraints(pattern=r"^\d{1,3}-\d{1,3}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Consequences(_Strict):
    final: CallStatus
    retry: str
    counts: StrictBool
    failover: Failover = Failover.NO
    trunk: TrunkEffect = TrunkEffect.NONE
    alarm: Alarm = Alarm.NONE
    flags: tuple[Flag, ...] = ()


class _RuleEntry(_Strict):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    outcome: Outcome
    local: tuple[LocalCause, ...] = ()
    code: tuple[Code | Span, ...] = ()
    class_: tuple[ClassName, ...] = Field((), alias="class")
    phrase: tuple[str, ...] = ()
    reason_text: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    q850: tuple[CauseNumber | Span, ...] = ()
    rang: StrictBool | None = None
    progressed: StrictBool | None = None
    answered: StrictBool | None = None
    talking: StrictBool | None = None
    final: CallStatus | None = None
    retry: str | None = None
    counts: StrictBool | None = None
    failover: Failover | None = None
    trunk: TrunkEffect | None = None
    alarm: Alarm | None = None
    flags: tuple[Flag, ...] | None = None


class _Table(_Strict):
    q850_codes: tuple[Code | Span, ...]
    outcomes: dict[Outcome, _Consequences]
    rule: tuple[_RuleEntry, ...]


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OutcomeTableError(f"outcome table: not TOML: {error}") from None


def _merged(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a table with changes laid over it; what has another form is left to the model."""
    outcomes, rules = changes.get("outcomes", {}), changes.get("rule", [])
    if not isinstance(outcomes, dict) or not isinstance(rules, list):
        return {**data, **changes}
    merged = {
        name: {**data["outcomes"].get(name, {}), **one} if isinstance(one, dict) else one
        for name, one in outcomes.items()
    }
    replaced = {rule.get("name") for rule in rules if isinstance(rule, dict)}
    kept = [rule for rule in data["rule"] if rule["name"] not in replaced]
    return {
        **data,
        **changes,
        "outcomes": {**data["outcomes"], **merged},
        "rule": [*kept, *rules],
    }


def _read(text: str, *changes: str) -> list[Rule]:
    data = functools.reduce(_merged, map(_parsed, changes), _parsed(text))
    try:
        table = _Table.model_validate(data)
    except ValidationError as error:
        raise OutcomeTableError(_one_line(error, data)) from None
    names = [entry.name for entry in table.rule]
    for name in names:
        if names.count(name) > 1:
            raise OutcomeTableError(f"rule {name}: this name is used twice; names are unique")
    implied = _numbers(table.q850_codes, 200, 699, "outcome table: q850_codes")
    return [_rule(entry, table.outcomes, implied) for entry in table.rule]


def _one_line(error: ValidationError, data: dict[str, object]) -> str:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    rules = data.get("rule")
    place = "outcome table"
    if where[0] == "rule" and len(where) > 1 and isinstance(rules, list):
        entry = rules[int(where[1])]
        name = entry.get("name") if isinstance(entry, dict) else None
        place, where = f"rule {name or 'number ' + str(int(where[1]) + 1)}", where[2:]
    return f"{place}: {'.'.join(where) or 'table'}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _rule(
    entry: _RuleEntry, outcomes: dict[Outcome, _Consequences], implied: frozenset[int]
) -> Rule:
    where = f"rule {entry.name}"
    defaults = outcomes.get(entry.outcome)
    if defaults is None:
        raise OutcomeTableError(f"{where}: outcome: add {entry.outcome} to [outcomes]")
    said = entry.model_dump(include=set(_Consequences.model_fields), exclude_none=True)
    says = defaults.model_copy(update=said)
    return Rule(
        name=entry.name,
        match=_match(entry, implied),
        outcome=entry.outcome,
        final=_final(says.final, where),
        retry=_retry(says.retry, where),
        counts=says.counts,
        failover=says.failover,
        trunk=says.trunk,
        alarm=says.alarm,
        flags=says.flags,
    )


def _match(entry: _RuleEntry, implied: frozenset[int]) -> Match:
    where = f"rule {entry.name}"
    of_response = entry.code or entry.class_ or entry.q850
    if entry.local and (of_response or entry.phrase or entry.reason_text or entry.text):
        raise OutcomeTableError(f"{where}: local: a local cause goes with no code, text or q850")
    if not entry.local and not of_response:
        raise OutcomeTableError(f"{where}: name one of local, code, class, q850")
    if entry.code and entry.class_:
        raise OutcomeTableError(f"{where}: class: a rule names codes or a class, not both")
    codes = _numbers(entry.code, 200, 699, f"{where}: code")
    codes |= {code for name in entry.class_ for code in CLASSES[name]}
    return Match(
        local=frozenset(entry.local),
        codes=codes or (frozenset() if entry.local else implied),
        by_class=bool(entry.class_),
        implied=not entry.local and not codes,
        phrase=_patterns((*entry.phrase, *entry.text), f"{where}: phrase"),
        reason_text=_patterns((*entry.reason_text, *entry.text), f"{where}: reason_text"),
        q850=_numbers(entry.q850, 0, 127, f"{where}: q850"),
        rang=entry.rang,
        progressed=entry.progressed,
        answered=entry.answered,
        talking=entry.talking,
    )


def _numbers(spans: Iterable[int | str], low: int, high: int, where: str) -> frozenset[int]:
    numbers: set[int] = set()
    for span in spans:
        first, _, last = str(span).partition("-")
        wanted = range(int(first), int(last or first) + 1)
        if not wanted or wanted[0] < low or wanted[-1] > high:
            raise OutcomeTableError(f"{where}: {span} is not a range within {low}-{high}")
        numbers.update(wanted)
    return frozenset(numbers)


def _patterns(texts: Iterable[str], where: str) -> tuple[re.Pattern[str], ...]:
    patterns = []
    for text in texts:
        try:
            patterns.append(re.compile(text, re.IGNORECASE))
        except re.error as error:
            raise OutcomeTableError(
                f"{where}: {text!r} is not a regular expression: {error}"
            ) from None
    return tuple(patterns)


def _final(status: CallStatus, where: str) -> CallStatus:
    if not status.final:
        raise OutcomeTableError(f"{where}: final: {status} is not a final status")
    return status


def _retry(text: str, where: str) -> Retry:
    parts = INTERVAL.fullmatch(text)
    if parts is None or parts["kind"] not in set(RetryKind):
        kinds = ", ".join(repr(str(kind)) for kind in RetryKind)
        raise OutcomeTableError(
            f"{where}: retry: {text!r} is not one of {kinds}, with or without ', 60 min'"
        )
    kind = RetryKind(parts["kind"])
    if parts["number"] is None:
        return Retry(kind)
    seconds = int(parts["number"]) * SECONDS[parts["unit"]]
    if kind is RetryKind.NO or seconds == 0:
        raise OutcomeTableError(f"{where}: retry: {text!r} has a time that cannot be kept")
    return Retry(kind, dt.timedelta(seconds=seconds))


def _check_unambiguous(table: OutcomeTable) -> None:
    for one, other in itertools.combinations(table.rules, 2):
        if one.match.overlaps(other.match):
            raise OutcomeTableError(
                f"rule {other.name}: could match together with {one.name}; make one more specific"
            )


def _check_complete(table: OutcomeTable) -> None:
    for evidence in _every_kind(table):
        try:
            table.rule_for(evidence)
        except LookupError:
            what = f"local {evidence.local_cause}" if evidence.local_cause else f"{evidence.code}"
            raise OutcomeTableError(
                f"outcome table: no rule for {what} with rang={evidence.rang}, "
                f"progressed={evidence.progressed}, answered={evidence.answered}, "
                f"talking={evidence.talking}; add one"
            ) from None


def _every_kind(table: OutcomeTable) -> Iterator[Evidence]:
    """Yield what a complete table must cover: each local cause, and each code without a cause.

    Codes that no rule names behave alike within their class, so one of each class is enough.
    """
    named = {code for rule in table.rules if not rule.match.by_class for code in rule.match.codes}
    codes = named | {next(code for code in span if code not in named) for span in CLASSES.values()}
    facts = list(itertools.product((False, True), repeat=4))
    for rang, progressed, answered, talking in facts:
        for cause in LocalCause:
            yield Evidence(
                local_cause=cause,
                rang=rang,
                progressed=progressed,
                answered=answered,
                talking=talking,
            )
        for code in sorted(codes):
            yield Evidence(
                code=code, rang=rang, progressed=progressed, answered=answered, talking=talking
            )

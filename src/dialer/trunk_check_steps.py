"""What a check of a trunk comes to: a step and the verdict, as lines for a person and as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

Status = Literal["ok", "warning", "failed", "skipped"]

_MARKS: dict[Status, str] = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}
_NAME_WIDTH = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One step: what came of it, and where it failed what to change.

    `milliseconds` is None where nothing was tried. `details` are further lines, `facts` what a
    program may want to know besides; they hold what JSON can.
    """

    name: str
    status: Status
    said: str
    milliseconds: float | None = None
    target: str | None = None
    details: tuple[str, ...] = ()
    advice: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether something has to be changed."""
        return self.status == "failed"

    def text(self) -> str:
        """Return the step as lines for a person."""
        took = "" if self.milliseconds is None else f"  ({self.milliseconds:.0f} ms)"
        said = f"{self.target}: {self.said}" if self.target else self.said
        lines = [f"{_MARKS[self.status]} {self.name:<{_NAME_WIDTH}} {said}{took}"]
        lines += [f"    {line}" for line in self.details]
        if self.advice:
            lines.append(f"    → {self.advice}")
        return "\n".join(lines)

    def json(self) -> str:
        """Return the step as one line of JSON."""
        took = self.milliseconds
        return json.dumps(
            {
                "step": self.name,
                "status": self.status,
                "target": self.target,
                "said": self.said,
                "milliseconds": None if took is None else round(took, 1),
                "details": self.details,
                "advice": self.advice,
                **self.facts,
            },
            ensure_ascii=False,
        )


def verdict(steps: list[Step]) -> Step:
    """Return what the steps come to; it failed where any of them did."""
    failed = {step.name for step in steps if step.failed}
    dead, targets = _dead(steps)
    called = any(step.name == "call" and step.status in {"ok", "warning"} for step in steps)
    registered = any(step.name == "register" and step.status == "ok" for step in steps)
    said = "works"
    if "resolve" in failed:
        said = "does not work: its address cannot be found"
    elif "register" in failed:
        said = "does not work: the registration failed, without which it is given no calls"
    elif "call" in failed:
        said = "does not work: the test call failed"
    elif len(dead) < len(targets):
        said = f"works, with {len(dead)} of {len(targets)} targets dead" if dead else said
    elif called:
        said = "works: it takes calls, though it answers no OPTIONS"
    elif registered:
        said = "may work: it took the registration, but answers no OPTIONS; try --call"
    else:
        said = "does not work: nobody answers"
    if said == "works":
        warnings = sum(step.status == "warning" for step in steps)
        said += {0: "", 1: ", with one warning"}.get(warnings, f", with {warnings} warnings")
    return Step("verdict", "failed" if failed else "ok", said)


def _dead(steps: list[Step]) -> tuple[set[str], set[str]]:
    """Return the targets that cannot be connected to or do not answer, and all of them."""
    targets = {step.target for step in steps if step.name == "connect" and step.target}
    failed = {step.target for step in steps if step.failed and step.target}
    return targets & failed, targets

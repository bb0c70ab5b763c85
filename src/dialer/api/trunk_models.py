"""What goes over the wire about trunks: how they stand on every node, and holding them."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    AliasPath,
    Field,
    StringConstraints,
    TypeAdapter,
    computed_field,
)

from dialer.api.models import Answer, Request
from dialer.campaign.outcome import Outcome
from dialer.campaign.setting_types import Printable

Availability = Literal["up", "degraded", "down"]

# Requests.


class HoldTrunk(Request):
    """Why a trunk gets no more calls, and who says so."""

    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Printable
    ]
    by: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Printable
    ] = "api"


HOLD_TRUNK: TypeAdapter[HoldTrunk] = TypeAdapter(HoldTrunk)

# Answers.


class TrunkHold(Answer):
    """A person's hold: no node gives calls to the trunk, those that are up go on."""

    at: dt.datetime
    reason: str
    by: str


class TrunkDefinition(Answer):
    """What the configuration says of a trunk, without its secrets; `hash` is of all of it."""

    hash: str = Field(validation_alias=AliasChoices("hash", "definition"))
    host: str
    port: int | None
    transport: str | None
    proxy: str | None
    registers: bool
    max_calls: int
    calls_per_second: float
    priority: int
    weight: int
    match: list[str] = Field(description="how the numbers begin that it takes; empty: all")
    accounts: list[int] = Field(description="who may use it; empty: all")


class TrunkHealth(Answer):
    """How a node finds a trunk: `reason` is a sentence, empty while all is well."""

    availability: Availability
    trouble: str | None = Field(
        description="retry_after, circuit_breaker, credentials, funds, congestion, rate_limit or"
        " registration"
    )
    reason: str
    since: dt.datetime | None
    held_until: dt.datetime | None
    rate: float = Field(description="share of its calls per second that are given to it now")
    registered_until: dt.datetime | None
    learned_address: str | None


class NodeTrunk(Answer):
    """A trunk on one live node."""

    node: str
    definition_hash: str = Field(
        validation_alias=AliasChoices("definition_hash", AliasPath("published", "definition"))
    )
    health: TrunkHealth = Field(
        validation_alias=AliasChoices("health", AliasPath("published", "health"))
    )
    calls_up: int


class TrunkTraffic(Answer):
    """Calls given to a trunk, and what became of those that have ended."""

    calls: int
    ended: int
    answered: int

    @computed_field  # type: ignore[prop-decorator] # pydantic's documented form
    @property
    def answer_rate(self) -> float | None:
        """The share of ended calls that were answered; null where none has ended."""
        return round(self.answered / self.ended, 4) if self.ended else None


class Trunk(Answer):
    """A trunk over all live nodes. `availability` is the best that any node has to offer."""

    name: str
    availability: Availability
    hold: TrunkHold | None
    definition: TrunkDefinition | None = Field(
        description="as the first node has it; null where no live node has it"
    )
    calls_up: int
    last_hour: TrunkTraffic
    nodes: list[NodeTrunk]
    warnings: list[str] = Field(description="what a person should look at")


class TrunkFailure(Answer):
    """A leg that failed for a reason of the trunk's or the network's."""

    call_id: int
    at: dt.datetime = Field(validation_alias=AliasChoices("at", AliasPath("leg", "created_at")))
    outcome: Outcome = Field(validation_alias=AliasChoices("outcome", AliasPath("leg", "outcome")))
    rule: str = Field(validation_alias=AliasChoices("rule", AliasPath("leg", "rule")))
    code: int | None = Field(
        validation_alias=AliasChoices("code", AliasPath("leg", "evidence", "code"))
    )
    phrase: str = Field(
        validation_alias=AliasChoices("phrase", AliasPath("leg", "evidence", "phrase"))
    )
    q850: int | None = Field(
        validation_alias=AliasChoices("q850", AliasPath("leg", "evidence", "q850"))
    )
    retry_after: int | None = Field(
        validation_alias=AliasChoices("retry_after", AliasPath("leg", "evidence", "retry_after"))
    )
    local_cause: str | None = Field(
        validation_alias=AliasChoices("local_cause", AliasPath("leg", "evidence", "local_cause"))
    )
    sip_call_id: str = Field(
        validation_alias=AliasChoices("sip_call_id", AliasPath("leg", "identity", "call_id"))
    )


class TrunkWithFailures(Trunk):
    """A trunk with its last failures, newest first."""

    recent_failures: list[TrunkFailure]


class TrunkList(Answer):
    """Every trunk, by name."""

    items: list[Trunk]

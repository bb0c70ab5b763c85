"""What an account's plan leaves, computed where nobody else can start a call meanwhile."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.campaign.admission import Limits
from dialer.campaign.plan import Period, period_of, zone_of

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store import rows
    from dialer.store.pool import Connection

# It serialises the claims of all campaigns of the account, over all nodes.
LOCK_ACCOUNT = "SELECT *, coalesce($2::timestamptz, clock_timestamp()) AS now FROM accounts"
LOCK_ACCOUNT += " WHERE id = $1 FOR NO KEY UPDATE"
READ_ACCOUNT = LOCK_ACCOUNT.removesuffix(" FOR NO KEY UPDATE")

# One statement, so that a call that ends meanwhile is seen either as running or as ended. A call
# belongs to the period in which it was claimed.
SPENT = """
SELECT
    coalesce((SELECT billed_seconds FROM usage WHERE account_id = $1 AND period = $2), 0)
        AS billed_seconds,
    coalesce((SELECT unique_users FROM usage WHERE account_id = $1 AND period = $2), 0)
        AS unique_users,
    count(k.id) AS live, count(k.id) FILTER (WHERE k.reserves) AS reserved,
    coalesce(sum(
        ceil(greatest(0, extract(epoch FROM $4 - l.answered_at)) / $3::integer) * $3::integer
    ) FILTER (WHERE k.period = $2), 0)::bigint AS running_seconds
FROM calls AS k LEFT JOIN LATERAL (
    SELECT answered_at FROM legs
    WHERE legs.attempt_id = k.attempt_id AND k.phase = 'talking'
    ORDER BY ordinal DESC LIMIT 1
) AS l ON true
WHERE k.account_id = $1 AND k.node IS NOT NULL
"""


@dataclasses.dataclass(frozen=True, slots=True)
class AccountState:
    """An account's limits, and what of them is used in the present period.

    `billed_seconds` are those of calls that are over, `running_seconds` those of calls that are
    up, both by the plan's increment. `live` calls are claimed or under way.
    """

    account_id: int
    now: dt.datetime
    period: Period
    minutes: int | None
    max_simultaneous_calls: int | None
    billed_seconds: int
    running_seconds: int
    live: int
    limits: Limits

    @property
    def out_of_minutes(self) -> bool:
        """Whether no attempt may start any more in this period."""
        spent = self.billed_seconds + self.running_seconds
        return self.minutes is not None and spent >= self.minutes * 60

    def room(self) -> int | None:
        """Return how many more calls may be under way now, None for any number."""
        if self.out_of_minutes:
            return 0
        if self.max_simultaneous_calls is None:
            return None
        return max(0, self.max_simultaneous_calls - self.live)


async def lock(
    connection: Connection, account_id: int, now: dt.datetime | None = None
) -> AccountState:
    """Keep all other claims of an account out until the transaction ends; return how it stands."""
    return await _state(connection, await connection.fetchrow(LOCK_ACCOUNT, account_id, now))


async def read(
    connection: Connection, account_id: int, now: dt.datetime | None = None
) -> AccountState:
    """Return how an account stands."""
    return await _state(connection, await connection.fetchrow(READ_ACCOUNT, account_id, now))


async def _state(connection: Connection, account: rows.Row) -> AccountState:
    now = account["now"]
    period = period_of(now, zone_of(account["time_zone"]), account["period"], account["anchor_day"])
    spent = await connection.fetchrow(
        SPENT, account["id"], period.start, account["increment_seconds"], now
    )
    return AccountState(
        account_id=account["id"],
        now=now,
        period=period,
        minutes=account["minutes"],
        max_simultaneous_calls=account["max_simultaneous_calls"],
        billed_seconds=spent["billed_seconds"],
        running_seconds=spent["running_seconds"],
        live=spent["live"],
        limits=Limits(
            allowed_prefixes=tuple(account["allowed_prefixes"]),
            attempts_per_day=account["attempts_per_day"],
            attempts_per_week=account["attempts_per_week"],
            unique_users=account["unique_users"],
            used=spent["unique_users"],
            reserved=spent["reserved"],
        ),
    )

"""Short words for what the tests of the store need: a campaign, its calls, nodes that dial them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus
from dialer.store import attempts, calls, campaigns, nodes, numbers, promotion, queue
from dialer.store.attempt_records import AttemptResult, NewLeg, Verdict
from dialer.store.recordings import NewRecording
from dialer.store.records import (
    DEFAULT_ACCOUNT,
    CampaignSettings,
    DialogIdentity,
    LegEvidence,
    LegIdentity,
    NewCall,
)

LEASE = dt.timedelta(seconds=30)
HOUR = dt.timedelta(hours=1)
TRUNK = "lab"
SETTINGS = CampaignSettings(name="Spring", trunks=(TRUNK,), max_simultaneous_calls=100)


def verdict(outcome, status, final=None, at=None, **more):
    """What an attempt means for its call; where not said, it counts and nothing was technical."""
    given = {"counted": True, "technical_in_a_row": 0, "declined": 0, "next_attempt_at": at}
    rule = f"rule of {outcome}"
    return Verdict(outcome, rule, status, final or status, **{**given, **more})


ANSWERED = verdict("answered", CallStatus.ANSWERED)
INVALID = verdict("invalid_number", CallStatus.TECHNICAL_ERROR)


def busy(at):
    """Busy, to be tried again at the time given."""
    return verdict("busy", CallStatus.RETRY_SCHEDULED, CallStatus.COMPLETED_WITHOUT_ANSWER, at)


def rate_limited():
    """The trunk would not take it now: as it was before, due at once."""
    return verdict(
        "rate_limited",
        CallStatus.PLANNED,
        CallStatus.TECHNICAL_ERROR,
        soon(0),
        counted=False,
        technical_in_a_row=1,
    )


def identity(call_id):
    return LegIdentity(
        call_id=call_id,
        from_header="<sip:dialer@127.0.0.1>;tag=a",
        to_header="<sip:100@127.0.0.1>",
        request_uri="sip:100@127.0.0.1",
        via="SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1;rport",
        cseq=1,
        route=("<sip:127.0.0.1;lr>",),
        target_host="127.0.0.1",
        target_port=5060,
    )


def dialog(call_id):
    return DialogIdentity(
        call_id=call_id,
        local="<sip:dialer@127.0.0.1>;tag=a",
        remote="<sip:100@127.0.0.1>;tag=b",
        local_cseq=1,
        remote_target="sip:100@127.0.0.1:5070",
        route=(),
        target_host="127.0.0.1",
        target_port=5060,
    )


@dataclasses.dataclass
class Node:
    """An engine's part: what it does to the store, under its name and epoch."""

    db: object
    name: str
    epoch: int

    async def claim(self, campaign, limit=100, trunks=None, now=None):
        limits = trunks or {TRUNK: 100}
        return await queue.claim(self.db, campaign.id, self.name, self.epoch, limit, limits, now)

    async def dial(self, claimed):
        """Commit an attempt for each claimed call; return those that may leave."""
        legs = [
            NewLeg(call.id, uuid.uuid4(), call.trunk, call.number, "", identity(str(uuid.uuid4())))
            for call in claimed
        ]
        sent = await attempts.dial(self.db, self.name, self.epoch, legs)
        return [leg for leg in legs if leg.attempt_id in sent]

    async def dial_all(self, campaign, limit=100):
        return await self.dial(await self.claim(campaign, limit))

    async def end(self, legs, verdict=ANSWERED, **evidence):
        results = [
            AttemptResult(leg.call_id, leg.attempt_id, verdict, LegEvidence(**evidence))
            for leg in legs
        ]
        return await attempts.record_results(self.db, self.name, self.epoch, results)

    async def progress(self, *rows):
        return await attempts.record_progress(self.db, self.name, self.epoch, rows)

    async def rescue(self, limit=100, now=None):
        await attempts.free_orphans(self.db, now)
        return await attempts.take_over_orphans(self.db, self.name, self.epoch, limit, now)

    async def die(self):
        """Let the lease run out."""
        await self.db.execute(
            "UPDATE nodes SET lease_until = clock_timestamp() WHERE name = $1", self.name
        )


async def node(db, name="one"):
    return Node(db, name, await nodes.join(db, name, LEASE))


def listed(count, first=100):
    return [NewCall(f"+4930{first + i:06}", line=i + 1) for i in range(count)]


async def campaign(db, count=0, settings=SETTINGS, *, first=100, promote=True, **more):
    """A campaign in progress with some calls, promoted; numbers count from `first`."""
    made = await campaigns.create(db, DEFAULT_ACCOUNT, dataclasses.replace(settings, **more))
    if count:
        await numbers.add(db, DEFAULT_ACCOUNT, made.id, listed(count, first))
    made = await act(db, made, CampaignAction.START)
    if promote:
        await promotion.promote(db)
    return made


async def act(db, which, action, **more):
    return await campaigns.act(db, DEFAULT_ACCOUNT, which.id, action, **more)


async def read(db, call_id):
    return await calls.get(db, DEFAULT_ACCOUNT, call_id)


async def statuses(db, which):
    """How many calls have each status, those with none left out."""
    found = (await campaigns.counts(db, [which.id]))[which.id]
    return {status.value: count for status, count in found.items() if count}


def soon(hours=1):
    return dt.datetime.now(dt.UTC) + hours * HOUR


async def waiting_for_a_lock(pool):
    """Return once some connection waits for a lock."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()
    """
    while not await pool.fetchval(query):
        pass


def recording(call, **more):
    """A recording of a call's latest attempt, as it is noted once it is in its place."""
    given = {
        "id": uuid.uuid4(),
        "account_id": call.account_id,
        "campaign_id": call.campaign_id,
        "call_id": call.id,
        "attempt_id": call.attempt_id,
        "started_at": soon(0),
        "seconds": 12.5,
        "format": "wav",
        "octets": 400_044,
        "sha256": "ab" * 32,
        "place_key": f"1/{uuid.uuid4()}.wav",
        "sealed": True,
        "consent": "announced",
        "consent_detail": "prompt: notice",
        "node": "one",
        "expires_at": soon(0) + 30 * 24 * HOUR,
        "whole": True,
    }
    return NewRecording(**given | more)

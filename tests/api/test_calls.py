"""Calls over HTTP: pages, attempts with their evidence, dialogs and the report."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import json
import uuid

import aiohttp
import pytest

from dialer.campaign.status import CallStatus
from dialer.store import attempts, nodes, promotion, queue
from dialer.store import numbers as store_numbers
from dialer.store.attempt_records import AttemptResult, LegProgress, NewLeg, Verdict
from dialer.store.records import LegEvidence, LegIdentity, NewCall, Provisional

SENT = dt.datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC)
BUSY = Verdict(
    outcome="busy",
    rule="busy",
    status=CallStatus.RETRY_SCHEDULED,
    final_status=CallStatus.COMPLETED_WITHOUT_ANSWER,
    counted=True,
    next_attempt_at=SENT + dt.timedelta(minutes=20),
    technical_in_a_row=0,
    declined=0,
)
EVIDENCE = LegEvidence(
    code=486,
    phrase="=Busy; cmd",
    reasons=('Q.850;cause=17;text="User busy"', "SIP;cause=486"),
    q850=17,
    rang=True,
    provisionals=(Provisional(100, "Trying", SENT), Provisional(180, "Ringing", SENT)),
    sent_at=SENT,
    first_provisional_at=SENT + dt.timedelta(seconds=1),
    ringing_at=SENT + dt.timedelta(seconds=2),
    ended_at=SENT + dt.timedelta(seconds=3),
    media={
        "codec": "PCMA", "secured": False, "sent": 150, "unsent": 0, "received": 149, "lost": 1,
        "loss_percent": 0.67, "duplicates": 0, "reordered": 2, "dropped": 3, "comfort_noise": 0,
        "streams": 1, "jitter_ms": 0.41, "jitter_most_ms": 2.5, "longest_gap_ms": 41, "mos": 4.33,
        "far_end_lost": 2, "far_end_loss_percent": 1.33, "far_end_jitter_ms": 0.5,
        "far_end_mos": 4.29, "round_trip_ms": None,
    },
    early_media={
        "begin": 0.4, "seconds": 5.2, "streams": 1, "packets": 260, "comfort_noise": 0, "others": 0,
        "heard": [
            {
                "kind": "busy", "begin": 0.4, "end": 5.4, "confidence": 0.95,
                "special_information": None, "frequencies": [425.0],
            },
        ],
    },
)  # fmt: skip


def identity(call_id):
    return LegIdentity(
        call_id=call_id,
        from_header="<sip:+4930999@dialer>;tag=a",
        to_header="<sip:+4930123456@pbx>",
        request_uri="sip:+4930123456@pbx",
        via="SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKx",
        cseq=1,
        route=(),
        target_host="127.0.0.1",
        target_port=5060,
    )


@pytest.fixture
async def node(pool):
    """A node that claims and dials whatever a campaign has."""
    epoch = await nodes.join(pool, "node", dt.timedelta(minutes=1))

    async def dial(path, limit=100):
        await promotion.promote(pool)
        campaign_id = int(path.rpartition("/")[2])
        claimed = await queue.claim(pool, campaign_id, "node", epoch, limit, {"pbx": 100})
        legs = [
            NewLeg(
                call.id, uuid.uuid4(), "pbx", call.number, "+4930999", identity(f"{call.id}@dialer")
            )
            for call in claimed
        ]
        assert await attempts.dial(pool, "node", epoch, legs) == {leg.attempt_id for leg in legs}
        return legs

    dial.epoch = epoch
    return dial


async def end(pool, node, legs, verdict=BUSY, evidence=EVIDENCE):
    results = [AttemptResult(leg.call_id, leg.attempt_id, verdict, evidence) for leg in legs]
    recorded = await attempts.record_results(pool, "node", node.epoch, results)
    assert recorded == {leg.attempt_id for leg in legs}


@pytest.fixture
async def path(api):
    created = await api.campaign(max_simultaneous_calls=100)
    await api("POST", f"{created}/start")
    return created


async def numbers(api, where, **query):
    found = await api("GET", where, params=query)
    return [call["number"] for call in found["items"]], found["next_cursor"]


async def test_a_call_under_way(api, pool, path, node):
    await api.add(path, "+4930123456")
    (leg,) = await node(path)
    progress = LegProgress(leg.call_id, leg.attempt_id, phase="ringing", ringing_at=SENT)
    await attempts.record_progress(pool, "node", node.epoch, [progress])
    call = await api("GET", f"/v1/calls/{leg.call_id}")
    assert call["status"] == "in_progress"
    assert call["status_label"] == "In progress"
    assert call["phase"] == "ringing"
    assert call["trunk"] == "pbx"
    assert call["next_attempt_at"] is None
    ((attempt),) = call["attempts"]
    assert attempt["id"] == str(leg.attempt_id)
    assert attempt["outcome"] is attempt["status"] is attempt["ended_at"] is None
    assert attempt["legs"][0]["evidence"]["code"] is None


async def test_a_call_with_all_its_evidence(api, pool, path, node):
    await api.add(path, {"phone": "+4930123456", "payload": {"name": "Ärzte"}})
    legs = await node(path)
    await end(pool, node, legs)
    call = await api("GET", f"/v1/calls/{legs[0].call_id}")
    assert call["status"] == "retry_scheduled"
    assert call["status_label"] == "Another call attempt scheduled"
    assert call["next_attempt_at"] == "2026-05-06T07:28:09.123456Z"
    assert (call["attempts_made"], call["attempts_counted"]) == (1, 1)
    assert (call["last_outcome"], call["last_rule"]) == ("busy", "busy")
    assert call["payload"] == {"name": "Ärzte"}
    (attempt,) = call["attempts"]
    assert (attempt["outcome"], attempt["rule"], attempt["counted"]) == ("busy", "busy", True)
    (leg,) = attempt["legs"]
    assert leg["sip_call_id"] == f"{legs[0].call_id}@dialer"
    assert leg["request_uri"] == "sip:+4930123456@pbx"
    assert leg["caller_id"] == "+4930999"
    evidence = leg["evidence"]
    assert (evidence["code"], evidence["phrase"], evidence["q850"]) == (486, "=Busy; cmd", 17)
    assert evidence["reasons"] == list(EVIDENCE.reasons)
    assert [(seen["code"], seen["phrase"]) for seen in evidence["provisionals"]] == [
        (100, "Trying"),
        (180, "Ringing"),
    ]
    assert evidence["rang"] is True
    assert evidence["media"] == EVIDENCE.media
    told = {"sentence": "busy tone 5.0 s"}
    assert evidence["early_media"] == {**EVIDENCE.early_media, **told}
    assert evidence["sent_at"] == "2026-05-06T07:08:09.123456Z"


async def test_counts_by_status(api, pool, path, node):
    await api.add(path, *(f"+493012345{place}" for place in range(5)))
    legs = await node(path, limit=3)
    await end(pool, node, legs[:2])
    counts = {count["status"]: count for count in (await api("GET", path))["counts"]}
    assert {status: count["calls"] for status, count in counts.items() if count["calls"]} == {
        "planned": 2,
        "in_progress": 1,
        "retry_scheduled": 2,
    }
    assert counts["completed_without_answer"]["label"] == "Completed without answer"


async def test_calls_by_status(api, pool, path, node):
    await api.add(path, "+49301234501", "+49301234502", "+49301234503")
    await end(pool, node, await node(path, limit=2))
    where = f"{path}/calls"
    assert await numbers(api, where, status="planned") == (["+49301234503"], None)
    both = ["+49301234502", "+49301234501"]
    assert await numbers(api, where, status="retry_scheduled") == (both, None)
    everything, _ = await numbers(api, where, status=["planned", "retry_scheduled"])
    assert everything == ["+49301234503", *both]
    assert await numbers(api, "/v1/dialogs", status="answered") == ([], None)


async def test_pages_are_stable_while_calls_come(api, path):
    added = [f"+493012345{place:02}" for place in range(7)]
    await api.add(path, *added)
    other = await api.campaign()
    await api.add(other, "+4930999999")
    found, cursor = [], None
    while True:
        query = {"limit": 3} if cursor is None else {"limit": 3, "cursor": cursor}
        page, cursor = await numbers(api, f"{path}/calls", **query)
        found += page
        await api.add(path, f"+4930777{len(found):03}")
        if cursor is None:
            break
    assert found == added[::-1]


async def test_a_call_names_its_campaign_a_deleted_one_too(api, path):
    await api.add(path, "+49301234567")
    [call] = (await api("GET", f"{path}/calls"))["items"]
    assert (call["campaign_name"], call["campaign_deleted_at"]) == ("Spring", None)
    await api("DELETE", path, 204)
    for found in (
        (await api("GET", "/v1/dialogs"))["items"][0],
        await api("GET", f"/v1/calls/{call['id']}"),
    ):
        assert found["campaign_name"] == "Spring"
        assert found["campaign_deleted_at"] is not None


async def test_dialogs_hold_the_calls_of_all_campaigns(api, path):
    other = await api.campaign()
    await api.add(path, "+49301234501")
    await api.add(other, "+49301234502")
    await api("DELETE", other, 204)
    assert await numbers(api, "/v1/dialogs") == (["+49301234502", "+49301234501"], None)
    assert (await numbers(api, f"{path}/calls"))[0] == ["+49301234501"]


async def test_the_calls_of_one_number_are_found_in_all_campaigns(api, path):
    other = await api.campaign()
    for where in (path, other):
        await api.add(
            where, "+493012345", "+4930123456", {"phone": "+4930123456", "payload": {"a": "b"}}
        )
    await api("DELETE", other, 204)
    found, _ = await numbers(api, "/v1/dialogs", number="+4930123456")
    assert found == ["+4930123456"] * 4
    assert await numbers(api, "/v1/dialogs?number=+493012345") == (["+493012345"] * 2, None)
    page, cursor = await numbers(api, "/v1/dialogs", number="+4930123456", limit=3)
    rest, end = await numbers(api, "/v1/dialogs", number="+4930123456", limit=3, cursor=cursor)
    assert (len(page), len(rest), end) == (3, 1, None)
    mine = f"{path}/calls"
    assert (await numbers(api, mine, number="+4930123456"))[0] == ["+4930123456"] * 2
    assert (await numbers(api, mine, number="+4930123456", status="answered"))[0] == []
    assert (await numbers(api, "/v1/dialogs", number="4930123456"))[0] == []
    await api("GET", "/v1/dialogs", 422, params={"number": ""})


async def report(api, path):
    async with api.client.get(f"{path}/report.csv") as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        assert response.charset == "utf-8"
        assert "attachment" in response.headers["Content-Disposition"]
        return list(csv.DictReader(io.StringIO((await response.read()).decode(), newline="")))


async def test_report_of_an_empty_campaign_is_its_header(api, path):
    assert await report(api, path) == []


async def test_report_has_every_call_in_list_order(api, pool, path, node):
    await api.add(path, {"phone": "+4930123456", "payload": {"a": "=1+1"}}, "+4930123457", "+49")
    await end(pool, node, await node(path, limit=1))
    first, second, third = await report(api, path)
    assert first["number"] == "+4930123456"  # not taken for a formula
    assert first["status"] == "retry_scheduled"
    assert first["status_label"] == "Another call attempt scheduled"
    assert first["last_outcome"] == first["last_rule"] == "busy"
    assert first["sip_code"] == "486"
    assert first["sip_phrase"] == "'=Busy; cmd"  # what the far end said must not run
    assert first["reasons"] == "\n".join(EVIDENCE.reasons)
    assert first["q850"] == "17"
    assert (first["rang"], first["answered"]) == ("yes", "no")
    assert first["sent_at"] == "2026-05-06T07:08:09.123+00:00"
    assert first["next_attempt_at"] == "2026-05-06T07:28:09.123+00:00"
    assert json.loads(first["payload"]) == {"a": "=1+1"}
    assert first["sip_call_id"].endswith("@dialer")
    assert (second["number"], second["status"], second["sip_code"]) == (
        "+4930123457",
        "planned",
        "",
    )
    assert (second["rang"], second["answered"], second["talk_seconds"]) == ("", "", "")
    assert (third["number"], third["problem"] != "") == ("+49", True)


LARGE = 1_100  # rows: more than the store reads at a time


async def add_large(pool, path):
    """Add calls whose report does not fit into the buffers between server and client."""
    payload = {"text": "x" * 15_000}
    rows = [NewCall(f"+4930{1_000_000 + place}", payload=payload) for place in range(LARGE)]
    await store_numbers.add(pool, 1, int(path.rpartition("/")[2]), rows)


async def test_report_is_cut_off_when_postgres_goes_away(api, pool, path):
    await add_large(pool, path)
    async with api.client.get(f"{path}/report.csv") as response:
        assert response.status == 200
        pool.terminate()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_report_is_cut_off_when_its_reader_takes_nothing(pool, path, serve):
    await add_large(pool, path)
    async with serve(pool, read_timeout=0.2) as impatient:
        _, writer = await asyncio.open_connection(impatient.host, impatient.port, limit=1)
        writer.write(f"GET {path}/report.csv HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await impatient.answered("GET", "/v1/campaigns/{id}/report.csv", 408)
        writer.close()

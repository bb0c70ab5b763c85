"""What a person who watches a campaign is told."""

from __future__ import annotations

import datetime as dt
import io

import httpx
import pytest
import rich.console

from dialer import progress
from dialer.api import models
from dialer.campaign.status import CallStatus
from dialer.client import ApiProblem, Client

THEN = dt.datetime(2031, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
SHOWN = f"{THEN.astimezone():%Y-%m-%d %H:%M:%S}"


def campaign(status="in_progress", next_attempt_at=None, pause_detail="", start_at=None, **counts):
    return models.CampaignWithCounts.model_validate(
        dict.fromkeys(models.CampaignWithCounts.model_fields)
        | {
            "id": 7, "version": 1, "status": status, "pause_detail": pause_detail,
            "start_at": start_at, "name": "Spring", "caller_ids": [], "trunks": [],
            "max_simultaneous_calls": 1,
            "max_attempts": 1, "retry_interval_minutes": 1, "retry_by_outcome": {},
            "ring_timeout_seconds": 15, "max_talk_seconds": 1, "on_answer": {},
            "retry_jitter_percent": 10, "time_zone": "UTC", "window_zone": "customer",
            "windows": [], "holidays": [], "dates_without_calls": [],
            "trunk_order": "listed", "redial_interrupted": False, "created_at": THEN,
            "next_attempt_at": next_attempt_at,
            "counts": [
                {"status": one, "label": one.label, "calls": counts.get(one.value, 0)}
                for one in CallStatus
            ],
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "line", "remark"),
    [
        (campaign(), "no numbers yet", ""),
        (campaign(planned=2, answered=1), "2 planned · 1 answered", ""),
        (
            campaign(next_attempt_at=THEN, retry_scheduled=3),
            "3 to be tried again",
            f"nothing to call before {SHOWN}; Ctrl-C leaves it running",
        ),
        (campaign(next_attempt_at=THEN, retry_scheduled=3, in_progress=1), None, ""),
        (
            campaign("planned", start_at=THEN),
            None,
            f"starts at {SHOWN}",
        ),
        (campaign("draft"), None, "a draft: dialer campaign start 7"),
        (campaign("paused"), None, "paused: dialer campaign resume 7"),
        (campaign("paused", pause_detail="x"), None, "paused (x): dialer campaign resume 7"),
        (campaign("finished", not_dialed=1), "1 not dialed", "finished"),
    ],
)
def test_the_lines(found, line, remark):
    assert line in {progress.counts_line(found), None}
    assert progress.remark(found) == remark


def test_a_time_of_today_needs_no_date():
    now = dt.datetime.now().astimezone()
    shown = progress.clock_time(now)
    midnight_passed = dt.datetime.now().astimezone().date() != now.date()
    assert shown == f"{now:%H:%M:%S}" or midnight_passed


async def followed(*answers):
    """Follow a campaign whose API answers so, one after the other; return what was printed."""
    left = list(answers)

    def respond(_request):
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx.Response(answer)
        return httpx.Response(200, content=answer.model_dump_json())

    printed = io.StringIO()
    async with Client("http://127.0.0.1", transport=httpx.MockTransport(respond)) as client:
        console = rich.console.Console(file=printed, width=80)
        await progress.follow(client, 7, console, lambda status: status.final)
    assert left == []
    return printed.getvalue()


async def test_an_api_that_goes_away_is_waited_for():
    said = await followed(
        campaign(planned=1), httpx.ConnectError("gone"), 503, campaign(planned=1, answered=1),
        campaign(answered=2),
    )  # fmt: skip
    assert said.splitlines()[0] == "1 planned"
    assert said.splitlines()[-1] == "2 answered"


@pytest.mark.parametrize(
    "answers", [(404,), (campaign(planned=1), 404), (httpx.ConnectError("x"),)]
)
async def test_what_cannot_be_followed_is_told(answers):
    with pytest.raises(ApiProblem):
        await followed(*answers)

"""The Calls API: a campaign by a token in the path, for those who come from a voice-bot platform.

A thin layer: what it takes becomes what `/v1` takes, and what it shows is read from the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import calls_api_models as models
from dialer.api import inputs
from dialer.api.context import account_of, answer, context_of, progress_of
from dialer.api.problem import Problem, invalid
from dialer.campaign.moves import CampaignAction, MoveRefused
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus, CampaignStatus
from dialer.store import calls_api, campaigns, deadlines, numbers
from dialer.store.pool import transaction
from dialer.store.records import NewCall

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from dialer.api.context import Context
    from dialer.store.records import Campaign

PATH = "/api/calls/campaign/{token}"

CAMPAIGN_STATES: dict[CampaignStatus, models.CampaignState] = {
    CampaignStatus.DRAFT: "planned",
    CampaignStatus.PLANNED: "planned",
    CampaignStatus.IN_PROGRESS: "inProcess",
    CampaignStatus.PAUSED: "paused",
    CampaignStatus.FINISHED: "finished",
}
JOB_STATES: dict[CallStatus, models.JobState] = {
    CallStatus.PLANNED: "planned",
    CallStatus.IN_PROGRESS: "inProcess",
    CallStatus.RETRY_SCHEDULED: "onRetry",
    CallStatus.ANSWERED: "longCallWithNoResult",
    CallStatus.COMPLETED_WITHOUT_ANSWER: "noAnswer",
    CallStatus.TECHNICAL_ERROR: "notDone",
    CallStatus.NOT_DIALED: "notDone",
    CallStatus.PLAN_LIMIT_EXCEEDED: "notDone",
}


async def make_token(request: web.Request) -> web.Response:
    """Make a campaign's token, in place of the one before."""
    campaign_id = inputs.path_id(request, "campaign")
    secret = await calls_api.make_token(context_of(request).pool, account_of(request), campaign_id)
    url = PATH.replace("{token}", secret)
    response = answer(models.MadeCallsToken(token=secret, url=url), status=201)
    # not the address that the token makes: proxies write headers down
    response.headers["Location"] = request.path
    return response


async def revoke_token(request: web.Request) -> web.Response:
    """Let a campaign's token work no more."""
    campaign_id = inputs.path_id(request, "campaign")
    await calls_api.revoke_token(context_of(request).pool, account_of(request), campaign_id)
    return web.Response(status=204)


async def add_phones(request: web.Request) -> web.Response:
    """Add numbers, all or none; answer the ids of their call jobs in the same order."""
    context, campaign = await _open(request)
    given = await inputs.json_body(request, models.ADD_PHONES, context.settings)
    new = _new_calls(given, context)
    async with transaction(context.pool) as connection:
        added = await numbers.add(connection, campaign.account_id, campaign.id, new)
        if added.rejected:
            raise invalid([(f"/{row.line - 1}", row.reason) for row in added.rejected], "body")
    ids = await calls_api.ids(
        context.pool,
        campaign.id,
        [call.number for call in new],
        [numbers.payload_json(call.payload) for call in new],
    )
    return answer(models.JobIds(ids))


async def cancel(request: web.Request) -> web.Response:
    """Cancel call jobs; one that is up runs to its end. Answer the ids of those cancelled."""
    context, campaign = await _open(request)
    jobs = await inputs.json_body(request, models.JOBS, context.settings)
    phones = _normalised(jobs.phones, context)
    done = await deadlines.cancel(context.pool, campaign.account_id, campaign.id, jobs.ids, phones)
    return answer(models.JobIds(done))


async def pause(request: web.Request) -> web.Response:
    """Pause the campaign."""
    return await _act(request, CampaignAction.PAUSE)


async def resume(request: web.Request) -> web.Response:
    """Let the paused campaign go on."""
    return await _act(request, CampaignAction.RESUME)


async def stop(request: web.Request) -> web.Response:
    """Finish the campaign for good."""
    return await _act(request, CampaignAction.FINISH)


async def information(request: web.Request) -> web.Response:
    """Read the campaign, with its figures."""
    context = context_of(request)
    campaign = await calls_api.find(context.pool, request.match_info["token"])
    return await _told(context, campaign)


async def status(request: web.Request) -> web.Response:
    """Read the campaign's status alone."""
    campaign = await calls_api.find(context_of(request).pool, request.match_info["token"])
    return answer(models.Status(_state(campaign)))


async def job_report(request: web.Request) -> web.Response:
    """Report call jobs, each with its latest attempt."""
    return await _report(request, every_attempt=False)


async def attempt_report(request: web.Request) -> web.Response:
    """Report every attempt of call jobs."""
    return await _report(request, every_attempt=True)


async def _open(request: web.Request) -> tuple[Context, Campaign]:
    """Return the campaign of the token, which must not be deleted."""
    context = context_of(request)
    campaign = await calls_api.find(context.pool, request.match_info["token"])
    if campaign.deleted_at is not None:
        raise Problem(404, "the campaign of this token was deleted")
    return context, campaign


async def _act(request: web.Request, action: CampaignAction) -> web.Response:
    context, campaign = await _open(request)
    try:
        moved = await campaigns.act(
            context.pool, campaign.account_id, campaign.id, action, progress=progress_of(request)
        )
    except MoveRefused as refused:
        raise Problem(
            409, str(refused), current_status=refused.status, allowed=refused.allowed
        ) from None
    return await _told(context, moved)


async def _report(request: web.Request, *, every_attempt: bool) -> web.Response:
    context = context_of(request)
    campaign = await calls_api.find(context.pool, request.match_info["token"])
    wanted = await inputs.json_body(request, models.JOBS, context.settings)
    phones = _normalised(wanted.phones, context)
    found = await calls_api.jobs(
        context.pool, campaign.id, wanted.ids, phones, every_attempt=every_attempt
    )
    return answer(models.JobReports([_shown(job) for job in found]))


async def _told(context: Context, campaign: Campaign) -> web.Response:
    figures = await calls_api.figures(context.pool, campaign.id)
    return answer(
        models.CampaignInformation(
            id=campaign.id,
            name=campaign.settings.name,
            creationDate=_milliseconds(campaign.created_at),
            status=_state(campaign),
            startTime=_milliseconds_or_none(campaign.started_at),
            endTime=_milliseconds_or_none(campaign.finished_at),
            maxSimultaneousCalls=campaign.settings.max_simultaneous_calls,
            shortReport=models.ShortReport(
                totalNumbers=figures.total,
                processedNumbers=figures.processed,
                usedTalkingTime=round(figures.talk_seconds / 60, 2),
                inProcessCalls=figures.in_process,
                retryCalls=figures.retried,
            ),
        )
    )


def _new_calls(given: list[models.AddPhone], context: Context) -> list[NewCall]:
    """Return the calls that are asked for; raises Problem for numbers that nobody can read."""
    errors: list[tuple[str, str]] = []
    new = []
    for place, one in enumerate(given):
        try:
            number = normalise(one.phone, context.settings.internal_numbers)
        except NumberError as error:
            errors.append((f"/{place}/phone", str(error)))
            continue
        minutes, windows = one.retryIntervalInMinutes, one.windows()
        new.append(
            NewCall(
                number.text,
                number.dialable,
                number.problem,
                one.payload,
                line=place + 1,
                priority=one.dialerPriority,
                max_attempts=one.maxAttempts,
                retry_interval_seconds=None if minutes is None else minutes * 60,
                time_zone=one.gmtZone or "",
                windows=None if windows is None else tuple(windows),
                not_before=one.startDateTime,
                not_after=one.finishDateTime,
            )
        )
    if errors:
        raise invalid(errors, "body")
    return new


def _normalised(phones: Iterable[str], context: Context) -> list[str]:
    """Return numbers as calls have them; raises Problem."""
    found, errors = [], []
    for place, text in enumerate(phones):
        try:
            found.append(normalise(text, context.settings.internal_numbers).text)
        except NumberError as error:
            errors.append((f"/phones/{place}", str(error)))
    if errors:
        raise invalid(errors, "body")
    return found


def _state(campaign: Campaign) -> models.CampaignState:
    return "deleted" if campaign.deleted_at is not None else CAMPAIGN_STATES[campaign.status]


def _shown(job: calls_api.Job) -> models.JobReport:
    return models.JobReport(
        id=job.job_id,
        phone=job.number,
        payload=dict(job.payload),
        jobStatus=_job_state(job),
        attempt=job.ordinal,
        startedAt=_milliseconds_or_none(job.began_at),
        finishedAt=_milliseconds_or_none(job.ended_at),
        callDuration=job.talk_seconds if job.answered_at else (0.0 if job.ended_at else None),
        callResult=job.outcome,
        reportData=dict(job.report_data or {}),
    )


def _job_state(job: calls_api.Job) -> models.JobState:
    if job.cancelled_at is not None and job.status in {
        CallStatus.NOT_DIALED,
        CallStatus.COMPLETED_WITHOUT_ANSWER,
        CallStatus.TECHNICAL_ERROR,
    }:
        return "canceled"
    if job.status is CallStatus.ANSWERED and job.report_data:
        return "longCallWithResult"
    if job.status is CallStatus.TECHNICAL_ERROR and job.last_outcome == Outcome.INVALID_NUMBER:
        return "nonexistentNumber"
    return JOB_STATES[job.status]


def _milliseconds(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)


def _milliseconds_or_none(moment: dt.datetime | None) -> int | None:
    return None if moment is None else _milliseconds(moment)

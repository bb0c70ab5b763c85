"""Campaigns over HTTP: create, list, read, change, move, delete."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from aiohttp import web

from dialer import prompts
from dialer.api import etags, inputs, models
from dialer.api.context import Context, account_of, answer, context_of, progress_of
from dialer.api.next_attempt import next_attempt
from dialer.api.problem import Problem, invalid, pointer
from dialer.campaign.menu import Gather, prompts_of
from dialer.campaign.moves import CampaignAction, MoveRefused
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.settings import (
    LetBotSpeak,
    PlayPrompt,
    PlayPromptOnAnswer,
    TransferOnAnswer,
)
from dialer.campaign.spoken_prompt import Prompt
from dialer.campaign.status import CallStatus
from dialer.store import campaigns, records
from dialer.store.errors import VersionConflict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from dialer.campaign.settings import CampaignSettings, OnAnswer
    from dialer.campaign.transfer import TransferTarget

CHANGE_TRIES = 5  # where others change the same campaign at the same time


async def create(request: web.Request) -> web.Response:
    """Create a draft."""
    context = context_of(request)
    settings = await inputs.json_body(request, models.CAMPAIGN_SETTINGS, context.settings)
    _check(settings, context, account_of(request))
    wanted = records.CampaignSettings(**_stored(settings.model_dump()))
    record = await campaigns.create(context.pool, account_of(request), wanted)
    response = _told(shown(record), status=201)
    response.headers["Location"] = f"/v1/campaigns/{record.id}"
    return response


async def list_page(request: web.Request) -> web.Response:
    """List campaigns, newest first."""
    context = context_of(request)
    asked = inputs.query(request, models.CampaignQuery)
    found = await campaigns.list_page(
        context.pool,
        account_of(request),
        statuses=asked.status,
        before=inputs.read_cursor(asked.cursor),
        limit=asked.limit + 1,
    )
    page, next_cursor = inputs.cut_page(found, asked.limit)
    ids = [record.id for record in page]
    counts = await campaigns.counts(context.pool, ids) if asked.counts else {}
    items = [
        models.ListedCampaign(
            **_fields(record), counts=_counted(counts[record.id]) if asked.counts else None
        )
        for record in page
    ]
    return answer(models.CampaignPage(items=items, next_cursor=next_cursor))


async def read(request: web.Request) -> web.Response:
    """Read a campaign with its calls counted by status."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    record = await campaigns.get(context.pool, account_of(request), campaign_id)
    counts = (await campaigns.counts(context.pool, [campaign_id]))[campaign_id]
    return _told(
        models.CampaignWithCounts(
            **_fields(record),
            counts=_counted(counts),
            **await _next_attempt(context, campaign_id),
        )
    )


def _counted(counts: Mapping[CallStatus, int]) -> list[models.StatusCount]:
    return [
        models.StatusCount(status=status, label=status.label, calls=counts[status])
        for status in CallStatus
    ]


async def _next_attempt(context: Context, campaign_id: int) -> dict[str, Any]:
    """Return when the first of the calls that wait may be made, or why none may."""
    now = context.clock.now()
    waiting = await campaigns.waiting(context.pool, campaign_id, context.settings.quiet)
    found = [next_attempt(one.calendar, one.due, now) for one in waiting]
    times = [(at, why) for at, why in found if at is not None]
    at, why = min(times, key=lambda one: one[0]) if times else next(iter(found), (None, None))
    return {"next_attempt_at": at, "waits_because": why}


async def change(request: web.Request) -> web.Response:
    """Change the settings that the body names."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    changes = await inputs.json_body(request, models.CAMPAIGN_CHANGES, context.settings)
    named = changes.model_fields_set
    if not named:
        raise invalid([("", "names no setting to change")], "body")
    _check(changes, context, account_of(request))
    stored = _stored(changes.model_dump(include=named))
    wanted = await _expected(request, campaign_id)
    for tries_left in reversed(range(CHANGE_TRIES if wanted is None else 1)):
        old = await campaigns.get(context.pool, account_of(request), campaign_id)
        new = dataclasses.replace(old.settings, **stored)
        try:
            record = await campaigns.change(
                context.pool,
                account_of(request),
                campaign_id,
                new,
                version=wanted or old.version,
            )
        except VersionConflict as conflict:
            if wanted is not None:
                raise Problem(412, str(conflict)) from None
            if not tries_left:
                raise
        else:
            return _told(shown(record))
    raise AssertionError("the last try returns or raises")


async def _expected(request: web.Request, campaign_id: int) -> int | None:
    """Return the version that the campaign must have by If-Match, which it has now (else 412)."""
    allowed = etags.versions(request)
    if allowed is None or progress_of(request).state is not None:
        return None
    pool = context_of(request).pool
    version = (await campaigns.get(pool, account_of(request), campaign_id)).version
    if version not in allowed:
        raise Problem(
            412,
            f"campaign {campaign_id} has changed since it was read: it has version {version} now;"
            " read it again, and decide anew",
        )
    return version


def _told(campaign: models.Campaign, *, status: int = 200) -> web.Response:
    """Return a campaign with the tag of its version."""
    response = answer(campaign, status=status)
    response.headers["ETag"] = etags.of_version(campaign.version)
    return response


async def start(request: web.Request) -> web.Response:
    """Start a draft: at once, or at its start time."""
    return await _move(request, CampaignAction.START)


async def pause(request: web.Request) -> web.Response:
    """Pause: no INVITE leaves once this is answered; calls that are up run to their end."""
    return await _move(request, CampaignAction.PAUSE)


async def resume(request: web.Request) -> web.Response:
    """Go on after a pause."""
    return await _move(request, CampaignAction.RESUME)


async def finish(request: web.Request) -> web.Response:
    """Finish for good; calls that wait get their final status."""
    settings = context_of(request).settings
    campaign_id = inputs.path_id(request, "campaign")
    asked = await inputs.json_body(request, models.FINISH, settings, empty="{}")
    return _told(await _act(request, campaign_id, CampaignAction.FINISH, hang_up=asked.hang_up))


async def delete(request: web.Request) -> web.Response:
    """Delete, finishing first what was launched; the calls stay readable as dialogs."""
    await _act(request, inputs.path_id(request, "campaign"), CampaignAction.DELETE)
    return web.Response(status=204)


async def _move(request: web.Request, action: CampaignAction) -> web.Response:
    """Take an action that needs no body."""
    settings = context_of(request).settings
    campaign_id = inputs.path_id(request, "campaign")
    await inputs.json_body(request, models.NOTHING, settings, empty="{}")
    return _told(await _act(request, campaign_id, action))


async def _act(
    request: web.Request, campaign_id: int, action: CampaignAction, *, hang_up: bool = False
) -> models.Campaign:
    """Move a campaign; a refused move is a 409 that names the allowed ones."""
    context = context_of(request)
    try:
        return shown(
            await campaigns.act(
                context.pool,
                account_of(request),
                campaign_id,
                action,
                hang_up=hang_up,
                version=await _expected(request, campaign_id),
                progress=progress_of(request),
            )
        )
    except VersionConflict as conflict:
        raise Problem(412, str(conflict)) from None
    except MoveRefused as refused:
        raise Problem(
            409,
            str(refused),
            current_status=refused.status,
            allowed=refused.allowed,
        ) from None


def _check(settings: CampaignSettings, context: Context, account_id: int) -> None:
    """Refuse what fits the model and cannot be: a trunk or prompt that is not there, a bad time.

    A trunk that the account may not use is not there for it.
    """
    offered = context.settings.known_trunks
    known = [name for name in offered if context.settings.may_use(name, account_id)]
    names = ", ".join(sorted(known)) or "none"
    errors = [
        (f"/trunks/{place}", f"there is no trunk {name!r} in the configuration; it has {names}")
        for place, name in enumerate(settings.trunks or ())
        if name not in known
    ]
    errors += _mistakes_of_answer(settings.on_answer, context)
    errors += _mistakes_of_transfers(settings.on_answer, context, known)
    if settings.start_at is not None:
        try:
            settings.start_at.astimezone(dt.UTC)
        except OverflowError:
            errors.append(("/start_at", "is beyond the calendar"))
    if settings.webhook_url is not None:
        try:
            context.settings.webhook_rules.check(settings.webhook_url)
        except ValueError as error:
            errors.append(("/webhook_url", str(error)))
    if errors:
        raise invalid(errors, "body")


def _mistakes_of_answer(wanted: OnAnswer | None, context: Context) -> list[tuple[str, str]]:
    """Return what is wrong with what shall happen on answer: a prompt or bot that cannot be."""
    folders, bots = context.settings.prompts, context.settings.bots
    errors = []
    if isinstance(wanted, LetBotSpeak) and bots is not None:
        mistakes = bots.mistakes(wanted.url, wanted.secret)
        errors += [(f"/on_answer/{key}", sentence) for key, sentence in mistakes]
    for where, prompt in _prompts(wanted):
        if prompt.say is not None and not context.settings.speaks:
            said = "nothing can be said: there is no speech.command in the configuration"
            errors.append((f"/on_answer{where}/say", said))
        elif prompt.file is not None and folders and prompts.find(folders, prompt.file) is None:
            said = f"there is no prompt {prompt.file!r} in {folders[0]}; put it there"
            errors.append((f"/on_answer{where}/file", said))
    kinds = LetBotSpeak | PlayPromptOnAnswer | Gather | TransferOnAnswer
    if isinstance(wanted, kinds) and wanted.machine_detection:
        message = wanted.machine_detection.message
        if message is not None and folders and prompts.find(folders, message) is None:
            key = "/on_answer/machine_detection/message"
            errors.append((key, f"there is no prompt {message!r} in {folders[0]}; put it there"))
    return errors


def _mistakes_of_transfers(
    wanted: OnAnswer | None, context: Context, trunks: Collection[str]
) -> list[tuple[str, str]]:
    """Return which targets of transfers cannot be: a trunk that is not there, a bad number."""
    names = ", ".join(sorted(trunks)) or "none"
    errors = []
    for below, target in _targets(wanted):
        where = f"/on_answer{below}"
        if target.trunk is not None and target.trunk not in trunks:
            said = f"there is no trunk {target.trunk!r} in the configuration; it has {names}"
            errors.append((f"{where}/trunk", said))
        if target.number is None:
            continue  # each call has its own, which is looked at when it is transferred
        try:
            number = normalise(target.number, context.settings.internal_numbers)
        except NumberError as error:
            errors.append((f"{where}/number", str(error)))
        else:
            if not number.dialable:
                errors.append((f"{where}/number", number.problem))
    return errors


def _targets(wanted: OnAnswer | None) -> Iterator[tuple[str, TransferTarget]]:
    """Yield every target of a transfer, each with its JSON pointer."""
    if isinstance(wanted, TransferOnAnswer):
        yield "/target", wanted.target
    elif isinstance(wanted, LetBotSpeak | Gather):
        for name, target in wanted.transfers.items():
            yield pointer(("transfers", name)), target


def _prompts(wanted: OnAnswer | None) -> Iterator[tuple[str, Prompt]]:
    """Yield every prompt that may be played on answer, each with its JSON pointer."""
    for where, target in _targets(wanted):
        if isinstance(target.waiting, Prompt):
            yield f"{where}/waiting", target.waiting
    if isinstance(wanted, Gather):
        yield from prompts_of(wanted)
    elif isinstance(wanted, PlayPrompt):
        yield "", wanted
    elif isinstance(wanted, LetBotSpeak) and isinstance(wanted.fallback, PlayPrompt):
        yield "/fallback", wanted.fallback
    elif isinstance(wanted, TransferOnAnswer) and wanted.prompt is not None:
        yield "/prompt", wanted.prompt
    recording = None if wanted is None else wanted.recording
    if recording is not None and recording.announcement is not None:
        yield "/recording/announcement", recording.announcement


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings as the store has them: seconds for minutes, tuples for lists."""
    for name in ("trunks", "caller_ids", "holidays", "dates_without_calls"):
        if name in values:
            values[name] = tuple(values[name])
    if "windows" in values:
        values["windows"] = stored_windows(values["windows"])
    if "retry_interval_minutes" in values:
        values["retry_interval_seconds"] = values.pop("retry_interval_minutes") * 60
    if "retry_by_outcome" in values:
        values["retry_by_outcome"] = {
            str(outcome): minutes * 60 for outcome, minutes in values["retry_by_outcome"].items()
        }
    return values


def stored_windows(windows: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return calling windows, as dumped, under the names that their JSON has."""
    return tuple({"days": one["days"], "from": one["from_"], "to": one["to"]} for one in windows)


def shown(record: records.Campaign) -> models.Campaign:
    """Return a campaign of the store as the API shows it."""
    return models.Campaign(**_fields(record))


def _fields(record: records.Campaign) -> dict[str, Any]:
    settings = {
        field.name: getattr(record.settings, field.name)
        for field in dataclasses.fields(record.settings)
    }
    own = {
        name: getattr(record, name)
        for name in models.Campaign.model_fields
        if hasattr(record, name)
    }
    settings["retry_interval_minutes"] = _minutes(settings.pop("retry_interval_seconds"))
    settings["retry_by_outcome"] = {
        outcome: _minutes(seconds) for outcome, seconds in record.settings.retry_by_outcome.items()
    }
    return settings | own


def _minutes(seconds: int) -> int | float:
    """Return whole minutes as an int, so that what is read can be written back."""
    return seconds / 60 if seconds % 60 else seconds // 60

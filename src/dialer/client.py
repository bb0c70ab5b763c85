"""A client of the control API."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any

import httpx
import httpx_sse

from dialer.api import (
    account_models,
    audit_models,
    call_models,
    choice_models,
    event_models,
    models,
    report_models,
    trace_models,
    trunk_models,
)
from dialer.client_connection import READ_TIMEOUT, ApiConnection, ApiProblem, problem_of
from dialer.client_recordings import RecordingClient
from dialer.client_webhooks import WebhookClient

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Iterable, Mapping

    from dialer.campaign.role import Role
    from dialer.campaign.status import CallStatus, CampaignStatus

__all__ = ["ApiProblem", "Client"]

DO_NOT_CALL = "/v1/do-not-call"
LIST_TIMEOUT = 900.0  # seconds; a large list is answered when it is in
BUSY = frozenset({429, 502, 503, 504})  # what passes
EVENTS_RETRY = 2.0  # seconds before a stream of events is taken up again
MAKING_TIMEOUT = 3600.0  # seconds; what is made whole before it is answered


class Client(ApiConnection):
    """Speaks to one API at `base_url`; every method raises ApiProblem, and nothing else.

    What changes something is sent with an idempotency key of its own, and is sent again with it
    where the connection breaks before the answer: it is done once. A list that is streamed is not.
    """

    @property
    def webhooks(self) -> WebhookClient:
        """What is about webhooks."""
        return WebhookClient(self._json, self._request)

    @property
    def recordings(self) -> RecordingClient:
        """What is about recordings."""
        return RecordingClient(self._json, self._request, self._pieces)

    async def create_campaign(self, settings: Mapping[str, Any]) -> models.Campaign:
        """Create a draft with `settings`, as JSON has them."""
        return await self._json(models.Campaign, "POST", "/v1/campaigns", json=settings)

    async def campaigns(
        self, *statuses: CampaignStatus, limit: int = 50, cursor: str | None = None
    ) -> models.CampaignPage:
        """Read a page of campaigns, newest first."""
        return await self._json(
            models.CampaignPage,
            "GET",
            "/v1/campaigns",
            params=_parameters(statuses, limit, cursor),
        )

    async def campaign(self, campaign_id: int) -> models.CampaignWithCounts:
        """Read a campaign with its calls counted by status."""
        return await self._json(models.CampaignWithCounts, "GET", f"/v1/campaigns/{campaign_id}")

    async def change_campaign(
        self, campaign_id: int, changes: Mapping[str, Any]
    ) -> models.Campaign:
        """Change the settings named in `changes`."""
        return await self._json(
            models.Campaign, "PATCH", f"/v1/campaigns/{campaign_id}", json=changes
        )

    async def delete_campaign(self, campaign_id: int) -> None:
        """Delete a campaign, finishing it first."""
        await self._request("DELETE", f"/v1/campaigns/{campaign_id}")

    async def start(self, campaign_id: int) -> models.Campaign:
        """Start a draft."""
        return await self._move(campaign_id, "start")

    async def pause(self, campaign_id: int) -> models.Campaign:
        """Pause a campaign."""
        return await self._move(campaign_id, "pause")

    async def resume(self, campaign_id: int) -> models.Campaign:
        """Let a paused campaign go on."""
        return await self._move(campaign_id, "resume")

    async def finish(self, campaign_id: int, *, hang_up: bool = False) -> models.Campaign:
        """Finish a campaign; `hang_up` ends the calls that are up too."""
        return await self._move(campaign_id, "finish", json={"hang_up": hang_up})

    async def _move(self, campaign_id: int, action: str, **body: Any) -> models.Campaign:
        return await self._json(
            models.Campaign, "POST", f"/v1/campaigns/{campaign_id}/{action}", **body
        )

    async def add_numbers(
        self, campaign_id: int, numbers: Iterable[str | Mapping[str, Any]]
    ) -> models.AddedNumbers:
        """Add numbers: texts, or objects as the API's NewNumber."""
        return await self._json(
            models.AddedNumbers,
            "POST",
            f"/v1/campaigns/{campaign_id}/numbers",
            json=list(numbers),
        )

    async def add_list(
        self, campaign_id: int, pieces: AsyncIterator[bytes], **query: str | bool
    ) -> models.AddedNumbers:
        """Add a list in CSV or XLSX, streamed; the API tells which it is.

        `query` as the API's ListQuery: dry_run, sheet, encoding, file_name.
        """
        return await self._send_list(f"/v1/campaigns/{campaign_id}/numbers", pieces, query)

    async def check_list(
        self, pieces: AsyncIterator[bytes], **query: str | bool
    ) -> models.AddedNumbers:
        """Ask what would become of the rows of a list in a new campaign; nothing is written."""
        return await self._send_list("/v1/lists/check", pieces, query)

    async def _send_list(
        self, path: str, pieces: AsyncIterator[bytes], query: Mapping[str, str | bool]
    ) -> models.AddedNumbers:
        return await self._json(
            models.AddedNumbers,
            "POST",
            path,
            params=query,
            content=pieces,
            headers={"Content-Type": "text/csv"},
            timeout=httpx.Timeout(10.0, read=LIST_TIMEOUT),
        )

    async def remove_numbers(
        self,
        campaign_id: int,
        *,
        numbers: Iterable[str] | None = None,
        call_ids: Iterable[int] | None = None,
        import_id: int | None = None,
    ) -> models.RemovedNumbers:
        """Remove calls that were never attempted, by one of the three."""
        given = {"numbers": numbers and list(numbers), "call_ids": call_ids and list(call_ids)}
        return await self._json(
            models.RemovedNumbers,
            "POST",
            f"/v1/campaigns/{campaign_id}/numbers/remove",
            json=given | {"import_id": import_id},
        )

    async def imports(
        self, campaign_id: int, *, limit: int = 50, cursor: str | None = None
    ) -> models.ImportPage:
        """Read a page of the lists that were added to a campaign, newest first."""
        path = f"/v1/campaigns/{campaign_id}/imports"
        return await self._json(
            models.ImportPage, "GET", path, params=_parameters((), limit, cursor)
        )

    async def import_(self, import_id: int) -> models.Import:
        """Read what became of a list."""
        return await self._json(models.Import, "GET", f"/v1/imports/{import_id}")

    async def skipped_rows(self, import_id: int) -> AsyncIterator[bytes]:
        """Yield the pieces of the CSV of the rows of a list that did not go in."""
        async for piece in self._pieces(f"/v1/imports/{import_id}/skipped.csv"):
            yield piece

    async def calls(
        self,
        campaign_id: int,
        *statuses: CallStatus,
        number: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> call_models.CallPage:
        """Read a page of a campaign's calls, the last added first; `number` is one exactly."""
        parameters = _parameters(statuses, limit, cursor, number)
        return await self._json(
            call_models.CallPage, "GET", f"/v1/campaigns/{campaign_id}/calls", params=parameters
        )

    async def dialogs(
        self,
        *statuses: CallStatus,
        number: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> call_models.CallPage:
        """Read a page of the calls of all campaigns, of deleted ones too."""
        parameters = _parameters(statuses, limit, cursor, number)
        return await self._json(call_models.CallPage, "GET", "/v1/dialogs", params=parameters)

    async def call(self, call_id: int) -> call_models.CallWithAttempts:
        """Read a call with its attempts."""
        return await self._json(call_models.CallWithAttempts, "GET", f"/v1/calls/{call_id}")

    async def call_messages(self, call_id: int) -> trace_models.CallMessages:
        """Read the SIP messages that are kept of a call."""
        return await self._json(trace_models.CallMessages, "GET", f"/v1/calls/{call_id}/messages")

    async def call_capture(self, call_id: int) -> bytes:
        """Read what is kept of a call as a capture file for Wireshark."""
        return (await self._request("GET", f"/v1/calls/{call_id}/capture.pcap")).content

    async def report(
        self, campaign_id: int | None, suffix: str = "csv", **wanted: Any
    ) -> AsyncIterator[bytes]:
        """Yield the pieces of a report as csv, xlsx or jsonl; of all campaigns where none is named.

        `wanted` are the API's parameters: per, status, outcome, number, and since and until for
        its from and to.
        """
        where = "/v1/dialogs" if campaign_id is None else f"/v1/campaigns/{campaign_id}"
        named = {"since": "from", "until": "to"}
        parameters = {named.get(name, name): value for name, value in wanted.items() if value}
        # a workbook is made whole before its first byte is sent
        read = MAKING_TIMEOUT if suffix == "xlsx" else READ_TIMEOUT
        async for piece in self._pieces(
            f"{where}/report.{suffix}", params=parameters, timeout=httpx.Timeout(10.0, read=read)
        ):
            yield piece

    async def events(
        self,
        *,
        campaign_ids: Iterable[int] = (),
        kinds: Iterable[str] = (),
        after: str | None = None,
    ) -> AsyncIterator[event_models.LiveEvent]:
        """Yield changes as they happen, for ever; a stream that ends is taken up where it was.

        `kinds` such as `campaign.paused`, or `call.` for all that begin so. `after` is the id of
        the last event that was seen. Raises ApiProblem where the API refuses, where it cannot be
        reached at first, and with `status` 410 where what was missed cannot be told: read all anew.
        """
        query = {"campaign_id": list(campaign_ids), "kind": list(kinds)}
        pause = EVENTS_RETRY
        last, reached = after, False
        while True:
            headers = {} if last is None else {"Last-Event-ID": last}
            try:
                async with httpx_sse.aconnect_sse(
                    self._http, "GET", "/v1/events", params=query, headers=headers
                ) as source:
                    if source.response.is_error:
                        await source.response.aread()
                        raise problem_of(source.response)
                    reached = True
                    async for told in source.aiter_sse():
                        last = told.id or last
                        pause = pause if told.retry is None else told.retry / 1000
                        _check_not_reset(told.event)
                        if told.data and told.event != "hello":
                            yield event_models.LiveEvent.model_validate_json(told.data)
            except httpx.HTTPError as error:
                if not reached:
                    raise self._unreachable(error) from None
            except ApiProblem as problem:
                if not reached or problem.status not in BUSY:
                    raise
            await self._clock.sleep(pause)

    async def totals(self, campaign_id: int) -> report_models.Totals:
        """Read a campaign's figures."""
        return await self._json(report_models.Totals, "GET", f"/v1/campaigns/{campaign_id}/totals")

    async def requeue(self, campaign_id: int, statuses: Iterable[str], **which: Any) -> int:
        """Plan calls of these final statuses anew and return how many; `which` narrows them.

        It takes `outcomes` and `call_ids`.
        """
        done = await self._json(
            report_models.Requeued,
            "POST",
            f"/v1/campaigns/{campaign_id}/requeue",
            json={"statuses": list(statuses), **which},
        )
        return done.requeued

    async def clone(
        self, campaign_id: int, name: str, numbers: str = "none"
    ) -> report_models.ClonedCampaign:
        """Make a draft with a campaign's settings; `numbers` are none, all or not_answered."""
        return await self._json(
            report_models.ClonedCampaign,
            "POST",
            f"/v1/campaigns/{campaign_id}/clone",
            json={"name": name, "numbers": numbers},
            timeout=httpx.Timeout(10.0, read=MAKING_TIMEOUT),
        )

    async def erase_person(self, number: str) -> report_models.ErasedPerson:
        """Erase the data of the person with a number."""
        return await self._json(
            report_models.ErasedPerson, "POST", "/v1/persons/erase", json={"number": number}
        )

    async def audit(
        self, *, limit: int = 50, cursor: str | None = None, **wanted: Any
    ) -> audit_models.AuditPage:
        """Read a page of who did what, newest first.

        `wanted` are the API's parameters route and campaign_id, and since and until for its from
        and to.
        """
        named = {"since": "from", "until": "to"}
        parameters = {named.get(name, name): value for name, value in wanted.items() if value}
        parameters |= _parameters((), limit, cursor)
        return await self._json(audit_models.AuditPage, "GET", "/v1/audit", params=parameters)

    async def prompts(self) -> choice_models.PromptList:
        """Read which audio files campaigns may play."""
        return await self._json(choice_models.PromptList, "GET", "/v1/prompts")

    async def bot_secrets(self) -> choice_models.BotSecretList:
        """Read the names of the secrets of bots, and the URLs that they cover."""
        return await self._json(choice_models.BotSecretList, "GET", "/v1/bot-secrets")

    async def trunks(self) -> trunk_models.TrunkList:
        """Read every trunk."""
        return await self._json(trunk_models.TrunkList, "GET", "/v1/trunks")

    async def trunk(self, name: str) -> trunk_models.TrunkWithFailures:
        """Read a trunk with its last failures."""
        return await self._json(trunk_models.TrunkWithFailures, "GET", _trunk_path(name))

    async def hold_trunk(self, name: str, reason: str, by: str) -> trunk_models.Trunk:
        """Give a trunk no more calls, on all nodes at once."""
        said = {"reason": reason, "by": by}
        return await self._json(trunk_models.Trunk, "POST", f"{_trunk_path(name)}/hold", json=said)

    async def release_trunk(self, name: str) -> trunk_models.Trunk:
        """Give calls to a trunk again."""
        return await self._json(trunk_models.Trunk, "POST", f"{_trunk_path(name)}/release", json={})

    async def account(self) -> account_models.OwnAccount:
        """Read the account of the token: its plan, and what is used of it."""
        return await self._json(account_models.OwnAccount, "GET", "/v1/account")

    async def tokens(self) -> account_models.TokenList:
        """Read the account's tokens."""
        return await self._json(account_models.TokenList, "GET", "/v1/tokens")

    async def create_token(
        self, name: str, role: Role, expires_at: dt.datetime | None = None
    ) -> account_models.MadeToken:
        """Make a token; its `secret` can never be read again."""
        expires = None if expires_at is None else expires_at.isoformat()
        asked = {"name": name, "role": role, "expires_at": expires}
        return await self._json(account_models.MadeToken, "POST", "/v1/tokens", json=asked)

    async def revoke_token(self, token_id: int) -> None:
        """Let a token work no more."""
        await self._request("DELETE", f"/v1/tokens/{token_id}")

    async def do_not_call(
        self,
        *,
        scope: account_models.Scope = "account",
        number: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> account_models.ListingPage:
        """Read a page of a do-not-call list, newest first, or all that lists `number`."""
        parameters = _parameters((), limit, cursor, number) | {"scope": scope}
        return await self._json(account_models.ListingPage, "GET", DO_NOT_CALL, params=parameters)

    async def add_do_not_call(
        self,
        entries: Iterable[str | Mapping[str, Any]],
        *,
        scope: account_models.Scope = "account",
    ) -> account_models.AddedListings:
        """List numbers: texts, or objects as the API's NewListing."""
        return await self._json(
            account_models.AddedListings,
            "POST",
            DO_NOT_CALL,
            params={"scope": scope},
            json=list(entries),
        )

    async def import_do_not_call(
        self, pieces: AsyncIterator[bytes], *, scope: account_models.Scope = "account"
    ) -> account_models.AddedListings:
        """List the numbers of a CSV list, streamed."""
        return await self._json(
            account_models.AddedListings,
            "POST",
            DO_NOT_CALL,
            params={"scope": scope},
            content=pieces,
            headers={"Content-Type": "text/csv"},
        )

    async def remove_do_not_call(
        self,
        phone: str,
        *,
        kind: account_models.Kind = "number",
        scope: account_models.Scope = "account",
    ) -> None:
        """Take an entry off a list."""
        which = {"phone": phone, "kind": kind, "scope": scope}
        await self._request("DELETE", DO_NOT_CALL, params=which)

    async def export_do_not_call(
        self, *, scope: account_models.Scope = "account"
    ) -> AsyncIterator[bytes]:
        """Yield the pieces of a do-not-call list as CSV."""
        async for piece in self._pieces(f"{DO_NOT_CALL}/export.csv", params={"scope": scope}):
            yield piece


def _check_not_reset(event: str) -> None:
    if event == "reset":
        raise ApiProblem("what was missed cannot all be told: read everything anew", 410)


def _trunk_path(name: str) -> str:
    return f"/v1/trunks/{urllib.parse.quote(name, safe='')}"


def _parameters(
    statuses: Iterable[str], limit: int, cursor: str | None, number: str | None = None
) -> dict[str, Any]:
    """Return query parameters without those that are not given."""
    given = {"status": list(statuses), "number": number, "limit": limit, "cursor": cursor}
    return {name: value for name, value in given.items() if value is not None}

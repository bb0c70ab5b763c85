"""The client and the API together."""

from __future__ import annotations

import csv
import io

import httpx
import pytest

from dialer.campaign.role import Role
from dialer.campaign.status import CallStatus, CampaignStatus
from dialer.client import ApiProblem, Client

TOKEN = "t0ken-with-more-than-16-characters"
SETTINGS = {"name": "Spring", "caller_ids": ["+4930123456"], "trunks": ["pbx"]}


@pytest.fixture
async def client(pool, serve):
    async with serve(pool, token=TOKEN) as api, Client(str(api.client._base_url), TOKEN) as found:
        yield found


async def test_a_campaign_from_beginning_to_end(client):
    draft = await client.create_campaign(SETTINGS)
    assert draft.status is CampaignStatus.DRAFT
    assert draft.status_label == "Draft"
    changed = await client.change_campaign(draft.id, {"max_attempts": 2})
    assert changed.max_attempts == 2

    added = await client.add_numbers(draft.id, ["+4930123456", {"phone": "no"}])
    assert (added.added, added.rejected_rows[0].line) == (1, 2)

    async def pieces():
        yield b"phone;name\n+4930123456;a\n"
        yield b"+49301234"
        yield b"57;b\n+4930123457;b\n"

    added = await client.add_list(draft.id, pieces())
    assert (added.added, added.duplicates) == (2, 1)
    assert added.duplicate_rows[0].phone == "+4930123457"

    assert (await client.start(draft.id)).status is CampaignStatus.IN_PROGRESS
    assert (await client.pause(draft.id)).status is CampaignStatus.PAUSED
    with pytest.raises(ApiProblem) as refused:
        await client.start(draft.id)
    assert refused.value.status == 409
    assert refused.value.problem.current_status == "paused"
    assert "resume" in refused.value.problem.allowed
    assert (await client.resume(draft.id)).status is CampaignStatus.IN_PROGRESS

    read = await client.campaign(draft.id)
    assert {count.status: count.calls for count in read.counts if count.calls} == {
        CallStatus.PLANNED: 3
    }
    first = await client.calls(draft.id, CallStatus.PLANNED, limit=2)
    rest = await client.calls(draft.id, CallStatus.PLANNED, limit=2, cursor=first.next_cursor)
    assert len(first.items) == 2
    assert len(rest.items) == 1
    call = await client.call(rest.items[0].id)
    assert call.number == "+4930123456"
    assert call.attempts == []

    finished = await client.finish(draft.id, hang_up=True)
    assert finished.status is CampaignStatus.FINISHED
    report = b"".join([piece async for piece in client.report(draft.id)]).decode()
    rows = list(csv.DictReader(io.StringIO(report, newline="")))
    assert [row["status"] for row in rows] == ["not_dialed"] * 3

    listed = await client.campaigns(CampaignStatus.FINISHED, CampaignStatus.PAUSED)
    assert [campaign.id for campaign in listed.items] == [draft.id]
    assert (await client.campaigns(CampaignStatus.DRAFT)).items == []
    await client.delete_campaign(draft.id)
    assert (await client.campaigns()).items == []
    assert len((await client.dialogs(CallStatus.NOT_DIALED)).items) == 3
    found = (await client.dialogs(number="+4930123456", limit=1)).items
    assert [call.number for call in found] == ["+4930123456"]

    held = await client.hold_trunk("pbx", "new SBC", "ada")
    assert (held.hold.reason, held.availability) == ("new SBC", "down")
    assert [trunk.name for trunk in (await client.trunks()).items] == ["carrier", "pbx"]
    assert (await client.release_trunk("pbx")).hold is None
    assert (await client.trunk("pbx")).recent_failures == []
    with pytest.raises(ApiProblem, match=f"there is no campaign {draft.id}"):
        await client.campaign(draft.id)


async def test_a_wrong_token(pool, serve):
    async with serve(pool, token=TOKEN) as api:
        for token in (None, "another-token-of-the-right-length"):
            async with Client(str(api.client._base_url), token) as client:
                with pytest.raises(ApiProblem, match="Authorization") as caught:
                    await client.campaigns()
                assert caught.value.status == 401


async def test_bad_settings_in_one_line(client):
    with pytest.raises(ApiProblem) as caught:
        await client.create_campaign({**SETTINGS, "trunks": ["nowhere"]})
    assert str(caught.value) == (
        "body /trunks/0: there is no trunk 'nowhere' in the configuration; it has carrier, pbx"
    )


async def test_accounts_tokens_and_the_do_not_call_list(api):
    async with Client(f"http://127.0.0.1:{api.port}") as client:
        assert (await client.account()).settings.name == "default"
        made = await client.create_token("shop", Role.VIEWER)
        assert [one.id for one in (await client.tokens()).items] == [made.id]
        async with Client(f"http://127.0.0.1:{api.port}", made.secret) as shop:
            assert (await shop.account()).token.role is Role.VIEWER
            with pytest.raises(ApiProblem, match="needs the role operator"):
                await shop.add_do_not_call(["+493012345678"])
        await client.revoke_token(made.id)
        assert (await client.add_do_not_call(["+493012345678"])).added == 1
        everybody = [{"phone": "+4989", "kind": "prefix"}]
        assert (await client.add_do_not_call(everybody, scope="all")).added == 1
        [found] = (await client.do_not_call(number="+498912345678")).items
        assert (found.phone, found.kind, found.scope) == ("+4989", "prefix", "all")
        await client.remove_do_not_call("+4989", kind="prefix", scope="all")
        pieces = [piece async for piece in client.export_do_not_call()]
        assert b"+493012345678,number," in b"".join(pieces)


class LosingAnswers(httpx.AsyncHTTPTransport):
    """Loses the first answer to a POST, which was done."""

    def __init__(self):
        super().__init__()
        self.lost = 0

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        if request.method == "POST" and not self.lost:
            self.lost += 1
            await response.aclose()
            raise httpx.ReadError("")
        return response


async def test_a_campaign_whose_answer_was_lost_is_made_once(pool, serve):
    transport = LosingAnswers()
    async with (
        serve(pool, token=TOKEN) as api,
        Client(str(api.client._base_url), TOKEN, transport) as client,
    ):
        made = await client.create_campaign(SETTINGS)
        assert transport.lost == 1
        assert [one.id for one in (await client.campaigns()).items] == [made.id]
        (entry,) = (await client.audit(route="createCampaign", campaign_id=made.id)).items
        assert entry.token_name == "of the configuration"
        assert (await client.audit(since="2999-01-01T00:00:00Z")).items == []


async def test_a_key_that_is_kept_makes_a_list_go_in_once(client):
    draft = await client.create_campaign(SETTINGS)

    async def pieces():
        yield b"phone\n+4930123456\n"

    first = await client.with_key("list-1").add_list(draft.id, pieces())
    assert await client.with_key("list-1").add_list(draft.id, pieces()) == first
    assert len((await client.imports(draft.id)).items) == 1

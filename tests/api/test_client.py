"""The client's errors: whatever comes back, or does not, is an ApiProblem with one line."""

from __future__ import annotations

import httpx
import pytest

from dialer.client import ApiProblem, Client
from dialer.client_connection import PAUSES
from dialer.clock import SystemClock

BASE = "http://dialer.test:8080"
PROBLEM = {
    "type": "about:blank",
    "title": "Move refused",
    "status": 409,
    "detail": "cannot pause a campaign that is draft; allowed: start, delete",
    "current_status": "draft",
    "allowed": ["start", "delete"],
    "something_new": 1,
}


class Impatient(SystemClock):
    """Waits for nothing, and tells how long it should have."""

    def __init__(self):
        self.waited = []

    async def sleep(self, seconds):
        self.waited.append(seconds)


@pytest.fixture
def clock():
    return Impatient()


@pytest.fixture
async def client(clock):
    async with Client(BASE, token="secret-token", clock=clock) as found:
        yield found


@pytest.mark.respx(base_url=BASE)
async def test_tells_a_problem_in_its_own_words(respx_mock, client):
    route = respx_mock.post("/v1/campaigns/1/pause").respond(
        409, json=PROBLEM, content_type="application/problem+json"
    )
    with pytest.raises(ApiProblem) as caught:
        await client.pause(1)
    assert str(caught.value) == PROBLEM["detail"]
    assert caught.value.status == 409
    assert caught.value.problem.allowed == ["start", "delete"]
    assert route.calls.last.request.headers["Authorization"] == "Bearer secret-token"


@pytest.mark.respx(base_url=BASE)
@pytest.mark.parametrize(
    ("status", "line"),
    [
        (502, "the API answered 502 Bad Gateway"),
        (404, "the API answered 404 Not Found"),
        (599, "the API answered 599"),
        (302, "the API answered 302 Found"),
    ],
)
async def test_tells_an_answer_that_is_no_problem(respx_mock, client, status, line):
    respx_mock.get("/v1/campaigns/1").respond(status, html="<h1>nginx</h1>")
    with pytest.raises(ApiProblem) as caught:
        await client.campaign(1)
    assert str(caught.value) == line
    assert caught.value.status == status
    assert caught.value.problem is None


@pytest.mark.respx(base_url=BASE)
async def test_tells_when_something_else_answers(respx_mock, client):
    respx_mock.get("/v1/campaigns").respond(200, html="<h1>router</h1>")
    with pytest.raises(ApiProblem, match="something else than the dialer's API"):
        await client.campaigns()


@pytest.mark.respx(base_url=BASE)
@pytest.mark.parametrize(
    "error", [httpx.ConnectError("Connection refused"), httpx.ReadTimeout(""), httpx.ReadError("")]
)
async def test_tells_when_nothing_answers(respx_mock, client, error):
    respx_mock.route().mock(side_effect=error)

    async def pieces():
        yield b"phone\n"

    async def whole_report():
        return [piece async for piece in client.report(1)]

    for call in (
        client.create_campaign({}),
        client.campaign(1),
        client.delete_campaign(1),
        client.add_numbers(1, ["+49"]),
        client.add_list(1, pieces()),
        client.call(1),
        whole_report(),
    ):
        with pytest.raises(ApiProblem) as caught:
            await call
        assert caught.value.status is None
        assert str(caught.value) == (
            f"cannot reach the dialer's API at {BASE}: {str(error) or type(error).__name__}"
        )


@pytest.mark.respx(base_url=BASE)
async def test_tells_a_problem_in_place_of_a_report(respx_mock, client):
    respx_mock.get("/v1/campaigns/9/report.csv").respond(
        404, json={**PROBLEM, "status": 404, "detail": "there is no campaign 9"}
    )
    with pytest.raises(ApiProblem, match="there is no campaign 9"):
        async for _ in client.report(9):
            pass


@pytest.mark.parametrize(("url", "token"), [("http://host:port", None), (BASE, "ü\u20ac")])
def test_refuses_an_address_or_token_that_is_none(url, token):
    with pytest.raises(ApiProblem, match="cannot be used"):
        Client(url, token)


async def test_tells_an_address_without_a_scheme():
    async with Client("dialer.test") as client:
        with pytest.raises(ApiProblem, match="cannot reach"):
            await client.campaigns()


@pytest.mark.respx(base_url=BASE)
async def test_a_change_whose_answer_was_lost_is_sent_again_with_its_key(respx_mock, client, clock):
    under_way = httpx.Response(409, json=PROBLEM, headers={"Retry-After": "5"})
    done = httpx.Response(200, json={"removed": 1, "kept": 0, "kept_calls": [],
                                     "kept_calls_truncated": False})  # fmt: skip
    for lost in (httpx.ReadError(""), httpx.RemoteProtocolError(""), httpx.WriteError("")):
        route = respx_mock.post("/v1/campaigns/1/numbers/remove")
        route.mock(side_effect=[lost, httpx.ConnectError("restarts"), under_way, done])
        assert (await client.remove_numbers(1, numbers=["+49"])).removed == 1
    keys = [call.request.headers["Idempotency-Key"] for call in respx_mock.calls]
    assert len(keys) == 12
    assert [len(set(keys[place : place + 4])) for place in (0, 4, 8)] == [1, 1, 1]
    assert len(set(keys)) == 3
    assert clock.waited == [*PAUSES] * 3


@pytest.mark.respx(base_url=BASE)
@pytest.mark.parametrize(("error", "tries"), [
    (httpx.ReadError(""), 1 + len(PAUSES)), (httpx.ConnectError(""), 1), (httpx.ReadTimeout(""), 1),
])  # fmt: skip
async def test_a_change_is_not_sent_again_for_ever(respx_mock, client, error, tries):
    route = respx_mock.post("/v1/campaigns/1/start").mock(side_effect=error)
    with pytest.raises(ApiProblem):
        await client.start(1)
    assert route.call_count == tries


@pytest.mark.respx(base_url=BASE)
async def test_what_must_not_be_sent_again_is_not(respx_mock, client):
    async def pieces():
        yield b"phone\n"

    route = respx_mock.route().mock(side_effect=httpx.ReadError(""))
    for call in (client.add_list(1, pieces()), client.delete_campaign(1)):
        with pytest.raises(ApiProblem):
            await call
    assert route.call_count == 2
    assert all("Idempotency-Key" not in call.request.headers for call in route.calls)


@pytest.mark.respx(base_url=BASE)
async def test_a_key_of_the_callers_own_is_sent(respx_mock, client):
    route = respx_mock.post("/v1/campaigns/1/start").respond(409, json=PROBLEM)
    for found in (client.with_key("order-17"), client):
        with pytest.raises(ApiProblem):
            await found.start(1)
    own, other = (call.request.headers["Idempotency-Key"] for call in route.calls)
    assert own == "order-17"
    assert other != own

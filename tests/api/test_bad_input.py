"""Input that is refused before the store is asked, each with one clear line."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json

import pytest
from structlog.testing import capture_logs

SETTINGS = {"name": "Spring", "caller_ids": ["+4930123456"], "trunks": ["pbx"]}
LISTS = ("/v1/campaigns", "/v1/dialogs")
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/campaigns/", "/v1/nothing", "/v1/campaigns/1/stop", "/%00",
     "/v1/%0d%0aX: y", "/../etc/passwd", "/v1/campaigns/1/2"],
)  # fmt: skip
async def test_nothing_there(bare_api, path):
    problem = await bare_api("GET", path, 404)
    assert "/openapi.json" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/campaigns", "GET, POST"),
        ("DELETE", "/v1/campaigns", "GET, POST"),
        ("POST", "/v1/campaigns/1", "DELETE, GET, PATCH"),
        ("GET", "/v1/campaigns/1/start", "POST"),
        ("POST", "/healthz", "GET"),
        ("OPTIONS", "/v1/campaigns", "GET, POST"),
    ],
)
async def test_method_not_for_it(bare_api, method, path, allowed):
    problem = await bare_api(method, path, 405)
    assert problem["headers"]["Allow"] == allowed
    assert allowed in problem["detail"]


@pytest.mark.parametrize(
    "identifier",
    ["0", "-1", "+1", "1.0", "1e3", "abc", "9223372036854775808", "1" + "0" * 30, "٣", "0x1",
     "%20", "1%0d%0a", "1%00", "'; DROP TABLE campaigns; --", "9" * 5000],
)  # fmt: skip
async def test_what_cannot_be_an_id_is_not_found(bare_api, identifier):
    for method, path in (
        ("GET", "/v1/campaigns/{}"),
        ("DELETE", "/v1/campaigns/{}"),
        ("POST", "/v1/campaigns/{}/start"),
        ("POST", "/v1/campaigns/{}/numbers"),
        ("GET", "/v1/campaigns/{}/calls"),
        ("GET", "/v1/campaigns/{}/report.csv"),
        ("GET", "/v1/calls/{}"),
    ):
        await bare_api(method, path.format(identifier), 404)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "EOF"),
        (b"{", "EOF"),
        (b"{'name': 1}", "key"),
        (b'{"name": "x",}', "trailing comma"),
        (b'{"name": "\xff"}', "unicode"),
        (b'{"name": "\\ud800"}', "escape"),
        (b"[" * 100_000, "recursion"),
        (b'{"name": ' + b"9" * 5000 + b"}", "number"),
        (b'{"name": "a\nb"}', "control character"),
    ],
)
async def test_broken_json(bare_api, body, word):
    problem = await bare_api("POST", "/v1/campaigns", 400, data=body, headers=JSON)
    assert problem["detail"].startswith("body: not valid JSON")
    assert word in problem["detail"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"{}"])
async def test_json_of_another_shape(bare_api, body):
    problem = await bare_api("POST", "/v1/campaigns", 422, data=body, headers=JSON)
    assert problem["errors"]


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": " "}, "/name"),
        ({"name": 7}, "/name"),
        ({"name": "a\r\nb"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"caller_ids": ["+4930\r\nX: y"]}, "/caller_ids/0"),
        ({"caller_ids": ["+4930\n"]}, "/caller_ids/0"),
        ({"caller_ids": ["+4930%0d%0aX"]}, "/caller_ids/0"),
        ({"caller_ids": ["+4930;user=x"]}, "/caller_ids/0"),
        ({"caller_ids": ["+4930@evil"]}, "/caller_ids/0"),
        ({"caller_ids": ["1", "<sip:2>"]}, "/caller_ids/1"),
        ({"caller_ids": "+4930"}, "/caller_ids"),
        ({"trunks": []}, "/trunks"),
        ({"trunks": ["pbx", "nowhere"]}, "/trunks/1"),
        ({"trunks": ["pbx\n"]}, "/trunks/0"),
        ({"max_attempts": 0}, "/max_attempts"),
        ({"max_attempts": "3"}, "/max_attempts"),
        ({"max_attempts": True}, "/max_attempts"),
        ({"max_attempts": 10**30}, "/max_attempts"),
        ({"max_simultaneous_calls": -1}, "/max_simultaneous_calls"),
        ({"calls_per_second": 0}, "/calls_per_second"),
        ({"calls_per_second": float("nan")}, "/calls_per_second"),
        ({"calls_per_second": float("inf")}, "/calls_per_second"),
        ({"ring_timeout_seconds": 14}, "/ring_timeout_seconds"),
        ({"ring_timeout_seconds": 121}, "/ring_timeout_seconds"),
        ({"retry_interval_minutes": 0}, "/retry_interval_minutes"),
        ({"retry_by_outcome": {"busi": 5}}, "/retry_by_outcome/busi"),
        ({"retry_by_outcome": {"busy": 0}}, "/retry_by_outcome/busy"),
        ({"on_answer": {"kind": "dance"}}, "/on_answer"),
        ({"on_answer": {"kind": "prompt"}}, "/on_answer"),
        ({"on_answer": {"kind": "prompt", "file": "a\0"}}, ""),
        ({"start_at": "tomorrow"}, "/start_at"),
        ({"start_at": "2026-12-01T10:00:00"}, "/start_at"),
        ({"start_at": "9999-12-31T23:59:59-12:00"}, "/start_at"),
        ({"start_at": "0001-01-01T00:00:00+12:00"}, "/start_at"),
        ({"webhook_url": "file:///etc/passwd"}, "/webhook_url"),
        ({"redial_interrupted": "yes"}, "/redial_interrupted"),
        ({"max_atempts": 3}, "/max_atempts"),
        ({"id": 1}, "/id"),
        ({"status": "finished"}, "/status"),
    ],
)
async def test_settings_that_do_not_fit(bare_api, settings, pointer):
    for method, path, body in (
        ("POST", "/v1/campaigns", {**SETTINGS, **settings}),
        ("PATCH", "/v1/campaigns/1", settings),
    ):
        problem = await bare_api(method, path, 422, data=json.dumps(body), headers=JSON)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
        assert problem["detail"].startswith(f"body {pointer}".strip() + ":")


async def test_an_unknown_trunk_is_told_with_the_known_ones(bare_api):
    problem = await bare_api("POST", "/v1/campaigns", 422, json={**SETTINGS, "trunks": ["nowhere"]})
    assert problem["detail"] == (
        "body /trunks/0: there is no trunk 'nowhere' in the configuration; it has carrier, pbx"
    )


async def test_a_change_of_nothing(bare_api):
    problem = await bare_api("PATCH", "/v1/campaigns/1", 422, json={})
    assert "names no setting" in problem["detail"]


async def test_many_errors_are_bounded(bare_api):
    problem = await bare_api(
        "POST", "/v1/campaigns", 422, json={**SETTINGS, "caller_ids": ["x"] * 1000}
    )
    assert len(problem["errors"]) == 50
    assert "(and 999 more)" in problem["detail"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1" + "0" * 30}, "limit"),
        ({"status": "dancing"}, "status/0"),
        ({"statuz": "planned"}, "statuz"),
        ({"cursor": "x" * 201}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "!!!"}, "cursor"),
        ({"cursor": "ü"}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b"id-1").decode()}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b"id" + b"9" * 19).decode()}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b"\xff").decode()}, "cursor"),
        ([("limit", "1"), ("limit", "2")], "limit"),
    ],
)
async def test_query_that_does_not_fit(bare_api, path, query, parameter):
    problem = await bare_api("GET", path, 422, params=query)
    assert [error["pointer"] for error in problem["errors"]] == [parameter]
    assert problem["detail"].startswith(f"query parameter {parameter}: ")


async def test_bodies_of_moves(bare_api):
    for action in ("start", "pause", "resume"):
        problem = await bare_api("POST", f"/v1/campaigns/1/{action}", 422, json={"hang_up": True})
        assert problem["errors"] == [{"pointer": "/hang_up", "detail": "unknown key"}]
    await bare_api("POST", "/v1/campaigns/1/finish", 422, json={"hang_up": "yes"})
    await bare_api("POST", "/v1/campaigns/1/finish", 422, json=[])
    await bare_api("POST", "/v1/campaigns/1/finish", 400, data=b"x", headers=JSON)


async def test_a_body_that_is_too_large(serve):
    async with serve(None, max_body_bytes=1000) as api:
        body = json.dumps({**SETTINGS, "name": "x" * 1000}).encode()
        problem = await api("POST", "/v1/campaigns", 413, data=body, headers=JSON)
        assert "1000 bytes" in problem["detail"]

        async def pieces():
            for _ in range(100):
                yield b" " * 100

        await api("POST", "/v1/campaigns", 413, data=pieces(), headers=JSON)


async def test_a_compressed_bomb_is_too_large(serve):
    async with serve(None, max_body_bytes=100_000) as api:
        bomb = gzip.compress(b" " * 20_000_000)
        assert len(bomb) < 100_000
        headers = {**JSON, "Content-Encoding": "gzip"}
        await api("POST", "/v1/campaigns", 413, data=bomb, headers=headers)


async def test_a_body_that_is_not_as_its_encoding_says(bare_api):
    headers = {**JSON, "Content-Encoding": "gzip"}
    await bare_api("POST", "/v1/campaigns", 400, data=b"{}" * 100, headers=headers)


async def _raw(api, data):
    """Send bytes, and nothing more, and return the problem that comes back."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    writer.write(data)
    answer = await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_body_that_does_not_come(serve):
    head = (
        b"POST /v1/campaigns HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    async with serve(None, read_timeout=0.05) as api:
        answer = await _raw(api, head)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert b"nothing more of the body came" in answer


async def test_a_fault_of_our_own_tells_an_id_and_nothing_else(bare_api):
    # without a pool, what needs the store fails as a mistake in the program would
    with capture_logs() as logged:
        problem = await bare_api("GET", "/v1/campaigns", 500)
    assert problem["error_id"] in problem["detail"]
    assert "NoneType" not in json.dumps({**problem, "headers": None})
    (record,) = (entry for entry in logged if entry["event"] == "unexpected error")
    assert record["error_id"] == problem["error_id"]
    assert isinstance(record["exc_info"], AttributeError)

"""Who may ask: Host, Origin, Sec-Fetch-Site and token."""

from __future__ import annotations

import asyncio

import pytest

from dialer.api.settings import ApiSettings, SettingsError

TOKEN = "t0ken-with-more-than-16-characters"


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost.", "localhost:65535"]
)
async def test_answers_to_loopback_names(bare_api, host):
    await bare_api("GET", "/healthz", headers={"Host": host})


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]:80"],
)
async def test_refuses_names_that_are_not_ours(bare_api, host):
    problem = await bare_api("GET", "/healthz", 421, headers={"Host": host})
    assert "allowed_hosts" in problem["detail"]


@pytest.mark.parametrize("host", ["", "a b", "localhost:x", "localhost@evil", "[localhost]"])
async def test_refuses_a_host_header_that_is_none(bare_api, host):
    await bare_api("GET", "/healthz", 400, headers={"Host": host})


async def test_refuses_two_host_headers_and_none(bare_api):
    for headers in ("Host: localhost\r\nHost: evil.example\r\n", ""):
        answer = await _raw(bare_api, bare_api.host, headers)
        assert answer.split()[1] == b"400"


async def test_answers_to_configured_names(serve):
    async with serve(None, allowed_hosts=("Dialer.example.com",)) as api:
        await api("GET", "/healthz", headers={"Host": "dialer.example.com:443"})
        await api("GET", "/healthz", 421, headers={"Host": "example.com"})


async def test_answers_to_the_address_that_it_is_reached_at(serve):
    async with serve(None, bind_host="0.0.0.0", token=TOKEN) as api:
        for host, status in (("127.0.0.9", 200), ("127.0.0.8", 421), ("example.com", 421)):
            answer = await _raw(api, "127.0.0.9", f"Host: {host}:80\r\n")
            assert answer.split()[1] == str(status).encode()


async def _raw(api, address, headers):
    reader, writer = await asyncio.open_connection(address, api.port)
    writer.write(f"GET /healthz HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example",
        "null",
        "http://localhost:1",
        "http://localhost",
        "file://",
        "http://127.0.0.1:{port}",
        "http://localhost:{port}/",
        "http://localhost:{port}@evil.example",
        "ftp://localhost:{port}",
        "",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_refuses_other_origins(bare_api, origin, method):
    headers = {
        "Host": f"localhost:{bare_api.port}",
        "Origin": origin.format(port=bare_api.port),
    }
    await bare_api(method, "/v1/campaigns", 403, headers=headers)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("LOCALHOST:8080", "http://localhost:8080"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "https://localhost"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
async def test_takes_its_own_origin(bare_api, host, origin):
    await bare_api("GET", "/healthz", headers={"Host": host, "Origin": origin})


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
async def test_refuses_fetches_of_other_sites(bare_api, site):
    headers = {"Sec-Fetch-Site": site}
    await bare_api("POST", "/v1/campaigns", 403, headers=headers)
    await bare_api("GET", "/healthz", 403, headers=headers)


async def test_lets_a_followed_link_through_but_no_form(bare_api):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    await bare_api("GET", "/healthz", headers=headers)
    await bare_api("POST", "/v1/campaigns", 403, headers=headers)


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_takes_fetches_of_its_own(bare_api, site):
    await bare_api("GET", "/healthz", headers={"Sec-Fetch-Site": site})


async def test_a_simple_form_cannot_post_json(bare_api):
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        problem = await bare_api(
            "POST", "/v1/campaigns", 415, data=b"{}", headers={"Content-Type": content_type}
        )
        assert problem["headers"]["Accept"] == "application/json"
        await bare_api(
            "POST", "/v1/campaigns/1/start", 415, data=b"", headers={"Content-Type": content_type}
        )
    await bare_api(
        "POST", "/v1/campaigns/1/finish", 415, data=b"{}", skip_auto_headers=["Content-Type"]
    )


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN,
                      f"Bearer {TOKEN[:-1]}", "Bearer \xff"],
)  # fmt: skip
async def test_refuses_a_wrong_token(serve, authorization):
    async with serve(None, token=TOKEN) as api:
        headers = {} if authorization is None else {"Authorization": authorization}
        for path in ("/v1/campaigns", "/metrics", "/nothing"):
            problem = await api("GET", path, 401, headers=headers)
            assert problem["headers"]["WWW-Authenticate"].startswith("Bearer")
            assert TOKEN not in problem["detail"]


async def test_takes_the_token_and_leaves_probes_open(serve):
    async with serve(None, token=TOKEN) as api:
        async with api.client.get(
            "/metrics", headers={"Authorization": f"bearer {TOKEN}"}
        ) as response:
            assert response.status == 200
        await api("GET", "/healthz")
        await api("GET", "/openapi.json")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "dialer.example.com"])
def test_needs_a_token_where_others_can_reach_it(host):
    with pytest.raises(SettingsError, match="needs a token"):
        ApiSettings(bind_host=host)
    assert ApiSettings(bind_host=host, token=TOKEN).bind_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_needs_no_token_on_loopback(host):
    assert ApiSettings(bind_host=host).token is None


@pytest.mark.parametrize("token", ["", "short", "sixteen characters", "x" * 16 + "\r\n", "ü" * 20])
def test_refuses_a_weak_or_broken_token(token):
    with pytest.raises(SettingsError, match="token") as caught:
        ApiSettings(token=token)
    assert not token or token not in str(caught.value)


def test_refuses_a_host_that_is_none():
    with pytest.raises(SettingsError, match="not a host"):
        ApiSettings(allowed_hosts=("http://dialer.example.com",))


def test_never_shows_the_token():
    assert TOKEN not in repr(ApiSettings(token=TOKEN))

"""The dashboard's files: who may read them, how they are cached, and that they are no others."""

from __future__ import annotations

import re

import pytest

from dialer.web.pages import PATHS, POLICY, read_site

TOKEN = "t0ken-with-more-than-16-characters"


async def get(api, path, **headers):
    async with api.client.get(path, headers=headers) as response:
        return response, await response.read()


def address(name):
    return f"/static/{read_site().version}/{name}"


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_is_the_document_for_anybody(serve, path):
    async with serve(None, token=TOKEN) as api:
        response, body = await get(api, re.sub(r"{[^}]*}", "7", path))
    assert response.status == 200
    assert response.content_type == "text/html"
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    for unsafe in (b"{{", b" style=", b"<style", b" onclick", b"http:", b"https:"):
        assert unsafe not in body
    for script in re.findall(b"<script[^>]*>", body):
        assert b" src=" in script


async def test_every_file_that_the_document_names_is_there(bare_api):
    _, body = await get(bare_api, "/")
    names = re.findall(r'(?:src|href)="(/static/[^"]+)"', body.decode())
    assert len(names) > 10
    for name in names:
        response, _ = await get(bare_api, name)
        assert response.status == 200, name
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_a_file_that_is_known_is_not_sent_again(bare_api):
    response, body = await get(bare_api, address("main.js"))
    assert response.content_type == "text/javascript"
    assert body == read_site().files["main.js"].content
    again, nothing = await get(
        bare_api, address("main.js"), **{"If-None-Match": response.headers["ETag"]}
    )
    assert (again.status, nothing) == (304, b"")
    other, _ = await get(bare_api, address("main.js"), **{"If-None-Match": '"another"'})
    assert other.status == 200


async def test_a_file_of_another_version_is_sent_but_not_kept(bare_api):
    response, _ = await get(bare_api, "/static/0123456789abcdef/main.js")
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "name",
    [
        "../pages.py",
        "..%2Fpages.py",
        "views/..%2f..%2fpages.py",
        "%2e%2e/pages.py",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        "..\\pages.py",
        "index.html",
        "main.js%00",
        "views",
    ],
)
async def test_no_other_file_can_be_had(bare_api, name):
    async with bare_api.client.get(f"/static/x/{name}") as response:
        assert response.status in {401, 404}
        assert b"import" not in await response.read()

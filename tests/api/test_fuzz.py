"""Every operation of the API under requests made up from its document, good ones and bad ones.

Whatever is sent, the answer is one that the document declares, and never a fault of our own.
"""

from __future__ import annotations

import asyncio
import json
import re

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.parameters import ParameterLocation
from tests.api.test_isolation import world  # noqa: F401 - a fixture

from dialer.api import list_upload, openapi
from dialer.api.idempotency import METHODS
from dialer.api.routes import ROUTES
from dialer.campaign.role import Role
from dialer.store import tokens

EXAMPLES = 12  # requests of each kind to each operation
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,  # the same requests in every run
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate],  # a failure shows its request as it was sent
)
ENDLESS = "text/event-stream"
load_all_checks()
# What is wrong with a request that fits the schema: that there is no such trunk, for example.
BEYOND_A_SCHEMA = CHECKS.get_one("positive_data_acceptance")
ANY_FILE_FITS = CHECKS.get_one("negative_data_rejection")
SCHEMA = schemathesis.openapi.from_dict(json.loads(openapi.text(ROUTES)))
OPERATIONS = {
    operation.definition.raw["operationId"]: operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations())
}
# What is put in as it is: schemathesis knows no CSV and no workbooks.
for media_type in ("text/csv", list_upload.XLSX):

    @schemathesis.serializer(media_type)
    def as_it_is(_context, value):
        return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def at(path, ids):
    """The parameters of a path that lead to what there is."""
    return {
        found[1]: str(ids[path[: found.start()].rstrip("/").rpartition("/")[2]])
        for found in re.finditer(r"{(\w+)}", path)
    }


def modes(route):
    """Good requests, and bad ones where something can be bad."""
    yield GenerationMode.POSITIVE
    if route.method in METHODS or route.query or route.bodies or "{id}" in route.path:
        yield GenerationMode.NEGATIVE


def led_astray(case):
    """Whether the path is what is bad about a request."""
    part = case.meta.components.get(ParameterLocation.PATH)
    return part is not None and part.mode.is_negative


def begin(session, case, url, headers):
    """Send a request whose answer has no end, and look at how it begins."""
    sent = case.as_transport_kwargs(base_url=url, headers=headers) | {"stream": True}
    with session.request(**sent, timeout=30) as response:
        kind = response.headers["Content-Type"].partition(";")[0]
        expected = ENDLESS if response.status_code == 200 else "application/problem+json"
        assert (kind, response.status_code < 500) == (expected, True), response.status_code


def sends(route, mode, url, secret, ids):
    """A function that sends made-up requests and checks each answer."""
    operation = OPERATIONS[route.name]
    there = at(route.path, ids)

    @SETTINGS
    @hypothesis.given(case=operation.as_strategy(mode), known=strategies.booleans())
    def send(case, known):
        if there and known and not led_astray(case):
            case.path_parameters = {**case.path_parameters, **there}
        headers = {"Authorization": f"Bearer {secret}"}
        with requests.Session() as session:
            session.trust_env = False
            if route.answer == ENDLESS:
                begin(session, case, url, headers)
                return
            response = case.call(base_url=url, session=session, headers=headers, timeout=30)
        excluded = [BEYOND_A_SCHEMA]
        if case.media_type in list_upload.FILE_TYPES:
            excluded.append(ANY_FILE_FITS)
        case.validate_response(response, excluded_checks=excluded)
        assert response.headers["x-request-id"]

    return send


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_answer_is_as_the_document_says(world, route):  # noqa: F811
    _, spare = await tokens.create(world.pool, world.acme, "spare", Role.VIEWER)
    ids = {**world.ids, "tokens": spare.id}
    url = f"http://127.0.0.1:{world.api.port}"
    for mode in modes(route):
        await asyncio.to_thread(sends(route, mode, url, world.tokens["acme"], ids))


def test_every_route_is_sent_requests():
    assert OPERATIONS.keys() == {route.name for route in ROUTES}

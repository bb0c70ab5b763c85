"""The OpenAPI document: valid, current, and whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from dialer.api import openapi
from dialer.api.routes import ROUTES

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_is_valid():
    OpenAPIV31SpecValidator(openapi.document(ROUTES)).validate()


def test_the_file_is_current():
    assert FILE.read_text(encoding="utf-8") == openapi.text(ROUTES), (
        "docs/openapi.json is stale: run .venv/bin/python -m dialer.api.openapi"
    )


def test_writes_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["openapi", str(tmp_path / "out.json")])
    openapi.main()
    assert (tmp_path / "out.json").read_text(encoding="utf-8") == openapi.text(ROUTES)


def test_every_route_is_in_it():
    document = openapi.document(ROUTES)
    found = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert found == {(route.method, route.path) for route in ROUTES}
    names = [route.name for route in ROUTES]
    assert len(set(names)) == len(names)


def test_every_operation_says_which_role_it_needs():
    paths = openapi.document(ROUTES)["paths"]
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        assert operation.get("x-role") == (None if route.public else route.role)
        assert operation.get("security") == ([] if route.public else None)
        assert ("403" in operation["responses"]) is not route.public


def test_every_refusal_is_a_problem():
    document = openapi.document(ROUTES)
    for item in document["paths"].values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if status == "default" or int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"]


def test_changes_are_the_settings_with_nothing_required():
    schemas = openapi.document(ROUTES)["components"]["schemas"]
    settings, changes = schemas["CampaignSettings"], schemas["CampaignChanges"]
    assert "required" not in changes
    assert changes["properties"].keys() == settings["properties"].keys()
    for name, found in changes["properties"].items():
        expected = {k: v for k, v in settings["properties"][name].items() if k != "default"}
        assert found == expected, name


async def test_is_served(bare_api):
    assert await bare_api("GET", "/openapi.json") == openapi.document(ROUTES)


@pytest.mark.parametrize("name", ["Campaign", "Call", "CallWithAttempts"])
def test_answers_carry_labels(name):
    schema = openapi.document(ROUTES)["components"]["schemas"][name]
    assert "status_label" in schema["properties"]


def test_has_no_secrets_and_no_addresses_of_this_machine():
    text = json.dumps(openapi.document(ROUTES))
    assert "127.0.0.1" not in text
    assert "/work" not in text

"""The examples in config/ can be used as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialer import config
from dialer.campaign.number_list import NewNumber, NumberList
from dialer.campaign.settings import CampaignSettings
from dialer.engine.trunk_definition import definition_of

ROOT = Path(__file__).parents[2]


def test_campaign():
    text = (ROOT / "config" / "campaigns" / "example.json").read_text()
    settings = CampaignSettings.model_validate_json(text, strict=True)
    (trunk,) = config.load(ROOT / "config" / "dialer.toml").trunk
    assert settings.trunks == [trunk.name]


@pytest.mark.parametrize(("name", "extensions"), [("example", None), ("lab", "[0-9]{4}")])
def test_list(name, extensions):
    numbers = NumberList(re.compile(extensions) if extensions else None)
    rows = [*numbers.feed((ROOT / "config" / "lists" / f"{name}.csv").read_bytes())]
    rows += numbers.close()
    assert rows
    assert all(isinstance(row, NewNumber) and row.number.dialable for row in rows), rows


def test_lab():
    settings = config.load(ROOT / "sip" / "asterisk" / "dialer.toml")
    assert settings.numbers.internal == "[0-9]{4}"


PAIRS = sorted((ROOT / "sip" / "trunks").glob("*/dialer.toml"))


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.parent.name)
def test_a_ready_pair(path, monkeypatch):
    for name in ("DIALER_PBX_PASSWORD", "DIALER_CARRIER_PASSWORD"):
        monkeypatch.setenv(name, "a-long-random-secret")
    settings = config.load(path)
    definitions = [definition_of(settings, one) for one in settings.trunk]
    assert definitions
    assert f"| `{path.parent.name}` |" in (path.parents[1] / "README.md").read_text()

"""The examples in config/ can be used as they are."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest

from dialer import config
from dialer.campaign.evidence import Evidence
from dialer.campaign.list_row import NewNumber
from dialer.campaign.menu import Gather
from dialer.campaign.number_list import NumberList
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable, default_text
from dialer.campaign.settings import CampaignSettings
from dialer.engine.trunk_definition import definition_of

ROOT = Path(__file__).parents[2]
MENUS = (ROOT / "docs" / "menus.md").read_text()


@pytest.mark.parametrize("name", ["example", "menu"])
def test_campaign(name):
    text = (ROOT / "config" / "campaigns" / f"{name}.json").read_text()
    settings = CampaignSettings.model_validate_json(text, strict=True)
    (trunk,) = config.load(ROOT / "config" / "dialer.toml").trunk
    assert settings.trunks == [trunk.name]


def test_the_menu_of_the_guide():
    (text,) = re.findall(r"test_examples.py -->\n```json\n(.*?)```", MENUS, re.DOTALL)
    menu = Gather.model_validate_json(text, strict=True)
    assert set(menu.branches) == {"1", "2", "9", "*"}


@pytest.mark.parametrize(
    ("name", "extensions"), [("example", None), ("settings", None), ("lab", "[0-9]{4}")]
)
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


def test_the_guide_to_trunks_tells_every_setting_and_its_examples_can_be_used():
    text = (ROOT / "docs" / "trunks.md").read_text()
    names = {field.alias or name for name, field in config.Trunk.model_fields.items()}
    assert {name for name in names if f"`{name}" not in text} == set()
    rewriting, outcomes = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    rules = config.Trunk(name="one", address="one.example", **tomllib.loads(rewriting)).rewrite
    assert len(rules) == 2
    table = OutcomeTable.load(default_text(), outcomes)
    refused = table.rule_for(Evidence(code=403, phrase="Unallocated number"))
    assert (refused.name, refused.outcome) == ("carrier-unallocated", Outcome.INVALID_NUMBER)
    assert table.rule_for(Evidence(code=486)).retry.interval == dt.timedelta(minutes=5)

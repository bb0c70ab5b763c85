"""What the dashboard, the alert rules and their page speak of is there, and nothing is left out."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml

from dialer.metrics import Metrics

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/metrics.md").read_text()
DASHBOARD = json.loads((ROOT / "config/grafana/dialer.json").read_text())
RULES = yaml.safe_load((ROOT / "config/prometheus/alerts.yml").read_text())["groups"][0]["rules"]

NAMES = {
    metric.name + ("_total" if metric.type == "counter" else "")
    for metric in Metrics().registry.collect()
    if metric.name.startswith("dialer_")
}
EXPRESSIONS = {
    **{panel["title"]: panel["targets"][0]["expr"] for panel in DASHBOARD["panels"]},
    **{rule["alert"]: rule["expr"] for rule in RULES},
}


@pytest.mark.parametrize("what", EXPRESSIONS)
def test_a_panel_or_a_rule_asks_for_metrics_that_there_are(what):
    asked = {
        re.sub("_(bucket|sum|count)$", "", name)
        for name in re.findall(r"\bdialer_\w+", EXPRESSIONS[what])
    }
    assert asked <= NAMES


def test_the_page_explains_every_metric_and_every_alert():
    explained = set(re.findall(r"`(dialer_\w+)`", PAGE))
    assert explained == NAMES
    assert [rule["alert"] for rule in RULES] == re.findall(
        r"^\| `(Dialer\w+)` ", PAGE, re.MULTILINE
    )


def test_every_metric_is_on_the_dashboard():
    shown = {
        re.sub("_(bucket|sum|count)$", "", name)
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\bdialer_\w+", target["expr"])
    }
    assert NAMES - shown <= {"dialer_webhook_seconds", "dialer_webhooks_in_flight"}

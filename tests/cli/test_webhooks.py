"""Webhook commands, against a service that sends to a receiver on loopback."""

from __future__ import annotations

import re

import httpx
import pytest
from standardwebhooks.webhooks import Webhook
from tests.cli.conftest import in_a_thread
from tests.webhooks.receiver import receiving

from dialer import config
from dialer.service import Service


@pytest.fixture
def receiver():
    with in_a_thread(receiving) as found:
        yield found


def over(command, number):
    """Wait until a delivery is over; return what the command says of it."""
    while ": pending" in (said := command("webhook", "delivery", number)[1]):
        pass
    return said


@pytest.mark.usefixtures("service")
def test_a_receiver_from_its_making_to_its_end(command, refused, receiver):
    assert command("webhook", "list") == (0, "no webhooks\n", "")
    code, secret, error = command("webhook", "create", receiver.url, "--kind", "call.*")
    assert code == 0
    assert re.fullmatch(r"whsec_\S{44}\n", secret)
    assert error == "the secret of webhook 1; keep it: it is shown this once\n"
    code, out, _ = command("webhook", "test", 1)
    assert (code, out) == (0, "delivery 1 is on its way: dialer webhook delivery 1\n")
    said = over(command, 1).splitlines()
    assert said == [
        "webhook.test test-1: delivered, attempts: 1",
        "last answer: it answered 200",
        "thanks",
    ]
    [got] = receiver.got
    assert Webhook(secret.strip()).verify(got.body.decode(), got.headers)["type"] == "webhook.test"

    receiver.otherwise = 500
    command("webhook", "test", 1)
    assert "dead, attempts: 1\nlast answer: it answered 500" in over(command, 2)
    assert "it answered 500" in command("webhook", "deliveries", 1, "--dead")[1]
    receiver.otherwise = 200
    assert command("webhook", "resend", 1)[1] == "1 deliveries are on their way\n"
    assert "delivered" in over(command, 2)
    assert command("webhook", "resend", "--delivery", 2)[1] == "delivery 2 is on its way\n"
    over(command, 2)
    assert refused("webhook", "resend") == "name either the webhook or --delivery"

    code, new, error = command("webhook", "secret", 1, "--overlap-hours", 0)
    assert (code, new != secret, "the former secret signs too until" in error) == (0, True, True)
    assert refused("webhook", "change", 1).startswith("name what to change")
    assert "no user name" in refused("webhook", "change", 1, "--url", "https://a:b@example.com")
    out = command("webhook", "change", 1, "--all-kinds", "--description", "CRM")[1]
    assert out == f"webhook 1 ({receiver.url}): enabled\n"
    assert "disabled: by a person" in command("webhook", "disable", 1)[1]
    assert "enable it first" in refused("webhook", "test", 1)
    assert command("webhook", "enable", 1)[1].endswith(": enabled\n")
    assert receiver.url in command("webhook", "list")[1].replace("\n", "")
    assert command("webhook", "delete", 1)[1] == "webhook 1: deleted\n"
    assert refused("webhook", "delivery", 2) == "there is no delivery 2"


def test_a_campaigns_address_hears_of_every_call(service, command, receiver, numbers):
    command("campaign", "create", numbers, "--trunk", "carrier", "--max-attempts", 1)
    url = f"{service.api_url}/v1/campaigns/1"
    changed = httpx.patch(url, json={"webhook_url": receiver.url}, trust_env=False)
    assert changed.status_code == 200
    _, secret, _ = command("webhook", "secret")
    command("campaign", "start", 1)
    command("campaign", "watch", 1)
    while sum(one.json["type"] in FINAL for one in list(receiver.got)) < 3:
        command("webhook", "list")
    ended = {
        one.json["data"]["call"]["number"]: one.json["data"]["call"]["outcome"]
        for one in receiver.got
        if one.json["type"] in FINAL
    }
    assert ended == {
        "+15552000200": "answered",
        "+15554860000": "busy",
        "+123": "invalid_number",
    }
    assert len(receiver.ids) == len(set(receiver.ids))
    for one in receiver.got:
        Webhook(secret.strip()).verify(one.body.decode(), one.headers)
    by_call = {}
    for one in receiver.got:
        if call := one.json["data"]["call"]:
            by_call.setdefault(call["number"], []).append(one.json["type"])
    assert by_call["+15554860000"] == ["call.in_progress", "call.completed_without_answer"]


FINAL = {"call.answered", "call.completed_without_answer", "call.technical_error"}


def test_a_key_that_cannot_be_used_ends_the_start_in_a_line(
    refused, configured, monkeypatch, database_url
):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DIALER_WEBHOOK_KEY", "secret")
    path = configured("[webhooks]\nsend = true\n")
    said = refused("serve", "--config", path)
    assert "webhooks.secret_key_env: a key is 32 bytes in URL-safe base64" in said
    path = configured('[webhooks]\nallow_networks = ["10.0.0.1/8"]\n')
    assert "is not a network such as 10.1.0.0/16" in refused("serve", "--config", path)
    monkeypatch.delenv("DIALER_WEBHOOK_KEY")
    path = configured('[webhooks]\nca_file = "none.pem"\n')
    assert "webhooks.ca_file: cannot be used" in refused("serve", "--config", path)
    assert Service(config.load(None)).settings.webhooks.send

"""Webhooks as a part of the whole service."""

from __future__ import annotations

import httpx
import pytest
from cryptography.fernet import Fernet
from standardwebhooks.webhooks import Webhook

from dialer import config
from dialer.config_webhooks import Webhooks
from dialer.service import Service

OWN = Webhooks(allow_http=True, allow_networks=("127.0.0.0/8",))


@pytest.fixture
def started(database_url, monkeypatch):
    """Run a service without an engine, with these keys: `async with started("key key") as api`."""

    class Running:
        def __init__(self, keys, webhooks=OWN):
            monkeypatch.setenv("DIALER_WEBHOOK_KEY", keys)
            monkeypatch.delenv("DATABASE_URL", raising=False)
            self.service = Service(
                config.Config(
                    database=config.Database(url=database_url),
                    api=config.Api(port=0, token_env="DIALER_TEST_TOKEN"),
                    webhooks=webhooks,
                ),
                engine=False,
            )

        async def __aenter__(self):
            await self.service.start()
            self.http = httpx.AsyncClient(base_url=self.service.api_url, trust_env=False)
            return self

        async def __aexit__(self, *_):
            await self.http.aclose()
            await self.service.stop()

        async def post(self, path, **body):
            answer = await self.http.post(f"/v1/webhooks{path}", json=body)
            assert answer.is_success, answer.text
            return answer.json()

        async def tested(self, webhook_id):
            """Send a test event; return the delivery once it is over."""
            path = f"/v1/webhooks/deliveries/{(await self.post(f'/{webhook_id}/test'))['id']}"
            while (found := (await self.http.get(path)).json())["status"] == "pending":
                pass
            return found

    return Running


async def test_a_process_that_only_serves_the_api_sends_too_and_one_can_leave_it_to_others(
    started, receiver, pool
):
    async with started("") as api:
        made = await api.post("", url=receiver.url)
        assert (await api.tested(made["id"]))["status"] == "delivered"
    Webhook(made["secret"]).verify(receiver.got[0].body.decode(), receiver.got[0].headers)
    async with started("", Webhooks(send=False)) as api:
        await api.post(f"/{made['id']}/test")
    assert len(receiver.got) == 1
    await pool.execute("DELETE FROM webhook_deliveries")


async def test_a_lost_key_stops_nothing_but_what_it_sealed_and_a_new_secret_mends_it(
    started, receiver
):
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    async with started(old) as api:
        made = await api.post("", url=receiver.url)
    async with started(new) as api:
        failed = await api.tested(made["id"])
        assert failed["problem"] == (
            "nothing was sent: the signing secret is sealed with another key"
        )
        secret = (await api.post(f"/{made['id']}/secret"))["secret"]
        assert (await api.tested(made["id"]))["status"] == "delivered"
        Webhook(secret).verify(receiver.got[-1].body.decode(), receiver.got[-1].headers)
    async with started(f"{new} {old}") as api:
        assert (await api.tested(made["id"]))["status"] == "delivered"
    for one in (secret, made["secret"]):
        Webhook(one).verify(receiver.got[-1].body.decode(), receiver.got[-1].headers)

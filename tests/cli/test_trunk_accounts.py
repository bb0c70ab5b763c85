"""Trunks that the configuration keeps for accounts, which it names."""

from __future__ import annotations

import asyncio

import pytest

from dialer import config
from dialer.engine.trunk_definition import NOBODY
from dialer.service import Service
from dialer.store import accounts
from dialer.store.account_records import AccountSettings

HERE = '[api]\nport = 0\n[sip]\nhost = "127.0.0.1"\n'
TRUNK = '[[trunk]]\nname = "{}"\naddress = "127.0.0.1:9"\naccounts = {}\n'


@pytest.fixture
def service_of(configured, database_url, monkeypatch):
    """`service_of(text of trunks)` is a service that is not started, and the path of its file."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def make(trunks, **parts):
        path = configured(HERE, trunks)
        return Service(config.load(path), **parts), path

    return make


def ids(service):
    """Who may use which trunk, as the engine and as the API have it."""
    engine = {name: one.definition.rule.accounts for name, one in service._trunk_set.items()}
    return engine, dict(service._accounts.by_trunk)


async def test_accounts_are_named_by_name_or_number(pool, service_of):
    acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
    service, _ = service_of(TRUNK.format("one", '["acme", 7]') + TRUNK.format("two", "[]"))
    before, _ = ids(service)
    await service.start()
    try:
        wanted = {"one": frozenset({acme, 7}), "two": frozenset()}
        assert ids(service) == (wanted, wanted)
        assert service._api_settings().may_use("two", 99)
        assert not service._api_settings().may_use("one", 99)
    finally:
        await service.stop()
    assert before == {}


async def test_where_only_the_api_runs_it_knows_them_too(pool, service_of):
    acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
    service, _ = service_of(TRUNK.format("one", '["acme"]'), engine=False)
    await service.start()
    try:
        assert ids(service) == ({}, {"one": frozenset({acme})})
    finally:
        await service.stop()


async def test_an_account_that_is_not_there_is_a_mistake_with_its_line(service_of):
    service, path = service_of(TRUNK.format("one", '["acme"]'))
    with pytest.raises(config.ConfigError) as caught:
        await service.start()
    assert str(caught.value) == (
        f"{path}:8: trunk[0].accounts: there is no account acme, or it is closed;"
        " make it with: dialer account create acme (trunk one)"
    )


async def test_an_account_made_meanwhile_is_found_when_the_file_is_read_again(pool, service_of):
    service, path = service_of(TRUNK.format("one", '["default"]'))
    await service.start()
    try:
        path.write_text(HERE + TRUNK.format("one", '["acme"]'))
        service.reload()  # there is none yet
        await asyncio.wait({service._looking_up})
        assert ids(service)[0] == {"one": frozenset({1})}
        acme = (await accounts.create(pool, AccountSettings(name="acme"))).id
        service.reload()
        await asyncio.wait({service._looking_up})
        wanted = {"one": frozenset({acme})}
        assert ids(service) == (wanted, wanted)
    finally:
        await service.stop()


async def test_until_its_accounts_are_known_a_trunk_is_nobodys(service_of):
    service, _ = service_of(TRUNK.format("one", '["acme"]'))
    rule = service._trunks(service.settings)["one"].definition.rule
    assert rule.accounts == frozenset({NOBODY})

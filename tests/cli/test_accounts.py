"""Commands that keep accounts and tokens, on the database itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import httpx
import pytest
from tests.cli.conftest import in_a_thread

from dialer.store.embedded import EmbeddedPostgres


@pytest.fixture
def database(database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)


@pytest.mark.usefixtures("database")
def test_an_account_from_its_creation_to_its_close(command):
    code, out, error = command(
        "account", "create", "acme", "--minutes", 1000, "--unique-users", 50,
        "--time-zone", "Europe/Berlin", "--anchor-day", 15, "--increment-seconds", 6,
        "--allowed-prefixes", "+49", "--allowed-prefixes", "+43",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert out.splitlines() == [
        "account acme: number 2",
        "give it a token with: dialer token create acme --name NAME",
    ]
    assert command("account", "show", "acme") == command("account", "show", 2)
    assert command("account", "show", "acme")[1].splitlines() == [
        "account acme: number 2",
        "  period: month, beginning on day 15 at midnight of Europe/Berlin",
        "  minutes: 1000, billed by 6 s",
        "  unique users: 50",
        "  calls at once: any",
        "  prefixes: +49, +43",
        "  attempts at a number: any a day, any a week",
    ]
    code, out, error = command(
        "account", "change", "acme", "--minutes", "none", "--allowed-prefixes", "none",
        "--name", "acme-berlin", "--max-simultaneous-calls", 5,
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "minutes: any, billed by 6 s\n  unique users: 50\n  calls at once: 5" in out
    assert "prefixes: all" in out
    assert "account acme-berlin: period from " in command("account", "usage", 2)[1]
    assert (
        "minutes: 0.0 of any, 0.0 of them in calls that are up"
        in (command("account", "usage", 2)[1])
    )
    assert "acme-berlin" in command("account", "list")[1]
    assert command("account", "close", 2) == (0, "account acme-berlin: closed\n", "")
    assert "acme-berlin" not in command("account", "list")[1]
    assert "acme-berlin" in command("account", "list", "--closed")[1]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "Acme"], "NAME 'Acme': "),
        (["create", "acme", "--time-zone", "Mars"], "--time-zone 'Mars': there is no time zone"),
        (["create", "acme", "--minutes", "many"], "--minutes 'many': "),
        (["create", "acme", "--anchor-day", "32"], "--anchor-day '32': "),
        (["create", "acme", "--period", "year"], "--period 'year': "),
        (["create", "acme", "--allowed-prefixes", "x"], "--allowed-prefixes 'x': "),
        (["create", "default"], "there is an account default already"),
        (["change", "default"], "name what is to be changed"),
        (["change", "default", "--increment-seconds", "none"], "--increment-seconds None: "),
        (["change", "acme", "--minutes", "1"], "there is no account acme"),
        (["close", "default"], "is the default one and cannot be closed"),
        (["show", "7"], "there is no account 7"),
    ],
)
def test_a_mistake_is_one_line(refused, arguments, said):
    assert said in refused("account", *arguments)


@pytest.mark.usefixtures("database")
def test_a_token_is_printed_once_and_alone_and_revoked_by_its_number(command):
    command("account", "create", "acme")
    code, out, error = command("token", "create", "acme", "--name", "shop", "--days", 3)
    assert code == 0
    assert out.startswith("dialer_")
    assert len(out.split()) == 1
    assert error == "token 1 of account acme, operator; keep it: it is shown this once\n"
    listed = command("token", "list", "acme")[1]
    assert "never" in listed
    assert "until 20" in listed
    assert out.strip() not in listed
    assert command("token", "list", "default") == (0, "no tokens\n", "")
    assert command("token", "revoke", "default", 1)[2] == "dialer: there is no token 1\n"
    assert command("token", "revoke", "acme", 1) == (0, "token 1 (shop): revoked\n", "")
    assert "revoked 20" in command("token", "list", "acme")[1]


@pytest.mark.usefixtures("database")
def test_a_token_without_a_name_is_refused(refused):
    assert "--name has 1 to 100" in refused("token", "create", "default", "--name", " ")
    assert "--name has 1 to 100" in refused("token", "create", "default", "--name", "a\nb")


def test_a_token_made_by_command_works_at_once(command, service, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", service.settings.database.url)
    secret = command("token", "create", "default", "--name", "shop")[1].strip()
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=service.api_url, headers=headers, trust_env=False) as client:
        assert client.get("/v1/account").json()["token"] == {"name": "shop", "role": "operator"}


def test_a_database_of_another_version_is_left_alone(refused, empty_database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    assert "run dialer db upgrade" in refused("account", "list")


@contextlib.asynccontextmanager
async def running_server(folder):
    server = EmbeddedPostgres(folder, durable=False)
    await server.start()
    yield server
    await server.stop()


def test_the_private_database_is_used_beside_a_service_and_without_one(command, configured):
    made = Path(tempfile.mkdtemp(dir=os.environ["DIALER_TEST_SERVER"]))
    made.chmod(0o755)  # started by root, the server runs as somebody else
    folder = made / "postgres"
    path = configured(f'[database]\ndata = "{folder}"\n')
    assert command("account", "create", "acme", "--config", path)[0] == 0
    with in_a_thread(lambda: running_server(folder)):
        code, out, error = command("account", "list", "--config", path)
    assert (code, error) == (0, "")
    assert "acme" in out
    shutil.rmtree(made)

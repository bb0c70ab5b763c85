"""What a person can mend is one line on stderr: what, where, what to do. Exit code 2."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket

import pytest

from dialer import __version__
from dialer.store import embedded, embedded_place, migrate, nodes


@pytest.fixture
def taken():
    """`taken(socket.SOCK_DGRAM)` gives a port of 127.0.0.1 on which somebody else listens."""
    sockets = []

    def take(kind):
        taker = socket.socket(socket.AF_INET, kind)
        sockets.append(taker)
        taker.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taker.listen()
        return taker.getsockname()[1]

    yield take
    for taker in sockets:
        taker.close()


@pytest.fixture
def on(monkeypatch):
    """`on(url)` makes it the database of the commands."""
    return lambda url: monkeypatch.setenv("DATABASE_URL", url)


def test_the_version(command):
    assert command("--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[api]\nprt = 3\n", ":2: api.prt: unknown key; did you mean port?"),
        ("[api\n", "not valid TOML"),
        ('[api]\nhost = "0.0.0.0"\n', "api: listening on 0.0.0.0 needs a token"),
        ('[api]\ntoken_file = "absent"\n', "absent"),
    ],
)
def test_a_mistake_in_the_configuration(refused, configured, tmp_path, text, said):
    path = configured(text + f'[database]\ndata = "{tmp_path}/postgres"\n')
    assert said in refused("serve", "--config", path)
    assert not (tmp_path / "postgres").exists()  # nothing was started for it


def test_a_configuration_that_is_not_there(refused, tmp_path):
    line = refused("serve", "--config", tmp_path / "none.toml")
    assert line == f"{tmp_path}/none.toml: cannot be read: No such file or directory"


def test_no_trunk(refused, configured):
    assert "no [[trunk]] is configured" in refused("serve", "--config", configured(trunk=""))


def test_a_password_that_is_not_set(refused, configured):
    path = configured(trunk='[[trunk]]\nname="a"\naddress="h"\npassword_env="DIALER_NOT_SET"\n')
    line = refused("serve", "--config", path)
    said = "trunk[0].password_env: the environment variable DIALER_NOT_SET is not set (trunk a)"
    assert line == f"{path}:4: {said}"
    assert refused("dial", "+15552000000", "--trunk", "a", "--config", path) == line


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        (
            'secrets=[{name="a", url="wss://b.example", value_env="DIALER_NOT_SET"}]',
            "bots.secrets[0].value_env",
            "the environment variable DIALER_NOT_SET is not set",
        ),
        ('ca_file="none.pem"', "bots.ca_file", "cannot be used: [Errno 2] No such file"),
        ('allow_networks=["nowhere"]', "bots.allow_networks", "'nowhere' does not appear to be"),
    ],
)
def test_what_cannot_be_of_the_bots(refused, configured, line, key, said):
    path = configured(f"[bots]\n{line}\n")
    answer = refused("serve", "--config", path)
    assert answer.startswith(f"{path}:2: {key}: ")
    assert said in answer


def test_neither_engine_nor_api(refused, configured):
    assert "nothing to run" in refused("serve", "--no-engine", "--no-api", "-c", configured())


@pytest.mark.parametrize("arguments", [("serve",), ("db", "upgrade")])
def test_postgres_is_not_there(refused, configured, on, taken, arguments):
    port = taken(socket.SOCK_DGRAM)  # nobody listens there on TCP
    on(f"postgresql://somebody:secret@127.0.0.1:{port}/dialer")
    line = refused(*arguments, "--config", configured())
    assert line.startswith("the database is unavailable: ")
    assert f"is Postgres up at 127.0.0.1:{port}, and DATABASE_URL right?" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("//dialer@", "//nobody_of_that_name@"), "nobody_of_that_name"),
        (("?", "_absent?"), "does not exist"),
        (("postgresql://", "mysql://"), "invalid DSN"),
    ],
)
def test_postgres_does_not_let_us_in(refused, configured, on, server, wrong, said):
    url, _ = server
    on(url.replace(*wrong))
    line = refused("serve", "--config", configured())
    assert line.startswith("cannot use the database: ")
    assert said in line
    assert line.endswith("see DATABASE_URL")


async def test_a_database_newer_than_the_program(pool, database_url):
    await pool.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(migrate.SchemaMismatch, match=r"has schema 9999.*run that version"):
        await migrate.upgrade(database_url)


def test_a_data_folder_in_use(refused, configured, tmp_path):
    place = embedded_place.find(tmp_path / "postgres")
    lock = embedded._locked(place.folder)
    try:
        path = configured(f'[database]\ndata = "{tmp_path}/postgres"\n')
        line = refused("serve", "--config", path)
    finally:
        os.close(lock)
        shutil.rmtree(place.folder)  # started by root, it may be elsewhere than asked for
    assert "is in use by another dialer: stop it, or name another folder" in line


def test_the_port_of_the_api_is_taken(refused, configured, on, database_url, taken):
    on(database_url)
    port = taken(socket.SOCK_STREAM)
    line = refused("serve", "--config", configured(f"[api]\nport = {port}\n"))
    assert line.startswith(f"api: cannot listen on 127.0.0.1:{port}: another program listens there")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_port_of_sip_is_taken(refused, configured, on, database_url, taken, host):
    on(database_url)
    port = taken(socket.SOCK_DGRAM)
    path = configured(f'[api]\nport = 0\n[sip]\nhost = "{host}"\nport = {port}\n')
    said = f"sip: cannot listen on {host}:{port} (UDP): another program listens there"
    assert refused("serve", "--config", path).startswith(said)
    assert refused("dial", "+15552000000", "--trunk", "pbx", "--config", path).startswith(said)


@pytest.mark.parametrize(("setting", "transport"), [("port", "TCP"), ("tls_port", "TLS")])
def test_the_port_of_sip_connections_is_taken(
    refused, configured, on, database_url, taken, setting, transport
):
    on(database_url)
    port = taken(socket.SOCK_STREAM)
    path = configured(f'[api]\nport = 0\n[sip]\nhost = "127.0.0.1"\n{setting} = {port}\n')
    said = f"sip: cannot listen on 127.0.0.1:{port} ({transport}): another program listens there"
    assert refused("serve", "--config", path).startswith(said)


def test_a_certificate_of_ours_that_is_not_there(refused, configured, on, database_url):
    on(database_url)
    path = configured('[api]\nport = 0\n[sip]\ntls_certificate = "none.pem"\n')
    line = refused("serve", "--config", path)
    assert line.startswith("sip.tls_certificate ")
    assert "none.pem cannot be read: is it there, and may we?" in line


def test_an_address_that_is_not_ours(refused, configured, on, database_url):
    on(database_url)
    path = configured('[api]\nport = 0\n[sip]\nhost = "192.0.2.1"\n')
    assert "this machine has no such address; correct sip.host" in refused("serve", "-c", path)


@pytest.fixture
async def twin(pool):
    """Another process that goes by that name."""
    await nodes.join(pool, "twin", dt.timedelta(minutes=1))


@pytest.mark.usefixtures("twin")
def test_two_nodes_of_one_name(refused, configured, on, database_url):
    on(database_url)
    path = configured('[api]\nport = 0\n[sip]\nhost = "127.0.0.1"\n[engine]\nnode = "twin"\n')
    line = refused("serve", "--config", path)
    assert line.startswith("node name 'twin' is in use by another engine until ")
    assert line.endswith("stop that one, wait, or choose another name")


def test_the_schema_is_brought_up(command, configured, on, empty_database_url):
    on(empty_database_url)
    code, out, _ = command("db", "upgrade", "--config", configured())
    assert (code, out) == (0, f"the schema is at {migrate.head()}\n")


def test_the_api_does_not_run(refused, taken):
    api = f"http://127.0.0.1:{taken(socket.SOCK_DGRAM)}"
    line = refused("campaign", "list", "--api", api)
    assert line.startswith(f"cannot reach the dialer's API at {api}: ")
    assert "dialer serve" in line


def test_the_address_of_the_api_is_none(refused):
    assert "http://" in refused("campaign", "list", "--api", "nonsense")


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_a_list_that_cannot_be_read(refused, tmp_path, name):
    line = refused("campaign", "create", tmp_path / name, "--trunk", "pbx")
    assert line.startswith(str(tmp_path))
    assert "director" in line

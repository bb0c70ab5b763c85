from __future__ import annotations

import base64

import pytest

from dialer import config
from dialer.config import ConfigError
from dialer.recordings.configured import keys_of, place_of

KEY = base64.urlsafe_b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch):
    for name in (
        "DIALER_RECORDING_KEYS",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def read(tmp_path):
    """`read('place = "x"')` reads a file with that in its [recordings]."""

    def load(*lines):
        path = tmp_path / "dialer.toml"
        path.write_text("\n".join(["[recordings]", *lines, ""]))
        return config.load(path)

    return load


def test_recordings_are_in_a_folder_beside_the_file_unless_another_place_is_named(read, tmp_path):
    assert str(place_of(read())) == str(tmp_path / "recordings")
    assert str(place_of(read('place = "/var/lib/calls"'))) == "/var/lib/calls"


def test_a_bucket_takes_its_access_key_from_the_environment_or_from_files(
    read, monkeypatch, tmp_path
):
    lines = ('place = "s3://calls/of/spring/"', 'endpoint = "https://storage.example.com"')
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "known")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    place = place_of(read(*lines))
    assert str(place) == "s3://calls/of/spring at https://storage.example.com"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("access", "secret"):
        (tmp_path / name).write_text("from a file\n")
    files = ('access_key_file = "access"', 'secret_key_file = "secret"')
    assert str(place_of(read(*lines, *files))) == str(place)
    assert str(place_of(read('place = "s3://calls"'))) == "s3://calls"  # the machine's role


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        (('place = "gs://calls"',), "place", "neither a folder nor s3://BUCKET"),
        (('place = "s3://A_B"',), "place", "neither a folder nor"),
        (('place = ""',), "place", "names no place"),
        (('endpoint = "storage.example.com"',), "endpoint", "is not a URL such as https://"),
        (('endpoint = "http://127.0.0.1:9000"',), "recordings", "set allow_http = true"),
        (('keys_env = "not a name"',), "keys_env", "pattern"),
        (("keep_days = -1",), "keep_days", "greater than or equal to 0"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(read, lines, key, said):
    with pytest.raises(ConfigError, match=rf"dialer\.toml:\d: .*{key}.*: .*{said}"):
        read(*lines)


@pytest.mark.parametrize(
    ("set_to", "lines", "key", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "a"}, (), "secret_key_env", "belong together"),
        ({"AWS_SECRET_ACCESS_KEY": "a"}, (), "access_key_env", "belong together"),
        ({}, ('endpoint = "https://s.example.com"',), "access_key_env", "needs an access key"),
        ({}, ('ca_file = "nowhere.pem"',), "ca_file", "cannot be read: No such file"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_told_before_anything_starts(
    read, monkeypatch, set_to, lines, key, said
):
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"recordings\.{key}: .*{said}"):
        place_of(read('place = "s3://calls"', *lines))


def test_a_file_of_authorities_that_holds_none_is_told(read, tmp_path):
    (tmp_path / "own.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"recordings\.ca_file: holds no certificate"):
        place_of(read('place = "s3://calls"', 'ca_file = "own.pem"'))


def test_keys_come_from_the_environment_or_a_file_and_a_wrong_one_is_told(
    read, monkeypatch, tmp_path
):
    assert not keys_of(read()).sealing
    monkeypatch.setenv("DIALER_RECORDING_KEYS", f"{KEY} {KEY}")
    assert keys_of(read()).sealing
    monkeypatch.setenv("DIALER_RECORDING_KEYS", "secret")
    with pytest.raises(ConfigError, match=r"recordings\.keys_env: .*openssl rand"):
        keys_of(read())
    (tmp_path / "keys").write_text(f"{KEY}\n")
    assert keys_of(read('keys_file = "keys"')).sealing
    with pytest.raises(ConfigError, match="recordings: cannot read"):
        keys_of(read('keys_file = "nowhere"'))

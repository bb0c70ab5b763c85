"""Where bots may be, and which secret opens which door."""

import pytest
from pydantic import ValidationError

from dialer import config
from dialer.config_bots import Bots, BotSecret


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.168.0.1", False),
        ("224.0.0.251", False),
        ("::1", False),
        ("::", False),
        ("fd00::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_without_leave_only_public_addresses_are_allowed(address, allowed):
    assert Bots().allows(address) is allowed


def test_leave_is_given_by_network():
    bots = Bots(allow_networks=("10.0.0.0/8", "fd00::/8"))
    assert bots.allows("10.1.2.3")
    assert bots.allows("fd00::1")
    assert bots.allows("::ffff:10.0.0.1")
    assert not bots.allows("127.0.0.1")


def test_what_is_no_network_is_refused():
    with pytest.raises(ValidationError, match="does not appear to be an IPv4 or IPv6 network"):
        Bots(allow_networks=("somewhere",))


@pytest.mark.parametrize(
    ("base", "url", "covered"),
    [
        ("wss://b.example/", "wss://b.example/any?x=1", True),
        ("wss://b.example", "wss://b.example", True),
        ("wss://b.example", "wss://B.example:443/any", True),
        ("wss://b.example/sales", "wss://b.example/sales", True),
        ("wss://b.example/sales/", "wss://b.example/sales/de", True),
        ("wss://b.example/sales", "wss://b.example/salesmen", False),
        ("wss://b.example/sales", "wss://b.example/sales/../other", False),
        ("wss://b.example/sales", "wss://b.example/sales/%2e%2e/other", False),
        ("wss://b.example/", "ws://b.example/", False),
        ("wss://b.example/", "wss://b.example:8443/", False),
        ("wss://b.example/", "wss://b.example.evil.example/", False),
        ("ws://b.example/", "ws://b.example:80/", True),
    ],
)
def test_a_secret_covers_what_is_at_or_below_its_url(base, url, covered):
    secret = BotSecret(name="one", url=base, value_env="X")
    assert secret.covers(url) is covered
    assert (Bots(secrets=(secret,)).secret_for(url, "one") is secret) is covered
    assert Bots(secrets=(secret,)).secret_for(url, "two") is None


@pytest.mark.parametrize(
    ("url", "secret", "keys"),
    [
        ("wss://b.example/", None, []),
        ("wss://b.example/", "sales", ["secret"]),
        ("ws://127.0.0.1:8080/", None, ["url"]),
        ("ws://localhost/", None, ["url"]),
        ("ws://[::1]/", "sales", ["url", "secret"]),
    ],
)
def test_what_is_wrong_with_a_bot_shows_before_any_call(url, secret, keys):
    assert [key for key, _ in Bots().mistakes(url, secret)] == keys


def test_the_value_of_a_secret_comes_from_outside(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("Bearer from-file\n")
    monkeypatch.setenv("BOT_KEY", "Bearer from-environment")
    (tmp_path / "d.toml").write_text(
        "[bots]\n"
        'secrets = [{ name = "a", url = "wss://a.example", value_env = "BOT_KEY" },'
        ' { name = "b", url = "wss://b.example", value_file = "key" }]\n'
    )
    loaded = config.load(tmp_path / "d.toml")
    first, second = loaded.bots.secrets
    assert loaded.bot_header(first) == "Bearer from-environment"
    assert loaded.bot_header(second) == "Bearer from-file"
    monkeypatch.delenv("BOT_KEY")
    with pytest.raises(config.ConfigError, match=r"d\.toml:2: .*BOT_KEY is not set"):
        loaded.bot_header(first)
    (tmp_path / "key").write_text("two\nlines")
    with pytest.raises(config.ConfigError, match="cannot stand in a header"):
        loaded.bot_header(second)


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ([{"name": "a", "url": "wss://a"}], "give one of value_env and value_file"),
        ([{"name": "a", "url": "https://a", "value_env": "X"}], "should match pattern"),
        ([{"name": "a", "url": "wss://a:99999", "value_env": "X"}], "Port out of range"),
        ([{"name": "a", "url": "wss://a", "value_env": "X", "header": "a b"}], "match pattern"),
        ([{"name": "a", "url": "wss://a", "value_env": "X"}] * 2, "two secrets are named 'a'"),
    ],
)
def test_what_is_no_secret_is_refused(secrets, said):
    with pytest.raises(ValidationError, match=said):
        Bots.model_validate({"secrets": secrets})

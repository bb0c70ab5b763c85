import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from dialer import config

EXAMPLE = Path(__file__).parents[2] / "config" / "dialer.toml"


TRUNK = "[[trunk]]\nname='a'\naddress='h'\n"


def load(tmp_path, text):
    path = tmp_path / "dialer.toml"
    path.write_text(text)
    return config.load(path)


@pytest.mark.parametrize(
    ("text", "line", "key", "sentence"),
    [
        ("[api]\nprt = 3\n", 2, "api.prt", "unknown key; did you mean port?"),
        ("\n[api]\n\nport = 99999\n", 4, "api.port", "less than or equal to 65535"),
        ("x = 1\n", 1, "x", "unknown key"),
        ("\n\nfolder = 1\n", 3, "folder", "unknown key"),
        ("[[trunk]]\nname='a'\naddress='h'\n[[trunk]]\naddress='q'\n", 4, "trunk[1].name", "req"),
        (
            "[[trunk]]\nname='a'\naddress='h'\n[[trunk]]\nname='b'\naddress='q'\nmax_call=3\n",
            7,
            "trunk[1].max_call",
            "did you mean max_calls?",
        ),
        ("[[trunk]]\nname='a'\naddress='h:99999'\n", 3, "trunk[0].address", "not a port"),
        ("[[trunk]]\nname='a'\naddress='sip:h'\n", 3, "trunk[0].address", "is not host"),
        ("[sip]\nrtp_dscp = 64\n", 2, "sip.rtp_dscp", "less than or equal to 63"),
        ("[sip]\nport = 5060\ntls_port = 5060\n", 1, "sip", "tls_port must not be port"),
        ("[sip]\ntls_key = 'a.key'\n", 1, "sip", "tls_key needs a tls_certificate"),
        ("[sip]\nrtp_ports = [5, 3]\n", 2, "sip.rtp_ports", "low < high"),
        ("[numbers]\ninternal = '['\n", 2, "numbers.internal", "regular expression"),
        ("trunk = 3\n", 1, "trunk", "tuple"),
        ("source = 1\n", 1, "source", "unknown key"),
        (TRUNK + "transprot='tcp'\n", 4, "trunk[0].transprot", "did you mean transport?"),
        (TRUNK + "transport='sctp'\n", 4, "trunk[0].transport", "'udp', 'tcp' or 'tls'"),
        (TRUNK + "regster=true\n", 4, "trunk[0].regster", "did you mean register?"),
        (TRUNK + "srtp='required'\n", 1, "trunk[0]", "srtp needs transport = 'tls'"),
        (TRUNK + "tls_ca_file='ca'\n", 1, "trunk[0]", "tls_ca_file means nothing without"),
        (TRUNK + "transport='tls'\ntls_key_file='k'\n", 1, "trunk[0]", "go together"),
        (TRUNK + "register=true\n", 1, "trunk[0]", "register needs a username"),
        (TRUNK + "learn_address=true\n", 1, "trunk[0]", "learn_address needs register"),
        (TRUNK + "codecs=[]\n", 4, "trunk[0].codecs", "at least one codec"),
        (TRUNK + "codecs=['PCMU','PCMU']\n", 4, "trunk[0].codecs", "names a codec twice"),
        (TRUNK + "proxy='sip:a b'\n", 4, "trunk[0].proxy", "is not a SIP URI"),
        (TRUNK + "external_address='me'\n", 4, "trunk[0].external_address", "not an IP address"),
        (TRUNK + "match=['x']\n", 4, "trunk[0].match[0]", "should match pattern"),
        (
            TRUNK + "rewrite=[{mtch='^0', strip=1}]\n",
            4,
            "trunk[0].rewrite[0].mtch",
            "did you mean match?",
        ),
        (TRUNK + "rewrite=[{strip=99}]\n", 4, "trunk[0].rewrite[0].strip", "less than or equal"),
        ("[capture]\nhomer='homer.example.com'\n", 2, "capture.homer", "named by address"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_key(tmp_path, text, line, key, sentence):
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'dialer.toml'}:{line}: {key}: ")
    assert sentence in message
    assert "\n" not in message


def test_two_trunks_of_one_name_are_refused(tmp_path):
    trunk = "[[trunk]]\nname='a'\naddress='h'\n"
    with pytest.raises(config.ConfigError, match="two trunks are named 'a'"):
        load(tmp_path, trunk * 2)


def test_a_file_that_is_not_toml_or_not_there(tmp_path):
    with pytest.raises(config.ConfigError, match=r"not valid TOML: .*line 1"):
        load(tmp_path, "[api\n")
    with pytest.raises(config.ConfigError, match="cannot be read"):
        config.load(tmp_path / "none.toml")


def test_the_example_shows_every_setting_with_its_default(tmp_path):
    text = re.sub(r"^# (?=\w+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    # what cannot stand beside its neighbours in one file
    text = text.replace('transport = "udp"', 'transport = "tls"')
    text = text.replace("learn_address = false", "")
    shown = load(tmp_path, text)
    sections = [getattr(shown, name) for name in config.Config.model_fields]
    for section in [shown, *sections, shown.trunk[0]]:
        if not isinstance(section, config.Section):
            continue
        kind = type(section)
        wanted = set(kind.model_fields) - {"folder", "source", "learn_address"}
        if kind is config.Config:
            wanted -= {name for name in wanted if isinstance(getattr(shown, name), config.Section)}
        assert wanted <= section.model_fields_set, kind.__name__
        for key in wanted - {"name", "address", "trunk"}:
            default = kind.model_fields[key].default
            # a setting that is empty by default shows an example instead
            if default not in (None, "", ()) and default is not PydanticUndefined:
                assert getattr(section, key) == default, f"{kind.__name__}.{key}"
    assert "# learn_address = false" in EXAMPLE.read_text()


def test_secrets_come_from_files_and_the_environment(tmp_path, monkeypatch):
    (tmp_path / "password").write_text("s3cret\n")
    loaded = load(
        tmp_path,
        "[[trunk]]\nname='a'\naddress='h'\npassword_file='password'\n"
        "[[trunk]]\nname='b'\naddress='h'\npassword_env='B_PASSWORD'\n"
        "[[trunk]]\nname='c'\naddress='h'\n",
    )
    by_file, by_environment, without = loaded.trunk
    assert without.host_and_port == ("h", None)
    assert loaded.trunk_password(by_file) == "s3cret"
    assert loaded.trunk_password(without) is None
    with pytest.raises(config.ConfigError, match="B_PASSWORD is not set"):
        loaded.trunk_password(by_environment)
    monkeypatch.setenv("B_PASSWORD", "other")
    assert loaded.trunk_password(by_environment) == "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pbx", ("pbx", 5060)),
        ("pbx.example.com:5070", ("pbx.example.com", 5070)),
        ("192.0.2.1", ("192.0.2.1", 5060)),
        ("[2001:db8::1]:5080", ("2001:db8::1", 5080)),
        ("2001:db8::1", ("2001:db8::1", 5060)),
    ],
)
def test_addresses(text, expected):
    assert config.split_address(text, 5060) == expected

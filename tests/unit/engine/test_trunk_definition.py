from __future__ import annotations

import pytest

from dialer import config
from dialer.campaign.evidence import Evidence
from dialer.campaign.outcome import Outcome
from dialer.engine.trunk_definition import definition_of
from dialer.engine.trunk_set import TrunkSet
from dialer.ua.call import RegistrationSettings, TlsSettings

TRUNK = "[[trunk]]\nname='a'\naddress='pbx.example.com'\n"


def loaded(tmp_path, text):
    path = tmp_path / "dialer.toml"
    path.write_text(text)
    settings = config.load(path)
    return settings, settings.trunk[0]


def defined(tmp_path, text):
    return definition_of(*loaded(tmp_path, TRUNK + text))


def test_a_trunk_with_its_defaults(tmp_path):
    found = defined(tmp_path, "")
    trunk = found.trunk
    assert (trunk.host, trunk.port, trunk.transport, trunk.tls) == (
        "pbx.example.com", None, None, None,
    )  # fmt: skip
    assert (trunk.registration, trunk.session_expires, trunk.codecs) == (
        None, 1800, ("PCMA", "PCMU"),
    )  # fmt: skip
    assert (found.table, found.failover_on, found.headers) == (None, None, ())


def test_a_trunk_by_tls_with_registration(tmp_path):
    found = defined(
        tmp_path,
        "transport='tls'\ntls_ca_file='ca.pem'\nsrtp='required'\nregister=true\nusername='u'\n"
        "registrar='example.com'\nregistration_seconds=60\nasserted_by=['P-Asserted-Identity']\n",
    )
    assert found.trunk.tls == TlsSettings(ca_file=str(tmp_path / "ca.pem"))
    assert found.trunk.registration == RegistrationSettings(None, "example.com", 60)
    assert (found.trunk.srtp, found.trunk.asserted_by) == ("required", {"P-Asserted-Identity"})


def test_which_calls_it_is_given(tmp_path):
    found = defined(
        tmp_path,
        "match=['+49']\npriority=2\nweight=3\naccounts=[7]\nfailover_on=['busy']\nring_seconds=20\n",
    )
    assert (found.rule.match, found.rule.priority, found.rule.weight) == (("+49",), 2, 3)
    assert (found.rule.accounts, found.failover_on) == ({7}, {Outcome.BUSY})
    assert found.ring_seconds == 20


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("headers={Route='x'}\n", "headers", "Route is written by the dialer itself"),
        ("rewrite=[{match='['}]\n", "rewrite", "no regular expression"),
        ("caller_id_rewrite=[{}]\n", "caller_id_rewrite", "changes nothing"),
        ("failover_on=['bsy']\n", "failover_on", "'bsy' is not a valid Outcome"),
        ("outcomes='none.toml'\n", "outcomes", "No such file"),
    ],
)
def test_a_mistake_names_file_line_and_key(tmp_path, text, key, said):
    with pytest.raises(config.ConfigError) as caught:
        defined(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'dialer.toml'}:4: trunk[0].{key}: ")
    assert said in message
    assert message.endswith("(trunk a)")


def test_rules_of_the_outcome_table_change_for_one_trunk(tmp_path):
    (tmp_path / "all.toml").write_text('[outcomes]\nbusy = { retry = "yes, 5 min" }\n')
    (tmp_path / "one.toml").write_text(
        '[[rule]]\nname = "busy-486"\ncode = [486]\noutcome = "rate_limited"\n'
        '[[rule]]\nname = "oddity"\ncode = [477]\noutcome = "network_failure"\n'
    )
    settings, trunk = loaded(tmp_path, "outcomes='all.toml'\n" + TRUNK + "outcomes='one.toml'\n")
    table = definition_of(settings, trunk).table
    assert table.rule_for(Evidence(code=486)).outcome is Outcome.RATE_LIMITED
    assert table.rule_for(Evidence(code=477)).name == "oddity"
    assert table.rule_for(Evidence(code=600)).retry.interval.total_seconds() == 300


def test_a_new_configuration_keeps_pace_and_health_of_what_stays(tmp_path):
    def trunks(text):
        return TrunkSet.from_config(loaded(tmp_path, text)[0], 0.0)

    def trunk(name, calls):
        return f"[[trunk]]\nname='{name}'\naddress='h'\nmax_calls={calls}\n"

    before = trunks(trunk("a", 1) + trunk("b", 1) + trunk("c", 1))
    kept, same = before["a"], before["b"]
    changes = before.take(trunks(trunk("a", 2) + trunk("b", 1) + trunk("d", 1)))
    assert (changes.added, changes.changed, changes.removed) == (("d",), ("a",), ("c",))
    assert before.keys() == {"a", "b", "d"}
    assert before["a"] is kept
    assert before["b"] is same
    assert kept.definition.max_calls == 2

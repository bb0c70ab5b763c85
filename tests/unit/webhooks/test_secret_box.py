from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from dialer.store.secret_box import SecretBox, SecretSealed

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_sealed_is_opened_with_the_same_key_alone():
    sealed = SecretBox(OLD).seal("whsec_abc")
    assert "abc" not in sealed
    assert SecretBox(f"{NEW} {OLD}").open(sealed) == "whsec_abc"
    with pytest.raises(SecretSealed, match="another key"):
        SecretBox(NEW).open(sealed)
    with pytest.raises(SecretSealed, match="no key"):
        SecretBox().open(sealed)


def test_without_a_key_it_stays_as_it_is_and_a_key_seals_it_later():
    stored = SecretBox().seal("whsec_abc")
    assert stored == "whsec_abc"
    assert SecretBox().renewed(stored) is None
    assert SecretBox(NEW).open(SecretBox(f"{NEW} {OLD}").renewed(stored)) == "whsec_abc"
    old = SecretBox(OLD).seal(stored)
    assert SecretBox(NEW).open(SecretBox(f"{NEW} {OLD}").renewed(old)) == "whsec_abc"


def test_what_is_no_key_is_refused_with_the_command_that_makes_one():
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        SecretBox("secret")

from __future__ import annotations

import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from dialer.store.webhook_secrets import new_secret
from dialer.webhooks.signature import headers

AT = dt.datetime.fromtimestamp(1_700_000_000, dt.UTC)


def test_the_example_of_the_specification():
    # github.com/standard-webhooks, libraries/python/tests: a known secret, id and time
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signed = headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=200), st.text("abc_123.", min_size=1, max_size=20))
def test_each_secret_signs_as_an_independent_library_does(body, message_id):
    secrets = [new_secret(), new_secret()]
    text = body.decode("latin-1")
    signed = headers(secrets, message_id, 1_700_000_000, text.encode())
    parts = signed["webhook-signature"].split(" ")
    for secret, part in zip(secrets, parts, strict=True):
        key = secret.removeprefix("whsec_")
        assert len(base64.b64decode(key)) == 32
        other = Webhook(secret)
        assert part == other.sign(message_id, AT, text)


@pytest.mark.parametrize("secret", ["", "abc", "whsec_*", "whsec_YQ"])
def test_what_is_no_secret_is_refused(secret):
    with pytest.raises(ValueError, match="a signing secret"):
        headers([secret], "evt_1", 1, b"")

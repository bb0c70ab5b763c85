"""What becomes of each message of the torture corpus: the answer that its RFC asks for, or none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.torture import CORPUS
from tests.unit.sip.endpoint_steps import STRANGER, make_endpoint, sent

from dialer.sip.message import parse

ANSWERS = {
    # readable, however odd: what a dialer that takes no calls says to such a request
    "folded": 481, "strange-characters": 501, "escaped": 480, "escaped-nulls": 405,
    "percent-in-method": 501, "no-space-before-bracket": 200, "long-values": 480,
    "extra-octets": 200, "semicolon-in-user": 200, "transports": 200, "multipart": 480,
    # faults that one may bear, or has to answer
    "separators": 480, "length-too-large": 400, "length-negative": 400,
    "quote-without-end": 480, "spaces-after-version": 200,
    "brackets-around-uri": 400, "headers-in-uri": 480, "date-of-another-zone": 480,
    "contact-without-brackets": 405, "spaces-within-address": 200, "name-that-needs-quotes": 200,
    "version-7": 505, "methods-differ": 400, "unknown-methods-differ": 400,
    # beyond the grammar
    "branch-without-identifier": 200, "unknown-scheme": 416, "atypical-scheme": 416,
    "unknown-schemes-in-headers": 405, "required-extensions": 420, "unknown-body": 480,
    "unknown-authorization": 405, "lengths-repeated": 400, "no-more-hops": 200,
    "register-with-parameter": 405, "register-with-uri-parameter": 405,
    "register-with-headers": 405, "accept-without-sdp": 480, "of-rfc-2543": 480,
    # IPv6
    "reference-in-brackets": 405, "reference-without-brackets": 405, "port-ambiguous": 405,
    "port-unambiguous": 405, "received-in-brackets": 200, "received-without-brackets": 200,
    "sdp-of-ipv6": 480, "both-families-in-headers": 200, "both-families-in-sdp": 480,
    "mapped-addresses": 480, "three-colons": 200,
    "deep-quotes": 200, "not-utf-8": 200,
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
def test_each_has_the_answer_that_it_deserves(name):
    endpoint = make_endpoint()
    effects = endpoint.receive(CORPUS[name][1], STRANGER, 0.0)
    answers = [parse(data).code for data in sent(effects)]
    wanted = ANSWERS.get(name)
    assert answers == ([] if wanted is None else [wanted])
    endpoint.handle_timer(100.0)
    assert endpoint.idle


MESSAGES = [data for _, data in CORPUS.values()]


@settings(max_examples=400)
@given(st.data())
def test_no_mutation_of_them_raises_or_leaves_a_trace(data):
    endpoint = make_endpoint()
    for _ in range(data.draw(st.integers(1, 4))):
        endpoint.receive(mutated(data), STRANGER, 0.0)
    endpoint.handle_timer(100.0)
    endpoint.handle_timer(200.0)
    assert endpoint.idle


def mutated(data):
    """Cut, repeat, swap, insert: one message of the corpus, changed in a few places."""
    message = bytearray(data.draw(st.sampled_from(MESSAGES)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(message)))
        size = data.draw(st.integers(0, 40))
        match data.draw(st.integers(0, 3)):
            case 0:
                del message[at : at + size]
            case 1:
                message[at:at] = message[at : at + size] * data.draw(st.integers(1, 50))
            case 2:
                message[at : at + 1] = data.draw(st.binary(max_size=4))
            case _:
                other = data.draw(st.sampled_from(MESSAGES))
                message[at : at + size] = other[at : at + size]
    return bytes(message)

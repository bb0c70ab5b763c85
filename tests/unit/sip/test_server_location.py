from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.sip.server_location import NaptrRecord, SrvRecord, in_order, services, srv_name


@pytest.mark.parametrize(
    ("transport", "name"),
    [("udp", "_sip._udp.a"), ("tcp", "_sip._tcp.a"), ("tls", "_sips._tcp.a")],
)
def test_the_name_of_a_service(transport, name):
    assert srv_name("a", transport) == name


NAPTR = [
    NaptrRecord(50, 50, "S", "SIPS+D2T", "tls.a"),
    NaptrRecord(100, 20, "S", "SIP+D2T", "tcp.a"),
    NaptrRecord(100, 10, "S", "SIP+D2U", "udp.a"),
    NaptrRecord(1, 1, "U", "E2U+SIP", "enum.a"),
    NaptrRecord(1, 1, "S", "SIP+D2S", "sctp.a"),
    NaptrRecord(1, 1, "S", "SIP+D2U", ""),
]


@pytest.mark.parametrize(
    ("transport", "expected"),
    [
        (None, [("udp", "udp.a"), ("tcp", "tcp.a")]),
        ("tls", [("tls", "tls.a")]),
        ("tcp", [("tcp", "tcp.a")]),
    ],
)
def test_services_in_order_of_preference(transport, expected):
    assert services(NAPTR, transport) == expected


def test_a_target_of_a_dot_is_no_service():
    assert in_order([SrvRecord(0, 0, 0, "")], lambda most: most) == []


def test_weights_share_the_load():
    records = [SrvRecord(1, 3, 1, "a"), SrvRecord(1, 1, 1, "b"), SrvRecord(1, 0, 1, "c")]
    chance = random.Random(1)
    first = collections.Counter(
        in_order(records, lambda most: chance.randint(0, most))[0].target for _ in range(5000)
    )
    assert 0.5 < first["a"] / 5000 < 0.7
    assert 0.15 < first["b"] / 5000 < 0.25
    assert first["c"] > 0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_every_record_once_and_priorities_ascend(numbers, chance):
    records = [SrvRecord(priority, weight, n, "t") for n, (priority, weight) in enumerate(numbers)]
    ordered = in_order(records, lambda most: chance.randint(0, most))
    assert sorted(record.port for record in ordered) == list(range(len(records)))
    priorities = [record.priority for record in ordered]
    assert priorities == sorted(priorities)

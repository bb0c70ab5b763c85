from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.event_kinds import FAMILIES, KINDS, check_kind
from dialer.campaign.webhook_url import WebhookRules

RULES = WebhookRules()
HTTP = WebhookRules(allow_http=True)
OWN = WebhookRules(allow_http=True, allow_networks=(ipaddress.ip_network("10.1.0.0/16"),))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/hook?a=b",
        "https://xn--bcher-kva.example/",
        "https://bücher.example/",
        "https://93.184.215.14/",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
    ],
)
def test_addresses_on_the_public_internet_are_taken(url):
    RULES.check(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com", "must begin with https://"),
        ("ftp://example.com", "is not a web address"),
        ("example.com", "is not a web address"),
        ("https://", "is not a web address"),
        ("https://exa mple.com", "without spaces"),
        ("https://example.com/\r\nX: y", "without spaces"),
        ("https://example.com:99999", "is not a web address"),
        ("https://example.com:0", "is not a web address"),
        ("https://[::1", "is not a web address"),
        ("https://example.com\\@10.0.0.1", "is not a web address"),
        ("https://user:word@example.com", "no user name or password"),
        ("https://user@example.com", "no user name or password"),
        ("https://example.com/#part", "fragment"),
        ("https://localhost/", "names localhost"),
        ("https://api.localhost/", "not on the public internet"),
        ("https://db/", "not on the public internet"),
        ("https://metadata.google.internal/", "not on the public internet"),
        ("https://printer.local/", "not on the public internet"),
        ("https://169.254.169.254/latest", "169.254.169.254 is a link-local address"),
        ("https://example.com/" + "a" * 2048, "at most 2048 characters"),
    ],
)
def test_what_cannot_be_an_address_is_refused_with_a_sentence(url, why):
    with pytest.raises(ValueError, match=why.replace(".", r"\.")):
        RULES.check(url)


INNER = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.9.10", "169.254.169.254",
    "172.16.0.1", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
]  # fmt: skip
SIX = [
    "::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "100::1",
    "2001:db8::1", "2001::1", "5f00::1", "3fff::1", "64:ff9b:1::a00:1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("text", INNER + SIX)
def test_no_address_off_the_public_internet_is_reached(text):
    assert RULES.refused(ipaddress.ip_address(text)).endswith("not on the public internet")
    shown = f"[{text}]" if ":" in text else text
    with pytest.raises(ValueError, match="not on the public internet"):
        RULES.check(f"https://{shown}/")


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("prefix", ["::ffff:0:0", "::", "64:ff9b::", "::ffff:0:0:0"])
def test_nor_one_that_stands_in_an_address_of_another_kind(inner, prefix):
    number = int(ipaddress.ip_address(inner))
    outer = ipaddress.IPv6Address(int(ipaddress.ip_address(prefix)) | number)
    assert RULES.refused(outer)
    assert RULES.refused(ipaddress.IPv6Address(0x2002 << 112 | number << 80))


def test_one_that_stands_for_a_public_address_is_reached():
    for text in ("::ffff:93.184.215.14", "64:ff9b::5db8:d70e", "2002:5db8:d70e::1"):
        assert RULES.refused(ipaddress.ip_address(text)) == ""


@given(st.ip_addresses(v=4))
def test_of_ipv4_only_what_is_global_is_reached(address):
    reached = not RULES.refused(address)
    assert reached is (address.is_global and not address.is_multicast and not address.is_reserved)


def test_what_the_configuration_allows_is_reached_and_nothing_else():
    OWN.check("http://10.1.2.3/hook")
    OWN.check("http://crm/hook")  # its addresses are checked once they are known
    assert OWN.refused(ipaddress.ip_address("::ffff:10.1.2.3")) == ""
    assert OWN.refused(ipaddress.ip_address("10.2.0.1"))
    assert OWN.refused(ipaddress.ip_address("127.0.0.1"))
    private = WebhookRules(allow_private=True)
    private.check("https://localhost/")
    assert private.refused(ipaddress.ip_address("169.254.169.254")) == ""


@given(st.text(max_size=80))
def test_any_text_is_taken_or_refused_with_a_sentence(text):
    for url in (text, f"https://{text}"):
        try:
            HTTP.check(url)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - either is right


def test_kinds_are_known_alone_or_by_family():
    assert set(FAMILIES) == {"campaign.*", "call.*", "numbers.*", "account.*"}
    assert all(check_kind(kind) == kind for kind in (*KINDS, *FAMILIES))
    with pytest.raises(ValueError, match=r"did you mean call\.answered\?"):
        check_kind("call.anwsered")
    with pytest.raises(ValueError, match=r"call\.\*"):
        check_kind("*")

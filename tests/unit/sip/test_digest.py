"""Digest answers against known ones, and the bounds on re-sends."""

from __future__ import annotations

import itertools
import re

import pytest
from tests.unit.sip.sample_messages import as_response, response_bytes

from dialer.sip.digest import Attempts, Authenticator, digest_response, parse_challenge
from dialer.sip.identity import Credentials

MUFASA = Credentials("Mufasa", "Circle Of Life")
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def challenge(text):
    found = parse_challenge("www-authenticate", text)
    assert found is not None
    return found


def test_rfc_2617_section_3_5():
    text = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    credentials = Credentials("Mufasa", "Circle Of Life")
    result = digest_response(challenge(text), credentials, "GET", "/dir/index.html", "0a4f113b")
    assert result == "6629fae49393a05397450978507c4ef1"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm, expected):
    credentials = Credentials("Mufasa", "Circle of Life")
    given = challenge(RFC_7616.format(algorithm))
    assert digest_response(given, credentials, "GET", "/dir/index.html", CNONCE) == expected


def test_rfc_7616_section_3_9_2():
    # as its erratum 4897 has it
    text = (
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"'
    )
    credentials = Credentials("J\u00e4s\u00f8n Doe", "Secret, or not?")
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    result = digest_response(challenge(text), credentials, "GET", "/doe.json", cnonce)
    assert result == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_without_qop_as_in_rfc_2069():
    # RFC 2069 §2.4 as its erratum 749 has it.
    text = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    credentials = Credentials("Mufasa", "CircleOfLife")
    result = digest_response(challenge(text), credentials, "GET", "/dir/index.html")
    assert result == "1949323746fe6a43ef61f9606e7febea"


def test_session_variant_differs_by_nonce_and_cnonce():
    given = challenge(RFC_7616.format("SHA-256-sess"))
    results = {digest_response(given, MUFASA, "GET", "/", cnonce) for cnonce in ("a", "b")}
    assert len(results) == 2
    assert all(len(result) == 64 for result in results)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic realm=x",
        "Digest",
        'Digest realm="x"',
        'Digest nonce="x"',
        'Digest realm="x',
        'Digest realm="x", nonce="y", qop="auth-int"',
    ],
)
def test_what_cannot_be_answered(text):
    assert parse_challenge("www-authenticate", text) is None


def test_odd_but_usable():
    given = challenge(r'digest  nonce = "n" ,realm="a \"b\", c",algorithm=md5,stale=TRUE,x=y z')
    assert (given.realm, given.nonce, given.algorithm, given.stale, given.qop) == (
        r"a \"b\", c",
        "n",
        "MD5",
        True,
        "",
    )


def challenged(code, *values, header=None):
    name = header or ("WWW-Authenticate" if code == 401 else "Proxy-Authenticate")
    return as_response(response_bytes(code, "Go on", **{name: list(values)}))


def digest(nonce="n1", realm="r", **extra):
    fields = {"realm": f'"{realm}"', "nonce": f'"{nonce}"', **extra}
    return "Digest " + ", ".join(f"{name}={value}" for name, value in fields.items())


@pytest.fixture
def authenticator():
    return make_authenticator()


def make_authenticator(**options):
    counter = itertools.count(1)
    return Authenticator(Credentials("user", "secret", **options), lambda: f"c{next(counter)}")


def test_the_header_of_an_answer(authenticator):
    response = challenged(407, digest(qop='"auth"', opaque='"o"', algorithm="SHA-256"))
    assert authenticator.accept(response, Attempts())
    [(name, value)] = authenticator.headers("INVITE", "sip:a@h")
    assert name == "Proxy-Authorization"
    assert re.fullmatch(
        r'Digest username="user", realm="r", nonce="n1", uri="sip:a@h", response="[0-9a-f]{64}", '
        r'algorithm=SHA-256, cnonce="c1", qop=auth, nc=00000001, opaque="o"',
        value,
    )


def test_the_nonce_count_goes_on(authenticator):
    authenticator.accept(challenged(401, digest(qop='"auth"')), Attempts())
    counts = [authenticator.headers("BYE", "sip:a@h")[0][1][-11:] for _ in range(3)]
    assert counts == ["nc=00000001", "nc=00000002", "nc=00000003"]


def test_without_qop_there_is_neither_count_nor_cnonce(authenticator):
    authenticator.accept(challenged(401, digest()), Attempts())
    [(_, value)] = authenticator.headers("INVITE", "sip:a@h")
    assert not re.search("nc=|cnonce|qop|algorithm|opaque", value)


@pytest.mark.parametrize("order", [1, -1])
def test_the_strongest_wins(authenticator, order):
    offers = [
        digest("weak", algorithm="MD5"),
        digest("strong", algorithm="SHA-512-256"),
        digest("good", algorithm="SHA-256"),
    ]
    assert authenticator.accept(challenged(401, *offers[::order]), Attempts())
    [(_, value)] = authenticator.headers("INVITE", "sip:a@h")
    assert 'nonce="strong"' in value


def test_md5_can_be_forbidden():
    strict = make_authenticator(md5_allowed=False)
    assert not strict.accept(challenged(401, digest()), Attempts())
    assert not strict.accept(challenged(401, digest(algorithm="MD5-sess")), Attempts())
    assert strict.accept(challenged(401, digest(), digest(algorithm="SHA-256")), Attempts())


def test_an_unknown_algorithm_is_not_answered(authenticator):
    assert not authenticator.accept(challenged(401, digest(algorithm="ROT13")), Attempts())


def test_a_nonce_is_answered_once_for_a_request(authenticator):
    attempts = Attempts()
    assert authenticator.accept(challenged(401, digest()), attempts)
    assert not authenticator.accept(challenged(401, digest(stale="true")), attempts)
    assert authenticator.accept(challenged(401, digest()), Attempts())  # the next request


def test_a_new_nonce_without_stale_means_refused(authenticator):
    attempts = Attempts()
    assert authenticator.accept(challenged(401, digest("n1")), attempts)
    assert not authenticator.accept(challenged(401, digest("n2")), attempts)


def test_stale_is_followed_a_few_times(authenticator):
    attempts = Attempts()
    accepted = [
        authenticator.accept(challenged(401, digest(f"n{n}", stale="true")), attempts)
        for n in range(10)
    ]
    assert accepted == [True] * 3 + [False] * 7


def test_ever_new_realms_come_to_an_end(authenticator):
    attempts = Attempts()
    accepted = [
        authenticator.accept(challenged(401, digest(realm=f"r{n}")), attempts) for n in range(10)
    ]
    assert sum(accepted) == 4


def test_of_ever_new_realms_only_the_last_few_are_answered(authenticator):
    many = [digest(realm=f"r{n}") for n in range(50)]
    authenticator.accept(challenged(401, *many), Attempts())
    for n in range(20):  # request after request, as a registration has them
        assert authenticator.accept(challenged(401, digest(realm=f"s{n}")), Attempts())
    headers = authenticator.headers("REGISTER", "sip:h")
    assert [re.search('realm="(.*?)"', value)[1] for _, value in headers] == [
        "s16",
        "s17",
        "s18",
        "s19",
    ]


def test_proxy_and_server_are_answered_together(authenticator):
    attempts = Attempts()
    assert authenticator.accept(challenged(407, digest("p")), attempts)
    assert authenticator.accept(challenged(401, digest("s")), attempts)
    names = [name for name, _ in authenticator.headers("INVITE", "sip:a@h")]
    assert names == ["Proxy-Authorization", "Authorization"]


def test_a_user_name_is_quoted_and_may_hold_no_line_break():
    quoted = Authenticator(Credentials('a"b', "x"), lambda: "c")
    quoted.accept(challenged(401, digest()), Attempts())
    assert r'username="a\"b"' in quoted.headers("BYE", "sip:h")[0][1]
    with pytest.raises(ValueError, match="control"):
        Authenticator(Credentials("a\r\nb", "x"), lambda: "c")


def test_the_password_is_not_shown():
    assert "secret" not in repr(Credentials("user", "secret"))

"""Messages that are hard to read, after the sections of RFC 4475 and RFC 5118, in our own words.

`CORPUS` maps a name to (section, message). The messages have the faults and oddities that the
sections describe; none is taken from there.
"""

from __future__ import annotations

VIA = "Via: SIP/2.0/UDP 192.0.2.200:5060;branch=z9hG4bK{name}"


def message(name, start, *lines, body="", via=VIA, length=None, **replaced):
    """A message with the usual headers; `replaced` ones are given by name, None leaves one out."""
    method = start.split()[0] if not start.startswith("SIP/") else "INVITE"
    usual = {
        "to": "To: <sip:dialer@192.0.2.9>",
        "from": f"From: <sip:peer@192.0.2.200>;tag=from-{name}",
        "call_id": f"Call-ID: torture-{name}",
        "cseq": f"CSeq: 7 {method}",
        "contact": "Contact: <sip:peer@192.0.2.200>",
        "forwards": "Max-Forwards: 70",
    }
    usual.update(replaced)
    shown = len(body.encode()) if length is None else length
    head = [start, via.format(name=name), *(line for line in usual.values() if line), *lines]
    if shown != "":
        head.append(f"Content-Length: {shown}")
    return ("\r\n".join(head) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body.encode()


SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.200\r\ns=-\r\nc=IN IP4 192.0.2.200\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n"
)
TYPE = "Content-Type: application/sdp"
TARGET = "sip:dialer@192.0.2.9"

_VALID = {
    "folded": (
        "RFC 4475 3.1.1.1",
        message(
            "folded", f"INVITE {TARGET};unknown=parameter SIP/2.0",
            "s: all of it\r\n\tgoes\r\n on",
            "v:  SIP / 2.0 / TCP   one.example.org\r\n ;branch  =   z9hG4bKother",
            'NewFangled:   what nobody knows\r\n yet ; a = "b"',
            TYPE,
            to="TO :\r\n  sip:dialer@192.0.2.9 ;   tag    = x1\r\n ; lr",
            **{"from": 'from   : "A \\\\ \\" B"\r\n  <sip:peer@192.0.2.200>\r\n ;\r\n tag = 98asj'},
            call_id="Call-ID\r\n :\r\n  torture-folded", cseq="CSeq: 0009\r\n  INVITE",
            body=SDP,
        ),
    ),
    "strange-characters": (
        "RFC 4475 3.1.1.2",
        message(
            "strange-characters", "!any-thing%+*_`'~.1 sip:a%3b(!)&$@192.0.2.9 SIP/2.0",
            "!x.%+*_`'~: \x80\u0416 and \u00fc", cseq="CSeq: 1 !any-thing%+*_`'~.1",
        ),
    ),
    "escaped": (
        "RFC 4475 3.1.1.3",
        message("escaped", "INVITE sip:di%61ler@192.0.2.9 SIP/2.0", TYPE, body=SDP,
                to="To: <sip:%64ialer@192.0.2.9>"),
    ),
    "escaped-nulls": (
        "RFC 4475 3.1.1.4",
        message("escaped-nulls", "REGISTER sip:192.0.2.9 SIP/2.0",
                to="To: sip:null-%00-null@192.0.2.9", contact="Contact: <sip:%00%00@192.0.2.200>"),
    ),
    "percent-in-method": (
        "RFC 4475 3.1.1.5",
        message("percent-in-method", "RE%47IST%45R sip:192.0.2.9 SIP/2.0",
                contact="Contact: <sip:alias1@192.0.2.200>, <sip:alias2@192.0.2.200>"),
    ),
    "no-space-before-bracket": (
        "RFC 4475 3.1.1.6",
        message("no-space-before-bracket", f"OPTIONS {TARGET} SIP/2.0",
                **{"from": "From: caller<sip:peer@192.0.2.200>;tag=323"}),
    ),
    "long-values": (
        "RFC 4475 3.1.1.7",
        message(
            "long-values", f"INVITE {TARGET} SIP/2.0",
            *(f"Via: SIP/2.0/TCP proxy{n}.example.org" for n in range(33)),
            "Unknown-" + "Long" * 30 + ": " + "value " * 300, TYPE, body=SDP,
            to=f'To: "{"long " * 60}" <sip:dialer@192.0.2.9;{"p" * 200}=1>;x={"y" * 300}',
            call_id="Call-ID: torture-long-values" + "long" * 60,
        ),
    ),
    "extra-octets": (
        "RFC 4475 3.1.1.8",
        message("extra-octets", f"OPTIONS {TARGET} SIP/2.0")
        + message("extra-octets-second", "INVITE sip:other@192.0.2.9 SIP/2.0", TYPE, body=SDP),
    ),
    "semicolon-in-user": (
        "RFC 4475 3.1.1.9",
        message("semicolon-in-user", "OPTIONS sip:user;par=u%40example.net@192.0.2.9 SIP/2.0"),
    ),
    "transports": (
        "RFC 4475 3.1.1.10",
        message("transports", f"OPTIONS {TARGET} SIP/2.0",
                *(f"Via: SIP/2.0/{one} t{n}.example.org;branch=z9hG4bK{n}"
                  for n, one in enumerate(("SCTP", "TLS", "UNKNOWN", "TCP")))),
    ),
    "multipart": (
        "RFC 4475 3.1.1.11",
        message(
            "multipart", f"INVITE {TARGET} SIP/2.0", 'Content-Type: multipart/mixed;boundary="x y"',
            body=f"--x y\r\nContent-Type: text/plain\r\n\r\nHello\r\n--x y\r\n{TYPE}\r\n\r\n{SDP}"
                 "\r\n--x y--\r\n",
        ),
    ),
    "phrase-of-any-characters": (
        "RFC 4475 3.1.1.12",
        message("phrase-of-any-characters", "SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442"),
    ),
    "no-phrase": ("RFC 4475 3.1.1.13", message("no-phrase", "SIP/2.0 100 ")),
}  # fmt: skip

_INVALID = {
    "separators": (
        "RFC 4475 3.1.2.1",
        message("separators", f"INVITE {TARGET} SIP/2.0", TYPE, body=SDP,
                contact='Contact: "Joe" <sip:peer@192.0.2.200>;;,;,,',
                via="Via: SIP/2.0/UDP 192.0.2.200;;,;,,;branch=z9hG4bK{name}"),
    ),
    "length-too-large": (
        "RFC 4475 3.1.2.2",
        message("length-too-large", f"INVITE {TARGET} SIP/2.0", TYPE, body=SDP, length=9999),
    ),
    "length-negative": (
        "RFC 4475 3.1.2.3",
        message("length-negative", f"INVITE {TARGET} SIP/2.0", TYPE, body=SDP, length=-999),
    ),
    "request-numbers-too-large": (
        "RFC 4475 3.1.2.4",
        message("request-numbers-too-large", "REGISTER sip:192.0.2.9 SIP/2.0",
                "Expires: " + "9" * 60, cseq="CSeq: 36893488147419103232 REGISTER",
                forwards="Max-Forwards: 300",
                contact="Contact: <sip:peer@192.0.2.200:999999>;expires=280297596632815"),
    ),
    "response-numbers-too-large": (
        "RFC 4475 3.1.2.5",
        message("response-numbers-too-large", "SIP/2.0 503 Service Unavailable",
                "Retry-After: 949302838503028349304023988", 'Warning: 1812 overture "x"',
                cseq="CSeq: 9292394834772304023312 OPTIONS"),
    ),
    "quote-without-end": (
        "RFC 4475 3.1.2.6",
        message("quote-without-end", f"INVITE {TARGET} SIP/2.0", TYPE, body=SDP,
                to='To: "Mr. J. User <sip:dialer@192.0.2.9>'),
    ),
    "brackets-around-uri": (
        "RFC 4475 3.1.2.7",
        message("brackets-around-uri", f"INVITE <{TARGET}> SIP/2.0", TYPE, body=SDP),
    ),
    "space-in-uri": (
        "RFC 4475 3.1.2.8",
        message("space-in-uri", "INVITE sip:dialer@192.0.2.9; lr SIP/2.0", TYPE, body=SDP),
    ),
    "spaces-in-first-line": (
        "RFC 4475 3.1.2.9",
        message("spaces-in-first-line", f"INVITE  {TARGET}  SIP/2.0", TYPE, body=SDP),
    ),
    "spaces-after-version": (
        "RFC 4475 3.1.2.10",
        message("spaces-after-version", f"OPTIONS {TARGET} SIP/2.0  "),
    ),
    "headers-in-uri": (
        "RFC 4475 3.1.2.11",
        message("headers-in-uri", f"INVITE {TARGET}?Route=%3Csip:example.org%3E SIP/2.0", TYPE,
                body=SDP),
    ),
    "date-of-another-zone": (
        "RFC 4475 3.1.2.12",
        message("date-of-another-zone", f"INVITE {TARGET} SIP/2.0",
                "Date: Fri, 01 Jan 2010 16:00:00 EST", TYPE, body=SDP),
    ),
    "contact-without-brackets": (
        "RFC 4475 3.1.2.13",
        message("contact-without-brackets", "REGISTER sip:192.0.2.9 SIP/2.0",
                contact="Contact: sip:peer@192.0.2.200?Route=%3Csip:sip.example.org%3E"),
    ),
    "spaces-within-address": (
        "RFC 4475 3.1.2.14",
        message("spaces-within-address", f"OPTIONS {TARGET} SIP/2.0",
                to='To: "Watson, Thomas" < sip:dialer@192.0.2.9 >'),
    ),
    "name-that-needs-quotes": (
        "RFC 4475 3.1.2.15",
        message("name-that-needs-quotes", f"OPTIONS {TARGET} SIP/2.0",
                **{"from": "From: Bell, Alexander <sip:peer@192.0.2.200>;tag=43"}),
    ),
    "version-7": ("RFC 4475 3.1.2.16", message("version-7", f"OPTIONS {TARGET} SIP/7.0",
                  via="Via: SIP/7.0/UDP 192.0.2.200;branch=z9hG4bK{name}")),
    "methods-differ": (
        "RFC 4475 3.1.2.17",
        message("methods-differ", f"OPTIONS {TARGET} SIP/2.0", cseq="CSeq: 8 INVITE"),
    ),
    "unknown-methods-differ": (
        "RFC 4475 3.1.2.18",
        message("unknown-methods-differ", f"NEWMETHOD {TARGET} SIP/2.0", cseq="CSeq: 8 INVITE"),
    ),
    "code-too-large": ("RFC 4475 3.1.2.19", message("code-too-large", "SIP/2.0 4294967301 no")),
}  # fmt: skip

_BEYOND_THE_GRAMMAR = {
    "branch-without-identifier": (
        "RFC 4475 3.2.1",
        message("branch-without-identifier", f"OPTIONS {TARGET} SIP/2.0",
                via="Via: SIP/2.0/UDP 192.0.2.200;branch=z9hG4bK"),
    ),
    "headers-missing": (
        "RFC 4475 3.3.1",
        message("headers-missing", f"INVITE {TARGET} SIP/2.0", TYPE, body=SDP, to=None,
                call_id=None, **{"from": None}),
    ),
    "unknown-scheme": (
        "RFC 4475 3.3.2",
        message("unknown-scheme", "OPTIONS nobodyknows:whatever SIP/2.0"),
    ),
    "atypical-scheme": (
        "RFC 4475 3.3.3",
        message("atypical-scheme", "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
    ),
    "unknown-schemes-in-headers": (
        "RFC 4475 3.3.4",
        message("unknown-schemes-in-headers", "REGISTER sip:192.0.2.9 SIP/2.0",
                to="To: isbn:2983792873", contact="Contact: <name:John_Smith>",
                **{"from": "From: <http://www.example.org>;tag=3"}),
    ),
    "required-extensions": (
        "RFC 4475 3.3.5",
        message("required-extensions", f"OPTIONS {TARGET} SIP/2.0",
                "Proxy-Require: noProxiesSupportThis", "Require: nothingSupportsThis, nor-this"),
    ),
    "unknown-body": (
        "RFC 4475 3.3.6",
        message("unknown-body", f"INVITE {TARGET} SIP/2.0", "Content-Type: application/unknown",
                body='<audio><pcmu port="443"/></audio>'),
    ),
    "unknown-authorization": (
        "RFC 4475 3.3.7",
        message("unknown-authorization", "REGISTER sip:192.0.2.9 SIP/2.0",
                "Authorization: NoOneKnowsThisScheme opaque-data=here"),
    ),
    "single-values-repeated": (
        "RFC 4475 3.3.8",
        message("single-values-repeated", f"INVITE {TARGET} SIP/2.0", "CSeq: 59 INVITE",
                "Call-ID: another", "From: <sip:other@192.0.2.200>;tag=9",
                "To: <sip:other@192.0.2.9>", "Max-Forwards: 5", TYPE, "Content-Length: 5",
                body=SDP),
    ),
    "lengths-repeated": (
        "RFC 4475 3.3.9",
        message("lengths-repeated", f"OPTIONS {TARGET} SIP/2.0", "Content-Length: 13",
                body="There's no way to know how many octets are supposed to be here.", length=5),
    ),
    "answer-by-broadcast": (
        "RFC 4475 3.3.10",
        message("answer-by-broadcast", "SIP/2.0 200 OK", TYPE, body=SDP,
                via="Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK{name}"),
    ),
    "no-more-hops": (
        "RFC 4475 3.3.11",
        message("no-more-hops", f"OPTIONS {TARGET} SIP/2.0", forwards="Max-Forwards: 0"),
    ),
    "register-with-parameter": (
        "RFC 4475 3.3.12",
        message("register-with-parameter", "REGISTER sip:192.0.2.9 SIP/2.0",
                contact="Contact: sip:+19725552222@192.0.2.200;unknownparam"),
    ),
    "register-with-uri-parameter": (
        "RFC 4475 3.3.13",
        message("register-with-uri-parameter", "REGISTER sip:192.0.2.9 SIP/2.0",
                contact="Contact: <sip:+19725552222@192.0.2.200;unknownparam>"),
    ),
    "register-with-headers": (
        "RFC 4475 3.3.14",
        message("register-with-headers", "REGISTER sip:192.0.2.9 SIP/2.0",
                contact="Contact: <sip:user@192.0.2.200?Route=%3Csip:sip.example.org%3E>"),
    ),
    "accept-without-sdp": (
        "RFC 4475 3.3.15",
        message("accept-without-sdp", f"INVITE {TARGET} SIP/2.0", "Accept: text/nobody", TYPE,
                body=SDP),
    ),
    "of-rfc-2543": (
        "RFC 4475 3.4.1",
        message("of-rfc-2543", f"INVITE {TARGET} SIP/2.0", TYPE, body=SDP, forwards=None,
                via="Via: SIP/2.0/UDP 192.0.2.200", contact=None,
                **{"from": "From: sip:peer@192.0.2.200"}),
    ),
}  # fmt: skip

_SIX = "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK{name}"
_IPV6 = {
    "reference-in-brackets": (
        "RFC 5118 4.1",
        message("reference-in-brackets", "REGISTER sip:[2001:db8::10] SIP/2.0", via=_SIX,
                contact='Contact: "Caller" <sip:caller@[2001:db8::1]>'),
    ),
    "reference-without-brackets": (
        "RFC 5118 4.2",
        message("reference-without-brackets", "REGISTER sip:2001:db8::10 SIP/2.0", via=_SIX),
    ),
    "port-ambiguous": (
        "RFC 5118 4.3",
        message("port-ambiguous", "REGISTER sip:[2001:db8::10:5070] SIP/2.0", via=_SIX),
    ),
    "port-unambiguous": (
        "RFC 5118 4.4",
        message("port-unambiguous", "REGISTER sip:[2001:db8::10]:5070 SIP/2.0", via=_SIX),
    ),
    "received-in-brackets": (
        "RFC 5118 4.5",
        message("received-in-brackets", "OPTIONS sip:[2001:db8::10] SIP/2.0",
                via="Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];"
                    "branch=z9hG4bK{name}"),
    ),
    "received-without-brackets": (
        "RFC 5118 4.5",
        message("received-without-brackets", "OPTIONS sip:[2001:db8::10] SIP/2.0",
                via="Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;"
                    "branch=z9hG4bK{name}"),
    ),
    "sdp-of-ipv6": (
        "RFC 5118 4.6",
        message("sdp-of-ipv6", "INVITE sip:user@[2001:db8::10] SIP/2.0", TYPE, via=_SIX,
                body=SDP.replace("IP4 192.0.2.200", "IP6 2001:db8::20")),
    ),
    "both-families-in-headers": (
        "RFC 5118 4.7",
        message("both-families-in-headers", "OPTIONS sip:user@example.com SIP/2.0",
                "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2", via=_SIX),
    ),
    "both-families-in-sdp": (
        "RFC 5118 4.8",
        message("both-families-in-sdp", "INVITE sip:user@[2001:db8::10] SIP/2.0", TYPE, via=_SIX,
                body=SDP + "m=audio 6000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n"),
    ),
    "mapped-addresses": (
        "RFC 5118 4.9",
        message("mapped-addresses", "INVITE sip:user@[::ffff:192.0.2.9] SIP/2.0", TYPE,
                via="Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bK{name}",
                body=SDP.replace("IP4 192.0.2.200", "IP6 ::ffff:192.0.2.200")),
    ),
    "three-colons": (
        "RFC 5118 4.10",
        message("three-colons", "OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0", via=_SIX),
    ),
}  # fmt: skip

_NOISE = {
    "empty": ("", b""),
    "keep-alive": ("", b"\r\n\r\n"),
    "nulls": ("", bytes(200)),
    "no-end": ("", b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.200\r\n"),
    "header-without-end": ("", b"OPTIONS sip:x SIP/2.0\r\nX: " + b"a" * 60_000),
    "many-headers": ("", message("many", f"OPTIONS {TARGET} SIP/2.0", *["X: y"] * 5000)),
    "many-contacts": (
        "",
        message(
            "contacts", f"OPTIONS {TARGET} SIP/2.0", "Contact: " + ",".join(["<sip:a@b>"] * 900)
        ),
    ),
    "deep-quotes": (
        "",
        message("quotes", f"OPTIONS {TARGET} SIP/2.0", to='To: "' + "\\" * 8001 + '" <sip:a@b>'),
    ),
    "line-ends-only": ("", b"\r\n" * 20_000),
    "not-utf-8": ("", message("bytes", f"OPTIONS {TARGET} SIP/2.0").replace(b"peer", b"\xff\xfe")),
}

CORPUS = {**_VALID, **_INVALID, **_BEYOND_THE_GRAMMAR, **_IPV6, **_NOISE}

"""TLS for SIP: contexts from settings, whose a certificate is (RFC 5922), and what went wrong."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from typing import TYPE_CHECKING, Any

from dialer.ua.call import TlsSettings
from dialer.ua.certificate import self_signed, validity

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

_SHOWN = 3  # names of a certificate that stand in a sentence
# <openssl/x509_vfy.h>
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_UNKNOWN_ISSUER = frozenset({2, 19, 20, 21})
DATED = frozenset({_NOT_YET_VALID, _EXPIRED})  # verify codes that a certificate's dates explain


class TlsError(Exception):
    """The TLS settings cannot be used; the text says which, and why."""


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return a context for connections that we open; raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # `misnamed` looks, by the rules of SIP
    if not settings.verify:
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca_file is None:
        context.load_default_certs()
    else:
        # whoever names a certificate trusts it, be it a root or not
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(settings.ca_file)
        except ssl.SSLError:
            raise TlsError(f"tls_ca_file {settings.ca_file} holds no certificate (PEM)") from None
        except OSError as error:
            raise TlsError(_unreadable("tls_ca_file", settings.ca_file, error)) from None
    if settings.certificate_file is not None:
        load_certificate(
            context,
            settings.certificate_file,
            settings.key_file,
            ("tls_certificate_file", "tls_key_file"),
        )
    return context


def unverified_context() -> ssl.SSLContext:
    """Return a context that takes any certificate, to look at one that was refused."""
    return client_context(TlsSettings(verify=False))


def server_context(certificate_file: str, key_file: str | None) -> ssl.SSLContext:
    """Return a context for connections that peers open; raises TlsError."""
    context = _empty_server_context()
    load_certificate(context, certificate_file, key_file, ("sip.tls_certificate", "sip.tls_key"))
    return context


def self_signed_context(host: str, now: dt.datetime) -> ssl.SSLContext:
    """Return a context for connections that peers open, with a certificate made for it."""
    context = _empty_server_context()
    # `ssl` reads certificates from files alone; this one is gone with the next line
    with tempfile.NamedTemporaryFile(prefix="dialer-tls-") as file:
        file.write(self_signed(host, now))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _empty_server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def load_certificate(
    context: ssl.SSLContext, certificate: str, key: str | None, names: tuple[str, str]
) -> None:
    """Load a certificate and its key, `names` are those of the settings; raises TlsError."""
    for name, path in zip(names, (certificate, key), strict=True):
        if path is not None and not os.access(path, os.R_OK):
            raise TlsError(f"{name} {path} cannot be read: is it there, and may we?")
    both = f"{names[0]} {certificate}" + (f" with {names[1]} {key}" if key else "")
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            raise TlsError(f"{both}: the key is not the certificate's") from None
        raise TlsError(f"{both}: no certificate and unencrypted key (PEM)") from None
    except OSError as error:
        raise TlsError(_unreadable(names[0], certificate, error)) from None


def _unreadable(name: str, path: str, error: OSError) -> str:
    return f"{name} {path} cannot be read: {error.strerror or error}"


# whose certificate it is


def identities(certificate: dict[str, Any]) -> tuple[str, ...]:
    """Return the SIP domains and addresses that a certificate vouches for (RFC 5922 §7.1).

    URIs `sip:domain` count before DNS names, and the Common Name only where the certificate has
    no alternative names at all. Addresses count besides either.
    """
    names: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
    addresses = [value for kind, value in names if kind == "IP Address"]
    # RFC 5922 §7.1: a URI with a user part is not a domain's
    domains = [
        value[4:].partition(";")[0]
        for kind, value in names
        if kind == "URI" and value[:4].lower() == "sip:" and "@" not in value
    ] or [value for kind, value in names if kind == "DNS"]
    if not names:
        subject = certificate.get("subject", ())
        domains = [value for part in subject for key, value in part if key == "commonName"]
    return (*domains, *addresses)


def misnamed(certificate: dict[str, Any], expected: str, where: str) -> str:
    """Return why a certificate is not that of `expected`, "" where it is (RFC 5922 §7.2).

    Names are compared as a whole, so that a wildcard matches only one who expects just it.
    """
    found = identities(certificate)
    wanted = _comparable(expected)
    if wanted in map(_comparable, found):
        return ""
    if not found:
        return f"the certificate of {where} names nobody, not {expected}"
    shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
    reason = f"the certificate of {where} is for {shown}, not {expected}"
    wildcard = f"*.{expected.partition('.')[2]}".lower()
    if wildcard in map(str.lower, found):
        reason += f'; SIP knows no wildcards, set tls_server_name = "{wildcard}" to accept it'
    return reason


def _comparable(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return name.lower().rstrip(".")


# what went wrong


def explain(
    error: ssl.SSLError, where: str, now: dt.datetime, certificate: bytes | None = None
) -> str:
    """Return a sentence for a person; `certificate` is the peer's (DER), where that is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused_by_us(error, where, now, certificate)
    reason = error.reason or ""
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        return f"{where} does not speak TLS"
    if "PROTOCOL" in reason and ("VERSION" in reason or "UNSUPPORTED" in reason):
        return f"{where} does not speak TLS 1.2 or newer"
    if "CERTIFICATE_REQUIRED" in reason:
        return f"{where} wants a certificate of ours; set tls_certificate_file and tls_key_file"
    if "ALERT" in reason and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA")):
        return f"{where} does not accept our certificate"
    if "HANDSHAKE_FAILURE" in reason:
        return f"{where} broke off the TLS handshake; it may want a certificate of ours"
    return f"TLS with {where} failed: {reason.replace('_', ' ').lower() or error}"


def _refused_by_us(
    error: ssl.SSLCertVerificationError, where: str, now: dt.datetime, certificate: bytes | None
) -> str:
    code = error.verify_code
    if code in DATED:
        dates = validity(certificate) if certificate else None
        if dates is None or dates[0] <= now < dates[1]:
            return f"a certificate in the chain of {where} is refused: {error.verify_message}"
        if code == _EXPIRED:
            return f"the certificate of {where} expired on {dates[1]:%Y-%m-%d}"
        return f"the certificate of {where} is not valid before {dates[0]:%Y-%m-%d}"
    if code == _SELF_SIGNED:
        return f"the certificate of {where} is self-signed; set tls_ca_file to trust it"
    if code in _UNKNOWN_ISSUER:
        signed = "signed by an authority that is not known; set tls_ca_file"
        return f"the certificate of {where} is {signed}"
    return f"the certificate of {where} is refused: {error.verify_message}"

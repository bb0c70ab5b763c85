"""Certificates as such: making one of our own, and the dates of a peer's."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFETIME = dt.timedelta(days=3650)


@dataclasses.dataclass(frozen=True, slots=True)
class TlsSession:
    """What TLS agreed on with a peer: its version, such as "TLSv1.3", and the certificate (DER)."""

    version: str
    certificate: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says of itself; names are texts such as "DNS sip.example.com"."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: dt.datetime
    not_after: dt.datetime


def facts(encoded: bytes) -> CertificateFacts | None:
    """Return what a certificate (DER) says, None where it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(encoded)
        names = _alternative_names(certificate)
    except ValueError:
        return None
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=names,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *(f"DNS {name}" for name in names.get_values_for_type(x509.DNSName)),
        *(f"URI {name}" for name in names.get_values_for_type(x509.UniformResourceIdentifier)),
        *(f"IP {name}" for name in names.get_values_for_type(x509.IPAddress)),
    )


def self_signed(host: str, now: dt.datetime) -> bytes:
    """Return a fresh key and a certificate for an address literal, as one PEM text.

    It serves peers that do not verify whom they connect to, as most PBXs do not.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dialer")])
    address = x509.IPAddress(ipaddress.ip_address(host))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def validity(encoded: bytes) -> tuple[dt.datetime, dt.datetime] | None:
    """Return from when until when a certificate (DER) is valid, None where it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(encoded)
    except ValueError:
        return None
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc

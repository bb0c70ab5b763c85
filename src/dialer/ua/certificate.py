"""Certificates as such: making one of our own, and the dates of a peer's."""

from __future__ import annotations

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFETIME = dt.timedelta(days=3650)


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

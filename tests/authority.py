"""A certificate authority for tests."""

from __future__ import annotations

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def dns(name):
    return x509.DNSName(name)


def uri(text):
    return x509.UniformResourceIdentifier(text)


def address(text):
    return x509.IPAddress(ipaddress.ip_address(text))


def today():
    return dt.datetime.now(dt.UTC)


_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
    encipher_only=False, decipher_only=False,
)  # fmt: skip


class Authority:
    """Signs certificates; the files go into `folder`."""

    def __init__(self, folder, name="test authority"):
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(self._name, self._name, self._key, (-10, 10))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_SIGNS, critical=True)
            .add_extension(_subject_id(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = self._write(f"{name}.pem", certificate)

    def issue(self, file, *names, common_name="somebody", days=(-1, 1), self_signed=False):
        """Return the path of a PEM file with a certificate for `names` and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        issuer = subject if self_signed else self._name
        builder = _builder(subject, issuer, key, days)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signer = key if self_signed else self._key
        # which strict verification, Python's own since 3.13, wants
        builder = builder.add_extension(_subject_id(key), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        certificate = builder.sign(signer, hashes.SHA256())
        return self._write(file, certificate, key)

    def _write(self, file, certificate, key=None):
        data = certificate.public_bytes(serialization.Encoding.PEM)
        if key is not None:
            data += key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        path = self.folder / file
        path.write_bytes(data)
        return str(path)


def _subject_id(key):
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _builder(subject, issuer, key, days):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today() + dt.timedelta(days=days[0]))
        .not_valid_after(today() + dt.timedelta(days=days[1]))
    )

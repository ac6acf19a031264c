"""The certificate of simulated servers: one for the whole process, made when it is first needed.

It has an RSA key. The signatures of RSA have one length, those of ECDSA do not: so a handshake always has the same
number of bytes, and a simulation with the same seed the same packets.
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# The simulated clock has any time, and OpenSSL verifies with the real one.
_FROM, _UNTIL = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2000, 2099))
_NAMES = ("provider", "proxy", "server", "localhost")


class Certificate(NamedTuple):
    """A certificate and its key in PEM, and the SHA-256 that clients pin."""

    certificate: bytes
    key: bytes
    fingerprint: bytes


@cache
def simulated_certificate() -> Certificate:
    """The certificate; it is for the hosts' names provider, proxy and server, and for localhost."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAMES[0])])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        # A random number may have a byte less.
        .serial_number(1)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in _NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate(signed.public_bytes(Encoding.PEM), pem, signed.fingerprint(hashes.SHA256()))

"""The certificate of all servers in a simulated network. Its key is RSA's, so every handshake has the same size.

The signatures of ECDSA, which real servers use here, differ in length. The key is made once in each Python process;
nothing in a trace depends on it. Clients pin the certificate, or name it as their CA.
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_BITS = 2048

# A random number would not always have the same length.
_SERIAL = 1

# Verification uses the computer's clock, which is in this period.
_BEGIN, _END = datetime(2000, 1, 1, tzinfo=timezone.utc), datetime(2100, 1, 1, tzinfo=timezone.utc)


class Certificate(NamedTuple):
    """A file with the key and the certificate, both PEM, and the certificate's SHA-256 as clients pin it."""

    pem: bytes
    pin: str

    def write(self, folder: Path) -> Path:
        """Write the file into a folder, for one server or client."""
        path = folder / "certificate.pem"
        path.write_bytes(self.pem)
        path.chmod(0o600)
        return path


@cache
def certificate_of(*hosts: str) -> Certificate:
    """The certificate for servers with these host names."""
    key = _key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(_SERIAL)
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate(private + signed.public_bytes(Encoding.PEM), signed.fingerprint(hashes.SHA256()).hex(":"))


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)

"""Creates self-signed certificates, by the package cryptography (in the extra ``provider``).

A subscriber pins the SHA-256 of such a certificate, so no CA is needed. The key is an ECDSA key on P-256: its signature
costs a server a fraction of RSA's in each handshake.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from demos.wire.http_hosts import option_host

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as problem:
    raise ImportError("the provider needs more packages: pip install 'winsock[provider]'") from problem

# A clock that is a little behind does not reject a new certificate.
_BEFORE = timedelta(hours=1)

# X.509 limits the common name to 64 characters.
_MAX_COMMON_NAME = 64


class CertificateError(Exception):
    """The certificate cannot be created; the text is the reason."""


def create_certificate(
    certificate: Path, key: Path, hosts: Sequence[str], days: int, now: datetime, *, force: bool = False
) -> bytes:
    """Create a key and a certificate for names and addresses; returns the certificate's SHA-256.

    Both files are PEM. Only their owner may read the key. ``now``, with its time zone, is when the certificate becomes
    valid; ``force`` replaces existing files.
    Errors: CertificateError when a host is invalid, a file exists, or a file cannot be written.
    """
    names = [_general_name(host) for host in hosts]
    if not names or days < 1:
        raise CertificateError(f"a certificate needs at least one host and one day: {list(hosts)}, {days} days")
    existing = next((path for path in (certificate, key) if path.exists()), None)
    if existing is not None and not force:
        raise CertificateError(
            f"{existing} exists; a new certificate has another fingerprint, use --force to replace it"
        )
    private = ec.generate_private_key(ec.SECP256R1())
    signed = _sign(private, names, hosts[0], now, days)
    try:
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        # The key first: a server that notices the new certificate finds its key.
        _write(key, pem, 0o600, force)
        _write(certificate, signed.public_bytes(Encoding.PEM), 0o644, force)
    except OSError as error:
        raise CertificateError(f"{error.filename or certificate} cannot be written: {error.strerror}") from None
    return signed.fingerprint(hashes.SHA256())


def certificate_period(certificate: Path) -> tuple[datetime, datetime]:
    """From when until when the first certificate of a PEM file is valid, in UTC.

    Errors: OSError; ValueError when there is no certificate.
    """
    first = x509.load_pem_x509_certificate(certificate.read_bytes())
    return first.not_valid_before_utc, first.not_valid_after_utc


def _sign(
    private: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], common_name: str, now: datetime, days: int
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_MAX_COMMON_NAME])])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # A client may be given the certificate as its CA file. It is not a CA: it signs no other certificate.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    """A host as X.509 names it. Errors: CertificateError."""
    name = option_host(host)
    has_port = ":" in host and (":" not in (name or "") or "]:" in host)
    if name is None or has_port:
        raise CertificateError(f"invalid host name: {host!r}; use names or addresses without port and path")
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, data: bytes, mode: int, force: bool) -> None:
    """Write a file that has its mode from the beginning; with ``force`` it replaces another one in one step."""
    written = path.with_name(path.name + ".new") if force else path
    if force:
        written.unlink(missing_ok=True)
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if force:
        os.replace(written, path)

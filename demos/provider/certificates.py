"""Creates self-signed certificates, by the package cryptography (in the extra ``provider``).

A subscriber pins the SHA-256 of such a certificate, so no CA is needed. The key is an ECDSA key on P-256: its signature
costs a server a fraction of RSA's in each handshake. The size of an ECDSA signature varies by two bytes. A simulation
with TLS needs an RSA key: then every handshake, also with another such certificate, has the same size.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from demos.wire.http_hosts import option_host
from winsock.command_line import is_same_file

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as problem:
    raise ImportError('the provider needs more packages: python -m pip install -e ".[provider]"') from problem

# A clock that is a little behind does not reject a new certificate.
_BEFORE = timedelta(hours=1)

# A hundred years. Later dates do not fit into every program's times.
MOST_DAYS = 36_500

# X.509 limits the common name to 64 characters.
_MAX_COMMON_NAME = 64

# A serial number has 159 random bits; with the highest one its encoding always has the same size.
_HIGHEST_SERIAL_BIT = 1 << 158

_RSA_BITS = 2048
_RSA_EXPONENT = 65_537

PrivateKey: TypeAlias = "ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey"


class CertificateError(Exception):
    """The certificate cannot be created; the text is the reason."""


class Certificate(NamedTuple):
    """A certificate and its key in PEM, and the SHA-256 that clients pin."""

    certificate: bytes
    key: bytes
    fingerprint: bytes


def create_certificate(
    certificate: Path, key: Path, hosts: Sequence[str], days: int, now: datetime, *, force: bool = False
) -> bytes:
    """Create a key and a certificate for names and addresses; returns the certificate's SHA-256.

    Both files are PEM. Only their owner may read the key. ``now``, with its time zone, is when the certificate becomes
    valid; ``force`` replaces existing files.
    Errors: CertificateError when a host or the number of days is invalid, a file exists, or a file cannot be written;
    then the files are as they were.
    """
    _checked_names(hosts, days)
    if is_same_file(certificate, key):
        raise CertificateError(f"{certificate} cannot be the file of both certificate and key: use two files")
    if folder := next((path for path in (certificate, key) if not path.name or path.is_dir()), None):
        raise CertificateError(f"{folder} is a folder: give the name of a file")
    existing = next((path for path in (certificate, key) if path.exists()), None)
    if existing is not None and not force:
        raise CertificateError(
            f"{existing} exists; a new certificate has another fingerprint, use --force to replace it"
        )
    made = make_certificate(hosts, days, now)
    _write_both((key, made.key, 0o600), (certificate, made.certificate, 0o644), force=force)
    return made.fingerprint


def make_certificate(
    hosts: Sequence[str], days: int, now: datetime, key_type: Literal["ecdsa", "rsa"] = "ecdsa"
) -> Certificate:
    """As create_certificate, without files. Errors: CertificateError when a host or the number of days is invalid."""
    names = _checked_names(hosts, days)
    private = _private_key(key_type)
    signed = _sign(private, names, hosts[0], now, days)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate(signed.public_bytes(Encoding.PEM), pem, signed.fingerprint(hashes.SHA256()))


def certificate_period(certificate: Path) -> tuple[datetime, datetime]:
    """From when until when the first certificate of a PEM file is valid, in UTC.

    Errors: OSError; ValueError when there is no certificate.
    """
    first = x509.load_pem_x509_certificate(certificate.read_bytes())
    return first.not_valid_before_utc, first.not_valid_after_utc


def _checked_names(hosts: Sequence[str], days: int) -> list[x509.GeneralName]:
    names = [_general_name(host) for host in hosts]
    if not names or not 1 <= days <= MOST_DAYS:
        raise CertificateError(
            f"a certificate needs at least one host, and 1 to {MOST_DAYS} days: {list(hosts)}, {days} days"
        )
    return names


def _private_key(key_type: Literal["ecdsa", "rsa"]) -> PrivateKey:
    if key_type == "rsa":
        return rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _sign(
    private: PrivateKey, names: list[x509.GeneralName], common_name: str, now: datetime, days: int
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_MAX_COMMON_NAME])])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number() | _HIGHEST_SERIAL_BIT)
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


def _write_both(*files: tuple[Path, bytes, int], force: bool) -> None:
    """Write the files, of which each has its mode from the beginning; after an error none of them is new.

    The key is renamed first: a server that notices the new certificate finds its key.
    Errors: CertificateError.
    """
    with ExitStack() as parts, ExitStack() as undo:
        for path, data, mode in files:
            with _errors(path):
                parts.callback(_part_of(path).unlink, missing_ok=True)
                _write_part(path, data, mode)
        for path, _, mode in files:
            with _errors(path):
                former = path.read_bytes() if force and path.exists() else None
                if not force:
                    # The name is taken first, because renaming would replace a file that was created meanwhile.
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                if former is None:
                    undo.callback(path.unlink, missing_ok=True)
                os.replace(_part_of(path), path)
                if former is not None:
                    undo.callback(_restore, path, former, mode)
        undo.pop_all()


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _write_part(path: Path, data: bytes, mode: int) -> None:
    part = _part_of(path)
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _restore(path: Path, data: bytes, mode: int) -> None:
    with _errors(path):
        _write_part(path, data, mode)
        os.replace(_part_of(path), path)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Errors: CertificateError for an OSError."""
    try:
        yield
    except OSError as error:
        raise CertificateError(f"{path} cannot be written: {error.strerror}") from None

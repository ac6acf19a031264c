"""TLS contexts: how a client verifies a server, which certificate a server presents, fingerprints, and errors.

A context serves all connections: most of the memory of a TLS connection is then its own state alone. A server's context
is replaced when the files of the certificate change, for example when the program that renews it has stored a new one.
"""

from __future__ import annotations

import re
import ssl
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

# For programs, which import no network module of Python.
TlsContext: TypeAlias = ssl.SSLContext

_SHA256_DIGITS = 64

# OpenSSL's X509_V_ERR_* codes. The text continues "the server's certificate …".
_EXPIRED, _NOT_YET_VALID, _HOST_MISMATCH, _ADDRESS_MISMATCH = 10, 9, 62, 64
_SELF_SIGNED, _SELF_SIGNED_IN_CHAIN, _UNKNOWN_ISSUER, _UNVERIFIED_LEAF = 18, 19, 20, 21
_VERIFICATION = {
    _EXPIRED: "has expired",
    _NOT_YET_VALID: "is not valid yet; check the clock of this computer",
    _SELF_SIGNED: "is self-signed; pin its SHA-256 fingerprint, or name it as the CA file",
    _SELF_SIGNED_IN_CHAIN: "was issued by a CA that is not trusted here; name the CA file, or pin the certificate",
    _UNKNOWN_ISSUER: "was issued by a CA that is not trusted here; name the CA file, or pin the certificate",
    _UNVERIFIED_LEAF: "cannot be verified: the server does not send its issuer's certificate",
}

# OpenSSL's reasons for mistakes that users make.
_REASONS = {
    "HTTP_REQUEST": "the peer speaks HTTP without TLS; use https://",
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "the peer supports only versions of TLS before 1.2",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer does not accept TLS 1.2 and 1.3",
    "TLSV1_ALERT_UNKNOWN_CA": "the peer does not trust the certificate: unknown CA",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the peer does not accept the certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the peer does not accept the certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the peer does not accept the certificate: it has expired",
}


class TlsError(Exception):
    """Files or options cannot be used; the text is the reason."""


def verifying_context(ca_file: str | None = None) -> ssl.SSLContext:
    """A client's context that verifies the server by the CAs of the system, or only by those in a PEM file.

    Errors: TlsError when the file cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(ca_file)
    except OSError as error:
        raise TlsError(f"the CA file {str(ca_file)!r} cannot be used: {error_text(error)}") from None
    return context


def pinning_context() -> ssl.SSLContext:
    """A client's context for servers whose certificate is pinned; client_tls() then requires a pin."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fingerprint_text(digest: bytes) -> str:
    """A SHA-256 as it is shown and given as a pin: ``3F:9A:…``."""
    return digest.hex(":").upper()


def fingerprint_from_text(text: str) -> bytes:
    """The SHA-256 in a text of 64 hexadecimal digits, with or without colons; ``sha256:`` may precede them.

    Errors: ValueError with what was expected.
    """
    digits = re.sub(r"(?i)^sha-?256[:=]", "", text.strip()).replace(":", "").replace(" ", "")
    if not re.fullmatch(r"[0-9A-Fa-f]*", digits, re.ASCII) or len(digits) != _SHA256_DIGITS:
        raise ValueError(f"invalid fingerprint: {text!r}; use the 64 hexadecimal digits of the certificate's SHA-256")
    return bytes.fromhex(digits)


class CertificateFiles:
    """A server's context from a certificate file and a key file, both PEM; reload() notices a new certificate.

    One context serves all connections. ``fingerprint``: the SHA-256 of the certificate, which clients may pin.
    """

    def __init__(self, certificate: Path, key: Path | None = None) -> None:
        """Load the files; the key may be in the certificate's file.

        Errors: TlsError with the reason.
        """
        self.certificate = certificate
        self.key = key or certificate
        self._seen = self._signature()
        self.context, self.fingerprint = self._load()

    def reload(self) -> str:
        """Load the files again if they have changed; returns a line for the log, or "".

        A file that cannot be used is reported once, with "-" in front, and the last context stays. New connections get
        the new context; open ones are not affected.
        """
        seen = self._signature()
        if seen == self._seen:
            return ""
        self._seen = seen
        try:
            self.context, self.fingerprint = self._load()
        except TlsError as error:
            return f"-{error}; the last certificate stays in use"
        return f"loaded the new certificate {self.certificate}, SHA-256 {fingerprint_text(self.fingerprint)}"

    def _signature(self) -> tuple[tuple[int, int] | None, ...]:
        """Time and size of both files; None for a file that cannot be read."""
        found: list[tuple[int, int] | None] = []
        for path in (self.certificate, self.key):
            try:
                status = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_size))
        return tuple(found)

    def _load(self) -> tuple[ssl.SSLContext, bytes]:
        context = _context(ssl.PROTOCOL_TLS_SERVER)
        # A ticket would let a client resume its session, and costs memory for each connection.
        context.num_tickets = 0
        try:
            fingerprint = _first_certificate(self.certificate.read_text("ascii"))
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ValueError) as error:
            files = self.certificate if self.key == self.certificate else f"{self.certificate} with the key {self.key}"
            raise TlsError(f"the certificate {files} cannot be used: {error_text(error)}") from None
        return context, fingerprint


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # Python sets this option, with which OpenSSL 3 takes a connection that was cut off for one that was closed.
    context.options &= ~ssl.Options.__members__.get("OP_IGNORE_UNEXPECTED_EOF", 0)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _first_certificate(text: str) -> bytes:
    """The SHA-256 of the first certificate in a PEM file. Errors: ValueError."""
    begin = text.find("-----BEGIN CERTIFICATE-----")
    content, end, _ = text[max(begin, 0) :].partition("-----END CERTIFICATE-----")
    if begin < 0 or not end:
        raise ValueError("the file has no certificate in PEM format")
    return sha256(ssl.PEM_cert_to_DER_cert(content + end)).digest()


def _no_password() -> str:
    # Without it OpenSSL would ask on the terminal.
    raise ValueError("the private key is protected by a password; store it without one, readable only by this user")


def is_cut_off(error: Exception) -> bool:
    """Whether the peer has ended a connection in the middle of the handshake."""
    return isinstance(error, (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError))


def tls_problem(error: Exception, host: str) -> str:
    """Why a connection with TLS has failed, for the log; ``host`` is the name or address that the user gave."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (_HOST_MISMATCH, _ADDRESS_MISMATCH):
            return f"the server's certificate does not name the host {host!r}; connect by a name in it, or pin it"
        text = _VERIFICATION.get(error.verify_code, f"cannot be verified: {error.verify_message}")
        return f"the server's certificate {text}"
    if isinstance(error, ssl.SSLError):
        return "TLS failed: " + _REASONS.get(error.reason or "", error_text(error))
    return error_text(error)


def error_text(error: Exception) -> str:
    """An error's text without the number and the place in OpenSSL's source."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).replace("_", " ").lower()
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)

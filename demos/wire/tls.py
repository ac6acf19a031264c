"""TLS around a channel: Python's ssl module encrypts and decrypts in memory, the channel transfers the bytes.

The handshake is made in steps: receive() passes what has arrived to OpenSSL. Output is kept until the handshake is
complete, which takes at most ``HANDSHAKE_MS``. Each step of a peer is bounded: by what one receive() of the channel
reads, by OpenSSL's limits for a handshake, and by the channel's limit for output.

The end of a TLS stream is its close_notify. A connection that ends without one may have been cut off by anybody on the
way, so that is an error.

A client verifies the server in one of two ways. With a CA, the certificate must have been issued by it, be valid today
and name the host. With a pin, the SHA-256 of the certificate must be the given one; then nothing else is needed, since
the handshake proves that the server has the certificate's private key. A pin that differs ends the connection before
any byte of the program is sent.
"""

from __future__ import annotations

import hmac
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from demos.wire.channel import Bytes, Channel

HANDSHAKE_MS = 10_000

# What waits for the end of the handshake, in bytes: a client's first request.
MAX_WAITING = 64 * 1024

_RECORD = 16 * 1024
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


@dataclass(eq=False, slots=True)
class TlsChannel:
    """A Channel's interface, encrypted. Create it with server_tls() or client_tls().

    ``established``: the handshake is complete and the server is verified. ``ended``: the peer has sent close_notify.
    """

    channel: Channel
    host: str
    pin: bytes | None
    handshake_until: int
    _tls: ssl.SSLObject
    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    established: bool = False
    ended: bool = False
    _waiting: bytearray | None = None

    @property
    def socket(self) -> int:
        """The channel's socket."""
        return self.channel.socket

    @property
    def reason(self) -> str:
        """Why the channel ended; empty after an end without a fault."""
        return self.channel.reason

    @property
    def is_open(self) -> bool:
        """Whether output is still accepted and input still returned."""
        return self.channel.is_open

    @property
    def is_closed(self) -> bool:
        """Whether the socket is closed."""
        return self.channel.is_closed

    @property
    def wants_write(self) -> bool:
        """Whether the owner must call flush() when the socket becomes writable."""
        return self.channel.wants_write

    @property
    def unsent(self) -> int:
        """Bytes of output that the system has not taken yet, encrypted or waiting for the end of the handshake."""
        return self.channel.unsent + len(self._waiting or b"")

    def receive(self, now: int) -> bytes:
        """The bytes of the program that have arrived. The channel reads a bounded number, and all are decrypted.

        So nothing that select or poll cannot see is left.
        """
        data = self.channel.receive(now)
        if not self.is_open or self.ended:
            return b""
        if data:
            self._incoming.write(data)
        if self.channel.ended:
            self._incoming.write_eof()
        elif not data:
            return b""
        try:
            received = self._read() if self.established or self._shake_hands(now) else b""
        except ssl.SSLError as error:
            # The alert tells the peer why.
            self._transfer(now)
            self.channel.finish(_problem(error, self.host), now)
            return b""
        self._transfer(now)
        return received if self.is_open else b""

    def send(self, data: Bytes, now: int) -> None:
        """Encrypt and queue output; before the end of the handshake it is kept."""
        if not data or not self.is_open:
            return
        if self.established:
            self._write(data, now)
            return
        self._waiting = self._waiting or bytearray()
        self._waiting += data
        if len(self._waiting) > MAX_WAITING:
            self.channel.close(f"more than {MAX_WAITING} bytes wait for the TLS handshake")

    def flush(self, now: int) -> None:
        """Send as much of the output as the system takes now."""
        self.channel.flush(now)

    def check(self, now: int) -> None:
        """Apply the time limits; call it at each timer event."""
        if not self.established and self.is_open and now >= self.handshake_until:
            self.channel.close("the TLS handshake was not complete in time")
        self.channel.check(now)

    def finish(self, reason: str, now: int) -> None:
        """End in order, with a close_notify."""
        if not self.is_open:
            return
        if self.established:
            # The peer's close_notify has not arrived yet, and is not awaited.
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            self._transfer(now)
        self.channel.finish(reason, now)

    def close(self, reason: str) -> None:
        """End at once."""
        self.channel.close(reason)

    def start(self, now: int) -> None:
        """Make the first step of the handshake: a client sends its first message."""
        self._shake_hands(now)
        self._transfer(now)

    def _shake_hands(self, now: int) -> bool:
        """Continue the handshake; whether it is complete, and the server's certificate the pinned one."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        if self.pin is not None:
            certificate = self._tls.getpeercert(binary_form=True) or b""
            presented = sha256(certificate).digest()
            if not hmac.compare_digest(presented, self.pin):
                self._transfer(now)
                self.channel.finish(
                    f"the server's certificate is not the pinned one: pinned {fingerprint_text(self.pin)}, "
                    f"presented {fingerprint_text(presented)}",
                    now,
                )
                return False
        self.established = True
        waiting, self._waiting = self._waiting, None
        if waiting:
            self._write(waiting, now)
        return True

    def _read(self) -> bytes:
        """Everything that can be decrypted."""
        parts: list[bytes] = []
        while True:
            try:
                part = self._tls.read(_RECORD)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                part = b""
            except ssl.SSLEOFError:
                if not parts:
                    raise
                # The next receive() reports it, after the owner has used what arrived before.
                break
            if not part:
                # The peer's close_notify, which Python reports in both ways.
                self.ended = True
                break
            parts.append(part)
        return b"".join(parts)

    def _write(self, data: Bytes, now: int) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            self.channel.finish(_problem(error, self.host), now)
            return
        self._transfer(now)

    def _transfer(self, now: int) -> None:
        """Pass the encrypted output to the channel."""
        if self._outgoing.pending:
            self.channel.send(self._outgoing.read(), now)


def server_tls(channel: Channel, context: ssl.SSLContext, now: int) -> TlsChannel:
    """The server's side of TLS on an accepted connection; the context is that of a CertificateFiles."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    return TlsChannel(channel, "", None, now + HANDSHAKE_MS, tls, incoming, outgoing)


def client_tls(channel: Channel, context: ssl.SSLContext, host: str, pin: bytes | None, now: int) -> TlsChannel:
    """The client's side of TLS on a connected channel; ``host`` is the name or address that the user gave.

    ``context`` is a verifying_context(), or with a ``pin`` a pinning_context().
    Errors: TlsError when the context verifies nothing and there is no pin, or when the host name is invalid.
    """
    if context.verify_mode == ssl.CERT_NONE and pin is None:
        raise TlsError("the server would not be verified: give a pin, or verify by a CA")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    except ValueError as error:
        raise TlsError(f"invalid host name: {host!r} ({error})") from None
    stream = TlsChannel(channel, host, pin, now + HANDSHAKE_MS, tls, incoming, outgoing)
    stream.start(now)
    return stream


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
        raise TlsError(f"the CA file {str(ca_file)!r} cannot be used: {_reason(error)}") from None
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
            raise TlsError(f"the certificate {files} cannot be used: {_reason(error)}") from None
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
    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.DOTALL)
    if not found:
        raise ValueError("the file has no certificate in PEM format")
    return sha256(ssl.PEM_cert_to_DER_cert(found[0])).digest()


def _no_password() -> str:
    # Without it OpenSSL would ask on the terminal.
    raise ValueError("the private key is protected by a password; store it without one, readable only by this user")


def _problem(error: ssl.SSLError, host: str) -> str:
    """Why a TLS connection has failed, for the log."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (_HOST_MISMATCH, _ADDRESS_MISMATCH):
            return f"the server's certificate does not name the host {host!r}; connect by a name in it, or pin it"
        text = _VERIFICATION.get(error.verify_code, f"cannot be verified: {error.verify_message}")
        return f"the server's certificate {text}"
    if isinstance(error, ssl.SSLEOFError):
        return "the connection ended without TLS's close_notify: data may be missing"
    return "TLS failed: " + _REASONS.get(error.reason or "", _reason(error))


def _reason(error: Exception) -> str:
    """An error's text without the number and the place in OpenSSL's source."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).replace("_", " ").lower()
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)

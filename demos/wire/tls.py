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
import ssl
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from demos.wire.channel import Bytes, Channel
from demos.wire.tls_contexts import TlsError, fingerprint_text, tls_problem

HANDSHAKE_MS = 10_000

# What waits for the end of the handshake, in bytes: a client's first request.
MAX_WAITING = 64 * 1024

_RECORD = 16 * 1024

# The reason of a stream whose peer has ended the connection without the end of TLS.
NO_CLOSE_NOTIFY = "the connection ended without TLS's close_notify: data may be missing"


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
    def wants_read(self) -> bool:
        """Whether the owner must call receive() when the socket is readable."""
        return self.channel.wants_read

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
            # Usually one record has arrived, and asking for another one would end in an exception.
            if not (self._incoming.pending or self._incoming.eof or self._tls.pending()):
                break
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

    ``context`` is a verifying_context(), or with a ``pin`` a pinning_context(); see tls_contexts.py.
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


def _problem(error: ssl.SSLError, host: str) -> str:
    """Why a TLS connection has failed, for the log."""
    return NO_CLOSE_NOTIFY if isinstance(error, ssl.SSLEOFError) else tls_problem(error, host)

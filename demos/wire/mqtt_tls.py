"""The TLS sockets of paho-mqtt, which has sockets of its own: what it does not do at a handshake.

A handshake that fails closes its socket. With a pin, the broker's certificate must have this SHA-256; another one ends
the connection before anything is sent.
"""

from __future__ import annotations

import hmac
import ssl
from hashlib import sha256

from demos.wire.tls_contexts import TlsContext, fingerprint_text


def prepare_context(context: TlsContext, pin: bytes | None) -> None:
    """Prepare a verifying_context(), or with a ``pin`` a pinning_context(), for paho-mqtt."""
    context.set_alpn_protocols(["mqtt"])
    context.sslsocket_class = _socket_class(pin)


def _socket_class(pin: bytes | None) -> type[ssl.SSLSocket]:
    """The sockets of a context: a handshake that fails closes its socket, which paho does not, and checks the pin."""

    class HandshakeSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            try:
                super().do_handshake(block)
                if pin is not None:
                    _check_pin(pin, sha256(self.getpeercert(binary_form=True) or b"").digest())
            except OSError:
                self.close()
                raise

    return HandshakeSocket


def _check_pin(pin: bytes, presented: bytes) -> None:
    if not hmac.compare_digest(presented, pin):
        raise OSError(
            f"the broker's certificate is not the pinned one: pinned {fingerprint_text(pin)}, presented "
            f"{fingerprint_text(presented)}"
        )

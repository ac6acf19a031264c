"""How a client verifies a server, from the options --ca and --pin."""

from __future__ import annotations

from demos.copier.server_url import Endpoint
from demos.wire.tls_contexts import TlsContext, fingerprint_from_text, pinning_context, verifying_context


def verification(endpoint: Endpoint, ca: str, pin: str) -> tuple[TlsContext | None, bytes | None]:
    """The TLS context, None without TLS, and the pinned fingerprint. Errors: ValueError, TlsError."""
    if not endpoint.tls:
        if ca or pin:
            raise ValueError("--ca and --pin verify a server with TLS: use wss:// in --url")
        return None, None
    if pin and ca:
        raise ValueError("use either --ca or --pin: a pinned certificate needs no CA")
    if pin:
        return pinning_context(), fingerprint_from_text(pin)
    return verifying_context(ca or None), None

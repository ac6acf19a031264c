"""How a client verifies a server, from the options --ca and --pin."""

from __future__ import annotations

import re

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


_OPTIONS = re.compile(r"--(?=(?:login|password-file|token-file|ca|pin)\b)")
# What TLS's reasons advise, and the option for it.
_ADVICE = {
    "pin its SHA-256 fingerprint": "--pin",
    "name it as the CA file": "--ca",
    "name the CA file": "--ca",
    "pin the certificate": "--pin",
}


def with_own_options(text: str, main: str) -> str:
    """An error with the options of a program that has others: ``--url`` is its ``main``, ``--ca`` begins with that."""
    for advice, option in _ADVICE.items():
        text = text.replace(advice, f"{advice} ({option})")
    return _OPTIONS.sub(f"{main}-", text).replace("--url", main)

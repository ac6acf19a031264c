"""The certificate of simulated servers: one for the whole process, made when it is first needed.

It has an RSA key. The signatures of RSA have one length, those of ECDSA do not: so a handshake always has the same
number of bytes, and a simulation with the same seed the same packets.
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache

from demos.provider.certificates import MOST_DAYS, Certificate, make_certificate

# The simulated clock has any time, and OpenSSL verifies with the real one.
_FROM = datetime(2000, 1, 1, tzinfo=timezone.utc)
_NAMES = ("provider", "proxy", "server", "localhost")


@cache
def simulated_certificate() -> Certificate:
    """The certificate; it is for the hosts' names provider, proxy and server, and for localhost."""
    return make_certificate(_NAMES, MOST_DAYS, _FROM, "rsa")

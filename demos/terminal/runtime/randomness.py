"""Where programs get random numbers: names of runs, tokens, keys and salts.

The source is the operating system's, as in the module secrets. use() replaces it in the present context (contextvars):
a simulation gives each of its programs a source with a seed. Other threads keep the operating system's source.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from contextlib import AbstractContextManager
from contextvars import ContextVar
from random import Random, SystemRandom

from demos.terminal.runtime.replacement import replaced

_source: ContextVar[Random] = ContextVar("random_source", default=SystemRandom())  # noqa: B039 - it has no state


def random_source() -> Random:
    """The source of the present context."""
    return _source.get()


def token_bytes(size: int) -> bytes:
    """So many random bytes."""
    return _source.get().randbytes(size)


def token_hex(size: int) -> str:
    """So many random bytes as hexadecimal digits."""
    return token_bytes(size).hex()


def token_urlsafe(size: int) -> str:
    """So many random bytes as text of letters, digits, "-" and "_": about four characters for three bytes."""
    return urlsafe_b64encode(token_bytes(size)).rstrip(b"=").decode("ascii")


def use(source: Random) -> AbstractContextManager[None]:
    """Take random numbers from this source, in this context."""
    return replaced(_source, source)

"""Passwords and tokens: how they are hashed and compared.

A password is hashed with scrypt, which needs much time and memory. So trying many passwords on a stolen file is
expensive. The stored text contains the parameters: ``scrypt$ln=14,r=8,p=5$SALT$HASH`` in base64, where N is 2**ln. So
the parameters can be raised later, and old hashes stay valid. hash_password releases the GIL while it computes: call it
in a thread if other work must go on.

A token is 256 random bits, which cannot be guessed, so SHA-256 is enough for it. Neither a password nor a token can be
computed from what is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import NamedTuple

from demos.terminal.runtime.randomness import token_bytes, token_urlsafe
from demos.terminal.runtime.replacement import replaced

SHORTEST_PASSWORD = 10
# In bytes of UTF-8. scrypt takes a text of any length, but normalizing a long one takes time.
LONGEST_PASSWORD = 256
LONGEST_TOKEN = 64
# A user has at most this number of tokens, and each check compares with this number.
MAX_TOKENS = 16

TOKEN_PREFIX = "wst_"
SALT_BYTES = 16
HASH_BYTES = 32
_STORED = re.compile(
    r"scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22}==)\$([A-Za-z0-9+/]{43}=)", re.ASCII
)
# The largest parameters that are accepted from a file: a damaged file cannot make a check use all memory.
_LARGEST_LN, _LARGEST_R, _LARGEST_P = 17, 16, 16


class Parameters(NamedTuple):
    """The cost of scrypt: 2**ln rounds, blocks of r * 128 bytes, p times. It needs 128 * r * 2**ln bytes of memory."""

    ln: int = 14
    r: int = 8
    p: int = 5


# Of new passwords: 16 MiB and about 0.15 s of one core.
PARAMETERS = Parameters()
_present: ContextVar[Parameters] = ContextVar("password_parameters", default=PARAMETERS)


def present_parameters() -> Parameters:
    """The parameters of new passwords in the present context: PARAMETERS, unless use_parameters() has replaced them."""
    return _present.get()


def use_parameters(parameters: Parameters) -> AbstractContextManager[None]:
    """Hash new passwords with these parameters, in this context: a simulation, whose time stands still, saves time."""
    return replaced(_present, parameters)


class StoredPassword(NamedTuple):
    """The parts of a stored password."""

    parameters: Parameters
    salt: bytes
    digest: bytes

    def text(self) -> str:
        """The text to store."""
        cost = self.parameters
        salt, digest = (b64encode(part).decode("ascii") for part in (self.salt, self.digest))
        return f"scrypt$ln={cost.ln},r={cost.r},p={cost.p}${salt}${digest}"


def dummy_password(parameters: Parameters) -> StoredPassword:
    """What an unknown login is compared with. No password has this hash, because it is not the output of scrypt."""
    return StoredPassword(parameters, bytes(SALT_BYTES), bytes(HASH_BYTES))


def password_problem(password: str) -> str:
    """Why this cannot be a new password, or ""."""
    data = encode_password(password)
    if data is None:
        return f"the password is too long: at most {LONGEST_PASSWORD} bytes of UTF-8 are possible"
    if len(password) < SHORTEST_PASSWORD:
        length = "1 character" if len(password) == 1 else f"{len(password)} characters"
        return f"the password is too short: it has {length}, at least {SHORTEST_PASSWORD} are needed"
    if not password.isprintable():
        return "the password contains a control character: use only characters that can be typed"
    return ""


def encode_password(password: str) -> bytes | None:
    """The bytes that are hashed, or None when no stored password can be this one.

    The text is normalized (NFC), because keyboards of different systems send different code points for one letter.
    """
    if len(password) > LONGEST_PASSWORD:
        return None
    try:
        data = unicodedata.normalize("NFC", password).encode("utf-8")
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can contain.
        return None
    return data if len(data) <= LONGEST_PASSWORD else None


def hash_password(password: bytes, salt: bytes, parameters: Parameters) -> bytes:
    """The hash of a password. It takes a tenth of a second or more, and releases the GIL meanwhile."""
    ln, r, p = parameters
    memory = 128 * r * (2**ln + p + 2)
    return hashlib.scrypt(password, salt=salt, n=2**ln, r=r, p=p, maxmem=memory + 2**20, dklen=HASH_BYTES)


def new_password(password: str, parameters: Parameters | None = None) -> str:
    """The text to store for a new password, with a new random salt.

    Errors: ValueError for a password that password_problem refuses.
    """
    problem = password_problem(password)
    data = encode_password(password)
    if problem or data is None:
        raise ValueError(problem)
    return stored_password(data, parameters or present_parameters()).text()


def stored_password(password: bytes, parameters: Parameters) -> StoredPassword:
    """The stored form of encoded bytes, with a new random salt."""
    salt = token_bytes(SALT_BYTES)
    return StoredPassword(parameters, salt, hash_password(password, salt, parameters))


def parse_password(text: str) -> StoredPassword:
    """Read what StoredPassword.text wrote.

    Errors: ValueError for any other text, and for parameters that are larger than this program accepts.
    """
    match = _STORED.fullmatch(text)
    if not match:
        raise ValueError("not a stored password")
    ln, r, p = (int(number) for number in match.groups()[:3])
    if not (1 <= ln <= _LARGEST_LN and 1 <= r <= _LARGEST_R and 1 <= p <= _LARGEST_P):
        raise ValueError(f"a stored password has the parameters ln={ln}, r={r}, p={p}, which are out of range")
    return StoredPassword(Parameters(ln, r, p), b64decode(match[4]), b64decode(match[5]))


def matches(password: bytes | None, stored: StoredPassword) -> bool:
    """Whether this is the password, compared in constant time. None costs the same work and never matches."""
    digest = hash_password(password or b"", stored.salt, stored.parameters)
    return hmac.compare_digest(digest, stored.digest) and password is not None


def new_token() -> str:
    """A new random token: 256 bits as text."""
    return TOKEN_PREFIX + token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """What is stored of a token. A text that is too long or has invalid characters gets the digest of no token."""
    valid = len(token) <= LONGEST_TOKEN and token.isascii()
    return hashlib.sha256(token.encode("ascii") if valid else b"").digest()


def matching_token(token: str, digests: Sequence[bytes]) -> int | None:
    """The index of the token's digest, or None. It always compares with MAX_TOKENS digests."""
    digest = token_digest(token)
    found = None
    for index in range(MAX_TOKENS):
        other = digests[index] if index < len(digests) else bytes(len(digest))
        if hmac.compare_digest(digest, other):
            found = index
    return found

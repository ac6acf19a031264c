"""The files of ``python -m demos provider --demo``: a certificate, the provider's users, and what the copiers need.

All of them are in one folder, which may be kept: a later demo continues with its accounts, its certificate and the
copiers' memories. The users are created anew each time, because the operator's password is stored nowhere: it is only
shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from demos.provider.certificates import CertificateError, create_certificate
from demos.provider.passwords import new_password
from demos.provider.rights import Rights
from demos.provider.state_file import StateError, StateFile
from demos.provider.users import UserStore
from demos.terminal.runtime.private_files import new_private_file
from demos.terminal.runtime.randomness import random_source, token_urlsafe
from demos.wire.tls_contexts import CertificateFiles, TlsError, fingerprint_text

OPERATOR = "operator"
HOST = "localhost"
_HOSTS = (HOST, "127.0.0.1")
_DAYS = 90

# Letters and digits that are not mistaken for each other: 4 groups of 4 have 78 bits.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 4


@dataclass(frozen=True)
class DemoFiles:
    """Where the files of a demo are; the accounts, memories and tokens are named by process."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The provider's certificate."""
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        """The private key of the certificate."""
        return self.folder / "key.pem"

    @property
    def state(self) -> Path:
        """The provider's users, tokens and bans."""
        return self.folder / "provider.sqlite"

    @property
    def port(self) -> int:
        """The port of the last demo in this folder, to which the copiers' memories belong; 0: there was none."""
        try:
            return int((self.folder / "port").read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def keep_port(self, port: int) -> None:
        """Have the next demo in this folder use this port."""
        (self.folder / "port").write_text(f"{port}\n", "ascii")

    def account(self, name: str) -> Path:
        """The paper account of a process."""
        return self.folder / f"{name}-account.sqlite"

    def memory(self, name: str) -> Path:
        """What a copier must not forget, with its journal."""
        return self.folder / f"{name}-memory.sqlite"

    def token(self, name: str) -> Path:
        """The token with which a copier logs in."""
        return self.folder / f"{name}.token"


def create_files(files: DemoFiles, copiers: Sequence[str], now: float) -> tuple[str, str]:
    """Create what is missing, and the users; returns the certificate's fingerprint and the operator's password.

    ``now`` is in seconds since 1970.
    Errors: StateError; OSError.
    """
    fingerprint = create_tls_files(files, now)
    password = "-".join("".join(random_source().choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    with closing(StateFile(files.state)) as state:
        users = UserStore(state)
        if users.find(OPERATOR):
            users.remove(OPERATOR)
        users.add(OPERATOR, new_password(password), Rights(operator=True), now)
    create_users(files, files.state, copiers, now)
    return fingerprint, password


def create_users(files: DemoFiles, state_path: Path, logins: Sequence[str], now: float) -> None:
    """Create these users anew, in the state file of a server, each with a file that has its token.

    Errors: StateError; OSError.
    """
    with closing(StateFile(state_path)) as state:
        users = UserStore(state)
        for login in logins:
            if users.find(login):
                users.remove(login)
            # A program uses its token; its password is random, and nobody knows it.
            users.add(login, new_password(token_urlsafe(32)), Rights(), now)
            write_secret(files.token(login), users.add_token(login, "demo", now))


def create_tls_files(files: DemoFiles, now: float) -> str:
    """Create the certificate and its key if they are missing; returns the fingerprint.

    Errors: StateError; OSError.
    """
    try:
        if not (files.certificate.exists() and files.key.exists()):
            begin = datetime.fromtimestamp(now, timezone.utc)
            create_certificate(files.certificate, files.key, _HOSTS, _DAYS, begin, force=True)
        return fingerprint_text(CertificateFiles(files.certificate, files.key).fingerprint)
    except (CertificateError, TlsError) as error:
        raise StateError(str(error)) from None


def write_secret(path: Path, secret: str) -> None:
    """Write a private file with a token or password; an earlier one is replaced. Errors: OSError."""
    path.unlink(missing_ok=True)
    with new_private_file(path) as file:
        file.write(f"{secret}\n")

"""Opens a hub's port: the socket that listens, the rule about TLS, and the limit of open files."""

from __future__ import annotations

from demos.ideas.hub_settings import HubError, HubSettings
from demos.terminal import Event, EventSetSocket, Fail, Print
from demos.wire.addresses import address_text, family_of, is_loopback, port_of
from demos.wire.backoff import Backoff
from demos.wire.descriptors import present_limit, raise_limit
from demos.wire.listening import StartError, start_server
from demos.wire.tls_contexts import CertificateFiles, fingerprint_text
from winsock import SOCK_STREAM, WSACleanup, closesocket

# The pauses between two attempts to resolve the host name.
_FIRST_WAIT_MS = 1000
_LONGEST_WAIT_MS = 32_000

# The files and sockets that are not clients' connections: logs, accounts, the listener, the wake-up socket.
_OWN_FILES = 64


def check_open_files(settings: HubSettings) -> None:
    """Raise the process's limit of open files if it is too low for all clients.

    Errors: HubError when it cannot be raised so far.
    """
    needed = settings.most_clients + _OWN_FILES
    most_files = present_limit()
    if most_files is not None and most_files < needed:
        most_files = raise_limit()
    if most_files is not None and most_files < needed:
        raise HubError(
            f"the process may open {most_files} files, but {needed} may be needed for {settings.most_clients} clients: "
            "use fewer clients, or raise the limit (ulimit -n, or LimitNOFILE in a systemd unit)"
        )


class HubPort:
    """The next attempt to open the port. Any error ends the program, but a name that cannot be resolved at present."""

    def __init__(self, settings: HubSettings, certificate: CertificateFiles | None) -> None:
        self._settings = settings
        self._certificate = certificate
        self._starting = Backoff(_FIRST_WAIT_MS, _LONGEST_WAIT_MS)

    def open(self, now: int) -> tuple[int, int] | None:
        """Open the port if an attempt is due: the socket that listens, and its address family.

        The caller closes the socket and calls WSACleanup.
        """
        if not self._starting.is_due(now):
            return None
        try:
            server, address = start_server(self._settings.host, self._settings.port, SOCK_STREAM)
        except StartError as error:
            if not error.temporary:
                Fail(3, str(error))
            elif self._starting.failed(now):
                Print(f"-{error} {self._starting.retry_text()}")
            return None
        self._starting.succeeded()
        certificate = self._certificate
        if certificate is None and not is_loopback(address):
            closesocket(server)
            WSACleanup()
            Fail(
                2,
                f"{address_text(address)} is not a loopback address, so it needs TLS: give --cert and --key "
                "(`python -m demos provider cert` creates a certificate)",
            )
            return None
        EventSetSocket(server)
        Event("serving", port=port_of(address), tls=certificate is not None)
        Print(f"serving on {'ws' if certificate is None else 'wss'}://{address_text(address)}")
        if certificate is not None:
            Print(f"the certificate's SHA-256, which clients can pin: {fingerprint_text(certificate.fingerprint)}")
        return server, family_of(address)

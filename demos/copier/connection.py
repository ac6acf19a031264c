"""The copier's connection to its server: nonblocking, and retried with growing pauses until a message arrives.

Each procedure does one step and returns: StartClient begins to connect, Connected completes that at later events,
Receive reads what has arrived, CloseClean ends the connection. The bytes go to ``msg``, which finds the messages. A
peer that has disappeared is noticed by TCP keep-alive. With ``fast`` the socket is registered with the terminal, which
calls OnSocket when the connect has ended and when something has arrived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from ctypes import c_int, sizeof

from demos.copier.moments import Moment
from demos.signal.protocol import Reader
from demos.terminal import Event, EventKillSocket, EventSetSocket, Fail, GetTickCount64, Print
from demos.wire.addresses import Address, AddressError, address_text, empty_address, family_of, find_address, port_of
from demos.wire.backoff import Backoff
from demos.wire.connecting import begin_connect, connect_result
from demos.wire.keepalive import keep_alive
from demos.wire.opening import CallFailed, start_winsock
from winsock import (
    AF_INET,
    INVALID_SOCKET,
    NO_ERROR,
    SD_BOTH,
    SOCK_STREAM,
    SOCKET_ERROR,
    WSAECONNREFUSED,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    closesocket,
    getpeername,
    getsockname,
    recv,
    shutdown,
)

# The time limit of a connect.
CONNECT_MS = 10_000

# The first and the longest pause between two connects: a server that restarts is found again soon, however long it was
# away.
FIRST_WAIT_MS = 1000
LONGEST_WAIT_MS = 4000

# The bytes received in one event, so that no server can keep the program in it.
MOST_RECEIVED = 64 * 1024


class ServerConnection:
    """The connection, or its next attempt; ``client`` is INVALID_SOCKET while there is none."""

    def __init__(self, codepage: int, on_connected: Callable[[], None], fast: bool) -> None:
        """``on_connected`` is called each time that a connect has succeeded; ``fast`` registers the socket."""
        self.client = INVALID_SOCKET
        self.connecting = False
        self.local_port = 0
        self.msg = Reader(codepage)
        # Whether any connect has succeeded so far.
        self.reached = False
        self._codepage = codepage
        self._on_connected = on_connected
        self._fast = fast
        self._event = Moment(0)
        # The times between the last timer events. One of them may be long, because the process was stopped.
        self._periods: deque[int] = deque(maxlen=2)
        self._started = False
        self._connect_until = 0
        self._connect_due = 0
        self.backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
        self._family = AF_INET
        self._peer = ""
        self._found = False
        self._lookup_failed = False

    def Step(self, addr: str, port: int, event: Moment) -> bool:
        """Continue to connect, when that is due; whether the connection is established."""
        self._event = event
        self._periods.append(event.period)
        if self.client == INVALID_SOCKET:
            if event.is_due(self._connect_due):
                self.StartClient(addr, port)
            # The first message arrives after the connection: it is read at the next event.
            return False
        return not self.connecting or self.Connected()

    def MessageTaken(self) -> None:
        """Forget the failed connects: the server is one of the protocol's."""
        self.backoff.succeeded()

    def NeverConnected(self) -> bool:
        """Whether connects were tried, and none has succeeded."""
        return (self._found or self._lookup_failed) and self.backoff.failures > 0 and not self.reached

    def StartClient(self, addr: str, port: int) -> None:
        """Begin to connect. The pause before the next attempt grows until a message arrives."""
        self.backoff.failed(self._event.ms)
        self._connect_due = self._event.ms + self.backoff.pause_ms
        try:
            start_winsock()
            self._started = True
            addrin = self.FindServer(addr, port)
            self.client, error = begin_connect(addrin)
        except AddressError as unknown:
            self.LookupFailed(unknown)
            return
        except CallFailed as failure:
            Print(f"-{failure}")
            self.CloseClean()
            return
        self.connecting, self._family = True, family_of(addrin)
        self._connect_until = GetTickCount64() + CONNECT_MS
        self.msg = Reader(self._codepage)
        if error != NO_ERROR:
            self.ConnectFailed(error)
        elif not self.Connected() and self.connecting and self._fast:
            EventSetSocket(self.client, readable=False, writable=True)

    def FindServer(self, addr: str, port: int) -> Address:
        """Resolve the host name.

        Errors: AddressError.
        """
        addrin = find_address(addr, port, SOCK_STREAM)
        self._found, self._lookup_failed = True, False
        self._peer = address_text(addrin)
        if not self._peer.startswith((f"{addr}:", f"[{addr}]:")):
            self._peer = f"{addr} ({self._peer})"
        return addrin

    def Connected(self) -> bool:
        """Whether the connect has succeeded; closes the socket when it has failed."""
        error = connect_result(self.client)
        if error is None and GetTickCount64() >= self._connect_until:
            error = WSAETIMEDOUT
        if error == NO_ERROR:
            self.local_port, error = local_port(self.client, self._family)
        if error == NO_ERROR:
            self.connecting, self.reached = False, True
            if self._fast:
                EventSetSocket(self.client)
            if problem := keep_alive(self.client):
                Print(f"-{problem}")
            Event("connected", port=self.local_port)
            Print(f"connect OK, {self._peer}")
            self._on_connected()
        elif error is not None:
            self.ConnectFailed(error)
        return self.client != INVALID_SOCKET and not self.connecting

    def ConnectFailed(self, error: int) -> None:
        """Report a failed connect with the time of the next attempt, and close the socket."""
        Print(f"-Connect to {self._peer} failed error: {WSAErrorDescript(error)} {self.NextAttempt()}")
        self.CloseClean()

    def LookupFailed(self, unknown: AddressError) -> None:
        """Retry a name that was resolved before, or that may be resolved later; any other is an error of the user."""
        if not (self._found or unknown.temporary):
            Fail(3, str(unknown))
            return
        if not self._lookup_failed:
            Print(f"-{unknown} {self.NextAttempt()}")
        self._lookup_failed = True
        self.CloseClean()

    def NextAttempt(self) -> str:
        """When the next attempt to connect takes place, for the log."""
        seconds = max(self._connect_due - self._event.ms, min(self._periods)) / 1000
        # Timer events are never exactly a period apart; without fractions the lines of several attempts are the same.
        return f"Next attempt in {seconds:.{1 if seconds < 0.95 else 0}f} s."

    def Receive(self) -> str:
        """Receive at most MOST_RECEIVED bytes; returns why the connection has ended, or ""."""
        rbuf = bytearray(4096)
        left = MOST_RECEIVED
        while left > 0:
            res = recv(self.client, rbuf, min(len(rbuf), left), 0)
            if res == 0:
                return "connection closed"
            if res == SOCKET_ERROR:
                err = WSAGetLastError()
                return "" if err == WSAEWOULDBLOCK else "error: " + WSAErrorDescript(err)
            self.msg.feed(bytes(rbuf[:res]))
            left -= res
        return ""

    def CloseClean(self) -> None:
        """Close the socket, and call WSACleanup if WSAStartup has succeeded."""
        if self.client != INVALID_SOCKET:
            # shutdown fails only if the connection has ended, and the log already says that.
            if not self.connecting:
                shutdown(self.client, SD_BOTH)
                Print("close socket")
            EventKillSocket(self.client)
            closesocket(self.client)
            self.client = INVALID_SOCKET
            self.connecting = False
        if self._started:
            WSACleanup()
            self._started = False


def local_port(s: int, family: int) -> tuple[int, int]:
    """A connected socket's local port, by which a job finds its messages, and NO_ERROR or the error.

    While nobody listens on a local port, the system may choose that port as the local one: then the socket has
    connected to itself, and would keep the server from listening.
    """
    local, remote = empty_address(family), empty_address(family)
    if getsockname(s, local, c_int(sizeof(local))) == SOCKET_ERROR:
        return 0, WSAGetLastError()
    if getpeername(s, remote, c_int(sizeof(remote))) == SOCKET_ERROR:
        return 0, WSAGetLastError()
    return port_of(local), WSAECONNREFUSED if bytes(local) == bytes(remote) else NO_ERROR

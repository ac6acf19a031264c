"""The plain port: publishes the position of the chart's symbol over TCP, to original signal clients and to copiers.

Each client has its own state: the number of the last trade it knows (sent_seq), a message that was sent in part
(unsent), and whether the last message was repeated (resent). send() compares that with the present trade number at each
timer event. Nothing blocks: a client that does not read gets the latest message when it has room again.

With ``fast`` the timer is only for what is repeated or retried: trade() sends each change at once, and ready() accepts
a client, notices its end and continues a message as soon as the socket is ready.

While an operator has paused the provider, clients are accepted and nothing is sent to them.
"""

from __future__ import annotations

from ctypes import c_int, sizeof
from dataclasses import dataclass, field

from demos.copier.floods import EventLimit
from demos.signal.protocol import encode
from demos.terminal import (
    Alert,
    Comment,
    Event,
    EventKillSocket,
    EventSetSocket,
    Fail,
    GetTickCount64,
    Print,
    TimeCurrent,
    printf,
)
from demos.wire.accepting import Acceptor
from demos.wire.addresses import address_text, family_of, is_loopback, port_of
from demos.wire.backoff import Backoff
from demos.wire.crowds import ConnectionLimits, client_key
from demos.wire.listening import StartError, start_server
from winsock import (
    AF_INET,
    INVALID_SOCKET,
    IPPROTO_TCP,
    NO_ERROR,
    POLLWRNORM,
    SD_BOTH,
    SOCK_STREAM,
    TCP_NODELAY,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    closesocket,
    recv,
    setsockopt,
    shutdown,
)
from winsock.batch import send_many

# An original client keeps the older of two messages that arrive in one of its periods of one second. So each client
# gets at most one message a second, whatever our own timer; a timer event may come a little early. The network may
# still deliver two together: the last message is sent again after two seconds without a change. --fast turns both off.
# After `repeat` seconds without a message it is sent again in any case, so that a client can tell a quiet server from a
# frozen one.
EVERY_MS = 980
QUIET_MS = 2000

# The most connections, in all and from one address: below the usual limit of 1024 descriptors for a process. A client
# never sends anything, so a silent crowd cannot be distinguished from real clients; its oldest connections make room.
MOST_CONNECTIONS = 768
MOST_PER_ADDRESS = 640

# A client that takes no part of a message for this long is closed.
STALLED_MS = 60_000

# The limits of one event, so that no client can keep the program in it.
MOST_ACCEPTED = 1024
MOST_DISCARDED = 64 * 1024


@dataclass(eq=False)
class Client:
    """A client: its socket and address, and what it has received. Sequence numbers are numbers of trades.

    ``waiting`` is whether OnSocket is to be called when there is room for what it has not received.
    """

    socket: int
    name: str
    port: int
    sent_seq: int = 0
    pending_seq: int = 0
    unsent: bytes = b""
    sent_at: int = 0
    stalled_at: int = 0
    resent: bool = False
    waiting: bool = False
    messages: int = 0
    failed: int = 0


@dataclass(eq=False)
class PlainServer:
    """The plain port; see the head of this module. ``repeat`` is in seconds, 0: never."""

    host: str
    port: int
    symbol: str
    codepage: int
    fast: bool
    repeat: int
    socket: int = INVALID_SOCKET
    family: int = AF_INET
    clients: list[Client] = field(default_factory=list)
    _is_paused: bool = False
    _trades: int = -1
    _data: bytes = b""
    _starting: Backoff = field(default_factory=lambda: Backoff(1000, 32_000))
    _acceptor: Acceptor = field(default_factory=lambda: Acceptor(Print))
    _limits: ConnectionLimits[Client] = field(
        default_factory=lambda: ConnectionLimits(MOST_CONNECTIONS, MOST_PER_ADDRESS)
    )
    _accepted: EventLimit = field(default_factory=EventLimit)

    def trade(self, lots: float) -> None:
        """Build the message from the present position, and send it if ``fast``. The first call counts no trade."""
        self._data = encode(self.symbol, lots, self.codepage)
        self._trades += 1
        if self.fast:
            self._send()

    def pause(self, is_paused: bool) -> None:
        """Send nothing from now on, or send again what has changed. The same value may be set again."""
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            for client in self.clients:
                self._wait_for_room(client)

    def timer(self) -> None:
        """A timer event: listen, accept, and send to each client that must get a message now."""
        if self.socket == INVALID_SOCKET:
            self._start()
            return
        self._accept()
        self._discard_input(self.clients.copy())
        self._send()
        if report := self._limits.report(GetTickCount64()):
            Print(f"-{report}")
        if self.fast:
            EventSetSocket(self.socket)

    def ready(self, s: int, ready: int) -> None:
        """If ``fast``: a client waits, has sent something, has closed the connection, or has room for a message."""
        if s == self.socket:
            if not self._accept():
                # The client that waits cannot be accepted now: the next timer event tries again.
                EventKillSocket(self.socket)
            self._send()
            return
        if ready & ~POLLWRNORM:
            self._discard_input([client for client in self.clients if client.socket == s])
        if ready & POLLWRNORM:
            self._send()

    def _start(self) -> None:
        """Listen. Any error ends the program, unless the host name cannot be resolved at present."""
        if not self._starting.is_due(GetTickCount64()):
            return
        try:
            self.socket, addrin = start_server(self.host, self.port, SOCK_STREAM)
        except StartError as error:
            if not error.temporary:
                Fail(3, str(error))
            elif self._starting.failed(GetTickCount64()):
                Print(f"-{error} {self._starting.retry_text()}")
            return
        self._starting.succeeded()
        self.family = family_of(addrin)
        if not is_loopback(addrin):
            Alert(
                f"the plain port {address_text(addrin)} is open to the network: it has no password and no encryption, "
                "and every client can read the position"
            )
        Event("listening", port=port_of(addrin))
        Print(f"start server ok, {address_text(addrin)}")
        if self.fast:
            EventSetSocket(self.socket)

    def _accept(self) -> int:
        """Accept all clients that wait; their number."""
        count = 0
        for client, addrin in self._acceptor.clients(self.socket, self.family, MOST_ACCEPTED, self._make_room):
            # Without TCP_NODELAY a small message may wait until the client has acknowledged the message before.
            if setsockopt(client, IPPROTO_TCP, TCP_NODELAY, c_int(1), sizeof(c_int)) != NO_ERROR:
                Print("-setsockopt failed error: " + WSAErrorDescript(WSAGetLastError()))
            port = port_of(addrin)
            self.clients.append(Client(client, address_text(addrin), port, sent_seq=self._trades - 1))
            self._replace(self._limits.add(self.clients[-1], client_key(addrin)))
            if self._accepted.allows(GetTickCount64()):
                Event("accepted", client=port)
            Print(f"Accept new client {address_text(addrin)}")
            if self.fast:
                EventSetSocket(client)
            count += 1
        Comment("WAITING CLIENT (", TimeCurrent(), ")")
        return count

    def _replace(self, client: Client | None) -> bool:
        """Close the connection that makes room for another one; False when there is none."""
        if client is None:
            return False
        self._close(client)
        return True

    def _make_room(self) -> bool:
        """Close a connection of a crowd; False when there is no crowd."""
        return self._replace(self._limits.crowd_member())

    def _discard_input(self, clients: list[Client]) -> None:
        """Read and discard what these clients send."""
        buf = bytearray(4096)
        for client in clients:
            left = MOST_DISCARDED
            res = len(buf)
            while res > 0 and left > 0:
                res = recv(client.socket, buf, min(len(buf), left), 0)
                left -= res
            if res == 0:
                Print(f"client {client.name} has closed the connection")
                self._close(client)
            elif res < 0 and WSAGetLastError() != WSAEWOULDBLOCK:
                Print(f"-Receive from {client.name} failed error: " + WSAErrorDescript(WSAGetLastError()))
                self._close(client)

    def _send(self) -> None:
        """Send the latest message to each client that is due, or the unsent part of an earlier message."""
        if self._is_paused:
            return
        now = GetTickCount64()
        due = []
        for client in self.clients:
            changed = client.sent_seq != self._trades
            quiet = now - client.sent_at if client.messages else QUIET_MS
            again = not (changed or self.fast or client.resent) and quiet >= QUIET_MS
            again = again or (self.repeat > 0 and quiet >= self.repeat * 1000)
            if client.unsent:
                self._sent(
                    client, client.unsent, send_many([client.socket], client.unsent, len(client.unsent), 0)[0], now
                )
            elif again or (changed and (self.fast or quiet >= EVERY_MS)):
                client.pending_seq = self._trades
                due.append(client)
        results = send_many([client.socket for client in due], self._data, len(self._data), 0)
        for client, res in zip(due, results, strict=True):
            self._sent(client, self._data, res, now)
        for client in [client for client in self.clients if client.failed]:
            Print(f"-Send to {client.name} failed error: " + WSAErrorDescript(client.failed))
            self._close(client)

    def _sent(self, client: Client, message: bytes, res: int, now: int) -> None:
        """Record how much of a message was sent; a negative `res` is an error."""
        if res < 0:
            # A full buffer is not a failure: the client is slow. It gets the latest message when it has room again.
            client.failed = 0 if -res == WSAEWOULDBLOCK else -res
            client.stalled_at = client.stalled_at or now
            if now - client.stalled_at >= STALLED_MS:
                client.failed = WSAETIMEDOUT
            self._wait_for_room(client)
            return
        client.stalled_at = 0
        self._limits.touch(client)
        client.unsent = message[res:]
        if not client.unsent:
            client.resent = client.sent_seq == client.pending_seq
            client.sent_seq = client.pending_seq
            client.sent_at = now
            client.messages += 1
            Event("sent", client=client.port, number=client.messages, trades=client.sent_seq)
        self._wait_for_room(client)

    def _wait_for_room(self, client: Client) -> None:
        """If fast: have OnSocket called when there is room, as long as the client must get something."""
        waiting = not self._is_paused and (bool(client.unsent) or client.sent_seq != self._trades)
        if self.fast and waiting != client.waiting:
            client.waiting = waiting
            EventSetSocket(client.socket, True, waiting)

    def close(self) -> None:
        """Close the listening socket, then the clients; call WSACleanup if WSAStartup has succeeded."""
        printf("Shutdown server and %d connections", len(self.clients))
        was_started = self.socket != INVALID_SOCKET
        if was_started:
            EventKillSocket(self.socket)
            closesocket(self.socket)
            self.socket = INVALID_SOCKET
        for client in self.clients.copy():
            self._close(client)
        if was_started:
            WSACleanup()

    def _close(self, client: Client) -> None:
        """Close one client and remove it."""
        EventKillSocket(client.socket)
        # shutdown fails only if the connection has ended, and the log already says that.
        shutdown(client.socket, SD_BOTH)
        closesocket(client.socket)
        self.clients.remove(client)
        self._limits.remove(client)

"""A client's WebSocket over TCP and TLS, from the connect to its end, for a program that is driven by events.

It has four phases: the connect, the TLS handshake, the answer that opens the WebSocket, and the open WebSocket. The
first three have a time limit, so that no server can hold the program in one. The limit of the last is the owner's.
Continue does what is possible in the present phase. Call it at each timer event and when the socket is ready: Register
has the terminal call OnSocket for that. Without that the timer is enough.

The server is verified before anything but the handshake is sent. Without TLS only this computer's addresses are used.
"""

from __future__ import annotations

from demos.copier.connection import CONNECT_MS, local_port
from demos.copier.server_url import Endpoint, is_loopback
from demos.provider.protocol import MOST_FROM_SERVER
from demos.terminal import EventKillSocket, EventSetSocket, Print
from demos.wire.addresses import AddressError, address_text, family_of, find_address
from demos.wire.channel import Channel, ChannelLimits, Stream
from demos.wire.connecting import begin_connect, connect_result
from demos.wire.keepalive import keep_alive
from demos.wire.opening import CallFailed, start_winsock
from demos.wire.tls import client_tls
from demos.wire.tls_contexts import TlsContext, TlsError
from demos.wire.web_client import host_header
from demos.wire.websocket import CLIENT_LIMITS, WebSocket, WebSocketLimits
from demos.wire.websocket_opening import WebSocketOpening, open_websocket
from winsock import (
    AF_INET,
    INVALID_SOCKET,
    NO_ERROR,
    SOCK_STREAM,
    WSAETIMEDOUT,
    WSACleanup,
    WSAErrorDescript,
    closesocket,
)

# Most states are received at once.
_LIMITS = ChannelLimits(received=256 * 1024)
_MESSAGES = CLIENT_LIMITS._replace(message=MOST_FROM_SERVER)


class Transport:
    """One WebSocket at a time. Times are milliseconds of the program's clock.

    ``problem``: why the last connection or attempt has ended, for the log; "" after an end that the program requested.
    ``peer``: the server's address. ``local_port``: the socket's own port.
    """

    def __init__(
        self, endpoint: Endpoint, context: TlsContext | None, pin: bytes | None, limits: WebSocketLimits = _MESSAGES
    ) -> None:
        """``context`` verifies the server, with a ``pin`` by its certificate's SHA-256; None: no TLS."""
        self.problem = ""
        self.peer = ""
        self.local_port = 0
        self._endpoint = endpoint
        self._context = context
        self._pin = pin
        self._messages = limits
        self._started = False
        self._family = AF_INET
        self._connecting = INVALID_SOCKET
        self._connect_until = 0
        self._stream: Stream | None = None
        self._opening: WebSocketOpening | None = None
        self._websocket: WebSocket | None = None
        self._registered = INVALID_SOCKET

    @property
    def is_idle(self) -> bool:
        """Whether there is neither a connection nor an attempt, and Begin may be called."""
        return self._stream is None and self._connecting == INVALID_SOCKET

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent and received."""
        return self._websocket is not None and self._websocket.is_open

    @property
    def socket(self) -> int:
        """The socket; INVALID_SOCKET while there is none."""
        return self._connecting if self._stream is None else self._stream.socket

    @property
    def unsent(self) -> int:
        """Bytes of output that the system has not taken yet."""
        return 0 if self._stream is None else self._stream.unsent

    def Begin(self, now: int) -> None:
        """Begin to connect."""
        endpoint = self._endpoint
        self.problem = ""
        try:
            if not self._started:
                start_winsock()
                self._started = True
            address = find_address(endpoint.host, endpoint.port, SOCK_STREAM)
            self.peer, self._family = address_text(address), family_of(address)
            if not endpoint.tls and not is_loopback(address):
                self.problem = f"{self.peer} is not this computer, and ws:// has no TLS: use wss://"
                return
            self._connecting, error = begin_connect(address)
        except (AddressError, CallFailed) as problem:
            self.problem = str(problem)
            return
        self._connect_until = now + CONNECT_MS
        if error != NO_ERROR:
            self._connect_failed(error)

    def Continue(self, now: int) -> list[str]:
        """Do what is possible now; returns the messages that have arrived."""
        messages: list[str] = []
        if self._connecting != INVALID_SOCKET:
            self._check_connect(now)
        if self._opening is not None:
            self._check_opening(self._opening, now)
        if self._websocket is not None:
            messages = self._websocket.receive(now)
            self._websocket.check(now)
        if self._stream is not None and self._stream.is_closed:
            self.problem = self._stream.reason or "the server has closed the connection"
            self._stream = self._opening = self._websocket = None
        return messages

    def Send(self, text: str, now: int) -> None:
        """Send a message, if the WebSocket is open."""
        if self._websocket is not None:
            self._websocket.send_text(text, now)

    def End(self, code: int, reason: str, now: int) -> None:
        """End the connection in order, with this code in the close frame. Call Continue until is_idle is true."""
        if self._connecting != INVALID_SOCKET:
            closesocket(self._connecting)
            self._connecting = INVALID_SOCKET
        if self._websocket is not None:
            self._websocket.close(code, "", now)
        if self._stream is not None:
            self._stream.finish(reason, now)

    def Register(self) -> None:
        """Have the terminal call OnSocket when the socket is ready for what is next."""
        s, writes = self._connecting, True
        if self._stream is not None:
            # After the peer's end the socket stays readable; the timer completes our own end.
            waits = self._stream.is_open or not self._stream.ended
            s, writes = self._stream.socket if waits else INVALID_SOCKET, self._stream.wants_write
        if self._registered not in (s, INVALID_SOCKET):
            EventKillSocket(self._registered)
        self._registered = s
        if s != INVALID_SOCKET:
            EventSetSocket(s, readable=self._connecting == INVALID_SOCKET, writable=writes)

    def CloseClean(self) -> None:
        """Close the socket now, and call WSACleanup if WSAStartup has succeeded."""
        if self._stream is not None:
            self._stream.close("")
            self._stream = self._opening = self._websocket = None
        self.Register()
        if self._started:
            WSACleanup()
            self._started = False

    def _check_connect(self, now: int) -> None:
        """Continue when the connect has ended."""
        s = self._connecting
        error = connect_result(s)
        if error is None and now >= self._connect_until:
            error = WSAETIMEDOUT
        if error == NO_ERROR:
            self.local_port, error = local_port(s, self._family)
        if error == NO_ERROR:
            self._connecting = INVALID_SOCKET
            self._request(s, now)
        elif error is not None:
            self._connect_failed(error)

    def _connect_failed(self, error: int) -> None:
        closesocket(self._connecting)
        self._connecting = INVALID_SOCKET
        self.problem = f"connect to {self.peer} failed error: {WSAErrorDescript(error)}"

    def _request(self, s: int, now: int) -> None:
        """Begin the TLS handshake, and request the WebSocket: the request waits for the end of the handshake."""
        if problem := keep_alive(s):
            Print(f"-{problem}")
        endpoint = self._endpoint
        channel = Channel(s, _LIMITS)
        self._stream = channel
        try:
            if self._context is not None:
                self._stream = client_tls(channel, self._context, endpoint.host, self._pin, now)
        except TlsError as problem:
            channel.close(str(problem))
            return
        host = host_header(endpoint.host, endpoint.port, endpoint.scheme)
        self._opening = open_websocket(self._stream, host, endpoint.path, now, limits=self._messages)

    def _check_opening(self, opening: WebSocketOpening, now: int) -> None:
        """Take the WebSocket when the server has accepted."""
        self._websocket = opening.receive(now)
        opening.check(now)
        if self._websocket is not None:
            self._opening = None

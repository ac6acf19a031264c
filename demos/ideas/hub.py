"""The server's side of the ideas: WebSockets with text messages, in the terminal's thread, driven by its events.

A program gives the hub a Handler, which has the program's logic and knows no sockets and no clock. It calls timer() in
OnTimer, once a second, and ready() in OnSocket. The timer alone does everything; OnSocket makes it faster.

A client is sent what next_message() returns, and only when all earlier output has been sent. So a slow client misses
old states, never the newest, and costs the others nothing. The hub asks after each message of the client, at each timer
event, and in pump().

A client must request the WebSocket /ws and send its first message in a limited time. Messages, frames in a time, unsent
output and the connections, in all and of one address, are limited too (websocket.py, channel.py, crowds.py). A
MessageError of the handler ends the client with an error message. Any other exception is a defect that one client has
reached: it ends this client, and no other one.

Web pages may not connect: a browser would let every page reach a server on its own computer. Without TLS the hub
listens on loopback only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from demos.copier.server_url import PATH
from demos.ideas.hub_client import Client
from demos.ideas.hub_port import HubPort, check_open_files
from demos.ideas.hub_settings import Handler, HubError, HubSettings
from demos.ideas.messages import MessageError, error_message
from demos.provider.reports import error_text
from demos.terminal import EventKillSocket, EventSetSocket, GetTickCount64, Print
from demos.wire.accepting import Acceptor
from demos.wire.addresses import address_text, host_text
from demos.wire.channel import Channel, ChannelLimits, Stream
from demos.wire.crowds import ConnectionLimits, client_key
from demos.wire.http_hosts import option_host
from demos.wire.tls import server_tls
from demos.wire.tls_contexts import fingerprint_text
from demos.wire.web_server import Request, WebConnection, any_host, served_names, text_answer
from demos.wire.websocket import GOING_AWAY, POLICY, text_frame
from demos.wire.websocket_opening import accept_websocket, is_upgrade
from winsock import INVALID_SOCKET, POLLERR, POLLHUP, POLLWRNORM, WSACleanup, closesocket

__all__ = ["MOST_PUMPED", "Handler", "Hub", "HubError", "HubSettings"]

# How many clients one event accepts, and how many messages it sends to one client.
MOST_ACCEPTED = 256
MOST_PUMPED = 16

_CHANNEL_LIMITS = ChannelLimits(unsent=4 * 1024 * 1024)


class Hub:
    """See the head of this module."""

    def __init__(self, settings: HubSettings, handler: Handler) -> None:
        """Load the certificate, and check the limit of open files.

        Errors: HubError.
        """
        self.settings, self.handler = settings, handler
        self._listener = INVALID_SOCKET
        self._family = 0
        self._number = 0
        self._clients: dict[int, Client] = {}
        self._sockets: dict[int, Client] = {}
        self._frame = ("", b"")
        self._acceptor = Acceptor(Print)
        self._limits: ConnectionLimits[Client] = ConnectionLimits(settings.most_clients, settings.most_per_address)
        self._certificate = settings.certificate_files()
        check_open_files(settings)
        self._port = HubPort(settings, self._certificate)
        names = {name for host in (settings.host, "localhost", *settings.hosts) if (name := option_host(host))}
        # With TLS, the certificate proves to a client that it has reached the server that it asks for.
        self._check_host = served_names(names) if self._certificate is None else any_host

    @property
    def is_listening(self) -> bool:
        """Whether the port is open."""
        return self._listener != INVALID_SOCKET

    @property
    def count(self) -> int:
        """The number of open WebSockets."""
        return sum(each.websocket is not None and not each.left for each in self._clients.values())

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, which clients can pin; "" without TLS."""
        return fingerprint_text(self._certificate.fingerprint) if self._certificate else ""

    # ---- what the program calls

    def timer(self) -> None:
        """Open the port if it is not open; apply the time limits, and send what there is to send.

        An error that cannot pass ends the program.
        """
        now = GetTickCount64()
        if not self.is_listening:
            if found := self._port.open(now):
                self._listener, self._family = found
            return
        if self._certificate is not None and (line := self._certificate.reload()):
            Print(line)
        if report := self._limits.report(now):
            Print(f"-{report}")
        # A client that could not be accepted before, for lack of descriptors, is tried again.
        self._accept()
        EventSetSocket(self._listener)
        for client in list(self._clients.values()):
            self._guarded(client, partial(self._check, client, now))

    def ready(self, s: int, ready: int) -> None:
        """A registered socket is ready: a client wants to connect, or a connection has input or room for output."""
        if s == self._listener:
            if not self._accept():
                # It would be reported again and again; the timer tries again.
                EventKillSocket(s)
        elif client := self._sockets.get(s):
            self._guarded(client, partial(self._serve, client, ready, GetTickCount64()))

    def pump(self) -> None:
        """Ask for the next message of each client: the program has a new state."""
        for number in list(self._clients):
            self.pump_client(number)

    def pump_client(self, number: int) -> None:
        """Ask for the next message of one client."""
        if client := self._clients.get(number):
            self._guarded(client, partial(self._pump, client, GetTickCount64()))

    def end(self, number: int, code: str, text: str) -> None:
        """End a client with an error message; nothing happens when it has ended already."""
        if client := self._clients.get(number):
            self._guarded(client, partial(self._end, client, code, text, GetTickCount64()))

    def close(self) -> None:
        """End all connections at once, and close the port."""
        if not self.is_listening:
            return
        now = GetTickCount64()
        for client in list(self._clients.values()):
            client.reason = client.reason or "the server has ended"
            if client.websocket is not None:
                client.websocket.close(GOING_AWAY, "", now)
            client.stream.close("")
            self._guarded(client, lambda: None)
        EventKillSocket(self._listener)
        closesocket(self._listener)
        self._listener = INVALID_SOCKET
        WSACleanup()

    # ---- the port

    def _accept(self) -> int:
        """Accept the clients that wait; their number."""
        accepted = 0
        for s, address in self._acceptor.clients(self._listener, self._family, MOST_ACCEPTED, self._make_room):
            now = GetTickCount64()
            channel = Channel(s, _CHANNEL_LIMITS)
            certificate = self._certificate
            stream: Stream = channel if certificate is None else server_tls(channel, certificate.context, now)
            web = WebConnection(stream, self._check_host, now)
            self._number += 1
            client = Client(self._number, s, host_text(address), address_text(address), now, stream, web)
            self._clients[client.number] = self._sockets[s] = client
            replaced = self._limits.add(client, client_key(address))
            if replaced is not None:
                self._drop(replaced)
            self._guarded(client, lambda: None)
            accepted += 1
        return accepted

    def _make_room(self) -> bool:
        client = self._limits.crowd_member()
        if client is None:
            return False
        self._drop(client)
        return True

    def _drop(self, client: Client) -> None:
        """End a connection at once to make room for another one; its client gets the reason if its socket takes it."""

        def drop() -> None:
            now = GetTickCount64()
            self._end(client, "busy", "too many connections: try again later", now)
            client.stream.close("")

        self._guarded(client, drop)

    # ---- one client

    def _guarded(self, client: Client, work: Callable[[], object]) -> None:
        """Do some work for a client, and what follows from the state of its stream."""
        for each in (work, partial(self._settle, client)):
            try:
                each()
            except Exception as error:  # a defect that one client can reach must not end the program for all
                client.reason = f"internal error: {error_text(error)}"
                Print(f"-{client.name}: {client.reason}")
                client.stream.close(client.reason)
        if client.stream.is_closed:
            self._forget(client)

    def _serve(self, client: Client, occurred: int, now: int) -> None:
        if occurred & POLLWRNORM:
            client.stream.flush(now)
        if occurred & (POLLERR | POLLHUP) and not client.wants_read:
            # The poll reports this again and again, and nothing is read that would end the connection.
            client.stream.close("the client disconnected before it was answered")
        elif occurred & ~POLLWRNORM:
            self._receive(client, now)
        self._pump(client, now)

    def _check(self, client: Client, now: int) -> None:
        """A timer event of a client."""
        if client.wants_read:
            self._receive(client, now)
        (client.websocket or client.web).check(now)
        limit = self.settings.first_message_ms
        if client.websocket is not None and not client.heard and now - client.since >= limit:
            self._end(client, "hello", f"no message within {limit / 1000:g} s", now)
        self._pump(client, now)

    def _receive(self, client: Client, now: int) -> None:
        if client.websocket is None:
            request = client.web.receive(now)
            if request is None or not self._open(client, request, now):
                return
        websocket = client.websocket
        assert websocket is not None
        for text in websocket.receive(now):
            if client.left:
                return
            client.heard = True
            self._limits.touch(client)
            try:
                self.handler.received(client.number, text, now)
            except MessageError as problem:
                Print(f"-{client.name}: {problem}")
                self._end(client, problem.code, str(problem), now)

    def _open(self, client: Client, request: Request, now: int) -> bool:
        """Answer a request; whether the connection is a WebSocket now."""
        if not is_upgrade(request) or request.path != PATH:
            client.web.answer(text_answer(404, f"the server has only the WebSocket {PATH}"), now)
            return False
        client.websocket = accept_websocket(client.web, request, _no_page, now, self.settings.limits)
        if client.websocket is None:
            return False
        client.since = now
        self.handler.opened(client.number, client.host, now)
        return True

    def _pump(self, client: Client, now: int) -> None:
        """Send the next messages, unless earlier output is unsent."""
        websocket = client.websocket
        client.has_more = False
        for _ in range(MOST_PUMPED):
            if websocket is None or client.left or client.stream.unsent or not websocket.is_open:
                return
            text = self.handler.next_message(client.number, now)
            if text is None:
                return
            websocket.send_frame(self._framed(text), now)
        client.has_more = True

    def _framed(self, text: str) -> bytes:
        """The frame of a message. Many clients get the same text one after another."""
        if text != self._frame[0]:
            self._frame = (text, text_frame(text))
        return self._frame[1]

    # ---- the end

    def _end(self, client: Client, code: str, text: str, now: int) -> None:
        client.reason = client.reason or text
        if client.websocket is not None:
            client.websocket.send_text(error_message(code, text), now)
            client.websocket.close(POLICY, code, now)
        else:
            client.stream.finish(text, now)
        self._leave(client)

    def _leave(self, client: Client) -> None:
        """Tell the handler, once, that a client has ended."""
        if client.websocket is not None and not client.left:
            client.left = True
            if not client.reason and client.lost_reason:
                Print(f"-{client.name}: {client.lost_reason}")
            reason = client.reason or client.lost_reason or "the client has disconnected"
            self.handler.closed(client.number, reason, GetTickCount64())

    def _settle(self, client: Client) -> None:
        """After each change: report the end, or register the socket for what it waits for."""
        stream = client.stream
        if not stream.is_open or (client.websocket is not None and not client.websocket.is_open):
            self._leave(client)
        if stream.is_closed:
            return
        interest = (client.wants_read, stream.wants_write or (client.has_more and not client.left))
        if interest != client.interest:
            client.interest = interest
            EventSetSocket(client.socket, *interest)

    def _forget(self, client: Client) -> None:
        if self._clients.pop(client.number, None) is None:
            return
        del self._sockets[client.socket]
        EventKillSocket(client.socket)
        self._limits.remove(client)
        if client.websocket is None and client.lost_reason and not client.reason:
            Print(f"-{client.name}: {client.lost_reason}")


def _no_page(origin: str | None) -> str | None:
    return None if origin is None else "web pages may not connect"

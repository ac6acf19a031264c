"""A peer of a provider that misbehaves: wrong passwords, garbage, half-open connections, and a subscriber that is slow.

It does one thing after the other, in an order that the seed decides. It keeps the messages that it has received, with
the login that it had tried: a login that was refused must not receive any state. For one login it tries wrong passwords
until the provider answers with a ban, and then the right one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from demos.provider.messages import VERSION, Error, FromServer, Hello, Login, Resync
from demos.provider.protocol import decode_from_server, encode
from demos.simulation.process_context import process_context
from demos.wire.addresses import Address, AddressError, find_address
from demos.wire.channel import Channel, Stream
from demos.wire.connecting import begin_connect, connect_result
from demos.wire.opening import CallFailed, start_winsock
from demos.wire.tls import client_tls
from demos.wire.tls_contexts import pinning_context
from demos.wire.websocket import NORMAL, WebSocket
from demos.wire.websocket_opening import open_websocket
from winsock import (
    NO_ERROR,
    POLLRDNORM,
    POLLWRNORM,
    SO_RCVBUF,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAPOLLFD,
    WSAPoll,
    closesocket,
    send,
    setsockopt,
)
from winsock.simulation.dispatch import running_process

WRONG_PASSWORD = "not the password"

# How long it waits for an answer, and how long the slow subscriber does not read, in seconds.
ANSWER_S = 8.0
SLOW_S = 60.0

# A wrong password is answered after 8 s at most; a ban begins after 5 of them.
GUESS_S = 10.0
MOST_GUESSES = 8

_CROWD = 12


class Guess(NamedTuple):
    """A password that was tried: when, when it was answered, whether it was right, and the answer.

    The times are seconds of the provider's clock, by which bans end. ``code`` is that of the refusal, "" for another
    message, and None for no answer; ``text`` is the refusal's text.
    """

    sent: float
    answered: float
    is_right: bool
    code: str | None
    text: str = ""


class Prey(NamedTuple):
    """The provider that it disturbs: ``pin`` is that of the certificate, None without TLS. ``victim``: a login.

    ``guessed_login`` is the one for which it tries passwords until it is banned; ``utc_ns`` gives the provider's clock.
    """

    host: str
    port: int
    plain_port: int
    pin: bytes | None
    victim: str
    slow_login: str
    slow_password: str
    guessed_login: str = ""
    guessed_password: str = ""
    utc_ns: Callable[[], int] = int


class Rogue:
    """See the head of this module; run() is the program."""

    # Where the WebSocket is.
    path = "/ws"

    def __init__(self, prey: Prey, chance: Random, pause: float) -> None:
        """``pause``: the longest time between two attacks, in seconds."""
        self._prey, self._chance, self._pause = prey, chance, pause
        # What a login has received, and how often each attack has begun.
        self.received: list[tuple[str, str]] = []
        self.attacks: Counter[str] = Counter()
        self.guesses: list[Guess] = []

    def run(self) -> None:
        """Attack without end."""
        attacks: dict[str, Callable[[], None]] = {
            "wrong password": self._wrong_password,
            "right password during a ban": self._guess,
            "half-open connections": self._half_open,
            "garbage": self._garbage,
            "slow subscriber": self._slow_subscriber,
        }
        process = running_process()
        with process_context():
            start_winsock()
            while True:
                name = self._chance.choice(list(attacks))
                self.attacks[name] += 1
                attacks[name]()
                process.sleep(self._chance.uniform(0.2, self._pause))

    def _wrong_password(self) -> None:
        for _ in range(self._chance.randint(1, 6)):
            websocket = self._open()
            if websocket is None:
                return
            login = Login(VERSION, self._prey.victim, password=WRONG_PASSWORD)
            websocket.send_text(encode(login), now_ms())
            self._listen(websocket, self._prey.victim, ANSWER_S)
            websocket.stream.close("")

    def _guess(self) -> None:
        """Try wrong passwords until the login is banned, and then the right one."""
        for _ in range(MOST_GUESSES):
            guess = self._try_password(WRONG_PASSWORD)
            if guess is None:
                return
            if guess.code == "banned":
                self._try_password(self._prey.guessed_password)
                return

    def _try_password(self, password: str) -> Guess | None:
        """Log in with a password; None where no connection is possible now."""
        websocket = self._open()
        if websocket is None:
            return None
        prey, received = self._prey, list[tuple[str, str]]()
        sent = prey.utc_ns() / 1e9
        websocket.send_text(encode(Login(VERSION, prey.guessed_login, password=password)), now_ms())
        self._listen(websocket, "", GUESS_S, received)
        websocket.stream.close("")
        answers = [each for _, text in received if (each := _answer(text)) is not None]
        answer = answers[0] if answers else None
        code, text = (answer.code, answer.text) if isinstance(answer, Error) else (None if answer is None else "", "")
        guess = Guess(sent, prey.utc_ns() / 1e9, password == prey.guessed_password, code, text)
        self.guesses.append(guess)
        return guess

    def _half_open(self) -> None:
        port = self._chance.choice((self._prey.port, self._prey.plain_port))
        sockets = [s for _ in range(_CROWD) if (s := self._connect(port)) is not None]
        running_process().sleep(ANSWER_S)
        for s in sockets:
            closesocket(s)

    def _garbage(self) -> None:
        port = self._chance.choice((self._prey.port, self._prey.plain_port))
        if self._chance.random() < 0.5 and (websocket := self._open()) is not None:
            websocket.send_text(self._chance.randbytes(2000).hex(), now_ms())
            self._listen(websocket, "", ANSWER_S)
            websocket.stream.close("")
        elif (s := self._connect(port)) is not None:
            data = self._chance.randbytes(self._chance.randrange(1, 20_000))
            send(s, data, len(data), 0)
            wait_ready(s, ANSWER_S, writable=False)
            closesocket(s)

    def _slow_subscriber(self) -> None:
        websocket = self._open(receive_buffer=1024)
        if websocket is None:
            return
        websocket.send_text(encode(Login(VERSION, self._prey.slow_login, password=self._prey.slow_password)), now_ms())
        # Until the login is answered, nothing else may be sent.
        self._listen(websocket, self._prey.slow_login, 2.0)
        for _ in range(int(SLOW_S)):
            websocket.send_text(encode(Resync()), now_ms())
            running_process().sleep(1.0)
        self._listen(websocket, self._prey.slow_login, 1.0)
        websocket.close(NORMAL, "", now_ms())
        websocket.stream.close("")

    def _open(self, receive_buffer: int = 0) -> WebSocket | None:
        """A WebSocket of the subscribers' port, before its login; None where that is impossible now."""
        s = self._connect(self._prey.port)
        if s is None:
            return None
        if receive_buffer:
            size = receive_buffer.to_bytes(4, "little")
            setsockopt(s, SOL_SOCKET, SO_RCVBUF, size, len(size))
        channel = Channel(s)
        stream: Stream = channel
        if self._prey.pin is not None:
            stream = client_tls(channel, pinning_context(), self._prey.host, self._prey.pin, now_ms())
        host = f"{self._prey.host}:{self._prey.port}"
        opening = open_websocket(stream, host, self.path, now_ms())
        until = now_ms() + int(ANSWER_S * 1000)
        while stream.is_open and now_ms() < until:
            wait_ready(s, ANSWER_S, writable=stream.wants_write)
            stream.flush(now_ms())
            if (websocket := opening.receive(now_ms())) is not None:
                return websocket
        stream.close("")
        return None

    def _listen(
        self, websocket: WebSocket, login: str, seconds: float, received: list[tuple[str, str]] | None = None
    ) -> None:
        """Keep what arrives in ``received`` or the rogue's list, until the connection or the time ends."""
        kept = self.received if received is None else received
        until = now_ms() + int(seconds * 1000)
        while websocket.stream.is_open and (left := until - now_ms()) > 0:
            kept += [(login, text) for text in websocket.receive(now_ms())]
            if websocket.stream.is_open:
                wait_ready(websocket.stream.socket, left / 1000, writable=websocket.stream.wants_write)
                websocket.stream.flush(now_ms())

    def _connect(self, port: int) -> int | None:
        """A connected nonblocking socket, or None."""
        try:
            s, error = self._begin_connect(find_address(self._prey.host, port, SOCK_STREAM))
        except (AddressError, CallFailed):
            return None
        if error == NO_ERROR:
            wait_ready(s, ANSWER_S, writable=True)
            if connect_result(s) == NO_ERROR:
                return s
        closesocket(s)
        return None

    def _begin_connect(self, address: Address) -> tuple[int, int]:
        return begin_connect(address)


def _answer(text: str) -> FromServer | None:
    """The message, unless it is the server's first one, which precedes the login."""
    message = decode_from_server(text)
    return None if isinstance(message, Hello) else message


def wait_ready(s: int, seconds: float, *, writable: bool) -> None:
    """Wait until the socket is ready, but no longer than this."""
    events = POLLRDNORM | (POLLWRNORM if writable else 0)
    array = (WSAPOLLFD * 1)(WSAPOLLFD(s, events, 0))
    if WSAPoll(array, 1, int(seconds * 1000)) == SOCKET_ERROR:
        raise RuntimeError("WSAPoll has failed")


def now_ms() -> int:
    """Milliseconds of the simulation."""
    return int(running_process().monotonic() * 1000)

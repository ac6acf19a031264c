"""For the tests of the signal programs: a terminal that a script drives event by event, and peers on raw calls."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ctypes import c_int, sizeof
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from cleanup_kit import closed_after_test

import winsock
from demos.chartfeed import client_connection
from demos.copier import connection
from demos.provider import plain as plain_port
from demos.registry import find_program
from demos.terminal import CTrade
from demos.terminal.interfaces import Account, SymbolSpec, Tick, Waiter
from demos.terminal.paper.account import PaperAccount
from demos.terminal.runtime.clock import ManualClock
from demos.terminal.runtime.log import Log
from demos.terminal.terminal import ProgramOnChart, Terminal
from demos.wire import accepting, connecting, listening, opening
from winsock import (
    AF_INET,
    FD_ISSET,
    FD_SET,
    FIONBIO,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    IPPROTO_TCP,
    SO_LINGER,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAGetLastError,
    WSASetLastError,
    accept,
    bind,
    closesocket,
    connect,
    fd_set,
    getsockname,
    getsockopt,
    htonl,
    htons,
    ioctlsocket,
    linger,
    listen,
    ntohs,
    recv,
    select,
    send,
    setsockopt,
    sockaddr_in,
    socket,
    timeval,
    u_long,
)

EURUSD = SymbolSpec("EURUSD")
GBPUSD = SymbolSpec("GBPUSD")
QUOTES = (Tick("EURUSD", 0, 110_000, 110_002), Tick("GBPUSD", 0, 130_000, 130_002))

Script = Iterator[None]

# Long enough for any machine; a test that waits this long has failed.
_TIME_LIMIT = 20

# A symbol may contain blanks.
_LOG_LINE = re.compile(r"\S+ .+? (?P<level>info|error|alert) \S+ (?P<text>.*)")


class _ScriptClock(ManualClock):
    """Lets a script go on by one step each time that the terminal has nothing left to do; then time moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.script: Script = iter(())
        self.ended: Callable[[], None] = list
        self._stepped = False

    def wait(self, seconds: float | None, waiter: Waiter | None = None) -> None:
        if not self._stepped:
            self._stepped = True
            try:
                next(self.script)
            except StopIteration:
                self.ended()
        if self._woken:
            self._woken = False
            return
        before = self.time
        super().wait(seconds, waiter)
        # A socket that is ready ends the wait at the same time.
        self._stepped = self.time == before


class _Market:
    """Gives its quotes at once and is silent from then on, but never over."""

    def __init__(self, symbols: Sequence[SymbolSpec], quotes: Sequence[Tick]) -> None:
        self._symbols = {spec.name: spec for spec in symbols}
        self._quotes = list(quotes)

    def symbols(self) -> Mapping[str, SymbolSpec]:
        return self._symbols

    def select(self, name: str) -> bool:
        return name in self._symbols

    def next_due(self) -> float | None:
        return 0.0 if self._quotes else 1e9

    def poll(self, now: float) -> Sequence[Tick]:
        return [self._quotes.pop(0)] if self._quotes else ()


class Record:
    """An event sink in memory."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def record(self, kind: str, fields: dict[str, object]) -> None:
        self.events.append((kind, dict(fields)))

    def of(self, kind: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name == kind]


# What tests read of both servers' programs, and its names in the provider's plain port.
_PLAIN = {
    "server": "socket",
    "Port": "port",
    "conns": "clients",
    "limits": "_limits",
    "trades": "_trades",
    "starting": "_starting",
    "Close": "_close",
}


class _Program:
    """A program's module, and the attributes of the copier's connection and of the provider's plain port.

    A Winsock call that a test replaces here is replaced in the program's helper modules too, until `restore`.
    """

    _HELPERS = (opening, connecting, listening, accepting, client_connection, connection, plain_port)

    def __init__(self, module: ModuleType) -> None:
        self.__dict__.update(_module=module, _originals={})

    def __getattr__(self, name: str) -> Any:
        plain = getattr(self._module, "plain", None)
        if isinstance(plain, plain_port.PlainServer) and name in _PLAIN:
            return getattr(plain, _PLAIN[name])
        for owner in (self._module, getattr(self._module, "connection", None), *self._HELPERS):
            if hasattr(owner, name):
                return getattr(owner, name)
        raise AttributeError(f"the program has no {name}")

    def __setattr__(self, name: str, value: object) -> None:
        plain = getattr(self._module, "plain", None)
        if isinstance(plain, plain_port.PlainServer) and name in _PLAIN:
            setattr(plain, _PLAIN[name], value)
            return
        helpers = [
            module
            for module in self._HELPERS
            if hasattr(module, name)
            and (module is plain_port or hasattr(winsock, name) or not hasattr(self._module, name))
        ]
        for module in helpers:
            self._originals.setdefault((module, name), getattr(module, name))
            setattr(module, name, value)
        if hasattr(self._module, name) or not helpers:
            setattr(self._module, name, value)

    def restore(self) -> None:
        for (module, name), value in self._originals.items():
            setattr(module, name, value)
        self._originals.clear()


class Stage:
    """A terminal with one program, whose seconds pass in no time."""

    peer = INVALID_SOCKET

    def __init__(
        self,
        program: str,
        *,
        symbols: Sequence[SymbolSpec] = (EURUSD, GBPUSD),
        quotes: Sequence[Tick] = QUOTES,
        account: Account | None = None,
        timer_ms: int | None = None,
        **inputs: object,
    ) -> None:
        if program == "provider":
            # The tests of both servers' programs give Host and Port: these are the provider's plain port.
            names = {"Host": "plain_host", "Port": "plain_port"}
            inputs = {"Port": -1, **{names.get(name, name): value for name, value in inputs.items()}}
        self.clock = _ScriptClock()
        self.stream = io.StringIO()
        self.account = account or closed_after_test(PaperAccount())
        self.record = Record()
        self.answers: list[str] = []
        self.terminal = self.host = Terminal(
            self.clock,
            _Market(symbols, quotes),
            self.account,
            Log(self.clock, self.stream),
            events=self.record,  # type: ignore[arg-type]
            timer_ms=timer_ms,
            answer=self.answers.append,
        )
        self.chart: ProgramOnChart = self.host.attach(find_program(program), symbols[0].name, inputs=inputs)
        self.program = _Program(self.chart.module)

    def play(self, script: Script) -> int:
        """Run the terminal to the script's end. At each `yield` the terminal continues to its next timer event."""
        self.clock.script = script
        self.clock.ended = self.host.stop
        try:
            return self.host.run()
        finally:
            self.program.restore()

    def position(self, symbol: str = "EURUSD") -> Decimal:
        return sum(
            (p.volume * p.spec.volume_step for p in self.account.positions() if p.spec.name == symbol), Decimal("0.00")
        )

    @property
    def texts(self) -> list[str]:
        """The texts of the log, without times, programs and levels."""
        return [match["text"] for match in map(_LOG_LINE.match, self.stream.getvalue().splitlines()) if match]

    def errors(self) -> list[str]:
        lines = map(_LOG_LINE.match, self.stream.getvalue().splitlines())
        return [match["text"] for match in lines if match and match["level"] == "error"]


def address(port: int) -> sockaddr_in:
    name = sockaddr_in(sin_family=AF_INET, sin_port=htons(port))
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    return name


def port_of(s: int) -> int:
    name = sockaddr_in()
    assert getsockname(s, name, c_int(sizeof(name))) == 0
    return ntohs(name.sin_port)


def stream_socket() -> int:
    s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    assert s != INVALID_SOCKET
    return s


def option(s: int, level: int, name: int) -> int:
    """The number that an option of the socket has."""
    value = c_int()
    assert getsockopt(s, level, name, value, c_int(sizeof(value))) == 0, WSAGetLastError()
    return value.value


def dial(port: int) -> int:
    """A blocking connection to 127.0.0.1."""
    s = stream_socket()
    assert connect(s, address(port), sizeof(sockaddr_in)) == 0, WSAGetLastError()
    return s


def listener(port: int = 0, backlog: int = 5) -> int:
    s = stream_socket()
    assert bind(s, address(port), sizeof(sockaddr_in)) == 0, WSAGetLastError()
    assert listen(s, backlog) == 0, WSAGetLastError()
    return s


def ready(s: int, seconds: float = _TIME_LIMIT) -> bool:
    """Whether the socket becomes readable within this time."""
    readfds = fd_set()
    FD_SET(s, readfds)
    assert select(0, readfds, None, None, timeval(int(seconds), int(seconds % 1 * 1e6))) != SOCKET_ERROR
    return FD_ISSET(s, readfds)


def take(server: int) -> int:
    """The next connection of a listener."""
    assert ready(server)
    s = accept(server, None, None)
    assert s != INVALID_SOCKET
    return s


def read(s: int, count: int) -> bytes:
    """Read exactly this number of bytes."""
    got, buf = b"", bytearray(count)
    while len(got) < count:
        assert ready(s), got
        size = recv(s, buf, count - len(got), 0)
        assert size > 0, (got, WSAGetLastError())
        got += bytes(buf[:size])
    return got


def read_all(s: int) -> bytes:
    """Everything up to the peer's end."""
    got, buf = b"", bytearray(4096)
    while True:
        assert ready(s), got
        size = recv(s, buf, len(buf), 0)
        assert size >= 0, (got, WSAGetLastError())
        if size == 0:
            return got
        got += bytes(buf[:size])


def write(s: int, data: bytes) -> None:
    assert send(s, data, len(data), 0) == len(data)


def arrive(s: int, data: bytes, program_socket: int) -> None:
    """Send to the program, and wait until it has arrived there."""
    write(s, data)
    assert ready(program_socket)


def fill(s: int) -> int:
    """Send zeros until the socket takes no more; how many it took."""
    assert ioctlsocket(s, FIONBIO, u_long(1)) == 0
    count, zeros = 0, bytes(65536)
    while (size := send(s, zeros, len(zeros), 0)) > 0:
        count += size
    return count


@pytest.fixture
def server(started: None) -> Iterator[int]:
    s = listener()
    yield s
    close(s)


def close(*sockets: int) -> None:
    for s in sockets:
        closesocket(s)


def reset(s: int) -> None:
    """Close with a reset, as a program that crashed does with unread data."""
    assert setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger)) == 0
    closesocket(s)


def successes(stage: Stage) -> list[str]:
    """The program's successful start-ups and clean-ups, as they come."""
    seen: list[str] = []

    def count(name: str) -> None:
        call = getattr(stage.program, name)

        def counted(*arguments: object) -> int:
            result: int = call(*arguments)
            assert result == 0
            seen.append(name)
            return result

        setattr(stage.program, name, counted)

    count("WSAStartup")
    count("WSACleanup")
    return seen


def fail(error: int, result: int = SOCKET_ERROR) -> Callable[..., int]:
    """A call that fails with this error."""

    def failing(*_: object) -> int:
        WSASetLastError(error)
        return result

    return failing


def closed_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    s = listener()
    number = port_of(s)
    close(s)
    return number


def refusing(stage: Stage) -> None:
    """On some systems a refused connect takes a while: the client's select waits for the answer."""
    real = stage.program.select

    def select(nfds: int, readfds: object, writefds: object, exceptfds: object, timeout: timeval) -> int:
        timeout.tv_sec = 10
        result: int = real(nfds, readfds, writefds, exceptfds, timeout)
        return result

    stage.program.select = select


def failing_orders(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, now: Callable[[], float] | None = None
) -> list[float]:
    """Let every buy order fail; when one was tried, by default in seconds."""
    tried: list[float] = []

    def Buy(self: CTrade, volume: float, symbol: str | None = None) -> bool:
        tried.append(now() if now else stage.clock.time)
        return False

    monkeypatch.setattr(CTrade, "Buy", Buy)
    return tried


def event_number(stage: Stage) -> int:
    """The number of the copier's present timer event; one comes each second."""
    return stage.program.event.ms // 1000 - 1000


def two_positions() -> PaperAccount:
    """An account with 0.10 lots of EURUSD, then 0.25 of GBPUSD."""
    account = closed_after_test(PaperAccount())
    account.trade(EURUSD, 10, QUOTES[0])
    account.trade(GBPUSD, 25, QUOTES[1])
    return account


def unselectable(stage: Stage) -> None:
    """Let the second position disappear while the program reads the positions: the first one stays selected."""
    real = stage.program.PositionGetTicket
    stage.program.PositionGetTicket = lambda index: real(index) if index == 0 else 0


def lots(*volumes: str) -> bytes:
    """Messages that state these positions in EURUSD."""
    return b"".join(f"<<EURUSD|{volume}>>\0".encode() for volume in volumes)


FLAT = lots("0.00")


def buy(stage: Stage, volume: str) -> None:
    stage.host.post(f"buy {volume}")


def events(count: int) -> Script:
    """Let the terminal continue by this number of timer events, which are seconds."""
    for _ in range(count):
        yield


def alerts(stage: Stage) -> list[str]:
    """The texts of the alerts in the log."""
    lines = stage.stream.getvalue().splitlines()
    return [line.split(" ", 4)[4] for line in lines if " alert " in line]


def stopped(stage: Stage) -> list[object]:
    """The symbols that the copier has stopped copying; "" stands for all."""
    return [fields["symbol"] for fields in stage.record.of("stopped")]


def one_event() -> Script:
    yield


def serve(program: str = "provider", **inputs: object) -> Stage:
    """A server on a port that the system chooses."""
    return Stage(program, **{"Port": 0, **inputs})


def listening_port(stage: Stage) -> int:
    """The port that a server has printed."""
    [number] = [text.rpartition(":")[2] for text in stage.texts if text.startswith("start server ok, ")]
    return int(number)


def sockets(stage: Stage) -> list[int]:
    """A server's sockets of its clients."""
    return [getattr(client, "socket", client) for client in stage.program.conns]


def forever() -> Script:
    while True:
        yield


def follow(server: int, program: str = "copier", **options: object) -> Stage:
    """A client of this listener; the program is given by its registered name."""
    return Stage(program, **{"Port": port_of(server), **options})


def connected(stage: Stage, server: int) -> Iterator[None]:
    """Let the terminal go on until the client has connected; leaves the server's end in `peer`."""
    yield
    stage.peer = take(server)
    while stage.program.connecting:
        yield


def server_leaves(stage: Stage) -> Script:
    """Close the server's end, and let the terminal go on by one event, at which the client notices it."""
    handle = stage.program.client
    close(stage.peer)
    assert ready(handle)
    yield


def after(*pieces: bytes, server: int, program: str = "copier", **options: object) -> Stage:
    """A client that has received these pieces, one before each of its timer events."""
    stage = follow(server, program, **options)

    def script() -> Script:
        yield from connected(stage, server)
        for piece in pieces:
            arrive(stage.peer, piece, stage.program.client)
            yield
        close(stage.peer)

    assert stage.play(script()) == 0
    return stage

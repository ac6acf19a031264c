"""Publishes the position of the chart's symbol over TCP, to copiers and to original signal clients.

Each client has its own state: the number of the last trade it knows (sent_seq), a message that was sent in part
(unsent), and whether the last message was repeated (resent). Send() compares that with the present trade number at each
timer event. Nothing blocks: a client that does not read gets the latest message when it has room again.

With --fast the timer is only for what is repeated or retried. OnTrade sends each change at once, and OnSocket accepts a
client, notices its end and continues a message as soon as the socket is ready.
"""

from __future__ import annotations

from ctypes import c_int, sizeof
from dataclasses import dataclass
from typing import Annotated

from demos.copier.floods import EventLimit
from demos.copier.positions import GetSymbolLot
from demos.copier.strategy import Strategy
from demos.signal.protocol import encode, step_problem, symbol_problem
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    SYMBOL_VOLUME_STEP,
    Alert,
    Comment,
    DoubleToString,
    Event,
    EventKillSocket,
    EventKillTimer,
    EventSetSocket,
    EventSetTimer,
    Fail,
    GetTickCount64,
    Input,
    Print,
    Symbol,
    SymbolInfoDouble,
    TimeCurrent,
    printf,
)
from demos.wire.accepting import Acceptor
from demos.wire.addresses import address_text, family_of, is_any, port_of
from demos.wire.backoff import Backoff
from demos.wire.codepages import codepage_problem
from demos.wire.crowds import ConnectionLimits, client_key
from demos.wire.listening import StartError, start_server
from demos.wire.ports import listening_port_problem
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


def _negative(value: int) -> str | None:
    return f"invalid number: {value}; use 0 or more" if value < 0 else None


Host: Annotated[str, Input("name or address to listen on; 0.0.0.0 or :: for all network interfaces")] = "127.0.0.1"
Port: Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)] = 8081

# The inputs from here on are not the article's.
codepage: Annotated[int, Input("code page of the messages", check=codepage_problem)] = 1252
fast: Annotated[
    bool, Input("send each change at once, not at a timer event, and only once; not for original clients")
] = False
strategy: Annotated[int, Input("trade a small strategy at every N-th tick; 0: never", check=_negative)] = 0
pause: Annotated[str, Input("the strategy does not trade while this file exists")] = ""
repeat: Annotated[
    int,
    Input(
        "repeat the position after this many seconds without a change; use less than the copiers' --silence (60 by "
        "default); 0: never",
        check=_negative,
    ),
] = 20

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
class Connection:
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


server = INVALID_SOCKET
family = AF_INET
starting = Backoff(1000, 32_000)
conns: list[Connection] = []
acceptor = Acceptor(Print)
limits: ConnectionLimits[Connection] = ConnectionLimits(MOST_CONNECTIONS, MOST_PER_ADDRESS)
accepted = EventLimit()
data = b""
trades = -1
trader = Strategy(0, "")


def OnInit() -> int:
    global trader
    step = SymbolInfoDouble(Symbol(), SYMBOL_VOLUME_STEP)
    problem = symbol_problem(Symbol(), codepage) or step_problem(step)
    if problem:
        Fail(2, f"{problem}")
        return INIT_FAILED
    trader = Strategy(strategy, pause)
    OnTrade()
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()


def OnTrade() -> None:
    """Build the message from the present position, and send it with --fast. The call in OnInit counts no trade."""
    global data, trades
    data = encode(Symbol(), GetSymbolLot(Symbol()), codepage)
    trades += 1
    if fast:
        Send()


def OnTimer() -> None:
    trader.report_pause()
    if server == INVALID_SOCKET:
        StartServer(Host, Port)
        return
    AcceptClients()
    DiscardInput()
    Send()
    ReportReplaced()
    if fast:
        EventSetSocket(server)


def OnSocket(s: int, ready: int) -> None:
    """With --fast: a client waits, has sent something, has closed the connection, or has room for a message."""
    if s == server:
        if not AcceptClients():
            # The client that waits cannot be accepted now: the next timer event tries again.
            EventKillSocket(server)
        Send()
        return
    if ready & ~POLLWRNORM:
        DiscardInputOf([client for client in conns if client.socket == s])
    if ready & POLLWRNORM:
        Send()


def OnTick() -> None:
    trader.tick(GetSymbolLot(Symbol()))


def StartServer(addr: str, port: int) -> None:
    """Listen on the address and the port. Any error ends the program, unless the name cannot be resolved at present."""
    global server, family
    if not starting.is_due(GetTickCount64()):
        return
    try:
        server, addrin = start_server(addr, port, SOCK_STREAM)
    except StartError as error:
        if not error.temporary:
            Fail(3, str(error))
        elif starting.failed(GetTickCount64()):
            Print(f"-{error} {starting.retry_text()}")
        return
    starting.succeeded()
    family = family_of(addrin)
    if is_any(addrin):
        Alert(f"{addr} is open to every network: there is no password, and every client can read the position")
    Event("listening", port=port_of(addrin))
    Print(f"start server ok, {address_text(addrin)}")
    if fast:
        EventSetSocket(server)


def AcceptClients() -> int:
    """Accept all clients that wait; their number."""
    count = 0
    for client, addrin in acceptor.clients(server, family, MOST_ACCEPTED, MakeRoom):
        # Without TCP_NODELAY a small message may wait until the client has acknowledged the message before.
        if setsockopt(client, IPPROTO_TCP, TCP_NODELAY, c_int(1), sizeof(c_int)) != NO_ERROR:
            Print("-setsockopt failed error: " + WSAErrorDescript(WSAGetLastError()))
        port = port_of(addrin)
        conns.append(Connection(client, address_text(addrin), port, sent_seq=trades - 1))
        Replace(limits.add(conns[-1], client_key(addrin)))
        if accepted.allows(GetTickCount64()):
            Event("accepted", client=port)
        Print(f"Accept new client {address_text(addrin)}")
        if fast:
            EventSetSocket(client)
        count += 1
    Comment("WAITING CLIENT (", TimeCurrent(), ")")
    return count


def Replace(client: Connection | None) -> bool:
    """Close the connection that makes room for another one; False when there is none."""
    if client is None:
        return False
    Close(client)
    return True


def MakeRoom() -> bool:
    """Close a connection of a crowd; False when there is no crowd."""
    return Replace(limits.crowd_member())


def ReportReplaced() -> None:
    """Log the connections that made room since the last report."""
    if report := limits.report(GetTickCount64()):
        Print(f"-{report}")


def DiscardInput() -> None:
    """Read and discard what clients send: this also shows which clients have closed their connection."""
    DiscardInputOf(conns.copy())


def DiscardInputOf(clients: list[Connection]) -> None:
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
            Close(client)
        elif res < 0 and WSAGetLastError() != WSAEWOULDBLOCK:
            Print(f"-Receive from {client.name} failed error: " + WSAErrorDescript(WSAGetLastError()))
            Close(client)


def Send() -> None:
    """Send the latest message to each client that is due, or the unsent part of an earlier message."""
    now = GetTickCount64()
    due = []
    for client in conns:
        changed = client.sent_seq != trades
        quiet = now - client.sent_at if client.messages else QUIET_MS
        again = not (changed or fast or client.resent) and quiet >= QUIET_MS
        again = again or (repeat > 0 and quiet >= repeat * 1000)
        if client.unsent:
            Sent(client, client.unsent, send_many([client.socket], client.unsent, len(client.unsent), 0)[0], now)
        elif again or (changed and (fast or quiet >= EVERY_MS)):
            client.pending_seq = trades
            due.append(client)
    results = send_many([client.socket for client in due], data, len(data), 0)
    for client, res in zip(due, results, strict=True):
        Sent(client, data, res, now)
    for client in [client for client in conns if client.failed]:
        Print(f"-Send to {client.name} failed error: " + WSAErrorDescript(client.failed))
        Close(client)


def Sent(client: Connection, message: bytes, res: int, now: int) -> None:
    """Record how much of a message was sent; a negative `res` is an error."""
    if res < 0:
        # A full buffer is not a failure: the client is slow. It gets the latest message when it has room again.
        client.failed = 0 if -res == WSAEWOULDBLOCK else -res
        client.stalled_at = client.stalled_at or now
        if now - client.stalled_at >= STALLED_MS:
            client.failed = WSAETIMEDOUT
        WaitForRoom(client)
        return
    client.stalled_at = 0
    limits.touch(client)
    client.unsent = message[res:]
    if not client.unsent:
        client.resent = client.sent_seq == client.pending_seq
        client.sent_seq = client.pending_seq
        client.sent_at = now
        client.messages += 1
        Event("sent", client=client.port, number=client.messages, trades=client.sent_seq)
    WaitForRoom(client)


def WaitForRoom(client: Connection) -> None:
    """With --fast: have OnSocket called when there is room, as long as the client has not received everything."""
    waiting = bool(client.unsent) or client.sent_seq != trades
    if fast and waiting != client.waiting:
        client.waiting = waiting
        EventSetSocket(client.socket, True, waiting)


def CloseClean() -> None:
    """Close the listening socket, then the clients; call WSACleanup if WSAStartup has succeeded."""
    global server
    printf("Shutdown server and %d connections", len(conns))
    was_started = server != INVALID_SOCKET
    if was_started:
        EventKillSocket(server)
        closesocket(server)
        server = INVALID_SOCKET
    for client in conns.copy():
        Close(client)
    if was_started:
        WSACleanup()


def Close(client: Connection) -> None:
    """Close one client and remove it."""
    EventKillSocket(client.socket)
    # shutdown fails only if the connection has ended, and the log already says that.
    shutdown(client.socket, SD_BOTH)
    closesocket(client.socket)
    conns.remove(client)
    limits.remove(client)

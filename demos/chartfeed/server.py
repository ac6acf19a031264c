"""Serves its chart's template, symbol and period over TCP, to template clients, HTTP clients and subscribers.

One port serves all three. A client that sends nothing receives the article's message; a client that begins with HELLO
(see frames.py) is a subscriber, stays connected and receives each change; other bytes are treated as an HTTP request,
such as one by MetaTrader's WebRequest.
"""

from __future__ import annotations

from ctypes import c_int, sizeof
from pathlib import Path
from typing import Annotated
from zlib import crc32

from demos.chartfeed import http_answers
from demos.chartfeed.frames import frame
from demos.chartfeed.serving import Connection, Message, close, serve
from demos.template.protocol import (
    HEADER,
    MAX_BYTES,
    LayoutError,
    encode,
    prepare,
    symbol_problem,
)
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    MQL_PROGRAM_NAME,
    REASON_CHARTCHANGE,
    TERMINAL_PATH,
    Alert,
    ChartSaveTemplate,
    Comment,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    Fail,
    GetTickCount64,
    Input,
    MQLInfoString,
    Period,
    Print,
    Symbol,
    TerminalInfoString,
    TimeCurrent,
    printf,
)
from demos.wire.accepting import Acceptor
from demos.wire.addresses import address_text, empty_address, family_of, is_any, port_of
from demos.wire.backoff import Backoff
from demos.wire.codepages import codepage_problem
from demos.wire.crowds import ConnectionLimits, client_key
from demos.wire.http_hosts import hosts_problem, option_hosts
from demos.wire.listening import StartError, start_server
from demos.wire.ports import listening_port_problem
from winsock import (
    AF_INET,
    INVALID_SOCKET,
    SOCK_STREAM,
    SOCKET_ERROR,
    WSACleanup,
    closesocket,
    getsockname,
)


def _connections_problem(value: int) -> str | None:
    return None if 1 <= value <= MOST_CONNECTIONS else f"{value} is not between 1 and {MOST_CONNECTIONS}"


# More would not leave enough descriptors under the usual limit of 1024 for a process.
MOST_CONNECTIONS = 768

Host: Annotated[str, Input("host name or address to listen on; 0.0.0.0 or :: for all network interfaces")] = "127.0.0.1"
Port: Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)] = 8080

# The following inputs are not the article's.
codepage: Annotated[
    int, Input("code page of the symbol, and of an 8-bit template that is not UTF-8", check=codepage_problem)
] = 1252
hosts: Annotated[
    str,
    Input(
        "further host names for which HTTP requests are answered, separated by commas; always answered: localhost, "
        "Host, and the address at which the request arrives",
        check=hosts_problem,
    ),
] = ""
connections: Annotated[
    int,
    Input("the most connections at the same time, half of them from one address", check=_connections_problem),
] = 256

# The article's timer has a period of 1 s, which is long for an HTTP client. As in the article a template is created at
# most once a second.
TIMER_MS = 100
CREATE_MS = 1000
NAME = "tcpsend.tpl"

# The most clients that one event accepts: a crowd cannot keep the program in the event.
MAX_ACCEPTED = 256

# The names of the computer itself.
LOOPBACK_HOSTS = frozenset(("localhost", "127.0.0.1", "::1"))

server = INVALID_SOCKET
family = AF_INET
conns: list[Connection] = []
starting = Backoff(1000, 32_000)
acceptor = Acceptor(Print)
limits: ConnectionLimits[Connection] = ConnectionLimits(connections, connections)
exname = ""
tpl = b""
message = Message()
changes = 0
created = 0
created_changes = -1
created_at = -CREATE_MS
last_problem = ""


def OnInit() -> int:
    """Start the timer. After a change of the chart's symbol or period OnInit runs again, with all connections open."""
    global exname, changes, limits
    if server == INVALID_SOCKET:
        limits = ConnectionLimits(connections, max(connections // 2, 1))
    exname = MQLInfoString(MQL_PROGRAM_NAME) + ".ex5"
    problem = symbol_problem(Symbol(), codepage)
    if problem and server == INVALID_SOCKET:
        Fail(2, problem)
        return INIT_FAILED
    changes += 1
    EventSetMillisecondTimer(TIMER_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if reason != REASON_CHARTCHANGE:
        CloseClean()


def OnChartEvent(id: int, lparam: int, dparam: float, sparam: str) -> None:
    """Count the change. A timer event creates the template, so that it contains the last change."""
    global changes
    changes += 1


def OnTimer() -> None:
    if created_changes != changes and GetTickCount64() - created_at >= CREATE_MS:
        CreateTpl()
    if server == INVALID_SOCKET:
        StartServer(Host, Port)
        return
    AcceptClients()
    for client in conns.copy():
        if not serve(client, message):
            conns.remove(client)
            limits.remove(client)
        elif client.progress:
            limits.touch(client)
    ReportReplaced()


def StartServer(addr: str, port: int) -> None:
    """Listen on the address and the port. Any error ends the program, unless the name cannot be resolved at present."""
    global server, family
    if not starting.is_due(GetTickCount64()):
        return
    try:
        server, name = start_server(addr, port, SOCK_STREAM)
    except StartError as error:
        if not error.temporary:
            Fail(3, str(error))
        elif starting.failed(GetTickCount64()):
            Print(f"-{error} {starting.retry_text()}")
        return
    starting.succeeded()
    family = family_of(name)
    if is_any(name):
        Alert(f"{addr} is open to every network: there is no password, and every client receives the chart")
    if not http_answers.available():
        Print('HTTP requests are not answered: install h11 with python -m pip install -e ".[http]"')
    Event("listening", port=port_of(name))
    Print(f"start server ok, {address_text(name)}")


def AcceptClients() -> None:
    """Accept the clients that wait, at most MAX_ACCEPTED."""
    for client, name in acceptor.clients(server, family, MAX_ACCEPTED, MakeRoom):
        connection = Connection(client, address_text(name), port_of(name), GetTickCount64(), hosts=ServedHosts(client))
        Replace(limits.add(connection, client_key(name)))
        conns.append(connection)
    Comment("WAITING CLIENT (", TimeCurrent(), ")")


def ServedHosts(client: int) -> frozenset[str]:
    """The hosts for which an HTTP request on this connection is answered."""
    local = empty_address(family)
    if getsockname(client, local, c_int(sizeof(local))) == SOCKET_ERROR:
        return option_hosts(hosts)
    return option_hosts(hosts) | option_hosts(Host) | option_hosts(address_text(local)) | LOOPBACK_HOSTS


def Replace(client: Connection | None) -> bool:
    """Close the connection that makes room for another one; False when there is none."""
    if client is None:
        return False
    close(client)
    conns.remove(client)
    limits.remove(client)
    return True


def MakeRoom() -> bool:
    """Close a connection of a crowd; False when there is no crowd."""
    return Replace(limits.crowd_member())


def ReportReplaced() -> None:
    """Log the connections that made room since the last report."""
    if report := limits.report(GetTickCount64()):
        Print(f"-{report} (--connections)")


def CloseClean() -> None:
    """Close all sockets, the listening one first, and undo a successful WSAStartup."""
    global server
    printf("stop server, %d connections", len(conns))
    was_started = server != INVALID_SOCKET
    if was_started:
        closesocket(server)
        server = INVALID_SOCKET
    for client in conns:
        close(client)
        limits.remove(client)
    conns.clear()
    if was_started:
        WSACleanup()


def CreateTpl() -> None:
    """Save the chart's template and build the message. After a failure the last message stays in use."""
    global tpl, message, created, created_at, created_changes, last_problem
    seen, created_at = changes, GetTickCount64()
    problem = symbol_problem(Symbol(), codepage)
    if not problem and not ChartSaveTemplate(0, NAME):
        problem = f"{NAME} cannot be saved"
    if not problem:
        try:
            text = LoadTpl()
        except (OSError, LayoutError) as error:
            problem = f"{NAME} cannot be read: {error}"
        else:
            if HEADER + len(text) > MAX_BYTES:
                problem = f"the template has {len(text)} bytes, above the limit of {MAX_BYTES - HEADER}"
    if problem:
        # The next attempt takes place after CREATE_MS; only the first failure is reported.
        if problem != last_problem:
            Print("-" + problem)
        last_problem = problem
        return
    last_problem = ""
    tpl = encode(Symbol(), Period(), text, codepage)
    created += 1
    message = Message(tpl, created, frame(tpl))
    created_changes = seen
    Event("created", number=created, changes=seen, bytes=len(tpl), crc=crc32(tpl))
    printf("Create TPL: %d bytes", len(tpl))


def LoadTpl() -> bytes:
    """The saved template without this program's name. The file functions cannot open its folder.

    Errors: OSError; LayoutError when it is not a template.
    """
    path = Path(TerminalInfoString(TERMINAL_PATH), "Profiles", "Templates", NAME)
    return prepare(path.read_bytes(), exname, codepage)

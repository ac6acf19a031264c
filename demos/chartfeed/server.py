"""Serves its chart's template, symbol and period over TCP, to the article's client, to HTTP and to who stays connected.

All three come to one port. A client that sends nothing gets the article's message; one that begins with HELLO (see
tpl_protocol) stays connected and gets each change; anything else is HTTP, as MetaTrader's WebRequest speaks it.
"""

from __future__ import annotations

from ctypes import c_int, sizeof
from pathlib import Path
from typing import Annotated
from zlib import crc32

from demos.chartfeed import http_answers as tpl_http
from demos.chartfeed.serving import Connection, Offer, close, serve
from demos.template.protocol import HEADER, MOST_BYTES, encode, prepare, symbol_problem
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
from demos.terminal.charts.template_file import TemplateError
from demos.wire.addresses import AddressError, address_text, empty_address, family_of, find_address, is_any, port_of
from demos.wire.codepages import codepage_problem
from winsock import (
    AF_INET,
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_TCP,
    MAKEWORD,
    NO_ERROR,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOMAXCONN,
    WSADATA,
    WSAECONNRESET,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    accept,
    bind,
    closesocket,
    getsockname,
    ioctlsocket,
    listen,
    socket,
    u_long,
)


def _port_problem(value: int) -> str | None:
    return None if 0 <= value <= 65535 else f"{value} is not a port"


Host: Annotated[str, Input("name or address to listen on; 0.0.0.0 or ::, on every network")] = "127.0.0.1"
Port: Annotated[int, Input("port to listen on; 0: any free one", check=_port_problem)] = 8080

# Not one of the article's inputs.
codepage: Annotated[int, Input("code page of the symbol's name", check=codepage_problem)] = 1252

# The article looks once a second; who speaks HTTP does not want to wait so long. A template is made at most once a
# second, as there.
EVERY_MS = 100
CREATE_MS = 1000
NAME = "tcpsend.tpl"

# What is open at once; more wait until one of these has gone.
MOST_CONNECTIONS = 256


started = False
server = INVALID_SOCKET
family = AF_INET
conns: list[Connection] = []
exname = ""
tpl = b""
changes = 0
created = 0
created_changes = -1
created_at = -CREATE_MS
problem = ""
accept_error = 0


def OnInit() -> int:
    """Begin, or begin again where the chart shows another symbol or period: then what is open stays open."""
    global exname, changes
    exname = MQLInfoString(MQL_PROGRAM_NAME) + ".ex5"
    trouble = symbol_problem(Symbol(), codepage)
    if trouble and not started:
        Fail(2, trouble)
        return INIT_FAILED
    changes += 1
    EventSetMillisecondTimer(EVERY_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if reason != REASON_CHARTCHANGE:
        CloseClean()


def OnChartEvent(id: int, lparam: int, dparam: float, sparam: str) -> None:
    """Only note the change: the template is made at a timer event, so that the last change is in it."""
    global changes
    changes += 1


def OnTimer() -> None:
    if created_changes != changes and GetTickCount64() - created_at >= CREATE_MS:
        CreateTpl()
    if server == INVALID_SOCKET:
        StartServer(Host, Port)
        return
    while client := AcceptClient():
        conns.append(client)
    for client in conns.copy():
        if not serve(client, Offer(tpl, created)):
            conns.remove(client)


def StartServer(addr: str, port: int) -> None:
    """Listen. Whatever is in the way will still be there a second later: say so once and end."""
    global started, server, family
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        Fail(3, "WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True
    try:
        name = find_address(addr, port, SOCK_STREAM)
    except AddressError as error:
        Fail(3, str(error))
        return
    family = family_of(name)
    server = socket(family, SOCK_STREAM, IPPROTO_TCP)
    if server == INVALID_SOCKET:
        Fail(3, "Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if bind(server, name, sizeof(name)) == SOCKET_ERROR:
        Fail(3, f"Bind to {address_text(name)} failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if ioctlsocket(server, FIONBIO, u_long(1)) != NO_ERROR:
        Fail(3, "ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    # A port that another process holds may show here only.
    if listen(server, SOMAXCONN) == SOCKET_ERROR:
        Fail(3, f"Listen on {address_text(name)} failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if getsockname(server, name, c_int(sizeof(name))) == SOCKET_ERROR:
        Fail(3, "getsockname failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if is_any(name):
        Alert(f"{addr} is open to every network: there is no password, and whoever connects gets the chart")
    if not tpl_http.available():
        Print('HTTP is not answered: it needs h11, python -m pip install -e ".[http]"')
    Event("listening", port=port_of(name))
    Print(f"start server ok, {address_text(name)}")


def AcceptClient() -> Connection | None:
    """The next client that waits. An error concerns that client, or this moment: the server goes on listening."""
    global accept_error
    while len(conns) < MOST_CONNECTIONS:
        name = empty_address(family)
        client = accept(server, name, c_int(sizeof(name)))
        if client == INVALID_SOCKET:
            err = WSAGetLastError()
            if err == WSAECONNRESET:
                continue
            if err == WSAEWOULDBLOCK:
                Comment("WAITING CLIENT (", TimeCurrent(), ")")
            elif err != accept_error:
                Print("-Accept failed error: " + WSAErrorDescript(err))
            accept_error = err
            return None
        # It has the listener's mode already, but only on Winsock and by inheritance: say it.
        if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
            Print("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
            closesocket(client)
            continue
        return Connection(client, address_text(name), port_of(name), GetTickCount64())
    return None


def CloseClean() -> None:
    """Close everything, the listening socket first, and take back the start-up if there was one."""
    global started, server
    printf("stop server, %d connections", len(conns))
    if server != INVALID_SOCKET:
        closesocket(server)
        server = INVALID_SOCKET
    for client in conns:
        close(client)
    conns.clear()
    if started:
        WSACleanup()
        started = False


def CreateTpl() -> None:
    """Save the chart's template and make the message of it. What fails leaves the last message as it was."""
    global tpl, created, created_at, created_changes, problem
    seen, created_at = changes, GetTickCount64()
    trouble = symbol_problem(Symbol(), codepage)
    if not trouble and not ChartSaveTemplate(0, NAME):
        trouble = f"{NAME} cannot be saved"
    if not trouble:
        try:
            text = LoadTpl()
        except (OSError, TemplateError) as error:
            trouble = f"{NAME} cannot be read: {error}"
        else:
            if HEADER + len(text) > MOST_BYTES:
                trouble = f"the template has {len(text)} bytes, more than a client takes"
    if trouble:
        # It is tried again at the next event, and told once.
        if trouble != problem:
            Print("-" + trouble)
        problem = trouble
        return
    problem = ""
    tpl = encode(Symbol(), Period(), text, codepage)
    created += 1
    created_changes = seen
    Event("created", number=created, changes=seen, bytes=len(tpl), crc=crc32(tpl))
    printf("Create TPL: %d bytes", len(tpl))


def LoadTpl() -> bytes:
    """The saved template without this program's name. Its folder is not one that the file functions reach."""
    path = Path(TerminalInfoString(TERMINAL_PATH), "Profiles", "Templates", NAME)
    return prepare(path.read_bytes(), exname)

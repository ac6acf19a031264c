"""Sends its chart's template to each client that connects: a port of the article's TplServer.

The procedures are in the article's order. `# T2` is the erratum that a line corrects; README.md explains each.
"""

from __future__ import annotations

from ctypes import c_int, sizeof
from typing import Annotated

from demos.template.protocol import (
    FIELD,
    LayoutError,
    check_template,
    listening_port_problem,
    symbol_problem,
    utf16_template,
)
from demos.terminal import *
from winsock import *

Host: Annotated[str, Input("IPv4 address to listen on; 0.0.0.0 for all network interfaces")] = "127.0.0.1"  # A1
Port: Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)] = 8080

STALLED_MS = 30_000  # T2: how long a client may take no bytes
DRAIN_MS = 2000  # T11: how long a client may take to close once it has everything


class Conn:  # T2, T11: a client stays open over several timer events
    """A client's message, how much of it was sent, and when the client is closed at the latest."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.sent = 0
        self.ended = False
        self.deadline = GetTickCount64() + STALLED_MS


tpl = b""
iCnt = 0
exname = ""
server = INVALID_SOCKET  # H4
started = False  # S13
conns: dict[int, Conn] = {}  # T2, T11
printed: set[str] = set()  # S21


def OnInit() -> int:
    """Start the timer; refuse a symbol that does not fit into the message."""
    global exname, iCnt
    EventSetTimer(1)
    exname = MQLInfoString(MQL_PROGRAM_NAME) + ".ex5"
    iCnt = 1  # T5: create a template before the first chart event
    problem = symbol_problem(Symbol())  # T8
    if problem:
        Fail(2, problem)
        return INIT_FAILED
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    """Stop the timer and close everything."""
    EventKillTimer()
    CloseClean()


def OnChartEvent(id: int, lparam: int, dparam: float, sparam: str) -> None:
    """Count the change; the timer creates the template."""
    global iCnt
    iCnt += 1  # T6


def OnTimer() -> None:  # noqa: C901, PLR0912 - one procedure in the listing; T2 and T11 add states to it
    """Create the template after a change; accept all clients, send to each of them, shut it down and close it."""
    global iCnt, tpl
    buf = bytearray()
    if iCnt > 0 and CreateTpl(buf):  # T6; T7: on failure keep the old message and try again at the next event
        iCnt = 0
        # create the data for sending: the symbol, the period and the template itself
        smb = StringToCharArray(Symbol()).ljust(FIELD, b"\0")  # T8
        tf = StringToCharArray(IntegerToString(Period())).ljust(FIELD, b"\0")  # T8
        tpl = smb + tf + bytes(buf)  # T4
        printf("Create TPL, %d bytes", len(tpl))

    if server == INVALID_SOCKET:
        StartServer(Host, Port)
        return
    # accept all clients in a loop
    while (client := AcceptClient()) != INVALID_SOCKET:
        conns[client] = Conn(tpl)
    for client, conn in list(conns.items()):
        # send as much as the socket takes; the next timer events send the remaining bytes
        slen, before, err = len(conn.message), conn.sent, NO_ERROR
        while conn.sent < slen and err == NO_ERROR:  # T2
            res = send(client, memoryview(conn.message)[conn.sent :], slen - conn.sent, 0)
            if res == SOCKET_ERROR:
                err = WSAGetLastError()
            else:
                conn.sent += res
        if conn.sent > before:
            conn.deadline = GetTickCount64() + STALLED_MS  # T2
        elif err == WSAEWOULDBLOCK and GetTickCount64() >= conn.deadline:
            err = WSAETIMEDOUT  # T2
        if err not in (NO_ERROR, WSAEWOULDBLOCK):
            Print("-Send failed error: " + WSAErrorDescript(err))
            conn.deadline = 0
        elif conn.sent == slen and not conn.ended:
            printf("Sent %d bytes of %d", conn.sent, slen)
            if shutdown(client, SD_SEND) == SOCKET_ERROR:  # T11
                Print("-Shutdown failed error: " + WSAErrorDescript(WSAGetLastError()))
            conn.ended = True
            conn.deadline = GetTickCount64() + DRAIN_MS
        # read what the client has sent, up to its end: closing over unread bytes would reset the connection
        res = recv(client, bytearray(65536), 65536, 0) if conn.ended else 1  # T11
        if res == 0 or (res == SOCKET_ERROR and WSAGetLastError() != WSAEWOULDBLOCK):
            conn.deadline = 0
        if GetTickCount64() >= conn.deadline:
            closesocket(client)
            del conns[client]


def StartServer(addr: str, port: int) -> None:  # over 40 lines: one procedure in the listing
    """Listen on the address and the port."""
    global server, started
    # initialize the library
    wsaData = bytearray(sizeof(WSADATA))  # H6
    res = WSAStartup(MAKEWORD(2, 2), wsaData)
    if res != 0:
        PrintOnce("-WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True  # S13

    # create a socket
    server = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    if server == INVALID_SOCKET:
        PrintOnce("-Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    # bind to address and port
    addrin = sockaddr_in()  # H1, H3
    addrin.sin_family = AF_INET
    addrin.sin_addr.s_addr = inet_addr(StringToCharArray(addr))  # H5
    addrin.sin_port = htons(port)
    if addrin.sin_addr.s_addr == INADDR_NONE:  # S22
        Fail(2, f"invalid IPv4 address: {addr!r}; Host takes four numbers, as in 127.0.0.1")
        return
    PrintOnce(f"try bind...{addr}:{port}")
    ref = bytearray(addrin)  # H6
    if bind(server, ref, len(ref)) == SOCKET_ERROR:  # A7
        Fail(3, f"Bind to {addr}:{port} failed error: " + WSAErrorDescript(WSAGetLastError()))  # S21
        return

    # set to nonblocking mode
    if ioctlsocket(server, FIONBIO, u_long(1)) != NO_ERROR:
        PrintOnce("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    # listen on the port; a port in use may show here only
    if listen(server, SOMAXCONN) == SOCKET_ERROR:  # A2
        Fail(3, f"Listen on {addr}:{port} failed error: " + WSAErrorDescript(WSAGetLastError()))  # S21
        return
    if getsockname(server, ref, c_int(len(ref))) == SOCKET_ERROR:  # A5
        Fail(3, "getsockname failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    printed.clear()
    bound = sockaddr_in.from_buffer_copy(ref)  # A5
    Print(f"start server ok, {inet_ntoa(bound.sin_addr)}:{ntohs(bound.sin_port)}")


def AcceptClient() -> int:
    """The next client that waits, or INVALID_SOCKET."""
    if server == INVALID_SOCKET:
        return INVALID_SOCKET
    ref = bytearray(sizeof(sockaddr_in))  # H1
    new_sock = accept(server, ref, c_int(len(ref)))
    if new_sock == INVALID_SOCKET:
        err = WSAGetLastError()
        if err == WSAEWOULDBLOCK:
            Comment("\nWAITING CLIENT (", TimeCurrent(), ")")
        else:
            PrintOnce("-Accept failed with error: " + WSAErrorDescript(err))  # T12
        return INVALID_SOCKET
    if ioctlsocket(new_sock, FIONBIO, u_long(1)) != NO_ERROR:  # T3
        PrintOnce("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        closesocket(new_sock)
        return INVALID_SOCKET
    return new_sock


def CloseClean() -> None:
    """Close all sockets; call WSACleanup if WSAStartup succeeded."""
    global server, started
    if server != INVALID_SOCKET:
        closesocket(server)
        server = INVALID_SOCKET
    for client in conns:  # T2, T11
        closesocket(client)
    conns.clear()
    if started:  # S13
        WSACleanup()
        started = False
    PrintOnce("stop server")


def CreateTpl(abuf: bytearray) -> bool:
    """Save the chart's template and put it, without this program's name, into ``abuf``; False on failure."""
    path = TerminalInfoString(TERMINAL_PATH)
    name = "tcpsend.tpl"

    # create the template
    if not ChartSaveTemplate(0, name):  # T7
        PrintOnce(f"-{name} cannot be saved")
        return False

    # read the template to the array; its folder is outside the file functions' sandbox
    path += "/Profiles/Templates/" + name
    try:
        with open(path, "rb") as file:
            rbuf = file.read()
        rbuf = utf16_template(rbuf)
    except (OSError, LayoutError) as error:
        PrintOnce(f"-{name} cannot be read: {error}")  # T7
        return False

    # remove the EA name from the template
    a = rbuf.decode("utf-16-le", "surrogatepass").partition("\0")[0]
    a = StringReplace(a, exname, " ")

    # copy the file to a byte array (keeping Unicode)
    abuf[:] = (a + "\0").encode("utf-16-le", "surrogatepass")
    try:
        check_template(bytes(abuf))
    except LayoutError as error:
        PrintOnce(f"-{name} cannot be sent: {error}")  # T7
        return False
    return True


def PrintOnce(text: str) -> None:  # S21
    """Print what the timer finds again each second once, until the server has started."""
    if text not in printed:
        Print(text)
    printed.add(text)

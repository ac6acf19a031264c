"""Sends the position of the chart's symbol to every client that connects over TCP: a port of the SignalServer listing.

The procedures are the article's, under their own names and in their own order. A mark such as ``# S12`` names the
erratum that a line corrects; README.md in this folder puts the listing's procedures next to these. ``provider`` is the
program for daily use.
"""

from __future__ import annotations

from ctypes import c_int, sizeof
from typing import Annotated

from demos.signal.protocol import CODEPAGE, listening_port_problem, step_problem, symbol_problem
from demos.terminal import *
from winsock import *

Host: Annotated[str, Input("IPv4 address to listen on; 0.0.0.0 for all network interfaces")] = "127.0.0.1"  # A1
Port: Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)] = 8081

bChangeTrades = False
data = b""
server = INVALID_SOCKET  # H4
conns: list[int] = []
started = False  # S13
behind: set[int] = set()  # S17: the clients that lack the latest message
unsent: dict[int, bytes] = {}  # S24: the unsent part of a message


def OnInit() -> int:
    problem = symbol_problem(Symbol(), CODEPAGE)  # S9
    problem = problem or step_problem(SymbolInfoDouble(Symbol(), SYMBOL_VOLUME_STEP))  # S8
    if problem:
        Print("-" + problem)
        return INIT_PARAMETERS_INCORRECT
    OnTrade()
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()


def OnTrade() -> None:
    """Build the message from the present position."""
    global data, bChangeTrades
    lot = NormalizeDouble(GetSymbolLot(Symbol()), 2) + 0.0  # S23: -0.0 + 0.0 is 0.0
    # S3: a new array, not a longer one written over
    data = StringToCharArray("<<" + Symbol() + "|" + DoubleToString(lot, 2) + ">>")
    bChangeTrades = True


def OnTimer() -> None:
    global bChangeTrades
    if server == INVALID_SOCKET:
        StartServer(Host, Port)
    else:
        AcceptClients()
        DiscardInput()  # S16 S18
        if bChangeTrades:
            Print("send the new position to the clients")
            behind.update(conns)  # S17
            bChangeTrades = False
        Send()  # S17: also in later events, to the clients that could not take it


def StartServer(addr: str, port: int) -> None:  # over 40 lines: one procedure in the listing
    """Listen on the address."""
    global server, started
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())  # H6
    if res != 0:
        Print("-WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True  # S13

    server = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    if server == INVALID_SOCKET:
        Print("-Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    Print(f"try bind... {addr}:{port}")
    addrin = sockaddr_in()  # H1 H3
    addrin.sin_family = AF_INET
    addrin.sin_addr.s_addr = inet_addr(StringToCharArray(addr))  # H5
    addrin.sin_port = htons(port)
    if addrin.sin_addr.s_addr == INADDR_NONE:  # S22
        Fail(2, f"invalid IPv4 address: {addr!r}; Host takes four numbers, as in 127.0.0.1")
        return
    ref = bytearray(addrin)  # H6
    if bind(server, ref, len(ref)) == SOCKET_ERROR:  # A7
        Fail(3, f"Bind to {addr}:{port} failed error: " + WSAErrorDescript(WSAGetLastError()))  # S21
        return

    if ioctlsocket(server, FIONBIO, u_long(1)) != NO_ERROR:
        Print("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    # listen on the port
    if listen(server, SOMAXCONN) == SOCKET_ERROR:  # A2
        Fail(3, f"Listen on {addr}:{port} failed error: " + WSAErrorDescript(WSAGetLastError()))  # S21
        return
    if getsockname(server, ref, c_int(len(ref))) == SOCKET_ERROR:  # A5
        Fail(3, "getsockname failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    bound = sockaddr_in.from_buffer_copy(ref)  # A5
    Print(f"start server ok, {inet_ntoa(bound.sin_addr)}:{ntohs(bound.sin_port)}")


def AcceptClients() -> None:
    """Accept all clients that wait."""
    global bChangeTrades
    if server == INVALID_SOCKET:
        return
    client = 0
    while client != INVALID_SOCKET:
        ch = bytearray(sizeof(sockaddr_in))
        client = accept(server, ch, c_int(len(ch)))
        if client == INVALID_SOCKET:
            err = WSAGetLastError()
            if err == WSAEWOULDBLOCK:
                Comment("\nWAITING CLIENT (", TimeCurrent(), ")")
            else:
                Print("-Accept failed with error: " + WSAErrorDescript(err))  # S14: continue to listen
            return

        # set to nonblocking mode
        if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
            Print("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
            closesocket(client)  # S15
            continue

        # add the client's socket to the list
        conns.append(client)
        bChangeTrades = True

        # show information about the client
        aclient = sockaddr_in.from_buffer_copy(ch)  # H6
        ipstr = bytearray(23)
        ip = inet_ntop(aclient.sin_family, aclient.sin_addr, ipstr, len(ipstr))  # H5
        Print(f"Accept new client {ip}:{ntohs(aclient.sin_port)}")


def DiscardInput() -> None:  # S16 S18
    """Not in the listing: read and discard what clients send, 64 KiB of each, and notice those that have left."""
    buf = bytearray(4096)
    for client in conns.copy():
        res, left = 1, 64 * 1024
        while res > 0 and left > 0:
            res = recv(client, buf, len(buf), 0)
            left -= res
        if res == 0:
            Print("a client has closed its connection")
            Close(client)
        elif res < 0 and WSAGetLastError() != WSAEWOULDBLOCK:
            Print("-Receive failed error: " + WSAErrorDescript(WSAGetLastError()) + " close socket")
            Close(client)


def Send() -> None:
    """Send the message to the clients."""
    for client in reversed(conns.copy()):
        if client not in behind and client not in unsent:
            continue
        message = unsent.get(client, data)  # S24: a message begun is finished first
        res = send(client, message, len(message), 0)
        if res == SOCKET_ERROR:
            if WSAGetLastError() != WSAEWOULDBLOCK:  # S17: a client without room gets the latest message later
                Print("-Send failed error: " + WSAErrorDescript(WSAGetLastError()) + " close socket")
                Close(client)
            continue
        if unsent.pop(client, None) is None:  # S24
            behind.discard(client)  # S17
        if res < len(message):
            unsent[client] = message[res:]  # S24


def CloseClean() -> None:
    """Close the listening socket and all clients."""
    global server, started
    printf("Shutdown server and %d connections", len(conns))
    if server != INVALID_SOCKET:
        closesocket(server)
        server = INVALID_SOCKET
    for client in reversed(conns.copy()):
        Close(client)
    if started:  # S13
        WSACleanup()
        started = False


def Close(asock: int) -> None:
    """Close one client."""
    shutdown(asock, SD_BOTH)  # S21: it fails only if the connection has ended, which was reported
    closesocket(asock)
    conns.remove(asock)  # S16 A2
    behind.discard(asock)  # S17
    unsent.pop(asock, None)  # S24


def GetSymbolLot(smb: str) -> float:
    """The signed sum of the symbol's positions, in lots."""
    slot = 0.0
    for i in range(PositionsTotal()):
        if not PositionSelectByTicket(PositionGetTicket(i)) or PositionGetString(POSITION_SYMBOL) != smb:  # A6
            continue
        lot = PositionGetDouble(POSITION_VOLUME)
        if PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_SELL:
            lot = -lot
        slot += lot
    return slot

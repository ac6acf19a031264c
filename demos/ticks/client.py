"""The article's tick client: sends each tick of its chart's symbol to the server over UDP."""

from __future__ import annotations

from typing import Annotated

from demos.terminal import *
from demos.ticks.protocol import port_problem, tick_symbol_problem
from winsock import *  # H2

Host: Annotated[str, Input("IPv4 address of the server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the server", check=port_problem)] = 8082

client = INVALID_SOCKET  # client socket, H4
srvaddr = bytearray()  # the server's address
started = False  # S13
initialized = False  # U4


def OnInit() -> int:
    global srvaddr, initialized
    # fill the structure for the server
    addrin = sockaddr_in()  # H3
    addrin.sin_family = AF_INET
    addrin.sin_addr.s_addr = inet_addr(StringToCharArray(Host))  # H5
    addrin.sin_port = htons(Port)
    if addrin.sin_addr.s_addr == INADDR_NONE:  # S22
        Fail(2, f"invalid IPv4 address: {Host!r}; Host takes four numbers, as in 127.0.0.1")
        return INIT_FAILED
    srvaddr = bytearray(addrin)  # H1 H6
    problem = tick_symbol_problem(Symbol())  # S9
    if problem:
        Print(f"-{problem}")
        return INIT_PARAMETERS_INCORRECT

    OnTick()  # create the socket at once
    initialized = True  # U4
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    CloseClean()


def OnTick() -> None:
    global client, started
    for _ in range(3):  # U4: at most send, create the socket again, send again
        if client != INVALID_SOCKET:  # if the socket is created, send
            bid = SymbolInfoDouble(Symbol(), SYMBOL_BID)
            data = StringToCharArray(Symbol() + " " + DoubleToString(bid, Digits()))
            if sendto(client, data, len(data), 0, srvaddr, len(srvaddr)) != SOCKET_ERROR:
                Print(f"send {Symbol()} tick to server")
                return
            err = WSAGetLastError()
            Print(f"-Send failed error: {WSAErrorDescript(err)}")  # U4
            if err != WSAEWOULDBLOCK:
                CloseClean()
        else:  # create a client socket
            res = WSAStartup(MAKEWORD(2, 2), WSADATA())  # H6
            if res != 0:
                Print(f"-WSAStartup failed error: {WSAErrorDescript(res)}")
                return
            started = True  # S13

            # create a socket
            client = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)
            if client == INVALID_SOCKET:
                Print(f"-Create failed error: {WSAErrorDescript(WSAGetLastError())}")
                CloseClean()
                return

            # set to nonblocking mode
            if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
                Print(f"-ioctlsocket failed error: {WSAErrorDescript(WSAGetLastError())}")
                CloseClean()
                return

            Print("create socket OK")
            if not initialized:  # U4
                return


def CloseClean() -> None:  # close the socket
    global client, started
    if client != INVALID_SOCKET:
        closesocket(client)
        client = INVALID_SOCKET
    if started:  # S13
        WSACleanup()
        started = False
    Print("close socket")

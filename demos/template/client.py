"""Gets a chart's template from a server and applies it to its own chart: a port of the article's TplClient.

A script: OnStart does everything. `# T1` is the erratum that a line corrects; README.md explains each.
"""

from __future__ import annotations

from ctypes import sizeof
from typing import Annotated

from demos.template.protocol import FIELD, HEADER, MAX_BYTES, LayoutError, last_message, port_problem
from demos.terminal import *
from winsock import *

Host: Annotated[str, Input("IPv4 address of the template server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the template server", check=port_problem)] = 8080

LIMIT_MS = 60_000  # T10: how long a download may take
PAUSE_MS = 20  # T10: how long to wait while nothing has arrived

client = INVALID_SOCKET  # H4
started = False  # S13


def OnStart() -> None:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one procedure in the listing
    """Connect, receive the message, save the template and apply it; every failure is reported and ends the script."""
    global client, started
    # initialize the library
    wsaData = bytearray(sizeof(WSADATA))  # H6
    res = WSAStartup(MAKEWORD(2, 2), wsaData)
    if res != 0:
        Fail(3, "WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True  # S13

    # create a socket
    client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    if client == INVALID_SOCKET:
        Fail(3, "Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    # connect to the server
    addrin = sockaddr_in()  # H1, H3
    addrin.sin_family = AF_INET
    addrin.sin_addr.s_addr = inet_addr(StringToCharArray(Host))  # H5
    addrin.sin_port = htons(Port)
    if addrin.sin_addr.s_addr == INADDR_NONE:  # S22
        Fail(2, f"invalid IPv4 address: {Host!r}; Host takes four numbers, as in 127.0.0.1")
        CloseClean()
        return
    ref = bytearray(addrin)  # H6
    if connect(client, ref, len(ref)) == SOCKET_ERROR:  # A7
        Fail(3, f"Connect to {Host}:{Port} failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    # set to nonblocking mode
    if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
        Fail(3, "ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    Print("connect OK")

    # receive data up to the end of the stream
    rdata = bytearray()
    rbuf = bytearray(512)
    end = GetTickCount64() + LIMIT_MS
    while not IsStopped():  # T10
        res = recv(client, rbuf, len(rbuf), 0)
        if res == 0:  # T1
            break
        if res > 0:
            rdata += rbuf[:res]
        else:
            err = WSAGetLastError()
            if err != WSAEWOULDBLOCK:
                Fail(3, "Receive failed error: " + WSAErrorDescript(err))  # T9
                CloseClean()
                return
            Sleep(PAUSE_MS)  # T10
        if GetTickCount64() >= end or len(rdata) > MAX_BYTES:  # T10, T1
            Fail(3, f"Receive failed: no end of the stream in {LIMIT_MS // 1000} s and {MAX_BYTES} bytes")
            CloseClean()
            return

    # close the socket
    CloseClean()
    if IsStopped():  # T10
        return
    printf("receive %d bytes", len(rdata))

    # check what was received
    try:
        message = last_message(bytes(rdata))  # T4, T5, T9
    except LayoutError as error:
        Fail(3, f"the server has sent {error}")
        return

    # take the symbol and the period from the message
    smb = CharArrayToString(message, 0, FIELD)  # T8
    tf = CharArrayToString(message, FIELD, FIELD)  # T8

    # save the template file
    h = FileOpen("tcprecv.tpl", FILE_WRITE | FILE_SHARE_WRITE | FILE_BIN)
    if h == INVALID_HANDLE:
        Fail(4, "tcprecv.tpl cannot be written")
        return
    written = FileWriteArray(h, message, HEADER)
    if not FileClose(h) or written != len(message) - HEADER:  # A6
        Fail(4, "tcprecv.tpl cannot be written")
        if not FileDelete("tcprecv.tpl"):
            Print("-tcprecv.tpl is incomplete and cannot be deleted")
        return

    # apply to the chart
    if not ChartSetSymbolPeriod(0, smb, StringToInteger(tf)) or not ChartApplyTemplate(0, "\\Files\\tcprecv.tpl"):  # T5
        Fail(4, f"the template of {smb}, period {tf}, cannot be applied")


def CloseClean() -> None:
    """Close the socket; call WSACleanup if WSAStartup succeeded."""
    global client, started
    if client != INVALID_SOCKET:
        if shutdown(client, SD_BOTH) == SOCKET_ERROR:
            err = WSAGetLastError()
            if err != WSAENOTCONN:  # S21
                Print("-Shutdown failed error: " + WSAErrorDescript(err))
        closesocket(client)
        client = INVALID_SOCKET
    if started:  # S13
        WSACleanup()
        started = False
    Print("connect closed")

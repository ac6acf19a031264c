"""Gets a chart's template, symbol and period from a template server and applies them to its own chart."""

from __future__ import annotations

from ctypes import c_int, sizeof
from typing import Annotated
from zlib import crc32

from demos.template.protocol import HELLO, MOST_BYTES, FrameReader, LayoutError, decode
from demos.terminal import (
    FILE_BIN,
    FILE_REWRITE,
    FILE_WRITE,
    INVALID_HANDLE,
    ChartApplyTemplate,
    ChartSetSymbolPeriod,
    Event,
    Fail,
    FileClose,
    FileDelete,
    FileMove,
    FileOpen,
    FileWriteArray,
    GetTickCount64,
    Input,
    IsStopped,
    Print,
    Sleep,
    printf,
)
from demos.wire.addresses import AddressError, address_text, family_of, find_address
from demos.wire.codepages import codepage_problem
from winsock import (
    FD_ISSET,
    FD_SET,
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_TCP,
    MAKEWORD,
    NO_ERROR,
    SD_BOTH,
    SO_ERROR,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    closesocket,
    connect,
    fd_set,
    getsockopt,
    ioctlsocket,
    recv,
    select,
    send,
    shutdown,
    socket,
    timeval,
    u_long,
)


def _port_problem(value: int) -> str | None:
    return None if 0 < value <= 65535 else f"{value} is not a port"


Host: Annotated[str, Input("name or address of the template server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the template server", check=_port_problem)] = 8080

# The inputs from here on are not the article's.
codepage: Annotated[int, Input("code page of the symbol's name", check=codepage_problem)] = 1252
follow: Annotated[bool, Input("stay connected and take each change, from a server of this project")] = False

NAME = "tcprecv.tpl"

# How often it looks; how long a connect may take, a download, and the silence of a server that stays connected.
STEP_MS = 20
CONNECT_MS = 10_000
DOWNLOAD_MS = 60_000
SILENCE_MS = 45_000

# A connection that was lost is made anew after 1, 2, 4 … seconds, and then after so many.
MOST_SECONDS = 32

# The bound of one turn.
MOST_RECEIVED = 1024 * 1024

started = False
client = INVALID_SOCKET
received = 0


class Lost(Exception):
    """A connection that was not made, or has ended too early; the text says why."""


def OnStart() -> None:
    if follow:
        Follow()
        return
    try:
        try:
            StartClient(Host, Port)
            rdata = Receive()
        finally:
            CloseClean()
    except Lost as lost:
        if not IsStopped():
            Fail(3, str(lost))
        return
    printf("receive %d bytes", len(rdata))
    TakeTpl(rdata)


def Follow() -> None:
    """Take each change for as long as the program runs; what is lost is connected again, later and later."""
    failures = 0
    while not IsStopped():
        before = received
        try:
            try:
                StartClient(Host, Port)
                Say(HELLO)
                ReceiveFrames()
            finally:
                CloseClean()
        except Lost as lost:
            failures = 0 if received > before else failures
            wait = min(1 << failures, MOST_SECONDS)
            failures = min(failures + 1, MOST_SECONDS)
            if not IsStopped():
                Print(f"-{lost}. Next attempt in {wait} seconds.")
                Sleep(wait * 1000)


def StartClient(addr: str, port: int) -> None:
    """Connect, without blocking from the start on.

    Errors: Lost.
    """
    global started, client
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        raise Lost("WSAStartup failed error: " + WSAErrorDescript(res))
    started = True
    try:
        name = find_address(addr, port, SOCK_STREAM)
    except AddressError as error:
        raise Lost(str(error)) from error
    client = socket(family_of(name), SOCK_STREAM, IPPROTO_TCP)
    if client == INVALID_SOCKET:
        raise Lost("Create failed error: " + WSAErrorDescript(WSAGetLastError()))
    if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
        raise Lost("ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
    err = NO_ERROR
    if connect(client, name, sizeof(name)) == SOCKET_ERROR:
        err = WSAGetLastError()
        if err == WSAEWOULDBLOCK:
            err = Connected()
    if err != NO_ERROR:
        raise Lost(f"Connect to {address_text(name)} failed error: " + WSAErrorDescript(err))
    Print(f"connect OK, {address_text(name)}")


def Connected() -> int:
    """Wait for the connect's end; its error, or 0."""
    until = GetTickCount64() + CONNECT_MS
    while not IsStopped():
        writefds, exceptfds = fd_set(), fd_set()
        FD_SET(client, writefds)
        FD_SET(client, exceptfds)
        if select(0, None, writefds, exceptfds, timeval()) == SOCKET_ERROR:
            return WSAGetLastError()
        if FD_ISSET(client, exceptfds):
            error = c_int()
            res = getsockopt(client, SOL_SOCKET, SO_ERROR, error, c_int(sizeof(error)))
            return WSAGetLastError() if res == SOCKET_ERROR else error.value
        if FD_ISSET(client, writefds):
            return NO_ERROR
        if GetTickCount64() >= until:
            break
        Sleep(STEP_MS)
    return WSAETIMEDOUT


def Receive() -> bytes:
    """Everything up to the end of the connection.

    Errors: Lost when it does not end in time or in order, or brings more than any template has.
    """
    rdata = bytearray()
    until = GetTickCount64() + DOWNLOAD_MS
    while True:
        data, ended = Read()
        rdata += data
        if ended:
            return bytes(rdata)
        if len(rdata) > MOST_BYTES:
            raise Lost(f"Receive. More than {MOST_BYTES} bytes: this is no template")
        if GetTickCount64() >= until:
            raise Lost(f"Receive. The server has not ended after {DOWNLOAD_MS // 1000} seconds, {len(rdata)} bytes")
        if not data:
            Pause()


def ReceiveFrames() -> None:
    """Apply what comes, until the connection or the program ends.

    Errors: Lost.
    """
    reader = FrameReader()
    heard = GetTickCount64()
    while True:
        data, ended = Read()
        reader.feed(data)
        newest = b""
        while (message := reader.next()) is not None:
            heard = GetTickCount64()
            newest = message or newest
        if newest:
            # What has been replaced already is not shown any more.
            TakeTpl(newest)
        if ended or reader.problem:
            raise Lost("Receive. " + (reader.problem or "connection closed"))
        if GetTickCount64() - heard >= SILENCE_MS:
            raise Lost(f"Receive. The server has said nothing for {SILENCE_MS // 1000} seconds")
        if not data:
            Pause()


def Read() -> tuple[bytes, bool]:
    """What has arrived, and whether the connection has ended.

    Errors: Lost.
    """
    rdata = bytearray()
    rbuf = bytearray(64 * 1024)
    while len(rdata) < MOST_RECEIVED:
        res = recv(client, rbuf, len(rbuf), 0)
        if res == 0:
            return bytes(rdata), True
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            if err != WSAEWOULDBLOCK:
                raise Lost("Receive failed error: " + WSAErrorDescript(err))
            break
        rdata += rbuf[:res]
    return bytes(rdata), False


def Say(data: bytes) -> None:
    """Send a few bytes, which fit into any socket's buffer.

    Errors: Lost.
    """
    if send(client, data, len(data), 0) != len(data):
        raise Lost("Send failed error: " + WSAErrorDescript(WSAGetLastError()))


def Pause() -> None:
    """Let a little time pass.

    Errors: Lost when the program is to end.
    """
    Sleep(STEP_MS)
    if IsStopped():
        raise Lost("stopped")


def TakeTpl(rdata: bytes) -> None:
    """Store a template and apply it to the chart; the chart stays as it is unless all of it has come."""
    global received
    try:
        smb, tf, template = decode(rdata, codepage)
    except LayoutError as error:
        Refuse(3, f"Receive. The server has sent {error}")
        return
    if not SaveTpl(template):
        Refuse(4, f"{NAME} cannot be written")
    elif not ChartSetSymbolPeriod(0, smb, tf):
        Refuse(4, f"this terminal does not know {smb}, period {tf}")
    elif not ChartApplyTemplate(0, "\\Files\\" + NAME):
        Refuse(4, f"{NAME} cannot be applied")
    else:
        received += 1
        Event("applied", number=received, symbol=smb, period=tf, bytes=len(rdata), crc=crc32(rdata))
        Print(f"applied the template of {smb}, period {tf}")


def Refuse(code: int, text: str) -> None:
    """One template that fails is the end, unless more are to come."""
    if follow:
        Print("-" + text)
    else:
        Fail(code, text)


def SaveTpl(template: bytes) -> bool:
    """Put the file in the place of the last one in one step: whoever opens it finds the one or the other."""
    h = FileOpen(NAME + ".part", FILE_WRITE | FILE_BIN)
    if h == INVALID_HANDLE:
        return False
    size = FileWriteArray(h, template)
    if not FileClose(h) or size != len(template) or not FileMove(NAME + ".part", 0, NAME, FILE_REWRITE):
        FileDelete(NAME + ".part")
        return False
    return True


def CloseClean() -> None:
    """Close the socket, and take back the start-up if there was one."""
    global started, client
    if client != INVALID_SOCKET:
        # It can fail only where the peer is gone.
        shutdown(client, SD_BOTH)
        closesocket(client)
        client = INVALID_SOCKET
        Print("connect closed")
    if started:
        WSACleanup()
        started = False

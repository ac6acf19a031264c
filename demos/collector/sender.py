"""Sends each tick of its chart's symbol to a tick server over UDP."""

from __future__ import annotations

from collections import deque
from ctypes import c_int, sizeof
from secrets import token_hex
from typing import Annotated

from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    SYMBOL_BID,
    Digits,
    Event,
    EventKillTimer,
    EventSetTimer,
    Fail,
    GetTickCount64,
    Input,
    Print,
    Symbol,
    SymbolInfoDouble,
)
from demos.ticks.protocol import LONGEST, encode, symbol_problem
from demos.wire.addresses import Address, AddressError, address_text, empty_address, family_of, find_address, port_of
from demos.wire.codepages import codepage_problem
from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_UDP,
    MAKEWORD,
    NO_ERROR,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSADATA,
    WSAECONNRESET,
    WSAEMSGSIZE,
    WSAENETRESET,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    closesocket,
    getsockname,
    ioctlsocket,
    recvfrom,
    sendto,
    socket,
    u_long,
)


def _port_problem(value: int) -> str | None:
    return None if 0 < value <= 65535 else f"{value} is not a port"


Host: Annotated[str, Input("name or address of the tick server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the tick server", check=_port_problem)] = 8082

# The inputs from here on are not the article's.
codepage: Annotated[int, Input("code page of the datagrams' text", check=codepage_problem)] = 1252
sequence: Annotated[bool, Input("number the ticks behind their NUL, so that our server can tell what was lost")] = False

# Ticks that could not be sent wait for the next attempt, but not more than so many: then the oldest are given up.
MOST_WAITING = 1000
RETRY_MS = 1000

# What comes in is discarded, so much at a time; and without a refusal for so long somebody listens again.
MOST_DISCARDED = 64
QUIET_MS = 10_000

started = False
client = INVALID_SOCKET
srvaddr: Address | None = None
local_port = 0
run = ""
number = 0
waiting: deque[bytes] = deque()
sent = 0
told = 0
given_up = 0
retry_at = 0
refused_at = -1


def OnInit() -> int:
    global run
    problem = symbol_problem(Symbol(), codepage)
    if problem:
        Fail(2, problem)
        return INIT_FAILED
    run = token_hex(8) if sequence else ""
    EventSetTimer(1)
    # The socket is made at once; without one now, the first tick tries again.
    StartClient()
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    global retry_at, given_up
    EventKillTimer()
    retry_at = 0
    SendTicks()
    if waiting:
        Print(f"-{len(waiting)} ticks could not be sent and are given up")
        given_up += len(waiting)
        waiting.clear()
    Report()
    CloseClean()


def OnTick() -> None:
    global number, given_up
    number += 1
    if len(waiting) >= MOST_WAITING:
        waiting.popleft()
        given_up += 1
    waiting.append(encode(Symbol(), SymbolInfoDouble(Symbol(), SYMBOL_BID), Digits(), codepage, run, number))
    ReadRefusals()
    SendTicks()


def OnTimer() -> None:
    ReadRefusals()
    SendTicks()
    Report()


def StartClient() -> bool:
    """Make the socket; the system gives it a port when it first sends."""
    global started, client, srvaddr
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        Print("-WSAStartup failed error: " + WSAErrorDescript(res))
        return False
    started = True
    if srvaddr is None:
        try:
            srvaddr = find_address(Host, Port, SOCK_DGRAM)
        except AddressError as error:
            Fail(3, str(error))
            return False
    client = socket(family_of(srvaddr), SOCK_DGRAM, IPPROTO_UDP)
    if client == INVALID_SOCKET:
        Print("-Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return False
    if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
        Print("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return False
    Print("create socket OK, ticks go to " + address_text(srvaddr))
    return True


def SendTicks() -> None:
    """Send what waits, the oldest first; what cannot be sent goes on waiting."""
    global sent, retry_at
    if GetTickCount64() < retry_at:
        return
    while waiting:
        problem = SendTick(waiting[0])
        if problem:
            Print(f"-Send failed error: {problem} {len(waiting)} ticks wait.")
            retry_at = GetTickCount64() + RETRY_MS
            return
        waiting.popleft()
        sent += 1


def SendTick(data: bytes) -> str:
    """Send one datagram; after an error once more, on a new socket. Returns why it could not be sent, or ""."""
    problem = "no socket."
    for _ in range(2):
        if client == INVALID_SOCKET and not StartClient():
            break
        assert srvaddr is not None
        if sendto(client, data, len(data), 0, srvaddr, sizeof(srvaddr)) != SOCKET_ERROR:
            if not local_port:
                LearnPort()
            return ""
        err = WSAGetLastError()
        problem = WSAErrorDescript(err)
        if err == WSAEWOULDBLOCK:
            break
        if err == WSAECONNRESET:
            # It speaks of a datagram before this one, which was not sent for it; the socket is as good as before.
            Refused()
        else:
            CloseClean()
    return problem


def LearnPort() -> None:
    """Tell from which port the ticks go out."""
    global local_port
    assert srvaddr is not None
    local = empty_address(family_of(srvaddr))
    if getsockname(client, local, c_int(sizeof(local))) == SOCKET_ERROR:
        Print("-getsockname failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    local_port = port_of(local)
    Event("sending", symbol=Symbol(), port=local_port)


def ReadRefusals() -> None:
    """Learn whether the server's port is closed, where the network tells; discard what anybody sends."""
    global refused_at
    buf = bytearray(LONGEST)
    # Before it has sent anything the socket has no port, and nothing can have come.
    for _ in range(MOST_DISCARDED if local_port else 0):
        if recvfrom(client, buf, LONGEST, 0, None, None) != SOCKET_ERROR:
            continue
        err = WSAGetLastError()
        if err == WSAECONNRESET:
            Refused()
        elif err == WSAEWOULDBLOCK:
            break
        elif err not in (WSAEMSGSIZE, WSAENETRESET):
            Print("-Receive failed error: " + WSAErrorDescript(err))
            CloseClean()
            return
    if refused_at >= 0 and GetTickCount64() - refused_at >= QUIET_MS:
        refused_at = -1
        Print("no more refusals: somebody listens again, or nothing tells of it")


def Refused() -> None:
    """Nobody listens. Say it once: the ticks go on, for whoever comes."""
    global refused_at
    if refused_at < 0:
        Print(f"-Nobody listens at {Host}:{Port}, ticks are lost: " + WSAErrorDescript(WSAECONNRESET))
        Event("refused", symbol=Symbol())
    refused_at = GetTickCount64()


def Report() -> None:
    """Tell how many ticks were sent since the last time."""
    global told
    if sent > told:
        Print(
            f"send {Symbol()} tick to server" if sent == told + 1 else f"send {sent - told} {Symbol()} ticks to server"
        )
    told = sent
    Event("sent", symbol=Symbol(), ticks=number, sent=sent, given_up=given_up)


def CloseClean() -> None:
    """Close the socket, and take back the start-up if there was one."""
    global started, client, local_port
    if client != INVALID_SOCKET:
        closesocket(client)
        client = INVALID_SOCKET
        local_port = 0
        Print("close socket")
    if started:
        WSACleanup()
        started = False

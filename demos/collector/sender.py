"""Sends each tick of its chart's symbol to a tick collector over UDP."""

from __future__ import annotations

from collections import deque
from ctypes import c_int, sizeof
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
from demos.terminal.runtime.randomness import token_hex
from demos.ticks.protocol import CODEPAGE, MAX_DATAGRAM, encode, tick_symbol_problem
from demos.wire.addresses import Address, AddressError, address_text, empty_address, family_of, find_address, port_of
from demos.wire.backoff import Backoff
from demos.wire.codepages import codepage_problem
from demos.wire.opening import CallFailed, nonblocking_socket, start_winsock
from demos.wire.ports import port_problem
from winsock import (
    INVALID_SOCKET,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSAECONNRESET,
    WSAEMSGSIZE,
    WSAENETRESET,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    closesocket,
    getsockname,
    recvfrom,
    sendto,
)

Host: Annotated[str, Input("host name or address of the server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the server", check=port_problem)] = 8082

# The article's client does not have the following inputs.
codepage: Annotated[int, Input("code page of the datagrams' text", check=codepage_problem)] = CODEPAGE
sequence: Annotated[bool, Input("number the ticks, so that tick_collector can count lost ones")] = False

# Ticks that could not be sent stay in a queue of this length; when it is full, the oldest tick is dropped.
MAX_PENDING = 1000
RETRY_MS = 1000
MAX_RETRY_MS = 32_000

# The most datagrams that one event reads and discards. After QUIET_MS without a refusal the port counts as open again.
MAX_READS = 64
QUIET_MS = 10_000

started = False
resolving = Backoff(RETRY_MS, MAX_RETRY_MS)
sending = Backoff(RETRY_MS, RETRY_MS)
client = INVALID_SOCKET
srvaddr: Address | None = None
local_port = 0
run = ""
number = 0
pending: deque[bytes] = deque()
sent = 0
reported = 0
given_up = 0
refused_at = -1


def OnInit() -> int:
    global run
    problem = tick_symbol_problem(Symbol(), codepage)
    if problem:
        Fail(2, problem)
        return INIT_FAILED
    run = token_hex(8) if sequence else ""
    EventSetTimer(1)
    # If this fails, the first tick tries again.
    StartClient()
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    global given_up
    EventKillTimer()
    # One last attempt.
    sending.succeeded()
    SendTicks()
    if pending:
        Print(f"-ticks that could not be sent and are dropped: {len(pending)}")
        given_up += len(pending)
        pending.clear()
    ReportSent()
    CloseClean()
    if number and srvaddr is None:
        Fail(3, f"no tick was sent: the host name {Host!r} was never resolved")


def OnTick() -> None:
    global number, given_up
    number += 1
    if len(pending) >= MAX_PENDING:
        pending.popleft()
        given_up += 1
    pending.append(encode(Symbol(), SymbolInfoDouble(Symbol(), SYMBOL_BID), Digits(), codepage, run, number))
    CheckRefusals()
    SendTicks()


def OnTimer() -> None:
    CheckRefusals()
    SendTicks()
    ReportSent()


def StartClient() -> bool:
    """Create the socket; the system assigns its port at the first send."""
    global started, client, srvaddr
    if not resolving.is_due(GetTickCount64()):
        return False
    try:
        start_winsock()
        started = True
        if srvaddr is None:
            srvaddr = find_address(Host, Port, SOCK_DGRAM)
        client = nonblocking_socket(family_of(srvaddr), SOCK_DGRAM)
    except AddressError as unknown:
        if not unknown.temporary:
            Fail(3, str(unknown))
        elif resolving.failed(GetTickCount64()):
            Print(f"-{unknown} {resolving.retry_text()}")
        CloseClean()
        return False
    except CallFailed as failure:
        Print(f"-{failure}")
        CloseClean()
        return False
    resolving.succeeded()
    if not sending.failures:
        Print("create socket OK, send ticks to " + address_text(srvaddr))
    return True


def SendTicks() -> None:
    """Send the pending ticks, the oldest first; a tick that cannot be sent stays pending."""
    global sent
    if not sending.is_due(GetTickCount64()):
        return
    while pending:
        error = SendTick(pending[0])
        if error:
            # A name that cannot be resolved was reported already, and has its own pauses.
            if not resolving.failures and sending.failed(GetTickCount64()):
                Print(f"-Send failed error: {error} Next attempts every {RETRY_MS // 1000} s.")
            return
        if sending.succeeded():
            Print("ticks can be sent again")
        pending.popleft()
        sent += 1


def SendTick(data: bytes) -> str:
    """Send one datagram; after an error once more, on a new socket. Returns the text of the error, or ""."""
    error = "no socket."
    for _ in range(2):
        if client == INVALID_SOCKET and not StartClient():
            break
        assert srvaddr is not None
        if sendto(client, data, len(data), 0, srvaddr, sizeof(srvaddr)) != SOCKET_ERROR:
            if not local_port:
                ReportPort()
            return ""
        err = WSAGetLastError()
        error = WSAErrorDescript(err)
        if err == WSAEWOULDBLOCK:
            break
        if err == WSAECONNRESET:
            # The error is about an earlier datagram. This one was not sent, and the socket still works.
            ReportRefusal()
        else:
            CloseClean()
    return error


def ReportPort() -> None:
    """Record the local port from which the ticks are sent."""
    global local_port
    assert srvaddr is not None
    local = empty_address(family_of(srvaddr))
    if getsockname(client, local, c_int(sizeof(local))) == SOCKET_ERROR:
        Print("-getsockname failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    local_port = port_of(local)
    Event("sending", symbol=Symbol(), port=local_port)


def CheckRefusals() -> None:
    """Read from the socket: WSAECONNRESET means that the server's port is closed. Received data is discarded."""
    global refused_at
    buf = bytearray(MAX_DATAGRAM)
    # Before the first send the socket has no port and cannot have received anything.
    for _ in range(MAX_READS if local_port else 0):
        if recvfrom(client, buf, MAX_DATAGRAM, 0, None, None) != SOCKET_ERROR:
            continue
        err = WSAGetLastError()
        if err == WSAECONNRESET:
            ReportRefusal()
        elif err == WSAEWOULDBLOCK:
            break
        elif err not in (WSAEMSGSIZE, WSAENETRESET):
            Print("-Receive failed error: " + WSAErrorDescript(err))
            CloseClean()
            return
    if refused_at >= 0 and GetTickCount64() - refused_at >= QUIET_MS:
        refused_at = -1
        Print(f"no refusals for {QUIET_MS // 1000} s: the server may be listening again")


def ReportRefusal() -> None:
    """Log once that no program listens. The program continues to send, because a server may start later."""
    global refused_at
    if refused_at < 0:
        Print(f"-No program listens at {Host}:{Port}, ticks are lost: " + WSAErrorDescript(WSAECONNRESET))
        Event("refused", symbol=Symbol())
    refused_at = GetTickCount64()


def ReportSent() -> None:
    """Log how many ticks were sent since the last report."""
    global reported
    if sent > reported:
        Print(
            f"send {Symbol()} tick to server"
            if sent == reported + 1
            else f"send {sent - reported} {Symbol()} ticks to server"
        )
    reported = sent
    Event("sent", symbol=Symbol(), ticks=number, sent=sent, given_up=given_up)


def CloseClean() -> None:
    """Close the socket; call WSACleanup only when WSAStartup succeeded."""
    global started, client, local_port
    if client != INVALID_SOCKET:
        closesocket(client)
        client = INVALID_SOCKET
        local_port = 0
        # The log has the first of several failures in a row; each of them closes the socket.
        if not sending.failures:
            Print("close socket")
    if started:
        WSACleanup()
        started = False

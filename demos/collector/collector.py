"""Collects the ticks that clients send over UDP: shows, counts and keeps them."""

from __future__ import annotations

from ctypes import c_int, sizeof
from pathlib import Path
from typing import Annotated

from demos.collector.intake import Collector
from demos.collector.store import StoreError, TickStore
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    Alert,
    Comment,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    Fail,
    GetTickCount64,
    Input,
    Print,
    TimeGMT,
)
from demos.terminal.mql.conversion import milliseconds_of
from demos.terminal.points import price_text
from demos.ticks.protocol import LONGEST, Refused
from demos.wire.addresses import (
    Address,
    AddressError,
    address_text,
    empty_address,
    family_of,
    find_address,
    is_any,
    port_of,
)
from demos.wire.codepages import codepage_problem
from winsock import (
    AF_INET,
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_UDP,
    MAKEWORD,
    NO_ERROR,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSAECONNRESET,
    WSAEMSGSIZE,
    WSAENETRESET,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    bind,
    closesocket,
    getsockname,
    ioctlsocket,
    recvfrom,
    setsockopt,
    socket,
    u_long,
)


def _port_problem(value: int) -> str | None:
    return None if 0 <= value <= 65535 else f"{value} is not a port"


Host: Annotated[str, Input("name or address to listen on; 0.0.0.0 or ::, on every network")] = "127.0.0.1"
Port: Annotated[int, Input("port to listen on; 0: any free one", check=_port_problem)] = 8082

# The inputs from here on are not the article's.
codepage: Annotated[int, Input("code page of the datagrams' text", check=codepage_problem)] = 1252
database: Annotated[str, Input("file that keeps the ticks; without one they are counted alone")] = ""

# The article's 300 ms are long: what arrives between two events has to fit into the socket's buffer, which in the usual
# 208 KiB of Linux holds some 256 datagrams. A third of the time, and a larger buffer where the system grants one.
EVERY_MS = 100
BUFFER = 4 * 1024 * 1024

# The most of one event, so that no sender can keep the program in it; the rest waits for the next one.
MOST_DATAGRAMS = 4096

# What is wrong with datagrams is told at most so often, and counted meanwhile.
REPORT_MS = 1000
MOST_SHOWN = 60
MOST_NAMES = 4096

started = False
server = INVALID_SOCKET
listening = False
name: Address = empty_address(AF_INET)
port = 0
total = 0
names: dict[bytes, str] = {}
complaints: dict[str, tuple[int, str]] = {}
complained_at = -REPORT_MS
store: TickStore | None = None
collector: Collector


def OnInit() -> int:
    global store, collector, port
    port = Port
    try:
        store = TickStore(Path(database) if database else None)
    except StoreError as error:
        Fail(4, str(error))
        return INIT_FAILED
    collector = Collector(store, codepage)
    EventSetMillisecondTimer(EVERY_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    try:
        if listening:
            # What has arrived is kept.
            ReceiveTicks()
            Keep()
        Complain(complained_at + REPORT_MS)
    finally:
        CloseClean()
        if store:
            store.close()


def OnTimer() -> None:
    if server == INVALID_SOCKET:
        StartServer(Host, port)
        return
    problem = ReceiveTicks()
    try:
        Keep()
    except StoreError as error:
        Fail(4, str(error))
        CloseClean()
        return
    Complain(GetTickCount64())
    if problem:
        Print(f"-receive failed error: {problem}. Cleanup socket")
        CloseClean()


def StartServer(addr: str, number: int) -> None:
    """Bind the socket. Whatever is in the way will still be there a moment later: say so once and end."""
    global started, server, listening, name, port
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        Fail(3, "WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True
    try:
        name = find_address(addr, number, SOCK_DGRAM)
    except AddressError as error:
        Fail(3, str(error))
        return
    server = socket(family_of(name), SOCK_DGRAM, IPPROTO_UDP)
    if server == INVALID_SOCKET:
        Fail(3, "Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if setsockopt(server, SOL_SOCKET, SO_RCVBUF, c_int(BUFFER), sizeof(c_int)) != NO_ERROR:
        Print("-setsockopt failed error: " + WSAErrorDescript(WSAGetLastError()))
    if bind(server, name, sizeof(name)) == SOCKET_ERROR:
        Fail(3, f"Bind to {address_text(name)} failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if ioctlsocket(server, FIONBIO, u_long(1)) != NO_ERROR:
        Fail(3, "ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if getsockname(server, name, c_int(sizeof(name))) == SOCKET_ERROR:
        Fail(3, "getsockname failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if is_any(name):
        Alert(f"{addr} is open to every network: there is no password, and whoever reaches the port can feed ticks")
    # Made anew after an error, it is to be found where it was.
    port = port_of(name)
    listening = True
    Event("listening", port=port)
    Print(f"start server ok, {address_text(name)}")


def ReceiveTicks() -> str:
    """Take all datagrams that wait, up to a bound; returns what is wrong with the socket, or ""."""
    buf = bytearray(LONGEST)
    length = c_int()
    for _ in range(MOST_DATAGRAMS):
        length.value = sizeof(name)
        res = recvfrom(server, buf, LONGEST, 0, name, length)
        if res != SOCKET_ERROR:
            said = collector.take(bytes(buf[:res]), Sender())
            if isinstance(said, Refused):
                Note("that are no ticks", f"'{said.text[:MOST_SHOWN]}' ({said.reason}) from {Sender()}")
            continue
        err = WSAGetLastError()
        if err == WSAEWOULDBLOCK:
            break
        if err == WSAEMSGSIZE:
            collector.oversized(Sender())
            Note(f"longer than {LONGEST} bytes", f"from {Sender()}")
        # These concern a datagram that was sent before, which is no reason to stop listening.
        elif err not in (WSAECONNRESET, WSAENETRESET):
            return WSAErrorDescript(err)
    return ""


def Sender() -> str:
    """The last datagram's sender, as text."""
    raw = bytes(name)
    text = names.get(raw)
    if text is None:
        if len(names) >= MOST_NAMES:
            names.clear()
        text = names[raw] = address_text(name)
    return text


def Keep() -> None:
    """Keep what was received, and show the last of it."""
    global total
    batch = collector.keep(milliseconds_of(TimeGMT()))
    if batch.lost > 0:
        Note("lost, as the numbers of others tell", f"{batch.lost} in one event", batch.lost)
    if not batch.ticks:
        return
    total += len(batch.ticks)
    quote, sender = batch.ticks[-1]
    last = f"{quote.symbol} {price_text(quote.bid, quote.digits)}"
    if len(batch.ticks) == 1:
        Print(f"receive tick from client {sender}: {last}")
    else:
        clients = len({sender for _, sender in batch.ticks})
        Print(f"receive {len(batch.ticks)} ticks from {clients} clients, the last from {sender}: {last}")
    Comment(total, " ticks, the last: ", last)


def Note(kind: str, example: str, count: int = 1) -> None:
    """Remember something wrong, to be told by Complain()."""
    before, first = complaints.get(kind, (0, example))
    complaints[kind] = (before + count, first)


def Complain(now: int) -> None:
    """Tell what was wrong since the last time, unless that is not long ago."""
    global complained_at
    if complaints and now - complained_at >= REPORT_MS:
        for kind, (count, example) in complaints.items():
            Print(f"-datagrams {kind}: {count}, at first {example}")
        complaints.clear()
        complained_at = now


def CloseClean() -> None:
    """Close the socket, and take back the start-up if there was one."""
    global started, server, listening
    Print("Shutdown server")
    listening = False
    if server != INVALID_SOCKET:
        closesocket(server)
        server = INVALID_SOCKET
    if started:
        WSACleanup()
        started = False

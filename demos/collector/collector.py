"""Collects the ticks that clients send over UDP: shows, counts and stores them."""

from __future__ import annotations

from ctypes import c_int, sizeof
from pathlib import Path
from typing import Annotated

from demos.collector.problem_reports import ProblemReports
from demos.collector.recorder import TickRecorder
from demos.collector.schema import StoreBusy, StoreError
from demos.collector.store import LOCK_TIMEOUT, TickStore
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
from demos.ticks.protocol import CODEPAGE, MAX_DATAGRAM, InvalidDatagram
from demos.wire.addresses import Address, address_text, empty_address, is_any, port_of
from demos.wire.backoff import Backoff
from demos.wire.codepages import codepage_problem
from demos.wire.listening import StartError, start_server
from demos.wire.ports import listening_port_problem
from winsock import (
    AF_INET,
    INVALID_SOCKET,
    NO_ERROR,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAECONNRESET,
    WSAEMSGSIZE,
    WSAENETRESET,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    closesocket,
    recvfrom,
    setsockopt,
)


def _negative(value: int) -> str | None:
    return f"{value} is negative" if value < 0 else None


Host: Annotated[str, Input("host name or address to listen on; 0.0.0.0 or :: for all network interfaces")] = "127.0.0.1"
Port: Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)] = 8082

# The article's server does not have the following inputs.
codepage: Annotated[int, Input("code page of the datagrams' text", check=codepage_problem)] = CODEPAGE
database: Annotated[str, Input("SQLite file for the ticks; without a file they are only counted", file="database")] = ""
megabytes: Annotated[
    int, Input("accept no more ticks when the database has this many MB; 0: no limit", check=_negative)
] = 10_000

# The datagrams that arrive between two events must fit into the socket's buffer. Linux gives it 208 KiB by default,
# about 256 datagrams. The article's period of 300 ms is too long for a fast sender, so the period is shorter here, and
# the program asks for a larger buffer.
PERIOD_MS = 100
RECEIVE_BUFFER = 4 * 1024 * 1024

# The most datagrams that one event reads: a fast sender cannot keep the program in the event.
MAX_READS = 4096

# The characters of an invalid datagram that the log shows, and the names of senders that are kept.
MAX_TEXT = 60
MAX_CACHED_NAMES = 4096

# While another process has locked the database, ticks wait in memory, and the program tries to store them again after
# 0.5, 1, 2 … seconds. A host name that cannot be resolved is retried in the same way.
RETRY_MS = 500
MAX_RETRY_MS = 8000
BUSY_SECONDS = 0.25

server = INVALID_SOCKET
name: Address = empty_address(AF_INET)
port = 0
total = 0
names: dict[bytes, str] = {}
problems = ProblemReports()
store: TickStore | None = None
recorder: TickRecorder
postponed: tuple[bytes, str] | None = None
storing = Backoff(RETRY_MS, MAX_RETRY_MS)
starting = Backoff(RETRY_MS, MAX_RETRY_MS)


def OnInit() -> int:
    global port
    port = Port
    try:
        OpenStore()
    except StoreError as error:
        Fail(4, str(error))
        return INIT_FAILED
    EventSetMillisecondTimer(PERIOD_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    try:
        if server != INVALID_SOCKET:
            # Store the datagrams that arrived since the last timer event.
            ReceiveTicks()
            ShowTicks()
        if store:
            StoreLastTicks()
        ReportProblems(end=True)
    finally:
        CloseClean()
        CloseStore()


def OnTimer() -> None:
    try:
        OpenStore()
        if not store:
            return
        if server == INVALID_SOCKET:
            StartServer(Host, port)
            return
        error = ReceiveTicks()
        ShowTicks()
        StoreTicks()
    except StoreError as store_error:
        Fail(4, NotStored(store_error))
        CloseStore()
        CloseClean()
        return
    ReportProblems()
    if error:
        Print(f"-receive failed error: {error} Cleanup socket")
        CloseClean()


def OpenStore() -> None:
    """Open the database unless it is open, or another process has locked it.

    Errors: StoreError when it cannot be opened.
    """
    global store, recorder
    if store or not storing.is_due(GetTickCount64()):
        return
    path = Path(database) if database else None
    try:
        store = TickStore(path, timeout=BUSY_SECONDS, max_bytes=megabytes * 1_000_000 or None)
    except StoreBusy as busy:
        RetryLater(busy)
        return
    recorder = TickRecorder(store, codepage, milliseconds_of(TimeGMT()))
    EndRetries()


def RetryLater(busy: StoreBusy) -> None:
    """Plan the next attempt to use the database; report only the first failure."""
    if storing.failed(GetTickCount64()):
        Print(f"-{busy}. {storing.retry_text()}")
        Event("busy")


def EndRetries() -> None:
    """Report the end of a time in which the database was locked."""
    if storing.succeeded():
        Print(f"{database} can be used again")


def StartServer(host: str, number: int) -> None:
    """Create and bind the socket. Any error ends the program, unless the host name cannot be resolved at present."""
    global server, name, port
    if not starting.is_due(GetTickCount64()):
        return
    try:
        server, name = start_server(host, number, SOCK_DGRAM, EnlargeBuffer)
    except StartError as error:
        if not error.temporary:
            Fail(3, str(error))
        elif starting.failed(GetTickCount64()):
            Print(f"-{error} {starting.retry_text()}")
        return
    starting.succeeded()
    if is_any(name):
        Alert(
            f"{host} accepts ticks from all networks; there is no password: anyone who reaches the port can send ticks"
        )
    # A socket that is created again after an error gets the same port.
    port = port_of(name)
    Event("listening", port=port)
    Print(f"start server ok, {address_text(name)}")


def EnlargeBuffer(s: int) -> None:
    """Ask for a larger receive buffer; the program also works without one."""
    if setsockopt(s, SOL_SOCKET, SO_RCVBUF, c_int(RECEIVE_BUFFER), sizeof(c_int)) != NO_ERROR:
        Print("-setsockopt failed error: " + WSAErrorDescript(WSAGetLastError()))


def ReceiveTicks() -> str:
    """Read the waiting datagrams, at most MAX_READS; returns the text of a socket error, or "".

    While too many ticks wait for the database, nothing is read: the socket's buffer fills, and the system drops further
    datagrams.
    """
    buf = bytearray(MAX_DATAGRAM)
    length = c_int()
    for _ in range(MAX_READS):
        if recorder.is_full() or (postponed and not RecordTick(*postponed)):
            break
        length.value = sizeof(name)
        res = recvfrom(server, buf, MAX_DATAGRAM, 0, name, length)
        if res != SOCKET_ERROR:
            RecordTick(bytes(buf[:res]), SenderText())
            continue
        err = WSAGetLastError()
        if err == WSAEWOULDBLOCK:
            break
        if err == WSAEMSGSIZE:
            recorder.add_oversized(SenderText())
            problems.add(f"longer than {MAX_DATAGRAM} bytes", f"from {SenderText()}")
        # These two errors are about a datagram that this socket sent; the socket still receives.
        elif err not in (WSAECONNRESET, WSAENETRESET):
            return WSAErrorDescript(err)
    return ""


def RecordTick(data: bytes, sender: str) -> bool:
    """Record a datagram; False when the database is locked, then it is recorded at a later event."""
    global postponed
    try:
        tick = recorder.add(data, sender)
    except StoreBusy as busy:
        RetryLater(busy)
        postponed = (data, sender)
        return False
    postponed = None
    if isinstance(tick, InvalidDatagram):
        # The reasons are a few fixed texts, so each of them can be a kind.
        problems.add(f"dropped ({tick.reason})", f"'{tick.text[:MAX_TEXT]}' from {sender}")
    return True


def SenderText() -> str:
    """The address of the last datagram's sender."""
    raw = bytes(name)
    text = names.get(raw)
    if text is None:
        if len(names) >= MAX_CACHED_NAMES:
            names.clear()
        text = names[raw] = address_text(name)
    return text


def StoreTicks() -> None:
    """Store the waiting ticks, or plan the next attempt when the database is locked.

    Errors: StoreError when they cannot be stored.
    """
    if not storing.is_due(GetTickCount64()):
        return
    try:
        recorder.store()
    except StoreBusy as busy:
        RetryLater(busy)
        return
    EndRetries()


def CloseStore() -> None:
    """Close the database."""
    global store
    if store:
        store.close()
        store = None


def StoreLastTicks() -> None:
    """Store the waiting ticks at the program's end; the last attempt waits longer for another process."""
    assert store is not None
    store.set_timeout(LOCK_TIMEOUT)
    try:
        recorder.store()
    except StoreError as error:
        Fail(4, NotStored(error))


def NotStored(error: StoreError) -> str:
    """The error, and the number of ticks that are lost because of it."""
    ticks = recorder.waiting_ticks() if store else 0
    return f"{error}; ticks that are not stored: {ticks}" if ticks else str(error)


def ShowTicks() -> None:
    """Show the number of this event's ticks and the last one."""
    global total
    batch = recorder.end_event(milliseconds_of(TimeGMT()))
    if batch.lost > 0:
        problems.add("lost, by their numbers", f"{batch.lost} in one event", batch.lost)
    if not batch.ticks:
        return
    total += len(batch.ticks)
    quote, sender = batch.ticks[-1]
    clients = len({sender for _, sender in batch.ticks})
    if len(batch.ticks) == 1:
        Print(f"receive tick from client {sender}: {quote.text}")
    elif clients == 1:
        Print(f"receive {len(batch.ticks)} ticks from client {sender}, the last: {quote.text}")
    else:
        Print(f"receive {len(batch.ticks)} ticks from {clients} clients, the last from {sender}: {quote.text}")
    Comment(total, " ticks, the last: ", quote.text)


def ReportProblems(*, end: bool = False) -> None:
    """Log the problems with datagrams, at most once a second or at the program's end."""
    for line in problems.take_lines(GetTickCount64(), end=end):
        Print(line)


def CloseClean() -> None:
    """Close the socket; call WSACleanup only when WSAStartup succeeded."""
    global server
    Print("Shutdown server")
    if server != INVALID_SOCKET:
        closesocket(server)
        server = INVALID_SOCKET
        WSACleanup()

"""Gets a chart's template, symbol and period from a template server and applies them to its own chart."""

from __future__ import annotations

from typing import Annotated
from zlib import crc32

from demos.chartfeed.client_connection import Disconnected, pause, read, send_hello, wait_for_connect
from demos.chartfeed.frames import FrameReader
from demos.template.protocol import MAX_BYTES, IncompleteError, LayoutError, decode, last_message
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
from demos.wire.addresses import AddressError, address_text, find_address
from demos.wire.backoff import Backoff
from demos.wire.codepages import codepage_problem
from demos.wire.connecting import begin_connect
from demos.wire.opening import CallFailed, start_winsock
from demos.wire.ports import port_problem
from winsock import (
    INVALID_SOCKET,
    NO_ERROR,
    SD_BOTH,
    SOCK_STREAM,
    WSACleanup,
    WSAErrorDescript,
    closesocket,
    shutdown,
)


def _attempts_problem(value: int) -> str | None:
    return None if value > 0 else f"{value} is not above 0"


Host: Annotated[str, Input("host name or address of the template server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the template server", check=port_problem)] = 8080

# The following inputs are not the article's.
codepage: Annotated[int, Input("code page of the symbol", check=codepage_problem)] = 1252
follow: Annotated[bool, Input("stay connected and apply each change, from a chart_server")] = False
attempts: Annotated[int, Input("the most attempts to download, without --follow", check=_attempts_problem)] = 10

NAME = "tcprecv.tpl"

# The limits of a download, and of a subscribed server without any frame.
DOWNLOAD_MS = 60_000
SILENCE_MS = 45_000

# The client tries again after 1, 2, 4 … seconds, at most after this many.
MAX_WAIT_SECONDS = 32

started = False
client = INVALID_SOCKET
applied = 0


def OnStart() -> None:
    if follow:
        Follow()
    else:
        DownloadWithRetries()


def DownloadWithRetries() -> None:
    """Download once and apply the template; an interrupted download is repeated, and only its first end is reported."""
    backoff = Backoff(1000, MAX_WAIT_SECONDS * 1000)
    while not IsStopped():
        try:
            rdata = Download()
        except Disconnected as error:
            if IsStopped():
                return
            if not error.temporary or backoff.failures + 1 >= attempts:
                Fail(3, str(error))
                return
            if backoff.failed(GetTickCount64()):
                Print(f"-{error}. Next attempt in {backoff.pause_ms // 1000} s, at most {attempts} attempts.")
            Sleep(backoff.pause_ms)
            continue
        printf("receive %d bytes", len(rdata))
        ApplyMessage(rdata)
        return


def Download() -> bytes:
    """The bytes that a server sends to a client that sends nothing.

    Errors: Disconnected.
    """
    try:
        StartClient(Host, Port)
        rdata = Receive()
        last_message(rdata, codepage)
    except IncompleteError as error:
        raise Disconnected(f"Receive failed: the server has sent {error}", temporary=True) from error
    except LayoutError:
        # ApplyMessage reports it.
        pass
    finally:
        CloseClean()
    return rdata


def Follow() -> None:
    """Apply each change until the program ends; reconnect after growing pauses."""
    backoff = Backoff(1000, MAX_WAIT_SECONDS * 1000)
    while not IsStopped():
        before = applied
        try:
            try:
                StartClient(Host, Port)
                send_hello(client)
                ReceiveFrames()
            finally:
                CloseClean()
        except Disconnected as error:
            if applied > before:
                backoff.succeeded()
            backoff.failed(GetTickCount64())
            if not IsStopped():
                Print(f"-{error}. Next attempt in {backoff.pause_ms // 1000} s.")
                Sleep(backoff.pause_ms)


def StartClient(addr: str, port: int) -> None:
    """Connect with a nonblocking socket.

    Errors: Disconnected.
    """
    global started, client
    try:
        start_winsock()
        started = True
        name = find_address(addr, port, SOCK_STREAM)
        client, err = begin_connect(name)
    except (AddressError, CallFailed) as error:
        temporary = isinstance(error, AddressError) and error.temporary
        raise Disconnected(str(error), temporary=temporary) from error
    if err == NO_ERROR:
        err = wait_for_connect(client)
    if err != NO_ERROR:
        raise Disconnected(f"Connect to {address_text(name)} failed error: " + WSAErrorDescript(err))
    Print(f"connect OK, {address_text(name)}")


def Receive() -> bytes:
    """All bytes up to the end of the stream.

    Errors: Disconnected after an error, after DOWNLOAD_MS, or after more bytes than a template can have.
    """
    rdata = bytearray()
    until = GetTickCount64() + DOWNLOAD_MS
    while True:
        data, ended = read(client)
        rdata += data
        if ended:
            return bytes(rdata)
        if len(rdata) > MAX_BYTES:
            raise Disconnected(f"Receive failed: more than {MAX_BYTES} bytes are not a template")
        if GetTickCount64() >= until:
            text = f"Receive failed: no end of the stream in {DOWNLOAD_MS // 1000} s, {len(rdata)} bytes"
            raise Disconnected(text, temporary=True)
        if not data:
            pause()


def ReceiveFrames() -> None:
    """Apply each message until the connection or the program ends.

    Errors: Disconnected.
    """
    reader = FrameReader()
    last_frame = GetTickCount64()
    while True:
        data, ended = read(client)
        reader.feed(data)
        newest = b""
        while (message := reader.next()) is not None:
            last_frame = GetTickCount64()
            newest = message or newest
        if newest:
            # A message that a newer one has replaced already is skipped.
            ApplyMessage(newest)
        if ended or reader.problem:
            raise Disconnected("Receive failed: " + (reader.problem or "the server has closed the connection"))
        if GetTickCount64() - last_frame >= SILENCE_MS:
            raise Disconnected(f"Receive failed: no frame in {SILENCE_MS // 1000} seconds")
        # Also while data arrives: an endless stream must not keep the program from ending.
        pause()


def ApplyMessage(rdata: bytes) -> None:
    """Store a template and apply it to the chart; an incomplete message changes nothing."""
    global applied
    try:
        smb, tf, template = decode(rdata, codepage)
    except LayoutError as error:
        ReportFailure(3, f"Receive failed: the server has sent {error}")
        return
    if not SaveTpl(template):
        ReportFailure(4, f"{NAME} cannot be written")
    elif not ChartSetSymbolPeriod(0, smb, tf):
        ReportFailure(4, f"this terminal has no symbol {smb!r} or no period {tf}")
    elif not ChartApplyTemplate(0, "\\Files\\" + NAME):
        ReportFailure(4, f"{NAME} cannot be applied")
    else:
        applied += 1
        Event("applied", number=applied, symbol=smb, period=tf, bytes=len(rdata), crc=crc32(rdata))
        Print(f"applied the template of {smb}, period {tf}")


def ReportFailure(code: int, text: str) -> None:
    """Print a failure; it ends the program unless further messages are to follow."""
    if follow:
        Print("-" + text)
    else:
        Fail(code, text)


def SaveTpl(template: bytes) -> bool:
    """Replace the file in one step: a reader finds the old content or the new content."""
    h = FileOpen(NAME + ".part", FILE_WRITE | FILE_BIN)
    if h == INVALID_HANDLE:
        return False
    size = FileWriteArray(h, template)
    if not FileClose(h) or size != len(template) or not FileMove(NAME + ".part", 0, NAME, FILE_REWRITE):
        FileDelete(NAME + ".part")
        return False
    return True


def CloseClean() -> None:
    """Close the socket and undo a successful WSAStartup."""
    global started, client
    if client != INVALID_SOCKET:
        # It fails only if the peer has ended the connection.
        shutdown(client, SD_BOTH)
        closesocket(client)
        client = INVALID_SOCKET
        Print("connect closed")
    if started:
        WSACleanup()
        started = False

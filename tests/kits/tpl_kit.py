"""Shared by the tests of the template programs: a stage whose terminal has a data folder, and models of the originals.

`tpl_server` and `tpl_client` are the study programs, `chart_server` and `chart_client` the products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from signal_kit import Script, Stage, arrive, close, dial, forever, port_of, ready, take, write

from demos.template.protocol import decode, encode, prepare
from demos.terminal.charts import layout
from demos.terminal.charts.template import Section, parse
from demos.terminal.interfaces import SymbolSpec
from demos.terminal.mql import constants as c
from demos.terminal.runtime.files import DataFolder
from winsock import INVALID_SOCKET, SOCKET_ERROR, WSAGetLastError, recv

EURUSD = SymbolSpec("EURUSD")
GBPUSD = SymbolSpec("GBPUSD", 4)

# The most turns of the terminal for which a script waits.
TURNS = 5000


class TplStage(Stage):
    """A terminal with one of the template programs, and a folder for its templates and files."""

    def __init__(
        self, program: str, folder: Path, *, symbols: Sequence[SymbolSpec] = (EURUSD, GBPUSD), **inputs: object
    ):
        super().__init__(program, symbols=symbols, **inputs)
        self.host.data = DataFolder(folder)

    @property
    def port(self) -> int:
        return port_of(self.program.server)

    @property
    def template(self) -> Section:
        return self.host.charts.template(self.chart.id)

    @property
    def shown(self) -> tuple[str, int]:
        view = self.host.charts.view(self.chart.id)
        return view.symbol, view.period

    def change(self, text: str) -> None:
        """Add an object to the chart as its owner does; the terminal calls the program's OnChartEvent."""
        layout.add_object(self.template, c.OBJ_TEXT, text, [(0, 1.0)], descr=text)
        self.host.chart_changed(self.chart.id, 7, text)


def until(condition) -> Script:
    """Let the terminal run until the condition is true."""
    for _ in range(TURNS):
        if condition():
            return
        yield
    raise AssertionError("the condition never became true")


def turns(count: int) -> Script:
    for _ in range(count):
        yield


def served(stage: Stage, count: int = 1) -> Script:
    return until(lambda: len(stage.record.of("served")) >= count)


def drain(s: int) -> tuple[bytes, int | None]:
    """All bytes that have arrived; then None while the stream is open, 0 at its end, or the error."""
    got, buf = b"", bytearray(65536)
    while ready(s, 0):
        size = recv(s, buf, len(buf), 0)
        if size == SOCKET_ERROR:
            return got, WSAGetLastError()
        if size == 0:
            return got, 0
        got += bytes(buf[:size])
    return got, None


def text_of(data: bytes) -> str:
    """A template's text without its mark."""
    return data.decode("utf-16-le").removeprefix("\ufeff")


def file_of(text: str, errors: str = "strict") -> bytes:
    """A template file of that text, as MetaTrader 5 saves it."""
    return b"\xff\xfe" + text.encode("utf-16-le", errors)


def small_template(mark: str = "") -> bytes:
    """The file of a minimal template."""
    return file_of(f"<chart>\r\nid=1\r\nmark={mark}\r\n</chart>\r\n")


def message(mark: str = "", symbol: str = "EURUSD", period: int = 16385) -> bytes:
    """A plain message of a small template."""
    return encode(symbol, period, prepare(small_template(mark), "x.ex5"), 1252)


def mark_of(document: Section) -> str:
    return layout.root(document).get("mark")


class OriginalServer:
    """How the article's server builds the message that it sends; no sockets."""

    def __init__(self, symbol: str = "EURUSD", period: int = 16385, name: str = "TplServer.ex5") -> None:
        self.symbol, self.period, self.name = symbol, period, name
        self.saved = 0
        self.message = b""

    def timer(self) -> None:
        self.saved = 0

    def chart_event(self, file: bytes | None) -> None:
        """The chart has changed, and this is what its template file holds; None when it cannot be read."""
        self.saved += 1
        if self.saved > 1:
            return
        for field in (self.symbol, str(self.period)):
            # Ten bytes of an array that is not cleared.
            self.message += (field.encode("cp1252") + b"\0").ljust(10, b"\xcc")[:10]
        if file is not None:
            text = file.decode("utf-16-le").partition("\0")[0].replace(self.name, " ")
            self.message += (text + "\0").encode("utf-16-le")


def original_receive(*segments: bytes) -> bytes:
    """The bytes that the article's client takes from consecutive segments: up to a read of less than 512."""
    got = b""
    for segment in segments:
        while segment:
            piece, segment = segment[:512], segment[512:]
            got += piece
            if len(piece) < 512:
                return got
    return got


def original_apply(data: bytes) -> tuple[str, int, bytes]:
    """The symbol, the period and the file that the article's client makes of what it has received."""
    symbol = data[:10].partition(b"\0")[0].decode("cp1252")
    digits = data[10:20].partition(b"\0")[0].decode("cp1252")
    return symbol, int(digits) if digits.isdigit() else 0, data[20:]


def serve(folder, program: str = "chart_server", **options) -> TplStage:
    return TplStage(program, folder, **{"Port": 0, **options})


def listening(stage: TplStage) -> Script:
    """Let the terminal run until the server listens."""
    yield from until(lambda: stage.program.server != INVALID_SOCKET)


def open_sockets(stage: TplStage) -> list[int]:
    """The accepted sockets of either server."""
    return [each if isinstance(each, int) else each.socket for each in stage.program.conns]


def download(stage: TplStage, said: bytes = b"") -> Script:
    """Connect to either server, send some bytes or none, and read into `stage.got` up to an orderly end."""
    peer = dial(stage.port)
    if said:
        write(peer, said)
    yield from read_to_end(stage, peer)


def read_to_end(stage: TplStage, peer: int) -> Script:
    """Read into `stage.got` up to an orderly end, and close."""
    stage.got = b""
    for _ in range(TURNS):
        more, ended = drain(peer)
        stage.got += more
        if ended is not None:
            break
        yield
    assert ended == 0
    close(peer)


def get(stage: TplStage, said: bytes = b"") -> Iterator[None]:
    """Download from a chart_server once it has served this client; the answer is put into `stage.got`."""
    count = len(stage.record.of("served"))
    peer = dial(stage.port)
    if said:
        write(peer, said)
        yield from until(lambda: len(stage.program.conns) > 0)
    yield from served(stage, count + 1)
    stage.got, ended = b"", None
    while ended is None:
        more, ended = drain(peer)
        stage.got += more
        yield
    assert ended == 0
    close(peer)


def names(data: bytes) -> list[str]:
    """The names of the objects in a message's template."""
    return [each.get("name") for each in layout.objects(parse(decode(data, 1252).template))]


def fetch(server: int, folder, program: str = "chart_client", **options) -> TplStage:
    """A client of this listening socket; unless a test asks for more, it tries to download once."""
    if program == "chart_client":
        options.setdefault("attempts", 1)
    return TplStage(program, folder, **{"Port": port_of(server), **options})


def sent(stage: TplStage, server: int, *pieces: bytes) -> Script:
    """Accept the client, send it these pieces, each in a turn of its own, and close."""
    yield
    peer = take(server)
    for piece in pieces:
        arrive(peer, piece, stage.program.client)
        yield
    close(peer)
    yield from forever()


def files(folder) -> list[str]:
    return sorted(path.name for path in (folder / "MQL5" / "Files").iterdir())


def untouched(stage: TplStage, folder) -> bool:
    return stage.shown == ("EURUSD", 16385) and mark_of(stage.template) == "" and files(folder) == []

"""The client's side of the feed: follows one stream without a gap, and checks what the server sends.

No sockets, no clock. take() gets each message and returns the request to send, if rows are missing. One request waits
for its page at a time. A server that breaks the protocol ends the connection with a MessageError: a row that comes
twice must be the same, times rise, pages are those that were requested, and history has an end. Whatever the server
sends, at most ``keep`` rows are kept.
"""

from __future__ import annotations

from collections.abc import Callable

from demos.ideas.indicator.protocol import PAGE_ROWS, VERSION, ClientHello, History, Page, ServerHello, Values
from demos.ideas.indicator.series import Line, Row, Series
from demos.ideas.messages import Error, MessageError

# More pages than the whole history has, because bars close while it is received.
_MOST_EXTRA = 50


class Follower:
    """See the head of this module.

    ``lines`` and ``series`` are the present ones; a new stream replaces both. ``reset`` is called then, and ``added``
    with each row that follows, also with those of a history that begins anew after a gap that is too long.
    """

    def __init__(
        self, symbol: str, period: str, keep: int, reset: Callable[[], object], added: Callable[[Row], object]
    ) -> None:
        """``symbol`` and ``period``: of the client's chart, which the server's must have too."""
        self.stream = ""
        self.lines: tuple[Line, ...] = ()
        self.series = Series(keep)
        self._symbol, self._period, self._keep = symbol, period, keep
        self._reset, self._added = reset, added
        self._greeted = False
        self._newest = 0
        self._asked: int | None = None
        self._pages = 0

    @property
    def is_complete(self) -> bool:
        """Whether all rows are there that the server has announced on this connection."""
        return self._greeted and self.series.last == self._newest

    def connected(self, name: str) -> ClientHello:
        """A new connection is open: the first message to send."""
        self._greeted, self._asked, self._pages = False, None, 0
        return ClientHello(VERSION, name)

    def take(self, message: ServerHello | Values | Page) -> History | None:
        """Take a message of the server; the request to send, or None.

        Errors: MessageError when the server breaks the protocol, or has another chart.
        """
        if isinstance(message, ServerHello):
            self._take_hello(message)
        elif not self._greeted:
            raise MessageError("hello", f"{message.type} before hello")
        elif message.stream != self.stream:
            raise MessageError("stream", f"{message.type} of the stream {message.stream}, not {self.stream}")
        elif isinstance(message, Values):
            self._take_values(message)
        else:
            self._take_page(message)
        return self._request()

    def _take_hello(self, hello: ServerHello) -> None:
        if self._greeted:
            raise MessageError("hello", "a second hello")
        if (hello.symbol, hello.period) != (self._symbol, self._period):
            raise MessageError(
                "chart",
                f"the server's chart is {hello.symbol},{hello.period}, this one is {self._symbol},{self._period}",
            )
        if not hello.lines or len({line.name for line in hello.lines}) < len(hello.lines):
            raise MessageError("malformed", "hello: no lines, or two with one name")
        if hello.first > hello.last + 1:
            raise MessageError("malformed", f"hello: first {hello.first} is above last {hello.last}")
        if hello.stream != self.stream:
            self.stream, self.lines = hello.stream, hello.lines
            self._begin(max(hello.first, hello.last - self._keep + 1))
        elif hello.lines != self.lines:
            raise MessageError("changed", "hello: the lines of the stream have changed")
        elif hello.last < self.series.last:
            raise MessageError("changed", f"hello: last has fallen from {self.series.last} to {hello.last}")
        self._greeted, self._newest = True, hello.last

    def _take_values(self, values: Values) -> None:
        self._check_width(values.row)
        if values.seq <= self.series.last:
            self._check_same(values.seq, values.row)
            return
        if self._asked is None and values.seq == self.series.last + 1:
            self._append(values.row)
        self._newest = max(self._newest, values.seq)

    def _take_page(self, page: Page) -> None:
        if self._asked is None:
            raise MessageError("unexpected", "a page that was not requested")
        end = page.first + len(page.rows) - 1
        if page.first < self._asked or not page.rows or page.last < max(end, self._newest):
            raise MessageError("malformed", f"page: rows {page.first} to {end} of {page.last} for {self._asked}")
        if len(page.rows) < PAGE_ROWS and end < page.last:
            raise MessageError("malformed", f"page: {len(page.rows)} rows although {page.last - end} more follow")
        if page.first > self._asked:
            # The server has removed the rows in between.
            self._begin(page.first)
        for row in page.rows:
            self._check_width(row)
            self._append(row)
        self._newest = page.last
        self._asked = None

    def _request(self) -> History | None:
        """Ask for the rows that are missing, unless a page is on its way."""
        last = self.series.last
        if last >= self._newest:
            self._pages = 0
        if self._asked is not None or last >= self._newest:
            return None
        self._pages += 1
        if self._pages > self._keep // PAGE_ROWS + 1 + _MOST_EXTRA:
            raise MessageError(
                "endless", f"the history has no end: {self._pages} pages, the last row is {self._newest}"
            )
        oldest = self._newest - self._keep + 1
        if last + 1 < oldest:
            self._begin(oldest)
        self._asked = self.series.last + 1
        return History(self.stream, self._asked)

    def _begin(self, first: int) -> None:
        self.series.restart(first)
        self._reset()

    def _append(self, row: Row) -> None:
        series = self.series
        if series.first <= series.last and row.time <= series.newest.time:
            raise MessageError("malformed", f"the time of row {series.last + 1} is not above that of the row before")
        series.append(row)
        self._added(row)

    def _check_width(self, row: Row) -> None:
        if len(row.values) != len(self.lines):
            raise MessageError("malformed", f"a row of {len(row.values)} values for {len(self.lines)} lines")

    def _check_same(self, seq: int, row: Row) -> None:
        if seq >= self.series.first and self.series.row(seq) != row:
            raise MessageError("changed", f"the values of row {seq} have changed")


def error_of(error: MessageError) -> Error:
    """The message that tells the server why the client ends the connection."""
    return Error(error.code, str(error)[:500])

"""For the tests of the indicator feed: bars, a feed without sockets, and a terminal with a server and a client."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from ideas_kit import TIMER_MS
from signal_kit import Stage, closed_port

from demos.ideas.indicator.calculations import Bar
from demos.ideas.indicator.feed import Feed
from demos.ideas.indicator.indicators import make_indicators
from demos.registry import find_program
from demos.terminal.interfaces import Tick

HOUR = 3_600_000
STREAM = "0123456789abcdef" * 2
OTHER_STREAM = "f" * 32


def random_bars(count: int, seed: int = 1) -> list[Bar]:
    """Bars of a random walk, an hour each, with prices of five digits."""
    chance = random.Random(seed)
    bars, close = [], 110_000
    for number in range(count):
        prices = [close + chance.randrange(-40, 41) for _ in range(6)]
        close = prices[-1]
        shown = (each / 100_000 for each in (prices[0], max(prices), min(prices), close))
        bars.append(Bar(number * HOUR, *shown, len(prices)))
    return bars


def make_feed(count: int = 0, indicators: str = "sma:3,rsi:2", keep: int = 5000, stream: str = STREAM) -> Feed:
    """A feed of EURUSD,H1 that has calculated some bars; ``reports`` are its log lines."""
    reports: list[str] = []
    made = make_indicators(indicators, reports.append)
    feed = Feed(stream, "EURUSD", "H1", made, keep=keep, name="server", report=reports.append)
    feed.reports = reports  # type: ignore[attr-defined]
    for bar in random_bars(count):
        feed.take(bar)
    return feed


def hours(count: int) -> list[Tick]:
    """Ticks of EURUSD, four an hour; the last hour is not closed."""
    chance = random.Random(5)
    ticks, bid = [], 110_000
    for quarter in range(4 * count):
        bid += chance.randrange(-40, 41)
        ticks.append(Tick("EURUSD", quarter * HOUR // 4, bid, bid + 2))
    return ticks


class FeedStage(Stage):
    """A terminal with an indicator server, and with a client on a chart of its own. With a certificate they use TLS."""

    def __init__(
        self,
        *,
        client: bool = True,
        quotes: list[Tick] | None = None,
        certificate: Path | None = None,
        **inputs: object,
    ) -> None:
        self.port = closed_port()
        first = hours(1) if quotes is None else quotes
        tls = {"cert": str(certificate), "key": str(certificate.with_name("key.pem"))} if certificate else {}
        super().__init__("indicator_server", timer_ms=TIMER_MS, quotes=first, Port=self.port, **tls, **inputs)
        self.client: Any = None
        self.client_chart = 0
        if client:
            url = f"wss://localhost:{self.port}" if certificate else f"ws://127.0.0.1:{self.port}"
            given = {"url": url, "ca": str(certificate or "")}
            chart = self.terminal.attach(find_program("indicator_client"), "EURUSD", inputs=given)
            self.client, self.client_chart = chart.module, chart.id

    def quote(self, ticks: list[Tick]) -> None:
        """Have the market deliver further ticks."""
        self.terminal.market._quotes.extend(ticks)

    def values(self, chart: int) -> dict[str, dict[object, float]]:
        """The values of each line of a chart."""
        return {line.name: dict(line.values) for line in self.terminal.lines.of(chart)}


def hello_text(**fields: object) -> str:
    """The hello of a server with one line and ten rows."""
    line = {"name": "SMA(3)", "window": 0, "color": 255, "levels": []}
    hello = {"type": "hello", "version": 1, "server": "s", "stream": STREAM, "symbol": "EURUSD", "period": "H1"}
    return json.dumps({**hello, "first": 1, "last": 10, "lines": [line], **fields})


def values_text(seq: int, /, **fields: object) -> str:
    """The newest row, whose time and value follow from its seq."""
    return json.dumps({"type": "values", "stream": STREAM, "seq": seq, "row": row_of(seq), **fields})


def page_text(first: int, last: int, /, **fields: object) -> str:
    """A page with all rows from ``first`` on, at most 200."""
    rows = [row_of(seq) for seq in range(first, min(last, first + 199) + 1)]
    return json.dumps({"type": "page", "stream": STREAM, "first": first, "last": last, "rows": rows, **fields})


def row_of(seq: int) -> list[Any]:
    """The row with this seq as JSON."""
    return [seq * HOUR, [seq / 7]]

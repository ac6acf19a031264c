"""The overview: the state of the provider that the dashboard, /metrics, /healthz and the alerts read.

It is one dict of JSON values, made once a second from immutable rows: no sockets, no clock. Money, prices and lots are
decimal numbers in strings; times are milliseconds since 1970, except ``until`` of a ban, which is in seconds. Prices
have the symbol's digits, and up to two more when they are averages.

    time, server, version, stream, started, tls, paused
    checks_logins whether logins can be checked
    account_read  when the account was last read from the terminal; None: never
    last_tick     when the last tick arrived; None: never
    account       currency, balance, equity, hedging; None: of a proxy
    topics        of a proxy: [name, source, problem, subscribers, states]
    positions     [symbol, lots, price, sl, tp, profit, time, ticket]
    subscribers   [id, login, address, client, connected, seq, acked, lag_ms, held, wanted, drift, unsent, expert]
    totals        of all subscribers: subscribers, drifting, lag_ms (median), lag_max_ms, unsent; and bans
    bans          [address, login, until, level]
    counters      states, messages, bytes, logins, refusals, disconnects: they only rise
    log           [time, level, text], the newest last

``lag_ms`` of a subscriber is how long the oldest state that it has not acknowledged has been waiting for that; when all
are acknowledged, how long the last acknowledgement took; None before its first state.

A subscriber drifts in the symbols in which it holds something else than it wants. At most MOST_SUBSCRIBERS are listed,
first those that drift and then those with the longest lags; ``totals`` counts all. Of a subscriber at most MOST_SYMBOLS
are listed, those in which it drifts first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from heapq import nsmallest
from statistics import median_low
from typing import Any, NamedTuple, TypeAlias

from demos.provider.accounts import AccountState
from demos.provider.attempts import Ban
from demos.provider.fields import decimal_text

MOST_SUBSCRIBERS = 500
MOST_SYMBOLS = 50
MOST_BANS = 500
MOST_LOG_LINES = 200
LONGEST_LINE = 500

Overview: TypeAlias = dict[str, Any]


class ServerRow(NamedTuple):
    """What the program knows of itself. ``stream``: the run. Times are milliseconds since 1970."""

    server: str
    version: str
    stream: str
    started: int
    tls: bool
    paused: bool
    account_read: int | None = None
    last_tick: int | None = None
    checks_logins: bool = True


class PositionRow(NamedTuple):
    """An open position of the account; lots are negative for a sell, ``profit`` is in the account's currency.

    ``time``: when the provider has seen its lots change; 0: before it started. ``digits``: of the symbol's prices after
    the point; None: as many as a price needs.
    """

    symbol: str
    lots: Decimal
    price: Decimal
    sl: Decimal | None
    tp: Decimal | None
    profit: Decimal
    time: int
    ticket: int | None = None
    digits: int | None = None


class SubscriberRow(NamedTuple):
    """A connection of a subscriber. ``seq``: the state that it was sent, ``acked``: that it has acknowledged.

    ``lag_ms``: how long its last acknowledgement took; None: it has acknowledged nothing yet. ``waiting_since``: when
    the oldest state that it has not acknowledged was sent; None: it has acknowledged all. ``wanted``: None when the
    subscriber does not say.
    """

    id: int
    login: str
    address: str
    client: str
    connected: int
    seq: int
    acked: int
    lag_ms: int | None
    held: Mapping[str, Decimal]
    wanted: Mapping[str, Decimal] | None
    unsent: int
    expert: int
    waiting_since: int | None = None

    def lag_at(self, time: int) -> int | None:
        """How long the oldest state without an acknowledgement has been waiting, or the last acknowledgement took."""
        return self.lag_ms if self.waiting_since is None else max(0, time - self.waiting_since)


class TopicRow(NamedTuple):
    """A topic of a proxy. ``source``: the upstream server or the publisher's login; ``problem``: see TopicSource.

    ``states``: how many it has been given since its present stream began.
    """

    name: str
    source: str
    problem: str
    subscribers: int
    states: int


class Counters(NamedTuple):
    """Totals since the start.

    ``states``: published states of the account. ``messages`` and ``bytes``: sent to subscribers, with heartbeats,
    before TLS. ``logins`` and ``refusals``: of subscribers and operators. ``disconnects``: of subscribers.
    """

    states: int = 0
    messages: int = 0
    bytes: int = 0
    logins: int = 0
    refusals: int = 0
    disconnects: int = 0


class LogLine(NamedTuple):
    """``level``: info, warning, error or alert."""

    time: int
    level: str
    text: str


def overview(
    time: int,
    server: ServerRow,
    account: AccountState | None,
    positions: Iterable[PositionRow],
    subscribers: Sequence[SubscriberRow],
    bans: Sequence[Ban],
    counters: Counters,
    log: Sequence[LogLine],
) -> Overview:
    """The overview at ``time``; see the head of this module."""
    drifts = [drift_of(row.held, row.wanted) for row in subscribers]
    lags = [row.lag_at(time) for row in subscribers]
    return {
        "time": time,
        **server._asdict(),
        "account": account and _account(account),
        "topics": [],
        "positions": [_position(row) for row in positions],
        "subscribers": _subscribers(subscribers, drifts, lags),
        "totals": {**_totals(subscribers, drifts, lags), "bans": len(bans)},
        "bans": [
            {"address": ban.address, "login": ban.login, "until": ban.until, "level": ban.level}
            for ban in bans[:MOST_BANS]
        ],
        "counters": counters._asdict(),
        "log": [{**line._asdict(), "text": line.text[:LONGEST_LINE]} for line in log[-MOST_LOG_LINES:]],
    }


def with_topics(present: Overview, topics: Iterable[TopicRow]) -> Overview:
    """The overview of a proxy, with its topics."""
    return {**present, "topics": [row._asdict() for row in topics]}


def drift_of(held: Mapping[str, Decimal], wanted: Mapping[str, Decimal] | None) -> list[str]:
    """The symbols in which a subscriber holds something else than it wants; none when it does not say what it wants."""
    if wanted is None or held == wanted:
        return []
    return [symbol for symbol in sorted({*held, *wanted}) if held.get(symbol, 0) != wanted.get(symbol, 0)]


def _subscribers(
    rows: Sequence[SubscriberRow], drifts: Sequence[list[str]], lags: Sequence[int | None]
) -> list[dict[str, Any]]:
    def order(index: int) -> tuple[bool, int, int]:
        return not drifts[index], -(lags[index] or 0), index

    indexes: Iterable[int] = range(len(rows))
    if len(rows) > MOST_SUBSCRIBERS:
        indexes = nsmallest(MOST_SUBSCRIBERS, indexes, key=order)
    return [_subscriber(rows[index], drifts[index][:MOST_SYMBOLS], lags[index]) for index in indexes]


def _subscriber(row: SubscriberRow, drift: list[str], lag_ms: int | None) -> dict[str, Any]:
    """The row with the symbols that are listed."""
    held, wanted = row.held, row.wanted
    if len(held) + len(wanted or ()) > MOST_SYMBOLS:
        symbols = list(dict.fromkeys((*drift, *sorted(held), *sorted(wanted or ()))))[:MOST_SYMBOLS]
        held = {symbol: held[symbol] for symbol in symbols if symbol in held}
        wanted = wanted and {symbol: wanted[symbol] for symbol in symbols if symbol in wanted}
    plain = row._asdict()
    plain["held"] = _plain_lots(held)
    plain["wanted"] = plain["held"] if wanted is held else None if wanted is None else _plain_lots(wanted)
    plain["drift"] = drift
    plain["lag_ms"] = lag_ms
    del plain["waiting_since"]
    return plain


def _totals(
    rows: Sequence[SubscriberRow], drifts: Sequence[list[str]], all_lags: Sequence[int | None]
) -> dict[str, Any]:
    lags = [lag for lag in all_lags if lag is not None]
    return {
        "subscribers": len(rows),
        "drifting": sum(map(bool, drifts)),
        "lag_ms": median_low(lags) if lags else None,
        "lag_max_ms": max(lags, default=None),
        "unsent": sum(row.unsent for row in rows),
    }


def _account(account: AccountState) -> dict[str, Any]:
    return {
        "currency": account.currency,
        "balance": decimal_text(account.balance),
        "equity": decimal_text(account.equity),
        "hedging": account.hedging,
    }


def _position(row: PositionRow) -> dict[str, Any]:
    plain = row._asdict()
    for name, value in plain.items():
        if isinstance(value, Decimal):
            plain[name] = decimal_text(value)
    if row.digits is not None:
        for name in ("price", "sl", "tp"):
            if plain[name] is not None:
                plain[name] = _price_text(getattr(row, name), row.digits)
    del plain["digits"]
    return plain


def _price_text(price: Decimal, digits: int) -> str:
    """A price with this many digits after the point, and up to two more when it is an average of several prices."""
    text = f"{price:.{digits + 2}f}"
    return text[:-2] + text[-2:].rstrip("0") if digits else text.rstrip("0").rstrip(".")


def _plain_lots(lots: Mapping[str, Decimal]) -> dict[str, str]:
    return {symbol: decimal_text(value) for symbol, value in lots.items()}

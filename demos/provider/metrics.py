"""The metrics for Prometheus, from an overview, by the package prometheus-client.

The metrics are values of the whole provider: a metric for each login would make a time series for each customer, and
show the customers to everyone who may read the metrics.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from demos.provider.health import Health
from demos.provider.overview import Overview

try:
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as problem:
    raise ImportError('the provider needs more packages: python -m pip install -e ".[provider]"') from problem

METRICS_TYPE = CONTENT_TYPE_LATEST

_PREFIX = "provider_"
_COUNTERS = {
    "states": "States of the account that were published",
    "messages": "Messages that were sent to subscribers, with heartbeats",
    "bytes": "Bytes of the messages that were sent to subscribers, before TLS",
    "logins": "Logins of subscribers and operators that were accepted",
    "refusals": "Logins of subscribers and operators that were refused",
    "disconnects": "Connections of subscribers that ended",
}


class _Provider(Collector):
    """One scrape: the metrics of an overview."""

    def __init__(self, overview: Overview | None, health: Health) -> None:
        self._overview, self._health = overview, health

    def collect(self) -> Iterator[Metric]:
        yield _gauge("healthy", "1 while subscribers get the account's present state", float(self._health.healthy))
        if self._overview is None:
            return
        yield from _server(self._overview)
        if self._overview["account"] is not None:
            yield from _account(self._overview)
        yield from _topics(self._overview)
        yield from _subscribers(self._overview)
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(_PREFIX + name, text, value=self._overview["counters"][name])


def metrics_text(overview: Overview | None, health: Health) -> bytes:
    """The metrics in Prometheus's text format; only the health before the first overview."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Provider(overview, health))
    return generate_latest(registry)


def _server(overview: Overview) -> Iterator[Metric]:
    names = {"server": overview["server"], "version": overview["version"], "stream": overview["stream"]}
    yield InfoMetricFamily(_PREFIX + "build", "The provider's name, version and run", value=names)
    yield _gauge("start_time_seconds", "When the program started, in seconds since 1970", overview["started"] / 1000)
    yield _gauge("overview_time_seconds", "When these values were made, in seconds since 1970", overview["time"] / 1000)
    yield _gauge("paused", "1 while an operator has paused the provider", float(overview["paused"]))
    yield _gauge("bans", "Bans in force", overview["totals"]["bans"])
    for name, key in (("account_read_time_seconds", "account_read"), ("tick_time_seconds", "last_tick")):
        if overview[key] is not None:
            text = "the account was read" if key == "account_read" else "a tick arrived"
            yield _gauge(name, f"When {text} last, in seconds since 1970", overview[key] / 1000)


def _account(overview: Overview) -> Iterator[Metric]:
    account = overview["account"]
    for name in ("balance", "equity"):
        family = GaugeMetricFamily(f"{_PREFIX}account_{name}", f"The account's {name}", labels=["currency"])
        family.add_metric([account["currency"]], float(account[name]))
        yield family
    lots: defaultdict[str, Decimal] = defaultdict(Decimal)
    profit: defaultdict[str, Decimal] = defaultdict(Decimal)
    for position in overview["positions"]:
        lots[position["symbol"]] += Decimal(position["lots"])
        profit[position["symbol"]] += Decimal(position["profit"])
    for name, text, values in (("lots", "Lots held", lots), ("profit", "Profit of the open positions", profit)):
        family = GaugeMetricFamily(f"{_PREFIX}position_{name}", text, labels=["symbol"])
        for symbol, value in sorted(values.items()):
            family.add_metric([symbol], float(value))
        yield family


def _topics(overview: Overview) -> Iterator[Metric]:
    texts = {
        "live": "1 while the topic has the newest state of its source",
        "subscribers": "Connections of subscribers of the topic",
    }
    for name, text in texts.items():
        family = GaugeMetricFamily(f"{_PREFIX}topic_{name}", text, labels=["topic"])
        for topic in overview["topics"]:
            value = not topic["problem"] if name == "live" else topic["subscribers"]
            family.add_metric([topic["name"]], float(value))
        if overview["topics"]:
            yield family


def _subscribers(overview: Overview) -> Iterator[Metric]:
    totals = overview["totals"]
    yield _gauge("subscribers", "Connections of subscribers", totals["subscribers"])
    yield _gauge("subscribers_drifting", "Subscribers that hold something else than they want", totals["drifting"])
    yield _gauge("unsent_bytes", "Bytes that wait to be sent to subscribers", totals["unsent"])
    for name, key in (("median", "lag_ms"), ("max", "lag_max_ms")):
        if totals[key] is not None:
            text = f"The {name} time until subscribers acknowledge a state"
            yield _gauge(f"lag_{name}_seconds", text, totals[key] / 1000)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)

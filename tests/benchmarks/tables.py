"""The tables of notes/performance.md, notes/scaling.md and notes/figures.md, from the files in results/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .configurations import CONFIGURATIONS, kept
from .measuring import CHECKOUT
from .subscribers import figures as subscribers_figures

BEGIN = "<!-- generated: python -m tests.benchmarks.report --write -->"
END = "<!-- end of the generated part -->"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Row:
    label: str
    benchmarks: tuple[str, ...]  # the first one that the configuration has
    against: str = "socket"
    target: float | None = None
    in_summary: bool = False


RATIOS = (
    Row("recv that finds nothing", ("recv-nothing",), target=0.40, in_summary=True),
    Row(
        "mean time of a timer event with a recv for each of 100 clients, while another thread computes",
        ("timer-100",),
        target=0.05,
        in_summary=True,
    ),
    Row("median of these events", ("timer-100-median",)),
    Row("95th percentile of these events", ("timer-100-p95",)),
    Row("send + recv, 64 bytes over TCP", ("send-recv",), target=0.97, in_summary=True),
    Row("sendto + recvfrom, 64 bytes, addresses in bytearrays", ("sendto-bytes",), target=0.85, in_summary=True),
    Row("sendto + recvfrom, 64 bytes, addresses in structures", ("sendto-recvfrom",), target=0.85, in_summary=True),
    Row("accept + close", ("accept-close",), target=0.95, in_summary=True),
    Row("one message to 100 clients, one `send` each", ("fan-out-100",)),
    Row("one message to 1,000 clients, one `send` each", ("fan-out-1000",), target=0.97, in_summary=True),
    Row("", ("fan-out-1000",), "asyncio"),
    Row("one message to 100 clients, by `winsock.batch.send_many`", ("batch-100",)),
    Row("one message to 1,000 clients, by `winsock.batch.send_many`", ("batch-1000",), in_summary=True),
    Row("", ("batch-1000",), "C loop", target=1.02, in_summary=True),
    Row("WSAPoll over 1,000 sockets, one ready", ("poll-1000",), "select.poll", in_summary=True),
    Row("WSAPoll over 10,000 sockets, one ready", ("poll-10000",), "select.poll"),
    Row("the terminal's event loop: poll 1,000 sockets, find the ready one", ("events-1000",), "select.poll"),
    Row("the terminal's event loop: poll 10,000 sockets, find the ready one", ("events-10000",), "select.poll"),
    Row("WSAPoll over 500 sockets, one ready (Windows has no `select.poll`)", ("poll-500",), "select.select"),
    Row(
        "select over 1,000 sockets, one ready (on Windows 500)",
        ("select-1000", "select-500"),
        "select.select",
        None,
        True,
    ),
    Row("", ("select-1000",), "select.poll"),
    Row(
        "FD_SET of 1,000 sockets, then select (on Windows 500)",
        ("fd-set-1000", "fd-set-500"),
        "select.select",
        None,
        True,
    ),
    Row("receiving ticks and storing them in SQLite, as `demos/collector` does", ("ticks-100",)),
)


@dataclass(frozen=True)
class Amount:
    """A row with amounts instead of ratios."""

    label: str
    benchmark: str
    against: str
    shown: Callable[[Figures], tuple[float, float | None]]  # of winsock, and of Python's own module
    unit: str
    digits: int = 0
    target: float | None = None


def both(result: Figures) -> tuple[float, float | None]:
    return result["winsock"], result["other"]


def microseconds(result: Figures) -> tuple[float, float | None]:
    return result["winsock"] / 1e3, result["other"] / 1e3


def own_microseconds(result: Figures) -> tuple[float, float | None]:
    return result["winsock"] / 1e3, None


def milliseconds(result: Figures) -> tuple[float, float | None]:
    return result["winsock"] / 1e6, result["other"] / 1e6


def beyond(result: Figures) -> tuple[float, float | None]:
    """Milliseconds more than the import of the other module."""
    return (result["winsock"] - result["other"]) / 1e6, None


# The parts of the time from a trade to its copy; see account_latency.py.
PARTS = (
    ("published", "the provider reads its account, and makes the new state"),
    ("sent", "its expert's thread wakes up, and encodes the state"),
    ("received", "encryption and transfer, the copier wakes up, decryption"),
    ("accepted", "the copier decodes the state"),
    ("decided", "it reads its account, and decides"),
    ("ordered", "it stores what it must not forget"),
    ("filled", "the account executes the order"),
)

AMOUNTS = (
    Amount("import time beyond `import ctypes`", "import", "ctypes", beyond, "ms", target=30),
    Amount("mean time of the timer event above", "timer-100", "socket", microseconds, "µs"),
    Amount("95th percentile of its times", "timer-100-p95", "socket", microseconds, "µs"),
    Amount(
        "from a trade to its copy, `provider --fast` to `copier --fast`, timers of 1 s (other: one send and recv)",
        "copy-lag",
        "socket",
        milliseconds,
        "ms",
        2,
        target=2,
    ),
    Amount("99th percentile of these times", "copy-lag-p99", "socket", milliseconds, "ms", 2, target=10),
    Amount(
        "from a trade to its copy, `provider` to `copier --url` over TLS, timers of 1 s (other: one send and recv)",
        "account-lag",
        "socket",
        milliseconds,
        "ms",
        2,
        target=2,
    ),
    Amount("99th percentile of these times", "account-lag-p99", "socket", milliseconds, "ms", 2, target=10),
    *(Amount(f"part of them: {text}", f"account-lag-{part}", "socket", own_microseconds, "µs") for part, text in PARTS),
    Amount("publish a trade in a hedging account of 200 positions", "publish-200", "json", milliseconds, "ms", 1),
    Amount("decide about 200 symbols, and send one order", "decide-200", "json", milliseconds, "ms", 1),
    Amount("memory of an accepted socket", "memory", "socket", both, "B"),
    Amount("CPU time with 10,000 idle clients, WSAPoll every 100 ms", "idle-server", "select.poll", both, "%", 1),
    Amount(
        "… with a recv for each client instead", "idle-server", "recv of each", lambda one: (one["other"], None), "%", 1
    ),
)


def found(figures: Figures, benchmarks: tuple[str, ...], against: str) -> Figures | None:
    return next((one for one in figures["results"] if one["name"] in benchmarks and one["against"] == against), None)


def ratio(amount: float) -> str:
    return f"{amount:.1f}" if amount >= 10 else f"{amount:.2f}" if amount >= 0.1 else f"{amount:.2g}"


def ratio_cell(result: Figures | None, target: float | None) -> str:
    """The median of the runs, bold if it misses the target; the range of the runs if it is wider than 5 %."""
    if result is None:
        return ""
    text = ratio(result["ratio"])
    if target is not None and float(text) > target:
        text = f"**{text}**"
    low, high = min(result["ratios"]), max(result["ratios"])
    return f"{text} ({ratio(low)} to {ratio(high)})" if high - low > 0.05 * result["ratio"] else text


def line(cells: list[str]) -> str:
    return ("| " + " | ".join(cells) + " |").replace("|  |", "| |").replace("|  |", "| |")


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [line(head), line(["---"] * len(head)), *map(line, rows), ""]


def ratios(configurations: list[Figures], in_summary: bool = False) -> list[str]:
    head = ["", "compared with", "target", *[CONFIGURATIONS[one["configuration"]].title for one in configurations]]
    rows = []
    for row in RATIOS:
        if row.in_summary < in_summary:
            continue
        cells = [
            # The targets are the accelerator's.
            ratio_cell(found(one, row.benchmarks, row.against), row.target if place == 0 else None)
            for place, one in enumerate(configurations)
        ]
        if not any(cells):
            continue
        target = "" if row.target is None else f"{row.target:.2f}"
        rows.append(
            [
                row.label or "the same",
                row.against.join("``" if "loop" not in row.against else ["a ", ""]),
                target,
                *cells,
            ]
        )
    return table(head, rows)


def amount_cell(amount: float | None, row: Amount, target: float | None) -> str:
    if amount is None:
        return ""
    text = f"{amount:.{row.digits}f}"
    return f"**{text} {row.unit}**" if target is not None and float(text) > target else f"{text} {row.unit}"


def amounts(configurations: list[Figures]) -> list[str]:
    titles = [CONFIGURATIONS[one["configuration"]].title for one in configurations]
    rows = []
    for row in AMOUNTS:
        results = [found(one, (row.benchmark,), row.against) for one in configurations]
        if not any(results):
            continue
        shown = [row.shown(one) if one else (None, None) for one in results]
        cells = [amount_cell(one[0], row, row.target if place == 0 else None) for place, one in enumerate(shown)]
        target = "" if row.target is None else f"{row.target:.0f} {row.unit}"
        rows.append([row.label, target, *cells, amount_cell(shown[0][1], row, None)])
    return table(["", "target", *titles, "Python's own module"], rows)


def origins(configurations: list[Figures]) -> list[str]:
    """When and where each configuration was measured."""
    rows = []
    for one in configurations:
        here, load = one["environment"], one["load_average_before"]
        machine = f"{here['cpus']} of {here['processor']}"
        title, command = CONFIGURATIONS[one["configuration"]].title, f"`{one['command']}`"
        system = f"{here['python']}, {' '.join(here['platform'].split('-')[:2])}"
        rows.append([title, system, machine, one["date"], command, str(one["runs"]), str(load[0])])
    return table(["configuration", "system", "processors", "date", "command", "runs", "load before"], rows)


def subscribers(comparison: str) -> list[str]:
    """The servers with thousands of subscribers, and how they were measured; nothing before they were."""
    figures = kept(comparison)
    if not figures:
        return []
    plan = figures["plan"]
    head, *rows = subscribers_figures.rows(figures)
    head[0] = f"{plan['count']:,} subscribers over TLS"
    processes = f"the server and the {plan['processes']} processes of subscribers"
    return [*table(head, rows), origin(figures, processes), ""]


def tree() -> list[str]:
    """The trees of proxies, and how they were measured; nothing before they were."""
    figures = kept("tree")
    if not figures:
        return []
    head, *others = subscribers_figures.tree_rows(figures)
    processes = f"the provider, the proxies and one process of {figures['plan']['count']} subscribers"
    return [*table(head, others), origin(figures, processes), ""]


def origin(figures: Figures, processes: str) -> str:
    """On which machine and when this was measured."""
    here, updates, load = figures["environment"], figures["plan"]["updates"], figures["load_average_before"]
    return (
        f"{here['cpus']} of {here['processor']} for {processes}; {here['python']}, {figures['date']}, "
        f"load before {load[0]}; two turns with {updates} updates each."
    )


def generated() -> dict[Path, str]:
    """The generated part of each page."""
    configurations = [figures for name in CONFIGURATIONS if (figures := kept(name))]
    page = [*ratios(configurations), *amounts(configurations), *origins(configurations), *subscribers("subscribers")]
    summary = ratios(configurations, in_summary=True)
    return {
        CHECKOUT / "notes" / "performance.md": "\n".join([BEGIN, "", *page, END]),
        CHECKOUT / "notes" / "scaling.md": "\n".join([BEGIN, "", *subscribers("broker"), *tree(), END]),
        CHECKOUT / "notes" / "figures.md": "\n".join([BEGIN, "", *summary, END]),
    }


def present(page: Path) -> str:
    """The generated part that the page contains now.

    Errors: ValueError if a marker is missing.
    """
    text = page.read_text(encoding="utf-8")
    begin = text.index(BEGIN)
    return text[begin : text.index(END, begin) + len(END)]


def write() -> None:
    for page, part in generated().items():
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(present(page), part), encoding="utf-8", newline="\n")

"""How long the page of a picture takes for a step in headless Chromium, with 100,000 calls of four programs.

    python -m tests.benchmarks.page                  prints a table
    python -m tests.benchmarks.page --calls 500000   with another number of calls
    python -m tests.benchmarks.page --write          also writes the table to notes/trace-page.md

A time is from the input to the end of the frame that shows its result: the script, the layout and the drawing. A frame
is drawn every 17 ms, so a shorter time cannot be seen. The last column is the longest CPU time of the page's thread,
which does not depend on the other programs of the machine. The goal is less than 100 ms for each step.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.kits.browser_kit import BROWSER, Page, browser
from tests.kits.page_kit import conversation
from winsock.command_line import run_command
from winsock.trace.page import page

from .measuring import CHECKOUT

_GOAL = 100.0
NOTE = CHECKOUT / "notes" / "trace-page.md"
BEGIN, END = "<!-- measured by python -m tests.benchmarks.page -->\n", "<!-- end -->\n"

# Resolves after the frame that shows the result of `act`.
_MEASURE = """
window.measure = async acts => {
  const times = [];
  for (const act of acts) {
    const start = performance.now();
    act();
    await new Promise(done => requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }));
    times.push(performance.now() - start);
  }
  return times;
};
window.times = (count, act) => Array.from({length: count}, (_, k) => () => act(k));
window.click = selector => () => document.querySelector(selector).click();
window.typed = text => Array.from(text, (_, k) => () => {
  query.value = text.slice(0, k + 1);
  query.dispatchEvent(new Event("input"));
});
window.key = (key, shiftKey = false) => () =>
  document.body.dispatchEvent(new KeyboardEvent("keydown", {key, shiftKey, bubbles: true, cancelable: true}));
0"""

# Each step with the list of actions that are measured.
_STEPS = {
    "scroll by a screen": "times(40, () => { scroll.scrollTop += 700; })",
    "scroll to any place": "times(40, k => { scroll.scrollTop = (k * 7919 % 41) / 41 * scroll.scrollHeight; })",
    "filter a kind of calls": "[...times(6, click('#groups [data-value=data]')), click('#reset')]",
    "filter a program": "[...times(6, click('#lanes [data-value=lane-1]')), click('#reset')]",
    "filter errors": "[...times(6, click('#groups [data-value=errors]')), click('#reset')]",
    "search, each letter": "[...typed('recv'), ...typed('EURUSD|8.8'), ...typed('no such text')]",
    "next match": "[...typed('8.8').slice(-1), ...times(40, key('n'))].slice(1)",
    "filter matches": "[...times(6, click('#only')), click('#reset')]",
    "next call": "times(40, key('ArrowDown'))",
    "next error": "times(40, key('e'))",
    "the matching call": "times(20, k => k % 2 ? key('m')() : key('ArrowDown')())",
    "reveal the next call": "[...times(20, key(' ')), key('Escape')]",
    "view by time or by order": "times(6, key('t'))",
    "scroll in the view by time": "[key('t'), ...times(40, k => { scroll.scrollTop = k / 41 * scroll.scrollHeight; })]",
    "zoom": "[...times(4, key('-')), ...times(4, key('+')), key('0')]",
}


def measured(window: Page) -> Iterator[tuple[str, list[float], float]]:
    """Each step with its times, and the longest CPU time of the page's thread, in milliseconds."""
    window.value(_MEASURE)
    window.call("Performance.enable", timeDomain="threadTicks")
    for name, acts in _STEPS.items():
        count = window.value(f"(scroll => (window.acts = {acts}).length)(document.getElementById('scroll'))")
        times, most, before = [], 0.0, cpu_time(window)
        for number in range(count):
            times += window.value(f"measure([acts[{number}]])")
            after = cpu_time(window)
            most, before = max(most, after - before), after
        yield name, times, most


def cpu_time(window: Page) -> float:
    """The CPU time that the page's thread has used, in milliseconds."""
    metrics = window.call("Performance.getMetrics")["metrics"]
    return 1000 * next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


def report(calls: int) -> tuple[list[str], float]:
    """Print the table and what was measured; returns the table's lines, and the longest CPU time in milliseconds."""
    talk = conversation(4, int(calls / 2.24))
    start = time.process_time()
    text = page(talk.timeline(), "benchmark")
    made = time.process_time() - start
    lines, slowest, most = ["| step | median | longest | longest CPU time |", "| --- | --- | --- | --- |"], 0.0, 0.0
    with TemporaryDirectory(ignore_cleanup_errors=True) as name, browser(Path(name)) as window:
        file = Path(name, "page.html")
        file.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        window.open(file.as_uri())
        window.drawn()
        opened = time.perf_counter() - start
        shown = ",".join(window.text("#summary").split(",")[0:2])
        print(f"{shown}: {len(text) / 1e6:.1f} MB, made in {made:.1f} s of CPU time, opened in {opened:.1f} s\n")
        print(*lines, sep="\n", flush=True)
        for step, times, cpu in measured(window):
            lines.append(f"| {step} | {statistics.median(times):.0f} ms | {max(times):.0f} ms | {cpu:.0f} ms |")
            print(lines[-1], flush=True)
            slowest, most = max(slowest, *times), max(most, cpu)
        if window.problems:
            raise RuntimeError("\n".join(window.problems))
    print(f"\nlongest step: {slowest:.0f} ms, {most:.0f} ms of CPU time; goal: below {_GOAL:.0f} ms")
    load = f"{os.getloadavg()[0]:.0f} processes" if hasattr(os, "getloadavg") else "an unknown number of processes"
    return [*lines, "", f"While this was measured, {load} shared the machine's {os.cpu_count()} CPUs."], most


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--calls", type=int, default=100_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--write", action="store_true", help="also write the table to notes/trace-page.md")
    options = parser.parse_args(arguments)
    if BROWSER is None:
        parser.error("Chromium is not installed: apt-get install --no-install-recommends chromium")
    lines, cpu = report(options.calls)
    if options.write:
        before, _, rest = NOTE.read_text(encoding="utf-8").partition(BEGIN)
        table = "\n".join(lines) + "\n"
        NOTE.write_text(before + BEGIN + table + END + rest.partition(END)[2], encoding="utf-8", newline="\n")
    return int(cpu >= _GOAL)


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.benchmarks.page", main))

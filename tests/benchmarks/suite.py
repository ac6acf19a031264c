"""All benchmarks, in the order of the table."""

from . import (
    account_latency,
    fan_out,
    footprint,
    latency,
    many_clients,
    ticks,
    timer_events,
    transfers,
    waiting,
)

BENCHMARKS = (
    *transfers.BENCHMARKS,
    *timer_events.BENCHMARKS,
    *fan_out.BENCHMARKS,
    *waiting.BENCHMARKS,
    *many_clients.BENCHMARKS,
    *latency.BENCHMARKS,
    *account_latency.BENCHMARKS,
    *footprint.BENCHMARKS,
    *ticks.BENCHMARKS,
)

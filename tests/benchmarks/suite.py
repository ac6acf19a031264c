"""All benchmarks, in the order of the table."""

from . import fan_out, footprint, many_clients, ticks, transfers, waiting

BENCHMARKS = (
    *transfers.BENCHMARKS,
    *fan_out.BENCHMARKS,
    *waiting.BENCHMARKS,
    *many_clients.BENCHMARKS,
    *footprint.BENCHMARKS,
    *ticks.BENCHMARKS,
)

"""All benchmarks, in the order of the table."""

from . import fan_out, footprint, ticks, transfers, waiting

BENCHMARKS = (
    *transfers.BENCHMARKS,
    *fan_out.BENCHMARKS,
    *waiting.BENCHMARKS,
    *footprint.BENCHMARKS,
    *ticks.BENCHMARKS,
)

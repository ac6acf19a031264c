"""All benchmarks, in the order of the table."""

from . import crowd, fan_out, footprint, ticks, transfers, waiting

BENCHMARKS = (
    *transfers.BENCHMARKS,
    *fan_out.BENCHMARKS,
    *waiting.BENCHMARKS,
    *crowd.BENCHMARKS,
    *footprint.BENCHMARKS,
    *ticks.BENCHMARKS,
)

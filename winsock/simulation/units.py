"""Units of simulated time, which is a whole number of nanoseconds everywhere."""

MILLISECOND, SECOND = 1_000_000, 1_000_000_000

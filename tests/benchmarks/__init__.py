"""Measures the cost of winsock's calls relative to the same work done with Python's own modules in the same run.

    python -m tests.benchmarks                  all benchmarks, in about a minute (several minutes on Wine)
    python -m tests.benchmarks --quick          a tenth of the rounds
    python -m tests.benchmarks --only fan-out-1000 --json fan-out.json

Run it from the checkout, with winsock installed. All sockets are on loopback. In each round, every variant does the
same work twice, in the order A B B A, so that neither other load on the machine nor the order of the variants matters.
A row shows the median of the rounds' ratios, and their quartiles as the spread; a ratio below 1 means that winsock is
faster. The times next to it are medians for a single operation, including the loop around it. The cyclic garbage
collector is off, as in timeit. Run the benchmarks twice: figures whose spreads overlap do not differ.

Where single operations differ much, a benchmark has a row for each statistic of a round's times, such as the mean and
the 95th percentile.

The docstring of each benchmark says what its variants do.
"""

"""What winsock's calls cost, beside the same work done with Python's own modules in the same run.

    python -m tests.benchmarks                  everything, in about a minute (minutes under Wine)
    python -m tests.benchmarks --quick          a tenth of the rounds
    python -m tests.benchmarks --only fan-out-1000 --json fan-out.json

It is run from the checkout, with winsock installed; all sockets are on loopback. In every round each contestant does
the same work twice, there and back (A B B A), so that it matters neither what else the machine is doing nor who comes
after whom. A row tells the median of the rounds' ratios and, as its spread, their quartiles; a ratio under 1 means that
winsock is faster. The times beside it are medians of a single operation, the loop around it included; the cyclic
garbage collector rests, as under timeit. Run it twice: figures whose spreads overlap do not differ.

What counts as the same work, where that is not plain, stands beside each benchmark.
"""

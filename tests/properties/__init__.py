"""Property tests: random programs of calls, checked on any backend and compared with Wine.

    python -m tests.properties hunt 60             search for differences between compat and Wine for a minute
    python -m tests.properties export 500 FILE     write 500 programs, the same each time
    python -m tests.properties run FILE TRACES     run them on this backend
    python -m tests.properties compare A B FILE    show the programs of FILE whose traces in A and B differ

A program is data: {"start": a situation of situations.py, "nonblocking": bool, "steps": [[call, argument, …], …]}. An
argument is a number, None, or a list that starts with its kind, see arguments.py. Slots are the numbers of a program's
sockets, in the order of their creation. programs.py is the strategy that generates programs, generating.py runs it with
hypothesis, running.py and interpreter.py execute a program and return its trace, comparing.py finds the first
difference between two traces, and known.py lists the accepted differences.
"""

"""Random programs of calls, and what is true of each, on any backend and against Wine.

    python -m tests.properties hunt 60             look for differences between compat and Wine for a minute
    python -m tests.properties export 500 FILE     write 500 programs, the same each time
    python -m tests.properties run FILE TRACES     run them on the backend at hand
    python -m tests.properties compare A B FILE    where two files of traces differ, with the programs

A program is data: {"start": a situation of situations.py, "nonblocking": bool, "steps": [[call, argument, …], …]}. An
argument is a number, None, or a list that begins with its kind, see arguments.py. Slots number a program's sockets in
the order in which they came about. programs.py makes programs, generating.py has hypothesis try them, running.py and
interpreter.py run them to a trace, comparing.py says where two traces differ, and known.py which differences are known.
"""

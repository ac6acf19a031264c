"""How Winsock answers: scenarios on the API, what Windows says in each, and a runner that compares a backend with it.

    python -m tests.conformance                           run all scenarios here, compare
    python -m tests.conformance recv_of_nothing oob       run those, or those of a concern
    tests/wine/run python -m tests.conformance record     take down anew what Wine's ws2_32.dll answers

Each scenario is a procedure in scenarios/ that tells a Recorder what it sees. Its entry in recordings/ has Wine's
answers under "wine" and, under "windows", those in which Windows differs, each with its source: `answers` are the
accepted ones, more than one where versions of Windows or the sources disagree.
"""

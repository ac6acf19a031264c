"""Conformance tests: scenarios of Winsock calls, recorded answers, and a runner that compares a backend with them.

    python -m tests.conformance                           run all scenarios and compare
    python -m tests.conformance recv_of_nothing oob       run these scenarios, or all scenarios of a module
    python -m tests.conformance notes                     write the generated part of notes/differences.md
    tests/wine/run python -m tests.conformance record     record the answers of Wine's ws2_32.dll again

Each scenario is a function in scenarios/ that makes calls and passes each result to a Recorder. Its entry in
recordings/ has the answers of Wine under "wine" and, under "windows", the answers in which Windows differs, each with
its source. `answers` lists the accepted answers; there are several if versions of Windows or the sources disagree.
"""

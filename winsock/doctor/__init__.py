"""Diagnoses why a client cannot reach its server, and compares an MQL program's declarations with Winsock's.

    python -m winsock.doctor                    WSAStartup, backend, and TCP and UDP round trips on loopback
    python -m winsock.doctor port 8081          can a server bind to this port, and which process uses it?
    python -m winsock.doctor address 10.0.0.5   does the address belong to this machine?
    python -m winsock.doctor reach HOST 8081    can a client connect, how long does it take, and if not, why?
    python -m winsock.doctor error 10061        what does this error mean, and what can be done?
    python -m winsock.doctor layout FILE.mqh    structures, constants, macros and imports of MQL source

The exit code is 0 if everything is fine, 1 if something is wrong, 2 for invalid options or an output that cannot be
written; --json prints one object.

How it works: each command runs checks, and each check returns Findings (findings.py): a result in words, advice, and
facts for --json. The network checks (checks.py, ports.py) use only the public calls of `winsock` (probes.py), so they
fail where a program of the user would fail. A call that fails raises Failure with its error code, and advice.py says
what to do about that code.

The layout command reads MQL source and the files that it includes (source_files.py) as tokens (mql_source.py). It
parses the declarations (declarations.py): structures, constants and typedefs (mql_structs.py, mql_expressions.py) and
imported functions (mql_imports.py). It computes the offsets of the fields as MQL and C do (offsets.py) and compares
them with Winsock's structures (layout.py), then the constants and macros (definitions.py), the functions
(prototypes.py), and the variable that WSAStartup fills in (startup_buffers.py).
"""

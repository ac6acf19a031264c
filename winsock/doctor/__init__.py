"""One command that checks what a client and a server need of this machine, and MQL structures against Winsock's.

    python -m winsock.doctor                    start-up, backend, a round trip by TCP and by UDP on loopback
    python -m winsock.doctor port 8081          whether a server can have the port, and who holds it
    python -m winsock.doctor address 10.0.0.5   whether an address is of this machine
    python -m winsock.doctor reach HOST 8081    whether a client can connect, in which time, and if not why
    python -m winsock.doctor error 10061        what an error means, and what to do
    python -m winsock.doctor layout FILE.mqh    sizes and offsets of an MQL program's structures beside Winsock's

The exit code is 0 when all is well, 1 when something is wrong, 2 for bad options; --json prints one object.
"""

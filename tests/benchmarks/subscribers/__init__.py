"""A provider with thousands of subscribers over TLS WebSockets, and a server that is written with `websockets`.

    python -m tests.benchmarks.subscribers                  500 subscribers, in about four minutes
    python -m tests.benchmarks.subscribers --count 10000    needs 10,200 file descriptors in each process (ulimit -n)

The servers are processes: the program `provider` with 1, 2 and 4 experts (threads), and the comparison server, which
does the same work with the library `websockets` on asyncio (websockets_server.py). Each is measured alone, in the order
A B C D D C B A, with subscribers in further processes on the same machine (load.py). All sockets are on loopback.

A subscriber logs in with a token, gets a snapshot and acknowledges each state. A trade is a command on the server's
standard input. The time of delivery is that from the command until a subscriber's process has received the bytes;
it decrypts and acknowledges them when nothing more arrives, so that the subscribers take no time from the server while
it sends. The memory and CPU time are those of the server's process: the resident memory beyond that before the first
subscriber, divided by their number, and the CPU time beyond that of a server without subscribers.
"""

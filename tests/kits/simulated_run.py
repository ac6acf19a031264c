"""A simulated run, for a Python process of its own: prints a digest of all its traces, and leaves them in a folder.

    python simulated_run.py FOLDER SEED (plain | tls) SECONDS

SECONDS is added to the machine's clock before anything else is imported: the process runs on another day.
"""

from __future__ import annotations

import sys
import time

_real_time, _real_time_ns, _shift = time.time, time.time_ns, int(sys.argv[4])
time.time = lambda: _real_time() + _shift
time.time_ns = lambda: _real_time_ns() + _shift * 10**9

import datetime  # noqa: E402 - after the clock was changed
import hashlib  # noqa: E402
import ssl  # noqa: E402
from collections.abc import Callable  # noqa: E402
from ctypes import c_int  # noqa: E402
from pathlib import Path  # noqa: E402

import winsock  # noqa: E402
from winsock import (  # noqa: E402
    AF_INET,
    INVALID_SOCKET,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    in_addr,
    sockaddr_in,
)
from winsock.simulation.dispatch import running_process  # noqa: E402
from winsock.simulation.network import Network  # noqa: E402

PORT = 9090
SECONDS = 60
TURNS = 30


def start() -> None:
    assert winsock.WSAStartup(0x0202, WSADATA()) == 0


def address(ip: str) -> sockaddr_in:
    return sockaddr_in(AF_INET, winsock.htons(PORT), in_addr(winsock.inet_addr(ip)))


def serve(contexts: Callable[[], tuple[ssl.SSLContext | None, ssl.SSLContext | None]]) -> None:
    """Answer each connection and each datagram, one after the other."""
    start()
    listener = winsock.socket(AF_INET, SOCK_STREAM, 0)
    assert winsock.bind(listener, address("0.0.0.0"), 16) == 0
    assert winsock.listen(listener, 5) == 0
    while True:
        peer = sockaddr_in()
        connection = winsock.accept(listener, peer, c_int(16))
        if connection != INVALID_SOCKET:
            set_time_out(connection)
            talk(connection, contexts()[0], answer=True)
            winsock.closesocket(connection)


def trade(contexts: Callable[[], tuple[ssl.SSLContext | None, ssl.SSLContext | None]]) -> None:
    """Connect again and again, and send messages of random sizes."""
    start()
    process = running_process()
    while True:
        s = winsock.socket(AF_INET, SOCK_STREAM, 0)
        set_time_out(s)
        if winsock.connect(s, address("10.0.0.1"), 16) == 0:
            talk(s, contexts()[1], answer=False)
        winsock.closesocket(s)
        process.sleep(process.random.uniform(0.1, 2))


def gossip() -> None:
    """Send datagrams to a host that may not listen."""
    start()
    process = running_process()
    s = winsock.socket(AF_INET, SOCK_DGRAM, 0)
    set_time_out(s)
    while True:
        size = process.random.randrange(1000)
        winsock.sendto(s, bytes(size), size, 0, address("10.0.0.1"), 16)
        winsock.recv(s, bytearray(10), 10, 0)
        process.sleep(1)


def set_time_out(s: int) -> None:
    winsock.setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (2000).to_bytes(4, "little"), 4)


def talk(s: int, context: ssl.SSLContext | None, answer: bool) -> None:
    """Exchange messages until the connection ends, with TLS if there is a context."""
    process = running_process()
    if context is not None:
        talk_tls(s, context, answer)
        return
    for _ in range(TURNS):
        if not answer:
            message = process.random.randbytes(process.random.randrange(1, 4000))
            if winsock.send(s, message, len(message), 0) == SOCKET_ERROR:
                return
        buffer = bytearray(4096)
        count = winsock.recv(s, buffer, len(buffer), 0)
        if count <= 0 or (answer and winsock.send(s, buffer, count, 0) == SOCKET_ERROR):
            return


def talk_tls(s: int, context: ssl.SSLContext, answer: bool) -> None:
    process = running_process()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=answer)
    if not step(s, tls.do_handshake, incoming, outgoing):
        return
    for _ in range(TURNS):
        if not answer:
            tls.write(bytes(process.random.randrange(1, 4000)))
        got = step(s, lambda: tls.read(5000), incoming, outgoing)
        if not got:
            return
        if answer:
            tls.write(b"answer")
    step(s, lambda: True, incoming, outgoing)


def step(s: int, action: Callable[[], object], incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> object:
    """Repeat an action of TLS until it succeeds; None if the connection ends."""
    while True:
        try:
            done = action() or True
        except ssl.SSLWantReadError:
            done = None
        except ssl.SSLError:
            return None
        data = outgoing.read()
        if data and winsock.send(s, data, len(data), 0) == SOCKET_ERROR:
            return None
        if done:
            return done
        buffer = bytearray(4096)
        count = winsock.recv(s, buffer, len(buffer), 0)
        if count <= 0:
            return None
        incoming.write(buffer[:count])


def tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of the server and the client, with a new key."""
    from demos.provider.certificates import create_certificate

    files = folder / "cert.pem", folder / "key.pem"
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    create_certificate(*files, ["server"], 30_000, now, key_type="rsa")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(*files)
    server.num_tickets = 0
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    contexts = tls_contexts(folder) if sys.argv[3] == "tls" else (None, None)
    with Network(seed, latency=0.02, jitter=0.01, loss=0.02) as net:
        trace = net.trace(None)
        net.trace_calls(folder / "calls")
        server, client = net.host("server", "10.0.0.1"), net.host("client")
        server.start(serve, lambda: contexts, restart=True)
        client.start(trade, lambda: contexts)
        net.host("other").start(gossip)
        net.add_faults(net.random_faults(6, 1, SECONDS - 10))
        net.run(SECONDS)
        table = net.netstat(server)
    files = sorted((folder / "calls").iterdir())
    (folder / "trace.txt").write_text(trace.text() + table, encoding="utf-8", newline="\n")
    contents = [file.name.encode() + file.read_bytes() for file in [folder / "trace.txt", *files]]
    print(hashlib.sha256(b"".join(contents)).hexdigest(), trace.count, sum(map(len, contents)))


if __name__ == "__main__":
    main()

"""The initial situations of programs: sockets in states that random calls would rarely reach."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance import kit
from winsock import AF_INET6, MSG_OOB, accept, closesocket, connect, listen, send, sendto


def _nothing() -> list[int]:
    return []


def _streams() -> list[int]:
    return [kit.tcp(), kit.tcp()]


def _datagrams() -> list[int]:
    return [kit.bound_udp(), kit.udp()]


def _listening() -> list[int]:
    return [kit.listener(), kit.tcp()]


def _queued() -> list[int]:
    """A listening socket and a client that has not been accepted."""
    queue, client = kit.listener(), kit.tcp()
    kit.done(connect(client, kit.name_of(queue), kit.IN))
    return [queue, client]


def _connected() -> list[int]:
    return [*kit.tcp_pair()]


def _connected_beside_listener() -> list[int]:
    queue, client = _queued()
    return [client, accept(kit.wait_readable(queue), None, None), queue]


def _data() -> list[int]:
    client, server = kit.tcp_pair()
    assert send(client, b"abcdef", 6, 0) == 6
    return [kit.wait_readable(server), client]


def _urgent() -> list[int]:
    client, server = kit.tcp_pair()
    assert send(client, b"ab", 2, 0) == 2
    assert send(client, b"!", 1, MSG_OOB) == 1
    return [kit.wait_except(server), client]


def _ended() -> list[int]:
    client, server = kit.tcp_pair()
    kit.ended(client)
    return [kit.wait_readable(server), client]


def _data_and_end() -> list[int]:
    server, client = _data()
    kit.done(closesocket(client))
    return [kit.wait_readable(server)]


def _reset() -> list[int]:
    client, server = kit.tcp_pair()
    kit.reset(server)
    return [kit.wait_readable(client)]


def _refused() -> list[int]:
    s = kit.tcp()
    assert connect(s, kit.inet(kit.closed_port()), kit.IN) == -1
    return [s]


def _refused_nonblocking() -> list[int]:
    s = kit.nonblocking(kit.tcp())
    assert connect(s, kit.inet(kit.closed_port()), kit.IN) == -1
    return [kit.wait_except(s)]


def _connecting() -> list[int]:
    """A client whose connect stays in progress because the listen queue is full."""
    queue = kit.bound(kit.tcp())
    kit.done(listen(queue, 1))
    clients = [kit.nonblocking(kit.tcp()) for _ in range(4)]
    for s in clients:
        assert connect(s, kit.name_of(queue), kit.IN) == -1
    return [clients[-1]]


def _udp_pair() -> list[int]:
    return [*kit.udp_pair()]


def _udp_data() -> list[int]:
    first, second = kit.udp_pair()
    assert send(first, b"abcdef", 6, 0) == 6
    assert send(first, b"", 0, 0) == 0
    return [kit.wait_readable(second), first]


def _udp_unanswered() -> list[int]:
    s = kit.bound_udp()
    assert sendto(s, b"x", 1, 0, kit.inet(kit.closed_udp_port()), kit.IN) == 1
    return [s]


def _udp_unanswered_connected() -> list[int]:
    s = kit.bound_udp()
    kit.done(connect(s, kit.inet(kit.closed_udp_port()), kit.IN))
    assert send(s, b"x", 1, 0) == 1
    return [s]


def _fresh6() -> list[int]:
    return [kit.tcp(AF_INET6), kit.udp(AF_INET6)]


def _connected6() -> list[int]:
    queue, client = kit.bound6(kit.tcp(AF_INET6)), kit.tcp(AF_INET6)
    kit.done(listen(queue, 8))
    kit.done(connect(client, kit.name6_of(queue), kit.IN6))
    return [client, accept(kit.wait_readable(queue), None, None), queue]


def _udp_pair6() -> list[int]:
    first, second = kit.bound6(kit.udp(AF_INET6)), kit.bound6(kit.udp(AF_INET6))
    kit.done(connect(first, kit.name6_of(second), kit.IN6))
    return [first, second]


def _named(*procedures: Callable[[], list[int]]) -> dict[str, Callable[[], list[int]]]:
    return {procedure.__name__.strip("_").replace("_", " "): procedure for procedure in procedures}


SITUATIONS = _named(
    _nothing,
    _streams,
    _datagrams,
    _listening,
    _queued,
    _connected,
    _connected_beside_listener,
    _data,
    _urgent,
    _ended,
    _data_and_end,
    _reset,
    _refused,
    _refused_nonblocking,
    _connecting,
    _udp_pair,
    _udp_data,
    _udp_unanswered,
    _udp_unanswered_connected,
    _fresh6,
    _connected6,
    _udp_pair6,
)

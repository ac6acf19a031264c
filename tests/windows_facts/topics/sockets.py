"""States and options of streams: which sockets share a port, unread data at shutdown, what accepted sockets inherit."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int
from functools import partial
from typing import NamedTuple

from tests.conformance.kit import (
    ANY,
    IN,
    LOOPBACK,
    LOOPBACK6,
    bound_udp,
    done,
    first_success,
    inet,
    inet6,
    listener,
    look,
    mapped,
    name6_of,
    name_of,
    nonblocking,
    option,
    polled,
    port_of,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from tests.conformance.recorder import Json
from winsock import (
    AF_INET,
    AF_INET6,
    INVALID_SOCKET,
    IP_DONTFRAGMENT,
    IP_OPTIONS,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    POLLRDNORM,
    POLLWRNORM,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SIO_UDP_CONNRESET,
    SIO_UDP_NETRESET,
    SO_BROADCAST,
    SO_EXCLUSIVEADDRUSE,
    SO_REUSEADDR,
    SOL_SOCKET,
    TCP_KEEPALIVE,
    accept,
    bind,
    closesocket,
    connect,
    getsockname,
    getsockopt,
    ioctlsocket,
    listen,
    ntohs,
    recv,
    send,
    setsockopt,
    shutdown,
    sockaddr_in,
    sockaddr_in6,
    u_long,
)

from .. import sources
from ..facts import DOCUMENTED, SOURCE, TESTED, Certainty, Topic, answer

topic = Topic("sockets")

_PAGES = sources.REFERENCE
SHARING = f"{_PAGES}/winsock/using-so-reuseaddr-and-so-exclusiveaddruse: the table of two binds"
SHUTDOWN = f"{_PAGES}/api/winsock2/nf-winsock2-shutdown: SD_RECEIVE with data that is queued or arrives later"
ACCEPT = f"{_PAGES}/api/winsock2/nf-winsock2-accept: the new socket has the same properties as the listener"
_WINE = "https://github.com/wine-mirror/wine/blob/master/dlls/ws2_32/tests/sock.c"
REUSE, SHUT = f"{_WINE}: test_reuseaddr", f"{_WINE}: test_shutdown"
MIO = "https://github.com/tokio-rs/mio/blob/master/tests/tcp_stream.rs: shutdown_both, its comment on Windows"
DOTNET = sources.DOTNET
NO_SHARING_WITH_LISTENERS = "the kernel refuses what it permits with SO_REUSEPORT only"
NO_RESET = "shutdown does not reset the connection"


class Kind(NamedTuple):
    """A stream and the address that it is bound to."""

    family: int  # AF_INET6 sockets are dual-stack ones unless the address is ::1
    address: int | bytes
    use: int = 0  # SO_REUSEADDR, SO_EXCLUSIVEADDRUSE or neither


def _name(kind: Kind, port: int) -> sockaddr_in | sockaddr_in6:
    return inet(port, kind.address) if isinstance(kind.address, int) else inet6(port, kind.address)


def _made(kind: Kind) -> int:
    s = tcp(kind.family)
    if kind.family == AF_INET6:
        switch(s, IPPROTO_IPV6, IPV6_V6ONLY, int(kind.address == LOOPBACK6))
    if kind.use:
        switch(s, SOL_SOCKET, kind.use)
    return s


def _bound(kind: Kind, port: int = 0) -> int:
    s, name = _made(kind), _name(kind, port)
    done(bind(s, name, len(bytes(name))))
    return s


def _port(s: int, kind: Kind) -> int:
    return port_of(s) if kind.family == AF_INET else ntohs(name6_of(s).sin6_port)


def _second_bind(first: Kind, second: Kind) -> Json:
    """The answer of the second bind to a port; in a few attempts, because another process may have the port too."""
    answers: list[Json] = []

    def attempt() -> int:
        port = _port(_bound(first), first)
        s, name = _made(second), _name(second, port)
        result = bind(s, name, len(bytes(name)))
        answers.append(answer("bind", result))
        return result

    first_success(attempt) if second in _MAY_BE_TAKEN else attempt()
    return answers[-1]


_ONE, _ANY4 = Kind(AF_INET, LOOPBACK), Kind(AF_INET, ANY)
_DUAL, _ONE6 = Kind(AF_INET6, bytes(16)), Kind(AF_INET6, LOOPBACK6)
_MAPPED_ANY, _MAPPED_ONE = Kind(AF_INET6, mapped(ANY)), Kind(AF_INET6, mapped(LOOPBACK))


def _reuse(kind: Kind) -> Kind:
    return kind._replace(use=SO_REUSEADDR)


def _exclusive(kind: Kind) -> Kind:
    return kind._replace(use=SO_EXCLUSIVEADDRUSE)


_WORDS = {
    _ONE[:2]: "127.0.0.1",
    _ANY4[:2]: "0.0.0.0",
    _DUAL[:2]: "dual-stack ::",
    _ONE6[:2]: "::1",
    _MAPPED_ANY[:2]: "::ffff:0.0.0.0",
    _MAPPED_ONE[:2]: "::ffff:127.0.0.1",
}
_USES = {0: "", SO_REUSEADDR: "SO_REUSEADDR and ", SO_EXCLUSIVEADDRUSE: "SO_EXCLUSIVEADDRUSE and "}


def _words(kind: Kind) -> str:
    return _USES[kind.use] + _WORDS[kind[:2]]


# A free port of the other family or of the wildcard address may belong to another process.
_MAY_BE_TAKEN = {kind for plain in (_ANY4, _ONE, _DUAL) for kind in (plain, _reuse(plain), _exclusive(plain))}
_A, _U = "WSAEACCES", "WSAEADDRINUSE"

# The name of the fact: the first socket, the second, the answer of the second bind.
_TESTED_PAIRS = {
    "exclusive_wildcard_refuses_an_address": (_exclusive(_ANY4), _ONE, _A),
    "exclusive_dual_stack_refuses_an_ipv4_address": (_exclusive(_DUAL), _ONE, _A),
    "an_exclusive_address_shares_with_the_wildcard": (_ANY4, _exclusive(_ONE), 0),
    "exclusive_wildcard_refuses_an_exclusive_address": (_exclusive(_ANY4), _exclusive(_ONE), _A),
    "exclusive_address_shares_with_a_wildcard": (_exclusive(_ONE), _ANY4, 0),
    "an_address_refuses_an_exclusive_wildcard": (_ONE, _exclusive(_ANY4), _U),
    "an_ipv4_address_refuses_exclusive_dual_stack": (_ONE, _exclusive(_DUAL), _U),
    "an_ipv6_address_shares_with_the_ipv4_wildcard": (_ONE6, _exclusive(_ANY4), 0),
    "the_addresses_of_two_families_share": (_exclusive(_ONE6), _exclusive(_ONE), 0),
    "a_mapped_address_refuses_the_exclusive_ipv4_wildcard": (_MAPPED_ONE, _exclusive(_ANY4), _U),
    "exclusive_dual_stack_refuses_the_ipv4_wildcard": (_exclusive(_DUAL), _ANY4, _A),
    "dual_stack_shares_with_the_exclusive_ipv4_wildcard": (_DUAL, _exclusive(_ANY4), 0),
    "the_wildcard_refuses_an_exclusive_wildcard": (_ANY4, _exclusive(_ANY4), _U),
    "the_wildcard_refuses_a_second_one": (_ANY4, _ANY4, _U),
    "dual_stack_shares_with_the_ipv4_wildcard": (_DUAL, _ANY4, 0),
    "the_mapped_wildcard_refuses_the_ipv4_wildcard": (_MAPPED_ANY, _ANY4, _U),
    "a_mapped_address_refuses_its_ipv4_address": (_MAPPED_ONE, _ONE, _U),
    "an_ipv4_address_refuses_its_mapped_address": (_ONE, _MAPPED_ONE, _U),
    "an_exclusive_address_refuses_a_second_socket": (_exclusive(_ONE), _ONE, _U),
    "an_address_refuses_an_exclusive_second_socket": (_ONE, _exclusive(_ONE), _U),
    "an_address_refuses_a_reusing_second_socket": (_ONE, _reuse(_ONE), _A),
    "an_ipv6_address_refuses_a_reusing_second_socket": (_ONE6, _reuse(_ONE6), _A),
    "a_reusing_socket_refuses_a_second_one_without_the_option": (_reuse(_ONE), _ONE, _U),
    "two_reusing_sockets_share_an_address": (_reuse(_ONE), _reuse(_ONE), 0),
    "two_reusing_sockets_share_an_ipv6_address": (_reuse(_ONE6), _reuse(_ONE6), 0),
}
_DOCUMENTED_PAIRS = {
    "the_wildcard_refuses_a_reusing_wildcard": (_ANY4, _reuse(_ANY4), _A),
    "the_wildcard_shares_with_a_reusing_address": (_ANY4, _reuse(_ONE), 0),
    "a_reusing_wildcard_refuses_one_without_the_option": (_reuse(_ANY4), _ANY4, _U),
    "a_reusing_wildcard_refuses_an_exclusive_one": (_reuse(_ANY4), _exclusive(_ANY4), _U),
    "a_reusing_address_refuses_an_exclusive_wildcard": (_reuse(_ONE), _exclusive(_ANY4), _U),
    "an_exclusive_wildcard_refuses_a_reusing_address": (_exclusive(_ANY4), _reuse(_ONE), _A),
    "an_exclusive_address_refuses_a_reusing_one": (_exclusive(_ONE), _reuse(_ONE), _A),
}


def _add_pairs(pairs: dict[str, tuple[Kind, Kind, Json]], source: str, certainty: Certainty) -> None:
    for name, (first, second, result) in pairs.items():
        situation = f"TCP, with {_words(second)}, to the port of a socket with {_words(first)}"
        topic.add(name, "bind", situation, [result], source, certainty, partial(_second_bind, first, second))


_add_pairs(_TESTED_PAIRS, REUSE, TESTED)
_add_pairs(_DOCUMENTED_PAIRS, SHARING, DOCUMENTED)


def _listening(first: Kind, second: Kind) -> tuple[int, int]:
    """Two sockets that listen on one port."""
    pairs: list[tuple[int, int]] = []

    def attempt() -> int:
        one, other = _bound(first), _made(second)
        done(listen(one, 4))
        pairs.append((one, other))
        name = _name(second, _port(one, first))
        return bind(other, name, len(bytes(name)))

    done(first_success(attempt))
    done(listen(pairs[-1][1], 4))
    return pairs[-1]


def _two_listeners(first: Kind, second: Kind) -> Json:
    _listening(first, second)
    return "both listen"


def _served_by(first: Kind, second: Kind, client: Kind) -> Json:
    """Which of two listeners gets a client that connects to the address."""
    one, other = _listening(first, second)
    name = _name(client, _port(one, first))
    done(connect(tcp(client.family), name, len(bytes(name))))
    return ["first"] * _has_client(one) + ["second"] * _has_client(other)


def _has_client(s: int) -> bool:
    return accept(nonblocking(s), None, None) != INVALID_SOCKET


_LISTENERS = {
    "two_reusing_sockets_both_listen": (_reuse(_ONE), _reuse(_ONE)),
    "two_reusing_ipv6_sockets_both_listen": (_reuse(_ONE6), _reuse(_ONE6)),
    "an_address_listens_beside_the_listening_wildcard": (_ANY4, _ONE),
    "the_wildcard_listens_beside_a_listening_address": (_ONE, _ANY4),
}
_CLIENTS = {
    "the_first_of_two_reusing_listeners_gets_the_client": (_reuse(_ONE), _reuse(_ONE), _ONE, ["first"]),
    "the_first_of_two_reusing_ipv6_listeners_gets_the_client": (_reuse(_ONE6), _reuse(_ONE6), _ONE6, ["first"]),
    "the_listening_address_gets_the_client_of_the_wildcard": (_ANY4, _ONE, _ONE, ["second"]),
    "a_listening_address_keeps_its_client_beside_the_wildcard": (_ONE, _ANY4, _ONE, ["first"]),
}


def _add_listeners() -> None:
    for name, (first, second) in _LISTENERS.items():
        situation = f"on {_words(second)}, on the port of a listener with {_words(first)}"
        observe: Callable[[], Json] = partial(_two_listeners, first, second)
        topic.add(name, "listen", situation, ["both listen"], REUSE, TESTED, observe, wine=NO_SHARING_WITH_LISTENERS)
    for name, (first, second, client, served) in _CLIENTS.items():
        situation = f"by listeners with {_words(first)} and {_words(second)}, of a client of {_words(client)}"
        observe = partial(_served_by, first, second, client)
        topic.add(name, "accept", situation, [served], REUSE, TESTED, observe, wine=NO_SHARING_WITH_LISTENERS)


_add_listeners()


@topic.fact(
    "accept",
    "on the second of two listeners with SO_REUSEADDR, after the first was closed",
    windows=["second"],
    source=REUSE,
    certainty=TESTED,
    wine=NO_SHARING_WITH_LISTENERS,
)
def the_second_reusing_listener_follows_the_first() -> Json:
    one, other = _listening(_reuse(_ONE), _reuse(_ONE))
    name = name_of(one)
    done(closesocket(one))
    done(connect(tcp(), name, IN))
    return "second" if _has_client(other) else "nobody"


def _both_options(first: int, second: int) -> Json:
    s = switch(tcp(), SOL_SOCKET, first)
    return answer("setsockopt", setsockopt(s, SOL_SOCKET, second, c_int(1), 4))


topic.add(
    "so_reuseaddr_excludes_so_exclusiveaddruse",
    "setsockopt",
    "SO_EXCLUSIVEADDRUSE on a socket that has SO_REUSEADDR",
    ["WSAEINVAL"],
    REUSE,
    TESTED,
    partial(_both_options, SO_REUSEADDR, SO_EXCLUSIVEADDRUSE),
)
topic.add(
    "so_exclusiveaddruse_excludes_so_reuseaddr",
    "setsockopt",
    "SO_REUSEADDR on a socket that has SO_EXCLUSIVEADDRUSE",
    ["WSAEINVAL"],
    REUSE,
    TESTED,
    partial(_both_options, SO_EXCLUSIVEADDRUSE, SO_REUSEADDR),
)


@topic.fact(
    "setsockopt",
    "SO_EXCLUSIVEADDRUSE, after SO_REUSEADDR was turned off again",
    windows=[0],
    source=REUSE,
    certainty=TESTED,
)
def so_exclusiveaddruse_after_so_reuseaddr_was_turned_off() -> Json:
    s = switch(switch(tcp(), SOL_SOCKET, SO_REUSEADDR), SOL_SOCKET, SO_REUSEADDR, 0)
    return answer("setsockopt", setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, c_int(1), 4))


@topic.fact(
    "bind",
    "to the address of an exclusive socket that listens",
    windows=["WSAEADDRINUSE"],
    source=f"{DOTNET}/SocketOptionNameTest.cs: ExclusiveAddressUseTcp",
    certainty=TESTED,
)
def an_exclusive_listener_keeps_its_address() -> Json:
    s = _bound(_exclusive(_ONE))
    done(listen(s, 4))
    return answer("bind", bind(tcp(), name_of(s), IN))


# Unread data


def _with_unread_data(how: int) -> tuple[int, int]:
    """A client that was shut down with unread data, and the other end."""
    client, server = tcp_pair()
    assert send(server, b"unread", 6, 0) == 6
    done(shutdown(wait_readable(client), how))
    return client, server


def _received(s: int) -> Json:
    return answer("recv", recv(wait_readable(s), bytearray(6), 6, 0))


@topic.fact(
    "send",
    "after SD_BOTH with unread data",
    windows=["WSAECONNABORTED"],
    source=MIO,
    certainty=SOURCE,
    wine="WSAESHUTDOWN",
)
def sd_both_with_unread_data_aborts_the_connection() -> Json:
    client, _ = _with_unread_data(SD_BOTH)
    return answer("send", send(client, b"x", 1, 0))


@topic.fact(
    "recv",
    "by the peer of a stream that was shut down by SD_RECEIVE with unread data",
    windows=["WSAECONNRESET"],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
    wine=NO_RESET,
)
def sd_receive_with_unread_data_resets_the_peer() -> Json:
    return _received(_with_unread_data(SD_RECEIVE)[1])


@topic.fact(
    "recv",
    "by the peer of a stream that was shut down by SD_BOTH with unread data",
    windows=["WSAECONNRESET"],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
    wine=NO_RESET,
)
def sd_both_with_unread_data_resets_the_peer() -> Json:
    return _received(_with_unread_data(SD_BOTH)[1])


@topic.fact(
    "recv",
    "after SD_RECEIVE with unread data",
    windows=["WSAESHUTDOWN"],
    source=f"{_PAGES}/api/winsock2/nf-winsock2-recv: WSAESHUTDOWN",
    certainty=DOCUMENTED,
)
def unread_data_is_lost_after_sd_receive() -> Json:
    client, _ = _with_unread_data(SD_RECEIVE)
    return answer("recv", recv(client, bytearray(6), 6, 0))


@topic.fact(
    "send",
    "after SD_RECEIVE and data that arrived later",
    windows=["WSAECONNABORTED"],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
    wine=NO_RESET,
)
def data_after_sd_receive_aborts_the_connection() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_RECEIVE))
    assert send(server, b"unread", 6, 0) == 6
    polled(client, POLLRDNORM, 200)
    return answer("send", send(client, b"x", 1, 0))


@topic.fact(
    "select",
    "on the peer of a stream, to which it has sent after SD_RECEIVE there",
    windows=["rw"],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
    wine=NO_RESET,
    compat="the reset is sent with the next send, select, WSAPoll or closesocket of the socket that was shut down",
)
def data_after_sd_receive_resets_the_peer_at_once() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_RECEIVE))
    assert send(server, b"unread", 6, 0) == 6
    polled(server, POLLRDNORM, 200)
    return look(server)


@topic.fact(
    "send",
    "after SD_RECEIVE without unread data, and after the peer's end",
    windows=[5],
    source=SHUT,
    certainty=TESTED,
)
def sd_receive_leaves_the_other_direction() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_SEND))
    assert _received(server) == 0
    done(shutdown(server, SD_RECEIVE))
    return answer("send", send(server, b"tests", 5, 0))


@topic.fact(
    "recv",
    "after SD_SEND with unread data",
    windows=["unread"],
    source=f"{_PAGES}/api/winsock2/nf-winsock2-shutdown: SD_SEND disables send only",
    certainty=DOCUMENTED,
)
def sd_send_leaves_unread_data() -> Json:
    client, _ = _with_unread_data(SD_SEND)
    buffer = bytearray(6)
    assert recv(client, buffer, 6, 0) == 6
    return buffer.decode()


@topic.fact(
    "WSAPoll",
    "after SD_RECEIVE, without data",
    windows=["WRNORM"],
    source="https://github.com/wine-mirror/wine/blob/master/dlls/ws2_32/tests/afd.c: test_poll, shutdown",
    certainty=TESTED,
)
def a_stream_after_sd_receive_is_writable() -> Json:
    client, _ = tcp_pair()
    done(shutdown(client, SD_RECEIVE))
    return polled(client, POLLRDNORM | POLLWRNORM)


@topic.fact(
    "getsockname",
    "after the connection was reset because of unread data",
    windows=["the same name"],
    source=SHUT,
    certainty=TESTED,
)
def a_reset_stream_keeps_its_name() -> Json:
    client, server = tcp_pair()
    before, after = name_of(client), sockaddr_in()
    assert send(server, b"unread", 6, 0) == 6
    done(shutdown(wait_readable(client), SD_BOTH))
    done(getsockname(client, after, c_int(IN)))
    return "the same name" if bytes(before) == bytes(after) else "another name"


# Options


def _inherited(level: int, name: int, value: int) -> Json:
    queue = switch(tcp(), level, name, value)
    done(bind(queue, inet(), IN))
    done(listen(queue, 1))
    done(connect(tcp(), name_of(queue), IN))
    return option(accept(queue, None, None), level, name)


_INHERITED = {
    "ip_ttl": (IPPROTO_IP, IP_TTL, 77),
    "ip_tos": (IPPROTO_IP, IP_TOS, 8),
    "ip_dontfragment": (IPPROTO_IP, IP_DONTFRAGMENT, 0),
    "tcp_keepalive": (IPPROTO_TCP, TCP_KEEPALIVE, 33),
}


def _add_inherited_options() -> None:
    for name, (level, number, value) in _INHERITED.items():
        topic.add(
            f"an_accepted_socket_has_{name}_of_its_listener",
            "accept",
            f"{name.upper()} of the accepted socket, {value} on the listener",
            [value],
            ACCEPT,
            DOCUMENTED,
            partial(_inherited, level, number, value),
        )


_add_inherited_options()


def _ip_options(s: int, length: int = 40) -> Json:
    value, size = bytearray(length), c_int(length)
    result = answer("getsockopt", getsockopt(s, IPPROTO_IP, IP_OPTIONS, value, size))
    return [result, size.value] if result == 0 else result


def _without_ip_options(make: Callable[[], int]) -> Json:
    return _ip_options(make())


for _word, _make in (("stream", tcp), ("datagram", udp)):
    topic.add(
        f"a_{_word}_socket_has_no_ip_options_at_first",
        "getsockopt",
        f"IP_OPTIONS of a {_word} socket: the result and the length",
        [[0, 0]],
        f"{_WINE}: test_sockopt_validity, which passes the length on to setsockopt",
        TESTED,
        partial(_without_ip_options, _make),
    )


@topic.fact(
    "setsockopt",
    "SO_BROADCAST on a stream",
    windows=["WSAENOPROTOOPT"],
    source=f"{DOTNET}/EnableBroadcastTest.cs: TcpConstructor_EnableBroadcast_SetterThrows, with any error",
    certainty=TESTED,
    wine="0",
)
def streams_cannot_broadcast() -> Json:
    return answer("setsockopt", setsockopt(tcp(), SOL_SOCKET, SO_BROADCAST, c_int(1), 4))


def _command(command: int) -> Json:
    return answer("ioctlsocket", ioctlsocket(bound_udp(), command, u_long(0)))


topic.add(
    "sio_udp_connreset_can_be_turned_off",
    "ioctlsocket",
    "SIO_UDP_CONNRESET with 0 on a datagram socket",
    [0],
    f"{_PAGES}/winsock/winsock-ioctls: SIO_UDP_CONNRESET",
    DOCUMENTED,
    partial(_command, SIO_UDP_CONNRESET),
)
topic.add(
    "sio_udp_netreset_can_be_turned_off",
    "ioctlsocket",
    "SIO_UDP_NETRESET with 0 on a datagram socket",
    [0],
    f"{_PAGES}/winsock/winsock-ioctls: SIO_UDP_NETRESET",
    DOCUMENTED,
    partial(_command, SIO_UDP_NETRESET),
    wine="WSAEOPNOTSUPP",
)


@topic.fact(
    "accept",
    "the mode of the accepted socket: recv without data, on a nonblocking listener",
    windows=["WSAEWOULDBLOCK"],
    source=ACCEPT,
    certainty=DOCUMENTED,
)
def an_accepted_socket_is_as_nonblocking_as_its_listener() -> Json:
    queue = nonblocking(listener())
    done(connect(tcp(), name_of(queue), IN))
    return answer("recv", recv(accept(wait_readable(queue), None, None), bytearray(1), 1, 0))

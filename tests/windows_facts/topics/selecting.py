"""Waiting by select: which sockets are in which set."""

from __future__ import annotations

from functools import partial

from tests.conformance.kit import (
    IN,
    LIMIT,
    NOW,
    bound_udp,
    closed_port,
    closed_udp_port,
    done,
    full_pair,
    inet,
    listener,
    look,
    name_of,
    nonblocking,
    reset,
    set_of,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_except,
    wait_readable,
)
from tests.conformance.recorder import Json, Recorder
from winsock import (
    FD_ISSET,
    INVALID_SOCKET,
    MSG_OOB,
    SO_OOBINLINE,
    SOL_SOCKET,
    closesocket,
    connect,
    fd_set,
    select,
    send,
    sendto,
    timeval,
)

from ..facts import DOCUMENTED, TESTED, Topic, answer
from ..situations import received
from ..sources import dotnet, page, rust, wine

topic = Topic("waiting")

SELECT = wine("test_select")
POLL_TESTS = "SelectAndPollTests.cs"
# With the sockets named a, b and c.
Sets = dict[str, fd_set | None]


def _selected(reading: fd_set | None, writing: fd_set | None, exceptional: fd_set | None, **sockets: int) -> Json:
    """The result of a select that does not wait, and the sets that it left."""
    see = Recorder()
    see.know(**sockets)
    see("select", select(0, reading, writing, exceptional, NOW), *(s for s in (reading, writing, exceptional) if s))
    _, result, *sets = see.seen[0]
    return [result, *sets]


@topic.fact("select", "with a stream that was never connected", windows=["-"], source=SELECT, certainty=TESTED)
def a_fresh_stream_is_in_no_set() -> Json:
    return look(tcp())


@topic.fact("select", "without sets", windows=["WSAEINVAL"], source=SELECT, certainty=TESTED)
def select_needs_a_set() -> Json:
    return answer("select", select(0, None, None, None, NOW))


@topic.fact("select", "with three empty sets", windows=["WSAEINVAL"], source=SELECT, certainty=TESTED)
def select_needs_a_socket() -> Json:
    return answer("select", select(0, fd_set(), fd_set(), fd_set(), NOW))


def _with_bad_handle(place: int) -> Json:
    sets = [fd_set(), fd_set(), fd_set()]
    sets[place] = set_of(INVALID_SOCKET)
    return answer("select", select(0, sets[0], sets[1], sets[2], NOW))


for _place, _name in enumerate(("readfds", "writefds", "exceptfds")):
    topic.add(
        f"invalid_socket_in_{_name}_is_named",
        "select",
        f"with INVALID_SOCKET in {_name}",
        ["WSAENOTSOCK"],
        SELECT,
        TESTED,
        partial(_with_bad_handle, _place),
    )


@topic.fact(
    "select",
    "with a closed socket beside an open one",
    windows=[["WSAENOTSOCK", ["a", "b"], ["a", "b"]]],
    source=SELECT,
    certainty=TESTED,
)
def a_closed_socket_leaves_the_sets_unchanged() -> Json:
    a, b = tcp_pair()
    done(closesocket(a))
    return _selected(set_of(a, b), None, set_of(a, b), a=a, b=b)


@topic.fact(
    "select",
    "with one socket twice in a set",
    windows=[[1, ["a"]]],
    source=SELECT,
    certainty=TESTED,
)
def a_socket_that_is_twice_in_a_set_counts_once() -> Json:
    a, _ = tcp_pair()
    twice = set_of(a)
    twice.fd_array[1], twice.fd_count = a, 2
    return _selected(None, twice, None, a=a)


@topic.fact(
    "select",
    "with one set as readfds and writefds: a connection without data",
    windows=[[1, ["a"]]],
    source=SELECT,
    certainty=TESTED,
)
def one_set_for_two_conditions_counts_a_socket_once() -> Json:
    a, _ = tcp_pair()
    both = set_of(a)
    result = answer("select", select(0, both, both, None, NOW))
    return [result, ["a"] if FD_ISSET(a, both) else []]


@topic.fact(
    "select",
    "with one set as readfds and writefds: both ends of a connection, one with data",
    windows=[2],
    source=SELECT,
    certainty=TESTED,
)
def a_socket_that_is_readable_and_writable_counts_once_in_one_set() -> Json:
    a, b = tcp_pair()
    send(a, b"test", 4, 0)
    both = set_of(a, wait_readable(b))
    return answer("select", select(0, both, both, None, NOW))


@topic.fact(
    "select",
    "with one set as readfds and writefds: an end whose buffer is full, and its peer, which has data",
    windows=[[1, False, True]],
    source=SELECT,
    certainty=TESTED,
)
def a_full_connection_is_not_writable() -> Json:
    a, b = full_pair()
    both = set_of(a, b)
    result = answer("select", select(0, both, both, None, NOW))
    return [result, bool(FD_ISSET(a, both)), bool(FD_ISSET(b, both))]


@topic.fact("select", "with a listener that has no client", windows=["-"], source=SELECT, certainty=TESTED)
def a_listener_without_a_client_is_in_no_set() -> Json:
    return look(listener())


@topic.fact("select", "with a listener that has a client", windows=["r"], source=SELECT, certainty=TESTED)
def a_listener_with_a_client_is_readable() -> Json:
    queue = listener()
    done(connect(tcp(), name_of(queue), IN))
    return look(queue, LIMIT)


@topic.fact(
    "select",
    "with a listener, its client and the accepted socket",
    windows=[[2, [], ["b", "c"], []]],
    source=SELECT,
    certainty=TESTED,
)
def both_ends_of_a_new_connection_are_writable() -> Json:
    queue = listener()
    b, c = tcp_pair()
    return _selected(set_of(queue, b, c), set_of(queue, b, c), set_of(queue, b, c), a=queue, b=b, c=c)


@topic.fact("select", "with data waiting", windows=["rw"], source=SELECT, certainty=TESTED)
def data_makes_a_connection_readable() -> Json:
    client, server = tcp_pair()
    send(client, b"1234", 4, 0)
    return look(wait_readable(server))


@topic.fact("select", "with an urgent byte waiting", windows=["we"], source=SELECT, certainty=TESTED)
def an_urgent_byte_is_an_exception() -> Json:
    client, server = tcp_pair()
    send(client, b"A", 1, MSG_OOB)
    return look(wait_except(server))


@topic.fact("select", "with an inline urgent byte waiting", windows=["rw"], source=SELECT, certainty=TESTED)
def an_inline_urgent_byte_is_readable() -> Json:
    client, server = tcp_pair()
    switch(server, SOL_SOCKET, SO_OOBINLINE)
    send(client, b"A", 1, MSG_OOB)
    return look(wait_readable(server))


@topic.fact(
    "select",
    "after the peer has closed, before and after recv",
    windows=[["rw", "", "rw"]],
    source=dotnet("SendReceive/SendReceive.cs", "SendRecvPollSync_TcpListener_Socket"),
    certainty=TESTED,
)
def the_end_stays_readable() -> Json:
    client, server = tcp_pair()
    done(closesocket(client))
    return [look(wait_readable(server)), received(server), look(server)]


@topic.fact(
    "select",
    "after the peer has reset the connection, before and after recv",
    windows=[["rw", "WSAECONNRESET", "rw"]],
    source=wine("test_tcp_reset"),
    certainty=TESTED,
)
def a_reset_is_no_exception() -> Json:
    client, server = tcp_pair()
    reset(client)
    return [look(wait_readable(server)), received(server), look(server)]


@topic.fact(
    "select",
    "with a connection that was reset in exceptfds alone",
    windows=[0],
    source=wine("test_tcp_reset"),
    certainty=TESTED,
)
def a_reset_is_not_in_exceptfds_alone() -> Json:
    client, server = tcp_pair()
    reset(client)
    return answer("select", select(0, None, None, set_of(wait_readable(server)), NOW))


@topic.fact(
    "select",
    "until a nonblocking connect is refused: the sets, and the time-out that was passed",
    windows=[[1, True, 250000]],
    source=SELECT,
    certainty=TESTED,
    wine="the socket may be in a second set",
)
def select_leaves_the_timeout() -> Json:
    s, limit = nonblocking(tcp()), timeval(LIMIT, 250000)
    connect(s, inet(closed_port()), IN)
    reading, writing, exceptional = set_of(s), set_of(s), set_of(s)
    result = answer("select", select(0, reading, writing, exceptional, limit))
    return [result, bool(FD_ISSET(s, exceptional)), limit.tv_usec]


@topic.fact(
    "select",
    "with a refused socket in writefds alone, for 50 milliseconds",
    windows=[0],
    source=wine("test_errors"),
    certainty=TESTED,
)
def a_refused_socket_is_not_writable() -> Json:
    s = tcp()
    assert connect(s, inet(closed_port()), IN) != 0
    return answer("select", select(0, None, set_of(s), None, timeval(0, 50000)))


@topic.fact("select", "with a datagram socket before bind", windows=["w"], source=SELECT, certainty=TESTED)
def a_fresh_datagram_socket_is_writable() -> Json:
    return look(udp())


@topic.fact(
    "select",
    "after each of ten datagrams to a closed port",
    windows=[[1] * 10],
    source=wine("test_UDP"),
    certainty=TESTED,
)
def a_datagram_socket_stays_writable() -> Json:
    s, seen = udp(), []
    done(connect(s, inet(closed_udp_port()), IN))
    for _ in range(10):
        send(s, b"data", 4, 0)
        seen.append(answer("select", select(0, None, set_of(s), None, NOW)))
    return seen


@topic.fact(
    "select",
    "with a datagram waiting",
    windows=["rw"],
    source=dotnet(POLL_TESTS, "SelectRead_Single_Success"),
    certainty=TESTED,
)
def a_datagram_makes_a_socket_readable() -> Json:
    s = bound_udp()
    sendto(s, b"x", 1, 0, name_of(s), IN)
    return look(wait_readable(s))


@topic.fact(
    "select",
    "with two datagram sockets, of which the second has a datagram",
    windows=[[1, ["b"]]],
    source=dotnet(POLL_TESTS, "SelectRead_Multiple_Mixed"),
    certainty=TESTED,
)
def select_leaves_only_the_ready_socket() -> Json:
    a, b = bound_udp(), bound_udp()
    sendto(a, b"x", 1, 0, name_of(b), IN)
    return _selected(set_of(a, wait_readable(b)), None, None, a=a, b=b)


@topic.fact(
    "select",
    "with two datagram sockets that have datagrams",
    windows=[[2, ["a", "b"]]],
    source=dotnet(POLL_TESTS, "SelectRead_Multiple_Success"),
    certainty=TESTED,
)
def select_keeps_the_order_of_a_set() -> Json:
    a, b = bound_udp(), bound_udp()
    for s in (a, b):
        sendto(a, b"x", 1, 0, name_of(s), IN)
    return _selected(set_of(wait_readable(a), wait_readable(b)), None, None, a=a, b=b)


@topic.fact(
    "select",
    "with two datagram sockets without datagrams, for 100 microseconds",
    windows=[[0, [], []]],
    source=dotnet(POLL_TESTS, "SelectRead_Multiple_Timeout and SelectError_Multiple_Timeout"),
    certainty=TESTED,
)
def a_timeout_empties_the_sets() -> Json:
    a, b, limit = bound_udp(), bound_udp(), timeval(0, 100)
    reading, exceptional = set_of(a, b), set_of(a, b)
    result = answer("select", select(0, reading, None, exceptional, limit))
    return [result, list(reading.fd_array[: reading.fd_count]), list(exceptional.fd_array[: exceptional.fd_count])]


@topic.fact(
    "select",
    "with a listener and a datagram socket in writefds",
    windows=[[1, ["b"]]],
    source=dotnet(POLL_TESTS, "SelectWrite_Multiple_Mixed"),
    certainty=TESTED,
)
def a_listener_is_never_writable() -> Json:
    a, b = listener(), udp()
    return _selected(None, set_of(a, b), None, a=a, b=b)


@topic.fact(
    "select",
    "with connections in readfds and others in exceptfds, for 10 milliseconds",
    windows=[[0, [], []]],
    source=dotnet("SelectTest.cs", "Select_ReadError_NoneReady"),
    certainty=TESTED,
)
def quiet_connections_are_not_ready() -> Json:
    a, b = tcp_pair()
    reading, exceptional = set_of(a), set_of(b)
    result = answer("select", select(0, reading, None, exceptional, timeval(0, 10000)))
    return [result, list(reading.fd_array[: reading.fd_count]), list(exceptional.fd_array[: exceptional.fd_count])]


@topic.fact(
    "select",
    "with two connections, of which each gets an urgent byte in turn",
    windows=[[[1, ["b"]], [2, ["a", "b"]]]],
    source=dotnet("SelectTest.cs", "Select_Error_OneReadyAtATime"),
    certainty=TESTED,
)
def exceptions_are_shown_for_each_connection() -> Json:
    (a, peer_of_a), (b, peer_of_b) = tcp_pair(), tcp_pair()
    send(peer_of_b, b"!", 1, MSG_OOB)
    wait_except(b)
    first = _selected(None, None, set_of(a, b), a=a, b=b)
    send(peer_of_a, b"!", 1, MSG_OOB)
    wait_except(a)
    return [first, _selected(None, None, set_of(a, b), a=a, b=b)]


@topic.fact(
    "select",
    "with nfds 0 and -1, with data waiting",
    windows=[[1, 1]],
    source=page("select", "nfds is ignored"),
    certainty=DOCUMENTED,
)
def the_number_of_sockets_is_ignored() -> Json:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    wait_readable(server)
    return [answer("select", select(number, set_of(server), None, None, NOW)) for number in (0, -1)]


@topic.fact(
    "select",
    "without a time-out, until a datagram arrives",
    windows=[1],
    source=page("select", "without a time-out, waits until a socket meets a condition"),
    certainty=DOCUMENTED,
)
def select_without_a_timeout_waits() -> Json:
    s = bound_udp()
    sendto(s, b"x", 1, 0, name_of(s), IN)
    return answer("select", select(0, set_of(s), None, None, None))


@topic.fact(
    "select",
    "after the data was read with recv",
    windows=[["rw", "w"]],
    source=rust("tcp/tests.rs", "peek: nothing is left"),
    certainty=TESTED,
)
def reading_everything_makes_a_connection_unreadable() -> Json:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    before = look(wait_readable(server))
    received(server)
    return [before, look(server)]


@topic.fact(
    "select",
    "with a socket in readfds and writefds: the count",
    windows=[2],
    source=page("select", "returns the total number of socket handles in the sets"),
    certainty=DOCUMENTED,
)
def the_count_is_the_sum_over_the_sets() -> Json:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    s = wait_readable(server)
    return answer("select", select(0, set_of(s), set_of(s), set_of(s), NOW))

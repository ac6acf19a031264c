"""Waiting by WSAPoll: which events are reported."""

from __future__ import annotations

from tests.conformance.kit import (
    IN,
    LIMIT,
    bound_udp,
    closed_port,
    done,
    inet,
    listener,
    name_of,
    nonblocking,
    polled,
    reset,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_except,
    wait_readable,
)
from tests.conformance.recorder import Json, poll_bits
from winsock import (
    INVALID_SOCKET,
    MSG_OOB,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SD_RECEIVE,
    SD_SEND,
    SO_OOBINLINE,
    SOL_SOCKET,
    WSAPOLLFD,
    WSAPoll,
    closesocket,
    connect,
    send,
    sendto,
    shutdown,
)

from ..facts import DOCUMENTED, TESTED, Topic, answer
from ..situations import received
from ..sources import page, wine

topic = Topic("waiting")

POLL = wine("test_WSAPoll")
ALL = POLLRDNORM | POLLRDBAND | POLLWRNORM
# A number of no socket. In compat handles are multiples of 4.
NO_SOCKET = 0xABACAB


def _polled_together(*entries: tuple[int, int]) -> Json:
    """The result of a WSAPoll that does not wait, and the events of each socket."""
    array = (WSAPOLLFD * len(entries))(*(WSAPOLLFD(s, events, 0x7EAD) for s, events in entries))
    result = answer("WSAPoll", WSAPoll(array, len(entries), 0))
    return [result, *(poll_bits(entry.revents) for entry in array)]


def _shown(s: int, events: int = ALL) -> str:
    return polled(s, events)


@topic.fact(
    "WSAPoll",
    "without an array: 0 entries and 1 entry",
    windows=[["WSAEINVAL", "WSAEFAULT"]],
    source=POLL,
    certainty=TESTED,
)
def poll_needs_an_array() -> Json:
    return [answer("WSAPoll", WSAPoll(None, count, 0)) for count in (0, 1)]


@topic.fact(
    "WSAPoll",
    "with events that are only reported: POLLERR, POLLHUP, POLLNVAL",
    windows=[["WSAEINVAL"] * 6],
    source=POLL,
    certainty=TESTED,
    wine="the flags are ignored",
)
def events_that_are_only_reported_cannot_be_requested() -> Json:
    sockets = listener(), tcp_pair()[0]
    entries = [WSAPOLLFD(s, events) for s in sockets for events in (POLLERR, POLLHUP, POLLNVAL)]
    return [answer("WSAPoll", WSAPoll((WSAPOLLFD * 1)(entry), 1, 0)) for entry in entries]


@topic.fact(
    "WSAPoll",
    "with POLLPRI",
    windows=["WSAEINVAL"],
    source=page("WSAPoll", "POLLPRI is not supported, and the call fails"),
    certainty=DOCUMENTED,
    wine="the flag is ignored",
)
def pollpri_cannot_be_requested() -> Json:
    return answer("WSAPoll", WSAPoll((WSAPOLLFD * 1)(WSAPOLLFD(listener(), POLLPRI)), 1, 0))


@topic.fact(
    "WSAPoll",
    "with each bit that has no meaning",
    windows=[["WSAEINVAL"] * 8],
    source=POLL,
    certainty=TESTED,
    wine="the flags are ignored",
)
def unknown_events_are_refused() -> Json:
    s, bits = listener(), (0x8, 0x40, 0x80, 0x800, 0x1000, 0x2000, 0x4000, -0x8000)
    return [answer("WSAPoll", WSAPoll((WSAPOLLFD * 1)(WSAPOLLFD(s, bit)), 1, 0)) for bit in bits]


@topic.fact("WSAPoll", "with a listener that has no client", windows=[[0, ""]], source=POLL, certainty=TESTED)
def a_poll_without_events_clears_what_was_there() -> Json:
    return _polled_together((listener(), ALL))


@topic.fact(
    "WSAPoll",
    "with -1 and events that cannot be requested, and with a listener",
    windows=[[0, "NVAL", ""]],
    source=POLL,
    certainty=TESTED,
)
def a_bad_handle_is_marked_but_not_counted() -> Json:
    return _polled_together((INVALID_SOCKET, POLLERR), (listener(), POLLIN))


@topic.fact(
    "WSAPoll",
    "with a listener, and with a number of no socket",
    windows=[[0, "", "NVAL"]],
    source=POLL,
    certainty=TESTED,
)
def a_bad_handle_after_a_good_one_is_marked() -> Json:
    return _polled_together((listener(), POLLIN), (NO_SOCKET, POLLIN))


@topic.fact(
    "WSAPoll",
    "with a listener, and with a number of no socket and events that cannot be requested",
    windows=[["WSAEINVAL", "", ""]],
    source=POLL,
    certainty=TESTED,
    wine="the handle is marked",
)
def events_after_a_good_handle_are_checked_for_a_bad_one_too() -> Json:
    return _polled_together((listener(), POLLIN), (NO_SOCKET, POLLERR))


@topic.fact(
    "WSAPoll",
    "with two numbers of no socket and events that cannot be requested",
    windows=[["WSAENOTSOCK", "NVAL", "NVAL"]],
    source=POLL,
    certainty=TESTED,
)
def a_poll_of_bad_handles_alone_fails() -> Json:
    return _polled_together((INVALID_SOCKET, POLLERR), (NO_SOCKET, POLLERR))


@topic.fact(
    "WSAPoll",
    "with a listener that has a client: POLLIN twice, then other events",
    windows=[["RDNORM", "RDNORM", ""]],
    source=POLL,
    certainty=TESTED,
)
def a_client_is_reported_as_normal_data() -> Json:
    queue = listener()
    done(connect(tcp(), name_of(queue), IN))
    wait_readable(queue)
    return [_shown(queue, POLLIN), _shown(queue, POLLIN), _shown(queue, POLLRDBAND | POLLWRNORM)]


@topic.fact(
    "WSAPoll",
    "with a listener and both ends of a connection",
    windows=[[2, "", "WRNORM", "WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def a_new_connection_can_be_written() -> Json:
    client, server = tcp_pair()
    return _polled_together((listener(), ALL), (server, ALL), (client, ALL))


@topic.fact(
    "WSAPoll",
    "with data waiting, and after it was read",
    windows=[["WRNORM RDNORM", "WRNORM", "WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def data_is_reported_until_it_is_read() -> Json:
    client, server = tcp_pair()
    send(client, b"1234", 4, 0)
    before = _shown(wait_readable(server))
    received(server)
    return [before, _shown(server), _shown(client)]


@topic.fact(
    "WSAPoll",
    "with an urgent byte waiting, and after it was read",
    windows=[["WRNORM RDBAND", "A", "WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def an_urgent_byte_is_reported_as_band_data() -> Json:
    client, server = tcp_pair()
    send(client, b"A", 1, MSG_OOB)
    return [_shown(wait_except(server)), received(server, flags=MSG_OOB), _shown(server)]


@topic.fact(
    "WSAPoll",
    "with an inline urgent byte waiting, and after it was read",
    windows=[["WRNORM RDNORM", "A", "WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def an_inline_urgent_byte_is_reported_as_normal_data() -> Json:
    client, server = tcp_pair()
    switch(server, SOL_SOCKET, SO_OOBINLINE)
    send(client, b"A", 1, MSG_OOB)
    return [_shown(wait_readable(server)), received(server), _shown(server)]


@topic.fact(
    "WSAPoll",
    "after shutdown with SD_RECEIVE, on both ends",
    windows=[["WRNORM", "WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def shutting_down_reception_is_not_reported() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_RECEIVE))
    return [_shown(client), _shown(server)]


@topic.fact(
    "WSAPoll",
    "after shutdown with SD_SEND, on both ends",
    windows=[["WRNORM", "HUP WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def the_end_is_reported_as_a_hangup() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_SEND))
    return [_shown(client), _shown(wait_readable(server))]


@topic.fact(
    "WSAPoll",
    "with no events, and with all, after the peer has closed",
    windows=[["HUP", "HUP WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def a_hangup_is_reported_without_being_requested() -> Json:
    client, server = tcp_pair()
    done(closesocket(client))
    return [polled(wait_readable(server), 0, LIMIT * 1000), _shown(server)]


@topic.fact(
    "WSAPoll",
    "after data and shutdown with SD_SEND",
    windows=["HUP WRNORM RDNORM"],
    source=POLL,
    certainty=TESTED,
    wine="the hangup is not reported",
)
def data_before_the_end_is_reported_with_the_hangup() -> Json:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    done(shutdown(client, SD_SEND))
    polled(server, 0, LIMIT * 1000)
    return _shown(server)


@topic.fact(
    "WSAPoll",
    "after the peer has reset the connection, before and after recv",
    windows=[["ERR HUP WRNORM", "WSAECONNRESET", "ERR HUP WRNORM"]],
    source=wine("test_tcp_reset"),
    certainty=TESTED,
)
def a_reset_is_reported_as_an_error() -> Json:
    client, server = tcp_pair()
    reset(client)
    return [_shown(wait_readable(server)), received(server), _shown(server)]


@topic.fact(
    "WSAPoll",
    "twice, after a nonblocking connect that was refused",
    windows=[["ERR HUP WRNORM", "ERR HUP WRNORM"]],
    source=POLL,
    certainty=TESTED,
    wine="other events are reported",
)
def a_refused_nonblocking_connect_is_reported_each_time() -> Json:
    s = nonblocking(tcp())
    connect(s, inet(closed_port()), IN)
    return [polled(s, ALL, LIMIT * 1000), _shown(s)]


@topic.fact(
    "WSAPoll",
    "after a blocking connect that was refused",
    windows=["ERR HUP WRNORM"],
    source=POLL,
    certainty=TESTED,
    wine="other events are reported",
)
def a_refused_blocking_connect_is_reported() -> Json:
    s = tcp()
    assert connect(s, inet(closed_port()), IN) != 0
    return _shown(s)


@topic.fact(
    "WSAPoll",
    "with datagram sockets, before and after bind",
    windows=[["WRNORM", "WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def a_datagram_socket_can_be_written() -> Json:
    return [_shown(udp()), _shown(bound_udp())]


@topic.fact(
    "WSAPoll",
    "with a datagram waiting, and its sender",
    windows=[["WRNORM RDNORM", "WRNORM"]],
    source=POLL,
    certainty=TESTED,
)
def a_datagram_is_reported_as_normal_data() -> Json:
    s, sender = bound_udp(), udp()
    sendto(sender, b"data", 4, 0, name_of(s), IN)
    return [_shown(wait_readable(s)), _shown(sender)]


@topic.fact(
    "WSAPoll",
    "for one millisecond, while nothing happens",
    windows=[""],
    source=page("WSAPoll", "returns zero if no sockets were in the queried state before the timer expired"),
    certainty=DOCUMENTED,
)
def a_poll_times_out() -> Json:
    return polled(bound_udp(), POLLRDNORM, 1)


@topic.fact(
    "WSAPoll",
    "with a negative time-out, until a datagram arrives",
    windows=["RDNORM"],
    source=page("WSAPoll", "a negative time-out waits without limit"),
    certainty=DOCUMENTED,
)
def a_poll_without_a_timeout_waits() -> Json:
    s = bound_udp()
    sendto(s, b"x", 1, 0, name_of(s), IN)
    return polled(s, POLLRDNORM, -1)


@topic.fact(
    "WSAPoll",
    "with the same socket in two entries",
    windows=[[2, "WRNORM", "WRNORM"]],
    source=page("WSAPoll", "returns the number of entries with events"),
    certainty=DOCUMENTED,
    wine="each of the entries is counted twice",
)
def entries_are_counted_not_sockets() -> Json:
    client, _ = tcp_pair()
    return _polled_together((client, POLLWRNORM), (client, POLLWRNORM))


@topic.fact(
    "WSAPoll",
    "with POLLRDNORM, on a connection that can be written",
    windows=[[0, ""]],
    source=page("WSAPoll", "revents is 0 for sockets that do not meet the criteria"),
    certainty=DOCUMENTED,
)
def only_requested_events_are_reported() -> Json:
    client, _ = tcp_pair()
    return _polled_together((client, POLLRDNORM))

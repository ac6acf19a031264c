"""The accepted differences between compat and Wine 10, each with a predicate and a reason.

compat follows Microsoft's reference, and the tests that Wine runs on Windows. Most of the other differences are calls
that fail on both: Wine checks two errors in another order, and its server maps several errors to one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import winsock as w


class Difference(NamedTuple):
    """The first step of a program with different answers; an answer starts with the result or the name of the error."""

    start: str
    step: list[Any]
    compat: list[Any]
    wine: list[Any]
    before: list[list[Any]]

    def turned(self) -> Difference:
        return self._replace(compat=self.wine, wine=self.compat)

    def kind(self) -> str:
        """A text that is the same for equivalent differences."""
        call = self.step[0]
        detail = f" {self.step[2]} {self.step[3]}" if call.endswith("sockopt") else ""
        shown = slice(None) if self.compat[:1] == self.wine[:1] else slice(1)
        return f"{call}{detail}: {self.compat[shown]} / {self.wine[shown]}"


class Known(NamedTuple):
    reason: str
    fits: Callable[[Difference, Any, Any], bool]  # the difference, and the two results


_FIRST = ("WSANOTINITIALISED", "WSAENOTSOCK", "WSAEFAULT")
_SENDS, _RECEIVES = ("send", "sendto"), ("recv", "recvfrom")
_FAMILIES = ("WSAEAFNOSUPPORT", "WSAEFAULT")
_ONE_DATAGRAM_OPTION = {w.SO_LINGER, w.SO_DONTLINGER}


def fails(result: Any) -> bool:
    return isinstance(result, str) and (result.startswith("WSA") or result.lstrip("-").isdigit())


def _flags(found: Difference) -> int:
    return found.step[4] if found.step[0] in _SENDS + _RECEIVES else 0


def _names(found: Difference) -> list[list[Any]]:
    return [spec for spec in found.step if isinstance(spec, list) and spec[0] in ("name", "bytes")]


def _to_wildcard(found: Difference) -> bool:
    return any(not int(spec[2] if spec[0] == "name" else spec[1][4:] or "0", 16) for spec in _names(found))


def _option(found: Difference) -> tuple[int, int]:
    return (found.step[2], found.step[3]) if found.step[0].endswith("sockopt") else (0, 0)


def _has_sent(found: Difference) -> bool:
    return found.start.startswith("udp unanswered") or any(step[0] in _SENDS for step in found.before)


def _same_but(found: Difference, place: int) -> bool:
    return all(
        ours == theirs for at, (ours, theirs) in enumerate(zip(found.compat, found.wine, strict=True)) if at != place
    )


_DEFAULTS = {
    (w.SOL_SOCKET, w.SO_SNDBUF),
    (w.SOL_SOCKET, w.SO_RCVBUF),
    (w.SOL_SOCKET, w.SO_DONTROUTE),
    (w.IPPROTO_IP, w.IP_TTL),
    (w.IPPROTO_IP, w.IP_DONTFRAGMENT),
    (w.IPPROTO_IPV6, w.IPV6_UNICAST_HOPS),
    (w.IPPROTO_TCP, w.TCP_KEEPCNT),
    (w.IPPROTO_TCP, w.TCP_KEEPINTVL),
}

_UNKNOWN_LENGTHS = {
    (w.SOL_SOCKET, w.SO_ERROR),
    (w.IPPROTO_IP, w.IP_DONTFRAGMENT),
    (w.IPPROTO_IP, w.IP_MULTICAST_IF),
}

KNOWN = [
    Known(
        "winsock.api: WSAStartup, the handle and lengths are checked before the state of the socket",
        lambda d, ours, theirs: (
            ours in _FIRST and fails(theirs) and not (d.step[0] == "getpeername" and theirs == "WSAENOTCONN")
        ),
    ),
    Known(
        "Wine does not check the handle for options that it does not implement",
        lambda d, ours, theirs: ours in _FIRST[:2] and d.step[0] == "setsockopt" and theirs == 0,
    ),
    Known(
        "Wine passes a send without a connection to Linux and maps EPIPE to a reset",
        lambda d, ours, theirs: d.step[0] in _SENDS and (ours, theirs) == ("WSAENOTCONN", "WSAECONNRESET"),
    ),
    Known(
        "reference: listen on a connected socket is WSAEISCONN",
        lambda d, ours, theirs: d.step[0] == "listen" and (ours, theirs) == ("WSAEISCONN", "WSAEINVAL"),
    ),
    Known(
        "listen after a failed connect: Windows allows it on a bound socket, and connect binds the socket",
        lambda d, ours, theirs: d.step[0] == "listen" and (ours, theirs) == (0, "WSAEINVAL"),
    ),
    Known(
        "SO_BROADCAST is for datagram sockets only",
        lambda d, ours, theirs: _option(d) == (w.SOL_SOCKET, w.SO_BROADCAST) and ours == "WSAENOPROTOOPT",
    ),
    Known(
        "reference: a stream that ends receiving with unread data, or to which data arrives later, is reset",
        lambda d, ours, theirs: _has_shut_down(d) and _reports_a_reset(d, ours),
    ),
    Known(
        "SIO_UDP_CONNRESET is for datagram sockets only",
        lambda d, ours, theirs: d.step[0] == "ioctlsocket" and (ours, theirs) == ("WSAEOPNOTSUPP", 0),
    ),
    Known(
        "SIOCATMARK is 0 while out-of-band data is waiting, at any position in the stream",
        lambda d, ours, theirs: d.step[0] == "ioctlsocket" and (d.step[2], ours, theirs) == (w.SIOCATMARK, 0, 0),
    ),
    Known(
        "Wine reports wrong counts and events for a socket that is in the array twice",
        lambda d, ours, theirs: d.step[0] == "WSAPoll" and _twice(d.compat[1]),
    ),
    Known(
        "reference: WSAPoll rejects events that cannot be requested",
        lambda d, ours, theirs: (
            d.step[0] == "WSAPoll"
            and ours == "WSAEINVAL"
            and any(entry[1] & ~(w.POLLRDNORM | w.POLLRDBAND | w.POLLWRNORM) for entry in d.step[1][1:])
        ),
    ),
    Known(
        "Windows reports every failed connect as POLLERR, POLLHUP and POLLWRNORM",
        lambda d, ours, theirs: d.step[0] == "WSAPoll" and d.start.startswith("refused"),
    ),
    Known(
        "reference: WSAECONNRESET after a datagram to a closed port, also on unconnected sockets",
        lambda d, ours, theirs: d.step[0] in _RECEIVES and ours == "WSAECONNRESET" and _has_sent(d),
    ),
    Known(
        "the same, as readiness and as the last error",
        lambda d, ours, theirs: (
            d.start.startswith("udp unanswered")
            and (d.step[0] in ("select", "WSAPoll", "WSAGetLastError") or _option(d)[1] == w.SO_ERROR)
        ),
    ),
    Known(
        "the same on sockets that the program has created",
        lambda d, ours, theirs: (
            d.step[0] == "select" and any(step[0] == "sendto" for step in d.before) and _less_to_read(d.turned())
        ),
    ),
    Known(
        "the last error of a call with a known difference",
        lambda d, ours, theirs: d.step[0] == "WSAGetLastError",
    ),
    Known(
        "reference: WSAENOTCONN while connecting or listening and after a refused connect, regardless of waiting data",
        lambda d, ours, theirs: d.step[0] in _SENDS + _RECEIVES and ours == "WSAENOTCONN" and _waits(theirs),
    ),
    Known(
        "after SD_RECEIVE a socket is not readable; Wine still reports earlier data and ends of streams",
        lambda d, ours, theirs: (
            _has_shut_down(d) and (d.step[0] == "WSAPoll" or (d.step[0] == "select" and _less_to_read(d)))
        ),
    ),
    Known(
        "WSAPoll reports the end of a stream as POLLHUP for all requests; Wine only together with other events",
        lambda d, ours, theirs: d.step[0] == "WSAPoll" and _without_hup(d.compat[1]) == _without_hup(d.wine[1]),
    ),
    Known(
        "unknown whether a connect that fails immediately counts as a failed connect",
        lambda d, ours, theirs: d.step[0] in ("select", "WSAPoll") and any(step[0] == "connect" for step in d.before),
    ),
    Known(
        "a reset discards out-of-band data, which is tested on Windows for select only",
        lambda d, ours, theirs: d.step[0] in ("select", "WSAPoll") and d.start == "urgent",
    ),
    Known(
        "reference: getnameinfo with a buffer of size 0 is WSAEINVAL",
        lambda d, ours, theirs: d.step[0] == "getnameinfo" and ours == "WSAEINVAL",
    ),
    Known(
        "tests on Windows: a buffer too short for the sender's address is WSAEFAULT, and the datagram is kept",
        lambda d, ours, theirs: d.step[0] == "recvfrom" and ours == "WSAEFAULT",
    ),
    Known(
        "Wine binds a datagram socket even if send or connect fails",
        lambda d, ours, theirs: (
            (d.step[0] in ("bind", "getsockname", "getpeername", "WSAPoll") or _option(d)[1] == w.IPV6_V6ONLY)
            and any(step[0] in (*_SENDS, "connect") for step in d.before)
        ),
    ),
    Known(
        "an address that connect has chosen for another socket is in use; Wine leaves the decision to Linux",
        lambda d, ours, theirs: d.step[0] == "bind" and (ours, theirs) == ("WSAEADDRINUSE", 0),
    ),
    Known(
        "accept with a short address buffer keeps the connection waiting; Wine drops it",
        lambda d, ours, theirs: theirs == "WSAECONNRESET" and any(step[0] == "accept" for step in d.before),
    ),
    Known(
        "recv with MSG_OOB never blocks; on Wine it blocks or ends at a timeout",
        lambda d, ours, theirs: ours == "WSAEWOULDBLOCK" and bool(_flags(d) & w.MSG_OOB),
    ),
    Known(
        "a reset discards unread data; compat does not check for a reset before it returns the data",
        lambda d, ours, theirs: d.step[0] in _RECEIVES and theirs == "WSAECONNRESET" and not fails(ours),
    ),
    Known(
        "a datagram socket that is not connected is WSAENOTCONN",
        lambda d, ours, theirs: d.step[0] in _SENDS and (ours, theirs) == ("WSAENOTCONN", "WSAEINVAL"),
    ),
    Known(
        "a protocol that does not match the type is an error; Wine creates a raw socket",
        lambda d, ours, theirs: d.step[0] == "socket" and (ours, theirs) == ("WSAEPROTONOSUPPORT", "a socket"),
    ),
    Known(
        "a value above 255 is WSAEINVAL; Linux accepts -1 as the default",
        lambda d, ours, theirs: d.step[0] == "setsockopt" and d.step[4] == ["bytes", "ffffffff"] and theirs == 0,
    ),
    Known(
        "the behaviour of Windows for these lengths is unknown",
        lambda d, ours, theirs: _option(d) in _UNKNOWN_LENGTHS,
    ),
    Known(
        "an IPv4-mapped address on an IPv6-only socket: the behaviour of Windows is unknown",
        lambda d, ours, theirs: d.step[0] == "sendto" and theirs == "WSAENETUNREACH",
    ),
    Known(
        "a socket that connects to its own port after a refusal connects to itself if it still has that port",
        lambda d, ours, theirs: (
            d.start.startswith("refused") and "connect" in [step[0] for step in [*d.before, d.step]]
        ),
    ),
    Known(
        "reference: connect to an address of zeros removes the peer and does not bind",
        lambda d, ours, theirs: (
            (d.step[0] == "getsockname" and (ours, theirs) == ("WSAEINVAL", 0))
            or (d.step[0] in _SENDS and ours == "WSAENOTCONN" and not fails(theirs) and _has_connected(d))
        ),
    ),
    Known(
        "reference: before WSAStartup the calls for names fail",
        lambda d, ours, theirs: d.step[0].startswith("get") and ours == "WSANOTINITIALISED",
    ),
    Known(
        "tests on Windows: after a refused blocking connect SO_ERROR is 0",
        lambda d, ours, theirs: _option(d)[1] == w.SO_ERROR and ours == 0 and _has_connected(d),
    ),
    Known(
        "Windows stores SO_DEBUG; Wine accepts and ignores it",
        lambda d, ours, theirs: _option(d) == (w.SOL_SOCKET, w.SO_DEBUG),
    ),
    Known(
        "out-of-band data with a full send buffer: the behaviour of Windows is unknown",
        lambda d, ours, theirs: d.step[0] in _RECEIVES and bool(_flags(d) & w.MSG_OOB) and theirs == "WSAEMSGSIZE",
    ),
    Known(
        "Wine does not implement MSG_WAITALL",
        lambda d, ours, theirs: d.step[0] in _RECEIVES and bool(_flags(d) & w.MSG_WAITALL),
    ),
    Known(
        "reference: an address buffer without a length is WSAEFAULT",
        lambda d, ours, theirs: (
            d.step[0] in ("connect", "sendto") and ours == "WSAEFAULT" and not fails(theirs) and _short(d)
        ),
    ),
    Known(
        "connect with AF_UNSPEC has no effect on a stream",
        lambda d, ours, theirs: d.step[0] == "connect" and (ours, theirs) == ("WSAEAFNOSUPPORT", 0),
    ),
    Known(
        "Winsock reports a closed port as a reset; Wine reports a refusal if Linux reports it first",
        lambda d, ours, theirs: d.step[0] in _RECEIVES and theirs == "WSAECONNREFUSED",
    ),
    Known(
        "a buffer shorter than the value of IP_MULTICAST_IF: the behaviour of Windows is unknown",
        lambda d, ours, theirs: _option(d) == (w.IPPROTO_IP, w.IP_MULTICAST_IF) and (ours, theirs) == ("WSAEFAULT", 0),
    ),
    Known(
        "receiving on an unbound socket is WSAEINVAL on Windows; Wine blocks",
        lambda d, ours, theirs: d.step[0] in _RECEIVES and ours == "WSAEINVAL" and _waits(theirs),
    ),
    Known(
        "Wine ignores MSG_WAITALL and unknown flags",
        lambda d, ours, theirs: ours == "WSAEOPNOTSUPP" and _flags(d) not in (0, 1, 2, 4),
    ),
    Known(
        "MSG_OOB on a datagram socket: Wine ignores it in recv and checks it last in send",
        lambda d, ours, theirs: ours == "WSAEOPNOTSUPP" and bool(_flags(d) & w.MSG_OOB),
    ),
    Known(
        "after a refused connect calls report that the socket is not connected",
        lambda d, ours, theirs: d.step[0] in _RECEIVES and (ours, theirs) == ("WSAENOTCONN", 0) and _has_connected(d),
    ),
    Known(
        "an address of the wrong family: sources disagree, and Wine's server maps several errors to one",
        lambda d, ours, theirs: ours in _FAMILIES and fails(theirs) and bool(_names(d)),
    ),
    Known(
        "an invalid address for a socket that is already bound or connected: the order of the checks is unknown",
        lambda d, ours, theirs: d.step[0] in ("bind", "connect") and fails(ours) and fails(theirs),
    ),
    Known(
        "reference: the wildcard address is not a destination",
        lambda d, ours, theirs: d.step[0] in ("connect", "sendto") and ours == "WSAEADDRNOTAVAIL" and _to_wildcard(d),
    ),
    Known(
        "reference: select rejects a negative timeout",
        lambda d, ours, theirs: d.step[0] == "select" and ours == "WSAEINVAL" and d.step[5] == ["time", -1, 0],
    ),
    Known(
        "after our own WSAECONNABORTED or the peer's reset: either is documented",
        lambda d, ours, theirs: (
            d.step[0] in _SENDS + _RECEIVES and {ours, theirs} == {"WSAECONNABORTED", "WSAECONNRESET"}
        ),
    ),
    Known(
        "Windows has other defaults than Linux, whose values Wine returns",
        lambda d, ours, theirs: _option(d) in _DEFAULTS and (ours, theirs) == (0, 0) and _same_but(d, 1),
    ),
    Known(
        "getsockopt sets the length to 4 in a larger buffer; Wine does not for some options",
        lambda d, ours, theirs: d.step[0] == "getsockopt" and (ours, theirs) == (0, 0) and _same_but(d, 2),
    ),
    Known(
        "options of another type of socket: Wine's server maps several errors to one",
        lambda d, ours, theirs: d.step[0].endswith("sockopt") and fails(ours) and fails(theirs),
    ),
    Known(
        "SO_LINGER and SO_DONTLINGER are options of streams",
        lambda d, ours, theirs: _option(d)[1] in _ONE_DATAGRAM_OPTION and (ours, theirs) == ("WSAENOPROTOOPT", 0),
    ),
    Known(
        "IPV6_V6ONLY can be read on an IPv4 socket",
        lambda d, ours, theirs: _option(d)[1] == w.IPV6_V6ONLY and (ours, theirs) == (0, "WSAEOPNOTSUPP"),
    ),
    Known(
        "a value of length 0 is WSAEFAULT; Wine accepts it for some options",
        lambda d, ours, theirs: d.step[0] == "setsockopt" and (d.step[5], ours, theirs) == (0, "WSAEFAULT", 0),
    ),
    Known(
        "Wine returns some EAI codes of Linux and copies the flags of the hints",
        lambda d, ours, theirs: d.step[0] in ("getaddrinfo", "getnameinfo") and (fails(theirs) or _flags_only(d)),
    ),
    Known(
        "inet_pton does not change the buffer if the text is invalid",
        lambda d, ours, theirs: d.step[0] == "inet_pton" and (ours, theirs) == (0, 0),
    ),
    Known(
        "tests on Windows: socket checks the type, then the family, then the protocol",
        lambda d, ours, theirs: d.step[0] == "socket" and fails(ours) and fails(theirs),
    ),
    Known(
        "getpeername checks the connection before its arguments",
        lambda d, ours, theirs: d.step[0] == "getpeername" and ours == "WSAENOTCONN" and fails(theirs),
    ),
]


def _twice(entries: list[str]) -> bool:
    sockets = [entry.partition(":")[0] for entry in entries]
    return len(set(sockets)) < len(sockets)


def _reports_a_reset(found: Difference, ours: Any) -> bool:
    """Whether compat reports that a connection was reset, to its user or to the peer."""
    if found.step[0] in _SENDS + _RECEIVES:
        return ours in ("WSAECONNABORTED", "WSAECONNRESET")
    if found.step[0] == "ioctlsocket":
        return bool(found.step[2] == w.FIONREAD and found.compat[-1] == 0)
    return found.step[0] == "WSAPoll" or (found.step[0] == "select" and _less_to_read(found.turned()))


def _has_shut_down(found: Difference) -> bool:
    return any(step[0] == "shutdown" and step[2] != w.SD_SEND for step in found.before)


def _has_connected(found: Difference) -> bool:
    return found.start.startswith("refused") or any(step[0] == "connect" for step in found.before)


def _less_to_read(found: Difference) -> bool:
    """Whether all sets except for the first one are equal."""
    ours, theirs = found.compat[1:], found.wine[1:]
    return ours[1:] == theirs[1:] and set(ours[0]) < set(theirs[0])


def _without_hup(entries: list[str]) -> list[str]:
    return [entry.replace("HUP", "").replace("  ", " ").rstrip() for entry in entries]


def _short(found: Difference) -> bool:
    return bool(found.step[-1] == 0) or found.step[-2] == ["bytes", ""]


def _waits(result: Any) -> bool:
    return result in ("WSAEWOULDBLOCK", "WSAETIMEDOUT")


def _flags_only(found: Difference) -> bool:
    ours, theirs = found.compat[1:], found.wine[1:]
    return [[entry[1:] for entry in entries] for entries in ours] == [
        [entry[1:] for entry in entries] for entries in theirs
    ]


def known(found: Difference) -> str | None:
    """The reason why a difference is accepted; None if it is not."""
    ours, theirs = found.compat[0], found.wine[0]
    return next((entry.reason for entry in KNOWN if entry.fits(found, ours, theirs)), None)

"""What Windows does in each cell of the matrix of addresses, where that is stated, and how certain it is.

Where sources disagree, or none states the result for exactly this situation, all results that they allow are accepted.
The first result is the one of compat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.conformance.address_cells import Cell
from tests.conformance.recorder import Json
from winsock import SOCK_STREAM

from . import sources
from .facts import DOCUMENTED, REPORTED, SOURCE, TESTED, Certainty

_API = f"{sources.REFERENCE}/api/winsock2/nf-winsock2-"
_WINSOCK = f"{sources.REFERENCE}/winsock/"
BIND, CONNECT, SENDTO = f"{_API}bind", f"{_API}connect", f"{_API}sendto"
ERRORS = f"{_WINSOCK}windows-sockets-error-codes-2"
DUAL_STACK = f"{_WINSOCK}dual-stack-sockets"
SCOPES = f"{_WINSOCK}link-local-and-site-local-addresses-2"
REACTOS = sources.REACTOS
LIBUV = sources.LIBUV
DOTNET = f"{sources.DOTNET}/DualModeSocketTest.cs"

A, AF, FAULT = "WSAEADDRNOTAVAIL", "WSAEAFNOSUPPORT", "WSAEFAULT"
ACCES, UNREACHABLE, LATER = "WSAEACCES", "WSAENETUNREACH", "WSAEWOULDBLOCK"
_A_NUMBER = 10049  # WSAEADDRNOTAVAIL as SO_ERROR returns it

Results = Mapping[str, Sequence[Json]]


class Answer(NamedTuple):
    results: Results  # of each label of the scenario
    source: str
    certainty: Certainty
    # Why compat does not behave like Windows.
    compat: str = ""


# Addresses that the calls treat alike, by the first of them.
_ALIKE = {
    "wildcard6": "wildcard",
    "mapped_wildcard": "wildcard",
    "loopback6": "loopback",
    "foreign6": "foreign",
    "multicast6": "multicast",
    "mapped_multicast": "multicast",
    "loopback_broadcast": "limited_broadcast",
    "mapped_limited_broadcast": "limited_broadcast",
    "mapped_loopback_broadcast": "limited_broadcast",
    "port_0_6": "port_0",
    "zeros6": "zeros",
    "unknown_family6": "unknown_family",
    "unspecified_family6": "unspecified_family",
}


def _refused(*errors: str) -> Results:
    """connect of a stream that Winsock refuses before it asks the transport."""
    answers = [[error] for error in errors]
    return {"connect": answers, "connect nonblocking": answers, "select": [["-"]], "getsockopt": [[0]]}


# Refused at once or, as other sources imply, by the transport, after connect of a nonblocking socket has returned.
_REFUSED: Results = {
    "connect": [[A]],
    "connect nonblocking": [[A], [LATER]],
    "select": [["-"], ["e"]],
    "getsockopt": [[0], [_A_NUMBER]],
}
_REFUSED_BY_TRANSPORT: Results = {label: list(reversed(answers)) for label, answers in _REFUSED.items()}
_REFUSED_LATER: Results = {label: answers[:1] for label, answers in _REFUSED_BY_TRANSPORT.items()}
_CONNECTED: Results = {
    "connect": [[0]],
    "connect nonblocking": [[LATER]],
    "select": [["w"]],
    "getsockopt": [[0]],
}
_INVALID = f"{CONNECT}: the remote address is not a valid address"
_NO_LOCAL = f"{BIND}: not a valid local address on this computer"
_BOTH = "the page lists both errors"
_NO_ROUTE = f"{SENDTO}: any multicast address; without a member of the group on loopback it may be unreachable"

BIND_ANSWERS = {
    "wildcard": Answer({"bind": [[0]]}, f"{REACTOS}/bind.c", TESTED),
    "wildcard6": Answer({"bind": [[0]]}, f"{LIBUV}/test-tcp-bind6-error.c", TESTED),
    "mapped_wildcard": Answer({"bind": [[0]]}, DOTNET, TESTED),
    "loopback": Answer({"bind": [[0]]}, f"{REACTOS}/bind.c", TESTED),
    "loopback6": Answer({"bind": [[0]]}, f"{LIBUV}/test-tcp-bind6-error.c", TESTED),
    "own": Answer({"bind": [[0]]}, f"{REACTOS}/bind.c", TESTED),
    "foreign": Answer({"bind": [[A]]}, f"{LIBUV}/test-tcp-bind-error.c", TESTED),
    "foreign6": Answer({"bind": [[A]]}, f"{LIBUV}/test-tcp-bind6-error.c", TESTED),
    "multicast": Answer({"bind": [[A]]}, "https://github.com/nannou-org/citp/pull/6", REPORTED),
    "multicast6": Answer({"bind": [[A]]}, "https://github.com/GGist/ssdp-rs/pull/31", REPORTED),
    "mapped_multicast": Answer({"bind": [[A]]}, _NO_LOCAL, DOCUMENTED),
    "limited_broadcast": Answer({"bind": [[A]]}, f"{REACTOS}/bind.c", TESTED),
    "loopback_broadcast": Answer({"bind": [[A]]}, f"{LIBUV}/test-tcp-bind-error.c", SOURCE),
    "mapped_limited_broadcast": Answer({"bind": [[A]]}, _NO_LOCAL, DOCUMENTED),
    "mapped_loopback_broadcast": Answer({"bind": [[A]]}, _NO_LOCAL, DOCUMENTED),
    "link_local": Answer(
        {"bind": [[A], ["WSAEINVAL"]]},
        f"{SCOPES}: bind needs a scope id that is not zero; no code is stated",
        DOCUMENTED,
    ),
    "mapped": Answer({"bind": [[0]]}, DOTNET, TESTED),
    "mapped on IPv6": Answer({"bind": [[A]]}, _NO_LOCAL, DOCUMENTED),
    "ipv6_address": Answer({"bind": [[AF], [FAULT]]}, f"{BIND}: {_BOTH}", DOCUMENTED),
    "ipv4_address": Answer({"bind": [[FAULT]]}, f"{BIND}: too short, and of another family", DOCUMENTED),
    "ipv4_address_in_28_bytes": Answer({"bind": [[FAULT]]}, f"{BIND}: of another family", DOCUMENTED),
    "unknown_family": Answer({"bind": [[AF], [FAULT]]}, f"{BIND}: of another family", DOCUMENTED),
    "unspecified_family": Answer({"bind": [[AF], [FAULT]]}, f"{BIND}: of another family", DOCUMENTED),
}

CONNECT_STREAM_ANSWERS = {
    "wildcard": Answer(_REFUSED, _INVALID, DOCUMENTED),
    "wildcard6": Answer(_REFUSED, "https://github.com/nodejs/node/issues/14900", REPORTED),
    "loopback": Answer(_CONNECTED, CONNECT, DOCUMENTED),
    "loopback6": Answer(_CONNECTED, DOTNET, TESTED),
    "own": Answer(_CONNECTED, CONNECT, DOCUMENTED),
    "multicast": Answer(_REFUSED_BY_TRANSPORT, _INVALID, DOCUMENTED),
    "limited_broadcast": Answer(_REFUSED_BY_TRANSPORT, _INVALID, DOCUMENTED),
    "link_local": Answer(
        {"connect nonblocking": [[LATER]]}, f"{SCOPES}: connect may be called without a scope id", DOCUMENTED
    ),
    "port_0": Answer(_REFUSED, f"{ERRORS}: WSAEADDRNOTAVAIL, port 0", DOCUMENTED),
    "zeros": Answer(_REFUSED, _INVALID, DOCUMENTED),
    "mapped": Answer(_CONNECTED, DOTNET, TESTED),
    "mapped on IPv6": Answer(_REFUSED_LATER, "https://github.com/warmcat/libwebsockets/issues/2223", REPORTED),
    "ipv6_address": Answer(_refused(AF, FAULT), f"{CONNECT}: {_BOTH}", DOCUMENTED),
    "ipv4_address": Answer(_refused(FAULT), f"{DOTNET}: a comment has the text of the error", SOURCE),
    "ipv4_address_in_28_bytes": Answer(_refused(FAULT, AF), f"{CONNECT}: {_BOTH}", DOCUMENTED),
    "unknown_family": Answer(_refused(AF), CONNECT, DOCUMENTED),
    "unspecified_family": Answer(_refused(AF), CONNECT, DOCUMENTED),
}

_ENDED: Results = {"connect": [[0]], "send": [["WSAENOTCONN"]]}
_PORT_0 = f"{ERRORS}: WSAEADDRNOTAVAIL lists connect and port 0"
_NEEDS_SCOPE = (
    "the kernel connects such an address only from a socket that is bound to an interface; "
    "Windows looks for the interface itself"
)

CONNECT_DATAGRAM_ANSWERS = {
    "wildcard": Answer({"connect": [[A]]}, f"{LIBUV}/test-udp-connect.c", TESTED),
    "wildcard6": Answer({"connect": [[A]]}, f"{LIBUV}/test-udp-connect6.c", TESTED),
    "mapped_wildcard": Answer({"connect": [[A]]}, _INVALID, DOCUMENTED),
    "loopback": Answer({"connect": [[0]]}, f"{LIBUV}/test-udp-connect.c", TESTED),
    "loopback6": Answer({"connect": [[0]]}, f"{LIBUV}/test-udp-connect6.c", TESTED),
    "own": Answer({"connect": [[0]]}, CONNECT, DOCUMENTED),
    "multicast": Answer({"connect": [[0], [UNREACHABLE]]}, f"{CONNECT}: any valid address", DOCUMENTED),
    "limited_broadcast": Answer(
        {"connect": [[ACCES], [0]], "connect with SO_BROADCAST": [[0]]},
        f"{CONNECT}: WSAEACCES without SO_BROADCAST; in Wine's test suite it succeeds",
        DOCUMENTED,
    ),
    "link_local": Answer(
        {"connect": [[0]]}, f"{SCOPES}: connect may be called without a scope id", DOCUMENTED, _NEEDS_SCOPE
    ),
    "port_0": Answer({"connect": [[0], [A]]}, _PORT_0, DOCUMENTED),
    "zeros": Answer(_ENDED, f"{CONNECT}: filled with zeros", DOCUMENTED),
    "mapped": Answer({"connect": [[0]]}, DUAL_STACK, DOCUMENTED),
    "mapped on IPv6": Answer({"connect": [[A]]}, _INVALID, DOCUMENTED),
    "ipv6_address": Answer({"connect": [[AF], [FAULT]]}, f"{CONNECT}: {_BOTH}", DOCUMENTED),
    "ipv4_address": Answer({"connect": [[FAULT]]}, "https://github.com/tokio-rs/mio/issues/721", REPORTED),
    "ipv4_address_in_28_bytes": Answer({"connect": [[FAULT], [AF]]}, f"{CONNECT}: {_BOTH}", DOCUMENTED),
    "unknown_family": Answer({"connect": [[AF]]}, CONNECT, DOCUMENTED),
    "unspecified_family": Answer(
        {"connect": [[0], [AF]], "send": [["WSAENOTCONN"], [1]]},
        f"{CONNECT}: not mentioned; in Wine's test suite it ends the association",
        DOCUMENTED,
    ),
}

SENDTO_ANSWERS = {
    "wildcard": Answer({"sendto": [[A]]}, "https://github.com/twisted/twisted/issues/3748", REPORTED),
    "wildcard6": Answer({"sendto": [[A]]}, "https://github.com/golang/go/issues/22811", REPORTED),
    "mapped_wildcard": Answer({"sendto": [[A]]}, f"{SENDTO}: ADDR_ANY", DOCUMENTED),
    "loopback": Answer({"sendto": [[1]]}, f"{LIBUV}/test-udp-connect.c", TESTED),
    "loopback6": Answer({"sendto": [[1]]}, f"{LIBUV}/test-udp-connect6.c", TESTED),
    "own": Answer({"sendto": [[1]]}, SENDTO, DOCUMENTED),
    "multicast": Answer({"sendto": [[1], [UNREACHABLE]]}, _NO_ROUTE, DOCUMENTED),
    "limited_broadcast": Answer(
        {"sendto": [[ACCES]], "sendto with SO_BROADCAST": [[1], [UNREACHABLE]]},
        f"{SENDTO}: WSAEACCES without SO_BROADCAST",
        DOCUMENTED,
    ),
    "link_local": Answer(
        {"sendto": [[1], [UNREACHABLE], ["WSAEHOSTUNREACH"]]},
        f"{SCOPES}: sendto may be called without a scope id",
        DOCUMENTED,
    ),
    "port_0": Answer({"sendto": [[1], [A]]}, f"{ERRORS}: WSAEADDRNOTAVAIL; Wine's test suite: 1", DOCUMENTED),
    "zeros": Answer({"sendto": [[A]]}, f"{SENDTO}: ADDR_ANY", DOCUMENTED),
    "mapped": Answer({"sendto": [[1]]}, DUAL_STACK, DOCUMENTED),
    "mapped on IPv6": Answer({"sendto": [[A]]}, f"{SENDTO}: the remote address is not a valid address", DOCUMENTED),
    "ipv6_address": Answer({"sendto": [[AF]]}, "https://github.com/firezone/sans-io-blog-example/pull/1", REPORTED),
    "ipv4_address": Answer({"sendto": [[FAULT]]}, "https://github.com/libuv/libuv/issues/4433", REPORTED),
    "ipv4_address_in_28_bytes": Answer({"sendto": [[FAULT], [AF]]}, f"{SENDTO}: {_BOTH}", DOCUMENTED),
    "unknown_family": Answer({"sendto": [[AF], [FAULT]]}, f"{SENDTO}: {_BOTH}", DOCUMENTED),
    "unspecified_family": Answer({"sendto": [[AF], [FAULT]]}, f"{SENDTO}: {_BOTH}", DOCUMENTED),
}

_TABLES = {
    "bind": BIND_ANSWERS,
    "connect_stream": CONNECT_STREAM_ANSWERS,
    "connect_datagram": CONNECT_DATAGRAM_ANSWERS,
    "sendto": SENDTO_ANSWERS,
}
_IGNORED = Answer({"sendto": [[1]]}, f"{SENDTO}: on a stream, to and tolen are ignored", DOCUMENTED)
# The reports of bind are about datagram sockets.
_BIND_STREAM = {key: Answer({"bind": [[A]]}, _NO_LOCAL, DOCUMENTED) for key in ("multicast", "multicast6")}


def answer_of_windows(cell: Cell) -> Answer:
    """What Windows does in a cell."""
    if cell.program == "sendto_stream":
        return _IGNORED
    if cell.program == "bind" and cell.type == SOCK_STREAM and cell.address in _BIND_STREAM:
        return _BIND_STREAM[cell.address]
    table = _TABLES[cell.program]
    key = "mapped on IPv6" if (cell.address, cell.socket) == ("mapped", "IPv6") else cell.address
    return table.get(key) or table[_ALIKE[key]]


def accepted(cell: Cell) -> dict[str, list[Json]]:
    """The labels of a cell's scenario with the results that are accepted on Windows; the first is compat's."""
    results = answer_of_windows(cell).results
    briefly = cell.address in ("port_0", "port_0_6", "zeros", "zeros6")
    return {
        label: list(answers)
        for label, answers in results.items()
        if not (briefly and label in ("select", "getsockopt"))
    }

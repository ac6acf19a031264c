"""The strategy that generates programs: the calls with the pools of their arguments, and their frequencies."""

from __future__ import annotations

from typing import Any, TypeAlias

from hypothesis import strategies as st

import winsock as w

from .pools import (
    ADDRESSES,
    DATA,
    ENTRIES,
    FAMILIES,
    FD_SETS,
    FLAGS,
    GETTABLE,
    HANDLES,
    HINTS,
    LATER_SETS,
    LENGTHS,
    LIMITS,
    LOOPBACK,
    NAME_LENGTHS,
    NAME_REFS,
    NAME_ROOMS,
    NODES,
    NUMBERS,
    OWN_NAMES,
    PEER_NAMES,
    ROOMS,
    SERVICES,
    SETTABLE,
    TEXTS,
    TIMEOUTS,
    VALUE_LENGTHS,
    VALUE_REFS,
    VALUE_ROOMS,
    VALUES,
    Pool,
    mostly,
    names,
    specs,
)
from .situations import SITUATIONS

Strategy: TypeAlias = "st.SearchStrategy[Any]"


def _call(name: str, *pools: Pool) -> Strategy:
    return st.tuples(st.just(name), *map(st.sampled_from, pools)).map(list)


def _poll_step(parts: tuple[list[Any], int, int, int]) -> list[Any]:
    entries, kind, more, limit = parts
    # Without entries nothing could end a wait; a count of one entry too many exceeds the buffer.
    return ["WSAPoll", None if kind == 0 else ["poll", *entries], 0 if more == 0 else len(entries) + (more == 1), limit]


_SOCKET = _call(
    "socket",
    mostly([w.AF_INET, w.AF_INET, w.AF_INET6], [0, 0xDEAD, -1, 1, 12]),
    mostly([w.SOCK_STREAM, w.SOCK_DGRAM], [0, 4, 5, 0xDEAD, -1]),
    mostly([0, 0, 0, w.IPPROTO_TCP, w.IPPROTO_UDP], [0xDEAD, -1, 1]),
)
_TRANSFERS = [
    _call("send", HANDLES, DATA, LENGTHS, FLAGS),
    _call("recv", HANDLES, ROOMS, LENGTHS, FLAGS),
    _call("sendto", HANDLES, DATA, LENGTHS, FLAGS, mostly(PEER_NAMES, [None]), NAME_LENGTHS),
    _call("recvfrom", HANDLES, ROOMS, LENGTHS, FLAGS, NAME_ROOMS, NAME_REFS),
]
_WAITING = [
    _call("select", NUMBERS, FD_SETS, LATER_SETS, LATER_SETS, LIMITS),
    st.tuples(
        st.lists(st.sampled_from(ENTRIES), max_size=3),
        st.integers(0, 20),
        st.integers(0, 20),
        st.sampled_from([0, 0, 2]),
    ).map(_poll_step),
]
_SETTING = [
    st.tuples(st.sampled_from(SETTABLE), _call("setsockopt", HANDLES, VALUES, VALUE_LENGTHS)).map(
        lambda parts: [*parts[1][:2], *parts[0], *parts[1][2:]]
    ),
    st.tuples(st.sampled_from(GETTABLE), _call("getsockopt", HANDLES, VALUE_ROOMS, VALUE_REFS)).map(
        lambda parts: [*parts[1][:2], *parts[0], *parts[1][2:]]
    ),
]
_TIMEOUT = _call("setsockopt", HANDLES, [w.SOL_SOCKET], [w.SO_RCVTIMEO, w.SO_SNDTIMEO], TIMEOUTS, [4, 4, 4, 8, 1, 2, 0])
_CONNECTING = [
    _call("bind", HANDLES, OWN_NAMES, NAME_LENGTHS),
    _call("connect", HANDLES, PEER_NAMES, NAME_LENGTHS),
    _call("listen", HANDLES, [5, 5, w.SOMAXCONN, -1]),
    _call("accept", HANDLES, mostly(NAME_ROOMS, [None]), NAME_REFS),
    _call("getsockname", HANDLES, NAME_ROOMS, NAME_REFS),
    _call("getpeername", HANDLES, NAME_ROOMS, NAME_REFS),
]
_COMMANDS = mostly(
    [w.FIONBIO, w.FIONREAD, w.SIOCATMARK, w.SIO_UDP_CONNRESET], [0, 1, w.FIONBIO - (1 << 32), 0x98000099]
)
_ENDS = [
    _call("shutdown", HANDLES, mostly([0, 1, 2], [3, -1])),
    _call("ioctlsocket", HANDLES, _COMMANDS, mostly(specs("ref", [0, 1, 0x100]), [None])),
]
_TEXTUAL = [
    _call("inet_addr", TEXTS),
    _call("inet_pton", FAMILIES, TEXTS, mostly(specs("room", [16, 20]), [None, *specs("room", [3, 15])])),
    _call("inet_ntop", FAMILIES, ADDRESSES, mostly(specs("room", [65, 16]), [None]), mostly([65, 46, 16], [0, 2, 8])),
    _call("inet_ntoa", [0, 1, 0x0100007F, 0xFFFFFFFF, -1]),
    _call("getaddrinfo", NODES, SERVICES, HINTS),
    _call("gethostbyname", specs("text", ["127.0.0.1", "1.2.3.4"])),
    _call("gethostname", mostly([["room", 256]], [None, ["room", 1]]), mostly([256], [0, 1, -1, 300])),
    _call(
        "getnameinfo",
        names(LOOPBACK, "01020304"),
        NAME_LENGTHS,
        *[mostly([["room", 64]], [None, ["room", 4]]), mostly([64], [4, 0, -1])] * 2,
        [w.NI_NUMERICHOST | w.NI_NUMERICSERV],
    ),
    *[_call(name, NUMBERS) for name in ("htons", "ntohs", "htonl", "ntohl")],
]
_STARTS = [
    _call("WSACleanup"),
    _call("WSAStartup", [0x202, 0x101, 0, 0x102, 0xFFFF, 0x3], mostly([["room", 408]], [None, ["room", 407]])),
    _call("WSASetLastError", [0, 10035, -1, 1, 12345, 0x7FFFFFFF]),
    _call("WSAGetLastError"),
]

# The invalid values (see BROKEN) by kind of parameter.
_INTEGER = ["float", "huge", "tiny", "digits"]
_CONST = ["number", "digits", "strided", "strided const"]
_WRITTEN = ["number", "digits", "strided", "const"]
_POINTER = ["number", "digits", "short", "double", "const"]
_STRING = ["é"]
_PARAMETERS = {
    "socket": [_INTEGER] * 3,
    "bind": [_INTEGER, _CONST, _INTEGER],
    "connect": [_INTEGER, _CONST, _INTEGER],
    "listen": [_INTEGER] * 2,
    "accept": [_INTEGER, _WRITTEN, _POINTER],
    "send": [_INTEGER, _CONST, _INTEGER, _INTEGER],
    "recv": [_INTEGER, _WRITTEN, _INTEGER, _INTEGER],
    "sendto": [_INTEGER, _CONST, _INTEGER, _INTEGER, _CONST, _INTEGER],
    "recvfrom": [_INTEGER, _WRITTEN, _INTEGER, _INTEGER, _WRITTEN, _POINTER],
    "shutdown": [_INTEGER] * 2,
    "closesocket": [_INTEGER],
    "ioctlsocket": [_INTEGER, _INTEGER, _POINTER],
    "getsockname": [_INTEGER, _WRITTEN, _POINTER],
    "getpeername": [_INTEGER, _WRITTEN, _POINTER],
    "setsockopt": [_INTEGER, _INTEGER, _INTEGER, _CONST, _INTEGER],
    "getsockopt": [_INTEGER, _INTEGER, _INTEGER, _WRITTEN, _POINTER],
    "select": [_INTEGER, _WRITTEN, _WRITTEN, _WRITTEN, _CONST],
    "WSAPoll": [_WRITTEN, _INTEGER, _INTEGER],
    "inet_addr": [_STRING],
    "inet_pton": [_INTEGER, _STRING, _WRITTEN],
    "inet_ntop": [_INTEGER, _CONST[1:], _WRITTEN, _INTEGER],
    "gethostname": [_WRITTEN, _INTEGER],
    "WSASetLastError": [_INTEGER],
    "htonl": [_INTEGER],
    "ntohs": [_INTEGER],
}


@st.composite
def _broken(draw: st.DrawFn, steps: Strategy) -> list[Any]:
    """A step with one argument that its C type does not accept."""
    step: list[Any] = draw(steps)
    kinds = _PARAMETERS.get(step[0])
    if not kinds:
        return step
    place = draw(st.integers(0, len(kinds) - 1))
    broken = ["broken", draw(st.sampled_from(kinds[place]))]
    return [step[0], *[None if spec == ["again"] else spec for spec in step[1 : place + 1]], broken, *step[place + 2 :]]


# The groups of calls and their weights, which sum to 100.
_GROUPS = [
    (7, [_SOCKET]),
    (3, [_call("closesocket", HANDLES)]),
    (30, _TRANSFERS),
    (13, _WAITING),
    (14, _SETTING),
    (1, [_TIMEOUT]),
    (16, _CONNECTING),
    (9, _ENDS),
    (6, _TEXTUAL),
    (1, _STARTS),
]
_usual = st.sampled_from([group for weight, group in _GROUPS for _ in range(weight)]).flatmap(st.one_of)
_steps = st.sampled_from([_usual] * 30 + [_broken(_usual)]).flatmap(lambda strategy: strategy)
# Three lists make programs longer than one list does, and shrink equally well.
_lists = st.tuples(*[st.lists(_steps, max_size=10)] * 3).map(lambda lists: [step for steps in lists for step in steps])

programs = st.fixed_dictionaries(
    {"start": st.sampled_from([*SITUATIONS]), "nonblocking": st.sampled_from([True] * 4 + [False]), "steps": _lists}
)

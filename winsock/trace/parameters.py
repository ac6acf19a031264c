"""The parameters of every call: how a trace reads each one, and when."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from winsock import symbols

from .calls import Call, Shown
from .readers import (
    address_given,
    address_taken,
    backlog,
    binary_address,
    bits,
    data,
    error,
    fds,
    found,
    freed,
    handle,
    hints,
    internet_address,
    named,
    option_name,
    option_value,
    plain,
    polled,
    protocol,
    start_data,
    string_given,
    string_taken,
    timeout,
    version,
)

__all__ = ["PARAMETERS", "Parameter", "When"]


class When(Enum):
    """When a parameter is read: before the call, after it, or both."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Parameter(NamedTuple):
    """The reader of a parameter (see readers.py), and when it is called."""

    read: Callable[[Any, Call], Shown]
    when: When = When.IN


_PLAIN = Parameter(plain)
_REF = Parameter(plain, When.BOTH)
_S = Parameter(handle)
_DATA = Parameter(data, When.OUT)
_FLAGS = Parameter(bits(symbols.MESSAGE_FLAGS))
_FAMILY = Parameter(named(symbols.FAMILIES))
_SET = Parameter(fds, When.BOTH)
_STRING = Parameter(string_given)
_TAKEN = Parameter(string_taken, When.OUT)
_LEVEL = Parameter(named(symbols.LEVELS))
_OPTION = Parameter(option_name)
_GIVEN = Parameter(address_given("namelen"))
_NAME = Parameter(address_taken("namelen"), When.OUT)


# The parameters of each call by name, in the order of the call.
# fmt: off
PARAMETERS: dict[str, dict[str, Parameter]] = {
    "WSAStartup": {"wVersionRequested": Parameter(version), "lpWSAData": Parameter(start_data, When.OUT)},
    "WSACleanup": {},
    "WSAGetLastError": {},
    "WSASetLastError": {"iError": Parameter(error)},
    "socket": {"af": _FAMILY, "type": Parameter(named(symbols.TYPES)), "protocol": Parameter(protocol)},
    "ioctlsocket": {"s": _S, "cmd": Parameter(named(symbols.COMMANDS)), "argp": _REF},
    "bind": {"s": _S, "name": _GIVEN, "namelen": _PLAIN},
    "connect": {"s": _S, "name": _GIVEN, "namelen": _PLAIN},
    "listen": {"s": _S, "backlog": Parameter(backlog)},
    "accept": {"s": _S, "addr": Parameter(address_taken("addrlen"), When.OUT), "addrlen": _REF},
    "send": {"s": _S, "buf": _DATA, "len": _PLAIN, "flags": _FLAGS},
    "recv": {"s": _S, "buf": _DATA, "len": _PLAIN, "flags": _FLAGS},
    "sendto": {
        "s": _S, "buf": _DATA, "len": _PLAIN, "flags": _FLAGS,
        "to": Parameter(address_given("tolen")), "tolen": _PLAIN,
    },
    "recvfrom": {
        "s": _S, "buf": _DATA, "len": _PLAIN, "flags": _FLAGS,
        "from_": Parameter(address_taken("fromlen"), When.OUT), "fromlen": _REF,
    },
    "shutdown": {"s": _S, "how": Parameter(named(symbols.DIRECTIONS))},
    "closesocket": {"s": _S},
    "getsockname": {"s": _S, "name": _NAME, "namelen": _REF},
    "getpeername": {"s": _S, "name": _NAME, "namelen": _REF},
    "setsockopt": {
        "s": _S, "level": _LEVEL, "optname": _OPTION, "optval": Parameter(option_value), "optlen": _PLAIN,
    },
    "getsockopt": {
        "s": _S, "level": _LEVEL, "optname": _OPTION, "optval": Parameter(option_value, When.OUT), "optlen": _REF,
    },
    "select": {
        "nfds": _PLAIN, "readfds": _SET, "writefds": _SET, "exceptfds": _SET, "timeout": Parameter(timeout),
    },
    "WSAPoll": {"fdArray": Parameter(polled, When.BOTH), "fds": _PLAIN, "timeout": _PLAIN},
    "htons": {"hostshort": _PLAIN},
    "ntohs": {"netshort": _PLAIN},
    "htonl": {"hostlong": _PLAIN},
    "ntohl": {"netlong": _PLAIN},
    "inet_addr": {"cp": _STRING},
    "inet_ntoa": {"in_": Parameter(internet_address)},
    "inet_ntop": {
        "Family": _FAMILY, "pAddr": Parameter(binary_address), "pStringBuf": _TAKEN, "StringBufSize": _PLAIN,
    },
    "inet_pton": {"Family": _FAMILY, "pszAddrString": _STRING, "pAddrBuf": Parameter(binary_address, When.OUT)},
    "gethostname": {"name": _TAKEN, "namelen": _PLAIN},
    "getaddrinfo": {
        "pNodeName": _STRING, "pServiceName": _STRING, "pHints": Parameter(hints),
        "ppResult": Parameter(found, When.OUT),
    },
    "freeaddrinfo": {"pAddrInfo": Parameter(freed)},
    "getnameinfo": {
        "pSockaddr": Parameter(address_given("SockaddrLength")), "SockaddrLength": _PLAIN,
        "pNodeBuffer": _TAKEN, "NodeBufferSize": _PLAIN, "pServiceBuffer": _TAKEN, "ServiceBufferSize": _PLAIN,
        "Flags": Parameter(bits(symbols.NAME_FLAGS)),
    },
    "gethostbyname": {"name": _STRING},
}
# fmt: on

"""Winsock for Python: one flat, C-style API, the same on every platform.

On Windows the calls are Ws2_32.dll's; elsewhere winsock_compat gives the same calls, values and errors on BSD sockets.
`from winsock import *` gives what a C program has after `#include <winsock2.h>` and `<ws2tcpip.h>`. Each call's
prototype, errors and source are in `help(winsock.recv)` and in `winsock.api`.
"""

import os
import sys
import typing

from . import api, constants, errors
from .api import CALLS as CALLS
from .api import Winsock as Winsock
from .constants import *  # noqa: F403 - the names of Microsoft's headers, listed in constants.__all__
from .errors import *  # noqa: F403
from .version import __version__ as __version__

if typing.TYPE_CHECKING:
    from .structures import *  # noqa: F403 - see __all__
else:
    from .structures import (
        FD_CLR,
        FD_ISSET,
        FD_SET,
        FD_ZERO,
        HIBYTE,
        LOBYTE,
        MAKEWORD,
        SOCKET,
        WSADATA,
        WSAPOLLFD,
        WSAData,
        addrinfo,
        fd_set,
        fd_set_sized,
        hostent,
        in6_addr,
        in_addr,
        ip_mreq,
        ipv6_mreq,
        linger,
        sockaddr,
        sockaddr_in,
        sockaddr_in6,
        sockaddr_storage,
        timeval,
        u_long,
        u_short,
    )

if sys.platform == "win32":
    from . import ws2_32 as _backend

    BACKEND = "ws2_32"
else:
    import winsock_compat as _backend

    BACKEND = "compat"

# All calls come from this one object: what satisfies the Protocol can be put in its place.
calls: Winsock = _backend

WSAStartup = calls.WSAStartup
WSACleanup = calls.WSACleanup
WSAGetLastError = calls.WSAGetLastError
WSASetLastError = calls.WSASetLastError
socket = calls.socket
ioctlsocket = calls.ioctlsocket
bind = calls.bind
connect = calls.connect
listen = calls.listen
accept = calls.accept
send = calls.send
recv = calls.recv
sendto = calls.sendto
recvfrom = calls.recvfrom
shutdown = calls.shutdown
closesocket = calls.closesocket
getsockname = calls.getsockname
getpeername = calls.getpeername
setsockopt = calls.setsockopt
getsockopt = calls.getsockopt
select = calls.select
WSAPoll = calls.WSAPoll
htons = calls.htons
ntohs = calls.ntohs
htonl = calls.htonl
ntohl = calls.ntohl
inet_addr = calls.inet_addr
inet_ntoa = calls.inet_ntoa
inet_ntop = calls.inet_ntop
inet_pton = calls.inet_pton
gethostname = calls.gethostname
getaddrinfo = calls.getaddrinfo
freeaddrinfo = calls.freeaddrinfo
getnameinfo = calls.getnameinfo
gethostbyname = calls.gethostbyname


def replace_calls(by: Winsock) -> None:
    """Let all calls of this package be those of `by`: a tracer's, or another network's.

    A program that is imported afterwards gets them; what has been imported already keeps what it has.
    """
    global calls
    calls = by
    for name in CALLS:
        globals()[name] = getattr(by, name)


for _name in CALLS:
    getattr(_backend, _name).__doc__ = getattr(Winsock, _name).__doc__
del _name

# mypy ignores a computed __all__. Without one it gives a star import every public name of this module.
if not typing.TYPE_CHECKING:
    __all__ = [
        "BACKEND",
        "CALLS",
        "FD_CLR",
        "FD_ISSET",
        "FD_SET",
        "FD_ZERO",
        "HIBYTE",
        "LOBYTE",
        "MAKEWORD",
        "SOCKET",
        "WSADATA",
        "WSAPOLLFD",
        "WSAData",
        "Winsock",
        "__version__",
        "addrinfo",
        "fd_set",
        "fd_set_sized",
        "hostent",
        "in6_addr",
        "in_addr",
        "ip_mreq",
        "ipv6_mreq",
        "linger",
        "sockaddr",
        "sockaddr_in",
        "sockaddr_in6",
        "sockaddr_storage",
        "timeval",
        "u_long",
        "u_short",
    ]
    __all__ += api.CALLS
    __all__ += constants.__all__
    __all__ += errors.__all__

if os.environ.get("WINSOCK_TRACE"):
    from . import trace

    trace.start_by_environment(os.environ)

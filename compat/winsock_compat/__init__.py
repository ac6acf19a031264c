"""The POSIX backend: the calls of `winsock.api` on BSD sockets, with Winsock's values, errors and behaviour.

- calls/: the reference, every call in plain Python
- state/: what Winsock remembers of sockets
- posix/: the operating system, through cffi
- fast_path/: faster versions of some calls, which call the reference for everything else

Imports run one way: calls -> state -> posix. fast_path imports all three, and only this module imports fast_path.
"""

from .calls.addresses import htonl, htons, inet_addr, inet_ntoa, inet_ntop, inet_pton, ntohl, ntohs
from .calls.connections import bind, connect, getpeername, getsockname, listen
from .calls.names import freeaddrinfo, getaddrinfo, gethostbyname, gethostname, getnameinfo
from .calls.options import getsockopt, setsockopt
from .calls.sockets import closesocket, ioctlsocket, shutdown, socket
from .calls.startup import WSACleanup, WSAGetLastError, WSASetLastError, WSAStartup
from .posix.loading import MODE

if MODE == "api":
    from .fast_path.quick import WSAPoll, accept, recv, recvfrom, select, send, sendto
    from .fast_path.quick import send_many as send_many  # winsock.batch finds it here
else:
    from .calls.connections import accept
    from .calls.polling import WSAPoll, select
    from .fast_path.inline import recv, recvfrom, send, sendto

__all__ = [
    "MODE",
    "WSACleanup",
    "WSAGetLastError",
    "WSAPoll",
    "WSASetLastError",
    "WSAStartup",
    "accept",
    "bind",
    "closesocket",
    "connect",
    "freeaddrinfo",
    "getaddrinfo",
    "gethostbyname",
    "gethostname",
    "getnameinfo",
    "getpeername",
    "getsockname",
    "getsockopt",
    "htonl",
    "htons",
    "inet_addr",
    "inet_ntoa",
    "inet_ntop",
    "inet_pton",
    "ioctlsocket",
    "listen",
    "ntohl",
    "ntohs",
    "recv",
    "recvfrom",
    "select",
    "send",
    "sendto",
    "setsockopt",
    "shutdown",
    "socket",
]

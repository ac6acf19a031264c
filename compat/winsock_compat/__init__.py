"""The POSIX backend: the calls of `winsock.api` on BSD sockets, with Winsock's values, errors and answers."""

from .connecting import bind, connect, getpeername, getsockname, listen
from .errnos import WSAGetLastError, WSASetLastError
from .libc import MODE
from .lifetime import WSACleanup, WSAStartup, closesocket, ioctlsocket, shutdown, socket
from .names import gethostname, htonl, htons, inet_addr, inet_ntoa, inet_ntop, inet_pton, ntohl, ntohs
from .options import getsockopt, setsockopt
from .resolving import freeaddrinfo, getaddrinfo, gethostbyname, getnameinfo

if MODE == "api":
    from .quick import WSAPoll, accept, recv, recvfrom, select, send, sendto
    from .quick import send_many as send_many  # winsock.batch finds it here
else:
    from .connecting import accept
    from .inline import recv, recvfrom, send, sendto
    from .waiting import WSAPoll, select

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

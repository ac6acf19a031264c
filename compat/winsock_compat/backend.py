"""All calls of compat in one module, which satisfies the Protocol `winsock.api.Winsock`.

It takes each call from the accelerator where that was built and has it, otherwise from the reference.
"""

from .calls.addresses import htonl, htons, inet_addr, inet_ntoa, inet_ntop, inet_pton, ntohl, ntohs
from .calls.connections import bind, connect, getpeername, getsockname, listen
from .calls.names import freeaddrinfo, getaddrinfo, gethostbyname, gethostname, getnameinfo
from .calls.options import getsockopt, setsockopt
from .calls.sockets import shutdown, socket
from .calls.startup import WSACleanup, WSASetLastError, WSAStartup
from .posix.loading import MODE
from .state.core import ACCELERATED

if ACCELERATED:
    from .accelerator import (
        FD_CLR,
        FD_ISSET,
        FD_SET,
        FD_ZERO,
        WSAGetLastError,
        WSAPoll,
        accept,
        closesocket,
        ioctlsocket,
        recv,
        recvfrom,
        select,
        send,
        sendto,
    )
    from .accelerator import send_many as send_many  # winsock.batch finds it here
else:
    from winsock.structures import FD_CLR, FD_ISSET, FD_SET, FD_ZERO

    from .calls.connections import accept
    from .calls.polling import WSAPoll, select
    from .calls.receiving import recv, recvfrom
    from .calls.sending import send, sendto
    from .calls.sockets import closesocket, ioctlsocket
    from .calls.startup import WSAGetLastError

__all__ = [
    "ACCELERATED",
    "FD_CLR",
    "FD_ISSET",
    "FD_SET",
    "FD_ZERO",
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

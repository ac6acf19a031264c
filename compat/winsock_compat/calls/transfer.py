"""What send, recv, sendto and recvfrom have in common: the order of their checks, and how a stream breaks.

A call checks in this order, and the first check that fails decides the error:

1. The Python types of all arguments (TypeError, OverflowError).
2. The handle, then buffers and lengths (WSAEFAULT), then the flags (WSAEOPNOTSUPP).
3. The socket's state: not connected, shut down, broken by an earlier error.
4. The kernel.

Descriptors are always non-blocking. On a non-blocking socket a call that can transfer nothing returns WSAEWOULDBLOCK.
On a blocking socket it waits in poll (SocketWait) and goes back to step 4: the state, the blocking mode and the
time-outs are those of the moment when the call began. So a shutdown by another thread does not end it: a blocked recv
waits on for data or for the peer's end, and a blocked send still sends everything (`state.waiters.end_stream` sends the
end of the stream after that). Only closesocket by another thread ends it (`closed_error`). SO_RCVTIMEO and SO_SNDTIMEO
begin with the first wait.

A blocking send transfers everything; on a non-blocking stream it transfers what fits. A broken stream keeps its error,
which Winsock reports on every later call and the kernel only once.

`receiving` and `sending` have the calls. The accelerator, where it has made the first system call itself, passes the
call's result to `resume_recv` and its like; they continue after it.
"""

from __future__ import annotations

import errno

from winsock.constants import MSG_DONTROUTE, MSG_OOB, MSG_PARTIAL, MSG_PEEK, MSG_WAITALL
from winsock.errors import WSAECONNABORTED, WSAEINTR

from ..posix.errnos import winsock_error
from ..state.sockets import Socket

KNOWN_FLAGS = MSG_OOB | MSG_PEEK | MSG_DONTROUTE | MSG_WAITALL | MSG_PARTIAL
# The buffer of a call whose `buf` is NULL.
NO_BYTES = memoryview(bytearray())

_CONNECTION_GONE = {
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ETIMEDOUT,
    errno.ENETRESET,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
}


def closed_error(sock: Socket) -> int:
    """What a blocked send, recv, sendto or recvfrom reports if another thread closes its socket."""
    return WSAECONNABORTED if sock.stream else WSAEINTR


def stream_error(sock: Socket, number: int) -> int:
    """The Winsock error for the errno of a transfer on a stream. The socket keeps it if the connection has ended."""
    if sock.broken:
        return sock.broken  # another thread has received the kernel's report
    if number == errno.EPIPE:
        return sock.mark_broken(WSAECONNABORTED)  # the peer had closed, and refused what was sent later
    return sock.mark_broken(winsock_error(number)) if number in _CONNECTION_GONE else winsock_error(number)

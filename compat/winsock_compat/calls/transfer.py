"""send, recv, sendto, recvfrom.

A call checks in this order, and the first check that fails decides the error:

1. The Python types of all arguments (TypeError, OverflowError).
2. The handle, then buffers and lengths (WSAEFAULT), then the flags (WSAEOPNOTSUPP).
3. The socket's state: not connected, shut down, broken by an earlier error.
4. The kernel. The functions of single_transfer make one system call and turn its result into bytes or a Winsock error.
   WSAEWOULDBLOCK there means that nothing could be transferred yet.

Descriptors are always non-blocking. On a non-blocking socket the call returns WSAEWOULDBLOCK. On a blocking socket it
waits in poll (SocketWait) and goes back to step 3, because another thread may shut down or close the socket while it
waits. SO_RCVTIMEO and SO_SNDTIMEO begin with the first wait.

A blocking send transfers everything; on a non-blocking stream it transfers what fits. A broken stream keeps its error,
which Winsock reports on every later call and the kernel only once.

`receive` and `transmit` do steps 3 and 4. The accelerator, where it has made the first system call itself, passes the
call's result to `resume_recv` and its like; they start after it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from winsock.arguments import as_input_buffer, as_int, as_output_buffer, socket_handle
from winsock.constants import (
    MSG_DONTROUTE,
    MSG_OOB,
    MSG_PARTIAL,
    MSG_PEEK,
    MSG_WAITALL,
    SO_OOBINLINE,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOCKET_ERROR,
    SOL_SOCKET,
)
from winsock.errors import (
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAECONNABORTED,
    WSAEFAULT,
    WSAEINTR,
    WSAEINVAL,
    WSAEMSGSIZE,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
)
from winsock.structures import Buffer, ConstBuffer, IntRef

from ..posix import system
from ..posix.sockaddr_layout import SIZE, family_of, is_wildcard, port_of
from ..posix.waiting import POLLIN, POLLOUT
from ..state.core import get_last_error
from ..state.handles import find
from ..state.last_error import fail
from ..state.sockets import CONNECTED, Socket
from ..state.waiters import SocketWait, notify_state_change
from . import pointers
from .single_transfer import receive_datagram, receive_stream, send_error, send_once
from .sockaddr_arguments import checked_name, put_name

_KNOWN_FLAGS = MSG_OOB | MSG_PEEK | MSG_DONTROUTE | MSG_WAITALL | MSG_PARTIAL
_SEND_FLAGS = MSG_OOB | MSG_DONTROUTE
_RECV_FLAGS = MSG_OOB | MSG_PEEK
_LARGEST_DATAGRAM = 65507

# What recv and recvfrom report if another thread closes the socket while they wait.
RECV_CLOSED, RECVFROM_CLOSED = WSAECONNABORTED, WSAEINTR


def recv(s: int, buf: Buffer | None, len: int, flags: int) -> int:
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data = None if buf is None else as_output_buffer(buf)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    error = _length_error(length, data) or _unknown_flags(bits)
    if error:
        return fail(error)
    return receive(sock, _bytes_to_fill(data, length), bits, RECV_CLOSED)[0]


def recvfrom(s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None) -> int:
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data = None if buf is None else as_output_buffer(buf)
    address = None if from_ is None else pointers.as_output_buffer(from_)
    ref = None if fromlen is None else pointers.integer_ref(fromlen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    error = _length_error(length, data) or _address_error(sock, address, ref) or _unknown_flags(bits)
    if error:
        return fail(error)
    count, name = receive(sock, _bytes_to_fill(data, length), bits, RECVFROM_CLOSED, address is not None)
    if name and address is not None:
        put_name(name, address, ref)
    return count


def resume_recv(sock: Socket, s: int, buf: Buffer, len: int, flags: int, result: int) -> int:
    """Continues recv after its first system call, which has returned `result`: a count, or minus the errno."""
    return receive(sock, _bytes_to_fill(as_output_buffer(buf), len), flags, RECV_CLOSED, result=result)[0]


def resume_recvfrom(
    sock: Socket, s: int, buf: Buffer, len: int, flags: int, from_: Buffer, fromlen: IntRef, result: int
) -> int:
    """As resume_recv; where a datagram came, its sender is in `from_` already."""
    count, name = receive(sock, _bytes_to_fill(as_output_buffer(buf), len), flags, RECVFROM_CLOSED, True, result)
    if name:
        put_name(name, as_output_buffer(from_), fromlen)
    return count


def _length_error(length: int, data: ctypes.Array[ctypes.c_char] | None) -> int:
    return 0 if 0 <= length <= (0 if data is None else len(data)) else WSAEFAULT


def _unknown_flags(flags: int) -> int:
    return WSAEOPNOTSUPP if flags & ~_KNOWN_FLAGS else 0


def _address_error(sock: Socket, address: ctypes.Array[ctypes.c_char] | None, length: Any) -> int:
    """The error of recvfrom's address buffer, or 0. A stream does not change the buffer, but refuses a wrong length."""
    if address is None:
        return 0
    if length is None:
        return 0 if sock.stream else WSAEFAULT
    return 0 if (0 if sock.stream else SIZE[sock.family]) <= length.value <= len(address) else WSAEFAULT


def _bytes_to_fill(data: ctypes.Array[ctypes.c_char] | None, length: int) -> memoryview:
    return memoryview(bytearray() if data is None else data)[:length]


def receive(
    sock: Socket, data: memoryview, flags: int, closed: int, with_name: bool = False, result: int | None = None
) -> tuple[int, bytes]:
    """Receives into `data`, and waits if the socket is blocking. Returns the call's result and a datagram's sender.

    `closed` is the error if another thread closes the socket during the wait. `result` is the result of a system call
    that was already made, in the form of posix.system.recv. The sender is b"" unless `with_name` is set and a datagram
    has arrived.
    """
    error = _flags_error(sock, flags)
    if error:
        return fail(error), b""
    take, filled, name = receive_stream if sock.stream else receive_datagram, 0, b""
    with SocketWait(sock, POLLIN, sock.options.get((SOL_SOCKET, SO_RCVTIMEO), 0)) as wait:
        while True:
            error = _cannot_receive(sock) if result is None else 0
            if error:
                return fail(error), b""
            count, error, name = take(sock, data[filled:], flags & _RECV_FLAGS, with_name, result)
            if not error:
                filled += count
                if not flags & MSG_WAITALL or filled == len(data) or count == 0:
                    return filled, name
            elif error != WSAEWOULDBLOCK or sock.nonblocking or flags & MSG_OOB:
                return fail(error), name
            elif not wait.until_ready():
                return fail(WSAETIMEDOUT), b""
            if sock.closed:
                return fail(closed), b""
            result = None


def _flags_error(sock: Socket, flags: int) -> int:
    """The error of flags that this socket does not take, or 0."""
    if flags & MSG_WAITALL and (sock.nonblocking or not sock.stream or flags & (MSG_PEEK | MSG_OOB)):
        return WSAEOPNOTSUPP
    if not flags & MSG_OOB:
        return 0
    if not sock.stream:
        return WSAEOPNOTSUPP
    return WSAEINVAL if sock.options.get((SOL_SOCKET, SO_OOBINLINE)) else 0


def _cannot_receive(sock: Socket) -> int:
    """The error that the socket's state gives to recv, or 0."""
    sock.update_connect_state()
    if sock.stream and sock.state != CONNECTED:
        return WSAENOTCONN
    if sock.receive_off:
        return WSAESHUTDOWN
    return sock.broken if sock.bound else WSAEINVAL


def send(s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
    return sendto(s, buf, len, flags, None, 0)


def sendto(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    handle, length, bits = socket_handle(s), as_int(len), as_int(flags)
    data = None if buf is None else as_input_buffer(buf)
    address = None if to is None else pointers.as_input_buffer(to)
    address_length = as_int(tolen)
    sock = find(handle)
    if isinstance(sock, int):
        return fail(sock)
    if not 0 <= length <= (0 if data is None else data.nbytes):
        return fail(WSAEFAULT)
    name = b"" if address is None else _destination(sock, address, address_length)
    if name is None:
        return fail(WSAEFAULT)
    error = _unknown_flags(bits) or (WSAEOPNOTSUPP if bits & MSG_OOB and not sock.stream else 0)
    error = error or _cannot_send(sock, bool(name)) or _destination_error(sock, name)
    if error:
        return fail(error)
    if name and not port_of(name):
        return _send_to_port_0(sock, length)
    return transmit(sock, _bytes_to_send(data, length), bits & _SEND_FLAGS, name)


def send_many(sockets: Sequence[int], buf: ConstBuffer | None, len: int, flags: int) -> list[int]:
    """One send for each socket: its count, or minus its error (see winsock.batch)."""
    results = []
    for s in sockets:
        count = send(s, buf, len, flags)
        results.append(-get_last_error() if count == SOCKET_ERROR else count)
    return results


def resume_send(sock: Socket, s: int, buf: ConstBuffer, len: int, flags: int, result: int) -> int:
    """Continues send after its first system call, which has returned `result`: a count, or minus the errno."""
    return transmit(sock, _bytes_to_send(as_input_buffer(buf), len), flags, b"", result)


def resume_sendto(
    sock: Socket, s: int, buf: ConstBuffer, len: int, flags: int, to: ConstBuffer, tolen: int, result: int
) -> int:
    """As resume_send, for sendto."""
    name = _destination(sock, as_input_buffer(to), tolen) or b""
    return transmit(sock, _bytes_to_send(as_input_buffer(buf), len), flags, name, result)


def _destination(sock: Socket, address: memoryview, length: int) -> bytes | None:
    """The address of a datagram; b"" on a stream, which ignores a valid buffer. None means WSAEFAULT."""
    if not 0 <= length <= address.nbytes:
        return None
    return b"" if sock.stream else checked_name(sock, address, length)


def _destination_error(sock: Socket, name: bytes) -> int:
    if not name:
        return 0
    if family_of(name) != sock.family:
        return WSAEAFNOSUPPORT
    return WSAEADDRNOTAVAIL if is_wildcard(name) else 0


def _bytes_to_send(data: memoryview | None, length: int) -> memoryview:
    if data is None:
        return memoryview(b"")
    if (data.ndim, data.itemsize) != (1, 1):
        # Without reading it: only the kernel checks its address.
        flat = data.tobytes() if data.readonly else (ctypes.c_char * data.nbytes).from_buffer(data)
        data = memoryview(flat)
    return data[:length]


def _cannot_send(sock: Socket, addressed: bool) -> int:
    """The error that the socket's state gives to send, or 0."""
    sock.update_connect_state()
    if sock.stream and sock.state != CONNECTED:
        return WSAENOTCONN
    if sock.send_off:
        return WSAESHUTDOWN
    return sock.broken if addressed or sock.state == CONNECTED else WSAENOTCONN


def _send_to_port_0(sock: Socket, length: int) -> int:
    """Winsock accepts such a datagram and discards it; the kernel would refuse it."""
    if length > _LARGEST_DATAGRAM:
        return fail(WSAEMSGSIZE)
    if not sock.bound:
        system.bind(sock.fd, sock.family.to_bytes(2, "little") + bytes(SIZE[sock.family] - 2))
        sock.mark_bound()
    return length


def transmit(sock: Socket, data: memoryview, flags: int, name: bytes, result: int | None = None) -> int:
    """Sends all of `data` if the socket is blocking, else what fits; to the address `name` unless that is b"".

    `result` is the result of a system call that was already made, in the form of posix.system.send.
    """
    sent = 0
    with SocketWait(sock, POLLOUT, sock.options.get((SOL_SOCKET, SO_SNDTIMEO), 0)) as wait:
        while True:
            error = _cannot_send(sock, bool(name)) if result is None else 0
            if error:
                return fail(error)
            count = send_once(sock, data[sent:], flags, name) if result is None else result
            if count >= 0:
                sent += count
                if not sock.bound:
                    sock.mark_bound()
                    notify_state_change(sock)
                if sent >= len(data) or sock.nonblocking or not sock.stream:
                    return sent
            else:
                error = send_error(sock, -count)
                if error == WSAEWOULDBLOCK and sock.nonblocking:
                    return sent or fail(error)
                if error and error != WSAEWOULDBLOCK:
                    return fail(error)
                if error and not wait.until_ready():
                    return fail(WSAETIMEDOUT)
            if sock.closed:
                return fail(WSAEINTR)
            result = None

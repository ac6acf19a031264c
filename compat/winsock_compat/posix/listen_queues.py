"""Whether a listener on this machine has a full queue.

If the queue is full, Linux drops the SYN of a client without an answer, and the client repeats it for minutes. But the
kernel answers questions about every socket of this network namespace (NETLINK_SOCK_DIAG, see sock_diag(7)), without a
privilege. For a listener the answer has the number of connections in its queue and the backlog; a queue is full when
it has more connections than the backlog.

The question names the addresses of a client and of the listener, and the kernel chooses the listener by the same rules
as for a SYN: a specific address before the wildcard, IPv4 also on a dual-stack socket, any process.
"""

from __future__ import annotations

import errno
import struct

from winsock.constants import SOCK_DGRAM

from . import system
from .sockaddr_layout import KERNEL_FAMILY, address_of, family_of

_TRY_LATER = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_BY_FAMILY, _REQUEST = 20, 1  # SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST
_TCP, _LISTEN = 6, 10
# struct nlmsghdr: length, type, flags, number, port.
_HEADER = struct.Struct("=IHHII")
# struct inet_diag_req_v2: family, protocol, extensions, padding, states; then struct inet_diag_sockid: both ports and
# both addresses in network byte order, interface, cookie.
_QUESTION = struct.Struct("=BBBxI2s2s16s16sI8s")
# Several listeners may share the address; the kernel chooses one of them by the client's port.
_CLIENT_PORTS = range(1, 17)
_ANY_COOKIE = b"\xff" * 8
# struct inet_diag_msg: family, state, timer, retransmissions, inet_diag_sockid, expiry, both queues.
_ANSWER = struct.Struct("=xBxx48xIII")


def is_full(local: bytes, peer: bytes) -> bool | None:
    """Whether the queue is full of the listener that a client at `local` reaches at `peer`.

    None where that cannot be found out: the peer is on another machine, or the kernel may not be asked.
    """
    probe, asking = system.Descriptor(), system.Descriptor()
    result = _bind_to_address(probe, peer)
    if result >= 0:
        result = system.open_diagnostics(asking)
    if result < 0:
        return False if -result in _TRY_LATER else None
    return any(_is_queue_full(asking.fd, _question(port, local, peer)) for port in _CLIENT_PORTS)


def _is_queue_full(fd: int, question: bytes) -> bool:
    """What the kernel answers; False where it answers with an error, such as that no socket listens there."""
    answer = bytearray(512)
    if system.send(fd, question, 0) < 0 or system.recv(fd, answer, 0) < _HEADER.size + _ANSWER.size:
        return False
    state, _, waiting, backlog = _ANSWER.unpack_from(answer, _HEADER.size)
    return bool(_HEADER.unpack_from(answer)[1] == _BY_FAMILY and state == _LISTEN and waiting > backlog)


def _bind_to_address(probe: system.Descriptor, name: bytes) -> int:
    """Minus the errno if no interface of this machine has the address."""
    result = system.socket(probe, family_of(name), SOCK_DGRAM, 0)
    return result if result < 0 else system.bind(probe.fd, name[:2] + bytes(2) + name[4:])


def _question(port: int, local: bytes, peer: bytes) -> bytes:
    body = _QUESTION.pack(
        KERNEL_FAMILY[family_of(peer)],
        _TCP,
        0,
        1 << _LISTEN,
        peer[2:4],
        port.to_bytes(2, "big"),
        address_of(peer),
        address_of(local),
        int.from_bytes(peer[24:28], "little"),  # the scope of an IPv6 address
        _ANY_COOKIE,
    )
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 0, 0) + body

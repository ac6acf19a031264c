"""The contract in code: each call of Winsock once, with its C prototype, its types and its errors.

A backend is a module with these functions; the type checker compares the two, and help() shows the texts below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .structures import Buffer, ConstBuffer, IntRef, addrinfo, hostent, in_addr

if TYPE_CHECKING:
    from ctypes import _Pointer

__all__ = ["CALLS", "Winsock"]


class Winsock(Protocol):
    """Winsock's calls with their C names, argument order and return values; arguments are positional or keyword.

    No call raises for a network error. It returns SOCKET_ERROR, INVALID_SOCKET, INADDR_NONE, None (a NULL pointer) or
    a code, and WSAGetLastError() tells why, for each thread apart. TypeError is for an argument of the wrong kind,
    OverflowError for a number that fits neither the signed nor the unsigned form of its C type.

    A pointer to bytes is a buffer: anything bytes-like where C has `const`, else a writable contiguous bytearray,
    memoryview, ctypes structure or array. A pointer to an integer is a ctypes integer of 4 bytes or more, read and
    written through `.value`. None is NULL. A length beyond the end of its buffer, or below 0, is WSAEFAULT before
    anything else happens.

    Checks come in this order: TypeError and OverflowError, WSANOTINITIALISED, WSAENOTSOCK, WSAEFAULT, the socket's
    state, the network. Not repeated below: WSAENETDOWN (the network subsystem has failed) and WSAEINPROGRESS (left
    from Winsock 1.1) from any call that needs WSAStartup.
    """

    def WSAStartup(self, wVersionRequested: int, lpWSAData: Buffer | None) -> int:
        """int WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData);

        Starts Winsock for the process, or counts one more start: each success needs its own WSACleanup. The version
        wanted is MAKEWORD(major, minor), today MAKEWORD(2, 2); `lpWSAData`, a WSADATA or a buffer of its size, tells
        in wVersion which one to use. Returns 0 or the error itself; WSAGetLastError has no part in it.

        Errors:
            WSAVERNOTSUPPORTED: the major version is 0; `lpWSAData` is filled all the same.
            WSAEFAULT: `lpWSAData` is None or shorter than a WSADATA.
            WSASYSNOTREADY: the network is not ready for use.
            WSAEPROCLIM: too many processes use Winsock.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsastartup
        """

    def WSACleanup(self) -> int:
        """int WSACleanup(void);

        Takes back one WSAStartup, from whichever thread. The last one closes every socket of the process and ends
        the calls that wait on them; those handles stay invalid after a new start. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: more clean-ups than successful starts.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsacleanup
        """

    def WSAGetLastError(self) -> int:
        """int WSAGetLastError(void);

        Returns the error code of this thread's last call that failed, 0 in a new thread. After a call that succeeded
        it is unspecified, so ask only after a failure, and at once. Needs no WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsagetlasterror
        """

    def WSASetLastError(self, iError: int) -> None:
        """void WSASetLastError(int iError);

        Sets what this thread's next WSAGetLastError returns: any C int. Needs no WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsasetlasterror
        """

    def socket(self, af: int, type: int, protocol: int) -> int:
        """SOCKET socket(int af, int type, int protocol);

        Makes a blocking socket: AF_INET or AF_INET6, SOCK_STREAM (TCP) or SOCK_DGRAM (UDP). A type or protocol of 0
        follows from the other; both 0 are TCP. An IPv6 socket has IPV6_V6ONLY on, unlike on Linux. Returns its handle,
        or INVALID_SOCKET.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAESOCKTNOSUPPORT: unknown type, whatever the other two are.
            WSAEAFNOSUPPORT: unknown address family.
            WSAEPROTONOSUPPORT: unknown protocol, or not one of that type.
            WSAEINVAL: AF_UNSPEC without a protocol.
            WSAEACCES: a SOCK_RAW without the privilege for it.
            WSAEMFILE: too many open sockets.
            WSAENOBUFS: no memory for another socket.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-socket
        """

    def ioctlsocket(self, s: int, cmd: int, argp: IntRef | None) -> int:
        """int ioctlsocket(SOCKET s, long cmd, u_long *argp);

        Commands, whose argument is a ctypes integer such as u_long:
            FIONBIO: nonzero makes calls on the socket return at once (WSAEWOULDBLOCK), 0 lets them wait.
            FIONREAD: receives the number of bytes that wait to be read; for UDP that of the first datagram at least.
            SIOCATMARK: receives 0 while an out-of-band byte waits, else 1; always 1 with SO_OOBINLINE.
            SIO_UDP_CONNRESET: 0 keeps WSAECONNRESET from the recv and recvfrom of a UDP socket, nonzero (at first)
            reports so that an earlier datagram met a closed port.
        `cmd` may be the header's unsigned number or the same bits as a negative C long. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `argp` is None.
            WSAEINVAL: SIOCATMARK on a datagram socket.
            WSAEOPNOTSUPP: any other command.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-ioctlsocket
        """

    def bind(self, s: int, name: ConstBuffer | None, namelen: int) -> int:
        """int bind(SOCKET s, const struct sockaddr *name, int namelen);

        Gives a socket its local address: a sockaddr_in or sockaddr_in6 (or its bytes) and the size of that, 16 or 28
        bytes. INADDR_ANY is every interface; with port 0 the system chooses one, which getsockname tells. Returns 0 or
        SOCKET_ERROR; after a failure the socket can be bound elsewhere.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `name` is None or too short for its family, or has an IPv4 address for an IPv6 socket.
            WSAEAFNOSUPPORT: unknown family, or an IPv6 address for an IPv4 socket.
            WSAEINVAL: bound already, by bind, connect, sendto or accept.
            WSAEADDRINUSE: another socket has that address and port.
            WSAEACCES: another socket has it and does not share it: this one asks with SO_REUSEADDR, or the other one
            holds it with SO_EXCLUSIVEADDRUSE.
            WSAEADDRNOTAVAIL: no interface of this machine has that address.
            WSAENOBUFS: no port is left.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-bind
        """

    def connect(self, s: int, name: ConstBuffer | None, namelen: int) -> int:
        """int connect(SOCKET s, const struct sockaddr *name, int namelen);

        Connects a stream to `name`, a sockaddr_in (16 bytes) or sockaddr_in6 (28). A nonblocking socket fails with
        WSAEWOULDBLOCK and goes on connecting: select shows success in writefds and failure in exceptfds, where SO_ERROR
        tells the reason. After a failure the socket can connect again. A datagram socket gets a default peer, from
        which alone it receives; an address of zeros takes it away again. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `name` is None or too short for its family, or has an IPv4 address for an IPv6 socket.
            WSAEAFNOSUPPORT: unknown family, or an IPv6 address for an IPv4 socket.
            WSAEWOULDBLOCK: nonblocking; the connection is on its way.
            WSAEALREADY: nonblocking, and an earlier connect has not ended.
            WSAEISCONN: the stream is connected.
            WSAEINVAL: the socket is listening.
            WSAEADDRNOTAVAIL: port 0, or an address of zeros, for a stream.
            WSAECONNREFUSED: nobody listens there.
            WSAETIMEDOUT: no answer.
            WSAENETUNREACH, WSAEHOSTUNREACH: no way to that network or host.
            WSAEADDRINUSE: the local address that the socket is bound to is in use.
            WSAEACCES: a broadcast address without SO_BROADCAST.
            WSAENOBUFS: no memory, or no local port is left.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-connect
        """

    def listen(self, s: int, backlog: int) -> int:
        """int listen(SOCKET s, int backlog);

        Lets a bound stream socket take connections, of which about `backlog` may wait for accept; SOMAXCONN leaves
        the number to the system. A second call succeeds. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEOPNOTSUPP: not a stream.
            WSAEISCONN: connected.
            WSAEINVAL: not bound.
            WSAEADDRINUSE: another socket listens there, which bind could not see.
            WSAEMFILE: too many open sockets.
            WSAENOBUFS: no memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-listen
        """

    def accept(self, s: int, addr: Buffer | None, addrlen: IntRef | None) -> int:
        """SOCKET accept(SOCKET s, struct sockaddr *addr, int *addrlen);

        Takes the first waiting connection of a listening socket, or waits for one, without regard to SO_RCVTIMEO.
        The new socket has the listener's options and its mode: that of a nonblocking listener is nonblocking, unlike
        on Linux. `addr` receives the peer's address, `addrlen` goes in as the room there, in bytes, and comes back as
        the address's size; if either is None, no address is given. Returns the new handle, or INVALID_SOCKET.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `addrlen` is less than the address needs or more than `addr` has; the connection still waits.
            WSAEOPNOTSUPP: not a stream.
            WSAEINVAL: not listening.
            WSAEWOULDBLOCK: nonblocking, and no connection waits.
            WSAEINTR: the socket was closed by another thread meanwhile.
            WSAECONNRESET: the peer reset the connection before it could be taken.
            WSAEMFILE: too many open sockets.
            WSAENOBUFS: no memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-accept
        """

    def send(self, s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
        """int send(SOCKET s, const char *buf, int len, int flags);

        Sends the first `len` bytes of `buf` on a connected socket. A blocking stream sends all of them unless
        SO_SNDTIMEO runs out; a nonblocking one may send only a part. `flags`: MSG_OOB (the last byte is urgent),
        MSG_DONTROUTE. Returns the bytes sent, or SOCKET_ERROR; sent is not received.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` not 0, or `len` exceeds the buffer.
            WSAENOTCONN: not connected, or still connecting.
            WSAESHUTDOWN: after shutdown with SD_SEND or SD_BOTH.
            WSAEWOULDBLOCK: nonblocking, and the peer has not made room.
            WSAETIMEDOUT: SO_SNDTIMEO ran out, or the peer no longer answers.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket, or an unknown flag.
            WSAEMSGSIZE: a datagram of more than SO_MAX_MSG_SIZE bytes; nothing is sent.
            WSAECONNRESET: the peer reset the connection; each further call says so.
            WSAECONNABORTED: the connection was given up on this side, as after the peer closed and more was sent.
            WSAEACCES: a broadcast address without SO_BROADCAST.
            WSAENETRESET: keep-alive found the connection broken.
            WSAENETUNREACH, WSAEHOSTUNREACH: no way to that network or host.
            WSAENOBUFS: no memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-send
        """

    def recv(self, s: int, buf: Buffer | None, len: int, flags: int) -> int:
        """int recv(SOCKET s, char *buf, int len, int flags);

        Receives into a writable buffer: what a stream has, up to `len` bytes, or one datagram. `flags`: MSG_PEEK
        (leaves it there), MSG_OOB (the urgent byte), MSG_WAITALL (a blocking stream fills the buffer or reaches the
        end). Returns the bytes received, 0 at the end of a stream (or for an empty datagram), or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` not 0, or `len` exceeds the buffer; the data stays.
            WSAENOTCONN: a stream that is not connected, or still connecting.
            WSAESHUTDOWN: after shutdown with SD_RECEIVE or SD_BOTH.
            WSAEWOULDBLOCK: nonblocking, and nothing waits; with MSG_OOB, no urgent byte.
            WSAETIMEDOUT: SO_RCVTIMEO ran out, or the peer no longer answers.
            WSAEMSGSIZE: the datagram is longer than `len`: the buffer is full, the rest is lost (not with MSG_PEEK).
            WSAEINVAL: a datagram socket that is not bound, or MSG_OOB with SO_OOBINLINE.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket; MSG_WAITALL when nonblocking or with MSG_PEEK or MSG_OOB; an
            unknown flag.
            WSAECONNRESET: the peer reset the connection; each further call says so. Once on a datagram socket: an
            earlier datagram met a closed port.
            WSAECONNABORTED: given up on this side, as after the peer closed and more was sent; or the socket was
            closed by another thread meanwhile.
            WSAENETRESET: keep-alive found the connection broken; a datagram's time to live ran out.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-recv
        """

    def sendto(self, s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
        """int sendto(SOCKET s, const char *buf, int len, int flags, const struct sockaddr *to, int tolen);

        Sends `len` bytes of `buf` as one datagram to the address `to` of `tolen` bytes (16 or 28), and binds the
        socket if it is not bound. `to` goes before the peer of connect, and None means that peer; a stream ignores it
        and sends as send does. Returns the bytes sent, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` not 0; `len` or `tolen` exceeds its buffer; `tolen` is too short.
            WSAENOTCONN: a stream that is not connected; no `to`, and no peer.
            WSAESHUTDOWN: after shutdown with SD_SEND or SD_BOTH.
            WSAEWOULDBLOCK: nonblocking, and no room in the send buffer.
            WSAETIMEDOUT: SO_SNDTIMEO ran out, or a stream's peer no longer answers.
            WSAEMSGSIZE: more than SO_MAX_MSG_SIZE bytes; nothing is sent.
            WSAEAFNOSUPPORT: unknown family, or one that this socket cannot reach.
            WSAEADDRNOTAVAIL: an address of zeros.
            WSAEACCES: a broadcast address without SO_BROADCAST.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket, or an unknown flag.
            WSAEDESTADDRREQ: an address is needed.
            WSAECONNRESET, WSAECONNABORTED, WSAENETRESET: a stream's connection broke, as with send.
            WSAENETUNREACH, WSAEHOSTUNREACH: no way to that network or host.
            WSAENOBUFS: no memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-sendto
        """

    def recvfrom(
        self, s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None
    ) -> int:
        """int recvfrom(SOCKET s, char *buf, int len, int flags, struct sockaddr *from, int *fromlen);

        Receives one datagram as recv does, and its sender: `from_` receives the address, `fromlen` goes in as the room
        there, in bytes, and comes back as the address's size; both may be None. A stream leaves the two alone. Returns
        the bytes received, 0 for an empty datagram or at the end of a stream, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` not 0; `len` or `fromlen` exceeds its buffer; `fromlen` is too short
            for the address. The datagram stays.
            WSAEINVAL: not bound (sendto and connect bind too), or MSG_OOB with SO_OOBINLINE.
            WSAEWOULDBLOCK: nonblocking, and nothing waits.
            WSAETIMEDOUT: SO_RCVTIMEO ran out, or a stream's peer no longer answers.
            WSAEMSGSIZE: the datagram is longer than `len`: buffer and sender are filled, the rest is lost (not with
            MSG_PEEK).
            WSAECONNRESET: an earlier datagram met a closed port; said once. A stream: reset by its peer.
            WSAEINTR: the socket was closed by another thread meanwhile.
            WSAESHUTDOWN: after shutdown with SD_RECEIVE or SD_BOTH.
            WSAENOTCONN: a stream that is not connected.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket, or an unknown flag.
            WSAECONNABORTED: a stream's connection was given up on this side.
            WSAENETRESET: a datagram's time to live ran out.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-recvfrom
        """

    def shutdown(self, s: int, how: int) -> int:
        """int shutdown(SOCKET s, int how);

        Ends a direction: SD_RECEIVE, SD_SEND (a stream's peer then reads the end) or SD_BOTH. The socket stays open
        for closesocket, and knows its addresses; a second shutdown succeeds. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEINVAL: `how` is none of the three.
            WSAENOTCONN: a stream that is not connected; a listener goes on listening.
            WSAECONNRESET, WSAECONNABORTED: the connection broke before.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-shutdown
        """

    def closesocket(self, s: int) -> int:
        """int closesocket(SOCKET s);

        Closes the socket; a call that waits on it in another thread ends. What was sent still goes out, unless
        SO_LINGER is on with a time of 0, which resets the connection. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket, as when it was closed before.
            WSAEWOULDBLOCK: nonblocking, and SO_LINGER has a time.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-closesocket
        """

    def getsockname(self, s: int, name: Buffer | None, namelen: IntRef | None) -> int:
        """int getsockname(SOCKET s, struct sockaddr *name, int *namelen);

        Writes the local address into `name`; `namelen` goes in as the room there, in bytes, and comes back as 16 or
        28. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: either is None, or `namelen` is too short or exceeds the buffer; nothing is written.
            WSAEINVAL: not bound.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-getsockname
        """

    def getpeername(self, s: int, name: Buffer | None, namelen: IntRef | None) -> int:
        """int getpeername(SOCKET s, struct sockaddr *name, int *namelen);

        Writes the peer's address into `name`, also while connecting and after the peer has closed; `namelen` goes in
        as the room there, in bytes, and comes back as 16 or 28. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAENOTCONN: no peer; this one is said even when an argument is None.
            WSAEFAULT: either is None, or `namelen` is too short or exceeds the buffer; nothing is written.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-getpeername
        """

    def setsockopt(self, s: int, level: int, optname: int, optval: ConstBuffer | None, optlen: int) -> int:
        """int setsockopt(SOCKET s, int level, int optname, const char *optval, int optlen);

        Sets an option from the first `optlen` bytes of `optval`: mostly 4, an int, BOOL or DWORD (pass c_int(1) and
        4, or its bytes); SO_LINGER takes a `linger`, memberships an `ip_mreq` or `ipv6_mreq`. SO_RCVTIMEO and
        SO_SNDTIMEO are milliseconds, 0 for no limit. Options that are on or off also take 1 byte. SO_DONTLINGER and
        SO_EXCLUSIVEADDRUSE go by their negative or unsigned number. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `optval` is None, or `optlen` is too short for the option or exceeds the buffer.
            WSAEINVAL: unknown level, a value out of range, SO_REUSEADDR together with SO_EXCLUSIVEADDRUSE, or
            IPV6_V6ONLY on a bound socket.
            WSAENOPROTOOPT: unknown option, one that cannot be set, or one that this kind of socket does not have.
            WSAENETRESET, WSAENOTCONN: SO_KEEPALIVE on a connection that has failed.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-setsockopt
        """

    def getsockopt(self, s: int, level: int, optname: int, optval: Buffer | None, optlen: IntRef | None) -> int:
        """int getsockopt(SOCKET s, int level, int optname, char *optval, int *optlen);

        Writes an option's value into `optval`; `optlen` goes in as the room there, in bytes, and comes back as the
        length of the value. Most have 4 bytes, but SO_KEEPALIVE, SO_DONTROUTE, TCP_NODELAY and IPV6_V6ONLY write 1, so
        begin with zeros. SO_ERROR tells why a nonblocking connect failed; SO_CONNECT_TIME is in seconds, 0xFFFFFFFF
        when not connected; SO_RCVTIMEO and SO_SNDTIMEO are milliseconds. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `optval` or `optlen` is None, or `optlen` is too short for the option or exceeds the buffer.
            WSAEINVAL: unknown level, or an option that this kind of socket does not have.
            WSAENOPROTOOPT: unknown option, or one that can only be set.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-getsockopt
        """

    def select(
        self,
        nfds: int,
        readfds: Buffer | None,
        writefds: Buffer | None,
        exceptfds: Buffer | None,
        timeout: ConstBuffer | None,
    ) -> int:
        """int select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, const struct timeval *timeout);

        Waits until a socket of the three sets is ready, and leaves only the ready ones in them: in `readfds` with data,
        a connection to accept, an end or a reset; in `writefds` connected with room to send; in `exceptfds` with a
        failed connect or an out-of-band byte. The sets are fd_set, or of fd_set_sized. `timeout` is a timeval, never
        changed; None waits without end, zeros only look. `nfds` is ignored. Returns how many are ready, over all
        sets, 0 when the time is over, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAEINVAL: the sets are all None or empty, or the time is not valid.
            WSAENOTSOCK: a set holds something that is not an open socket; the sets are unchanged.
            WSAEFAULT: a set or `timeout` is a buffer shorter than its structure.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
        """

    def WSAPoll(self, fdArray: Buffer | None, fds: int, timeout: int) -> int:
        """int WSAPoll(LPWSAPOLLFD fdArray, ULONG fds, INT timeout);

        Waits up to `timeout` milliseconds (0 only looks, negative waits without end) for the events of the first `fds`
        entries of `fdArray`, usually a ctypes array of WSAPOLLFD, and writes what is so into each `revents`. To ask
        for: POLLRDNORM, POLLRDBAND (both: POLLIN) and POLLWRNORM (POLLOUT). Told unasked: POLLERR (reset, or the
        connect failed), POLLHUP (the peer's end, or a reset), POLLNVAL (not a socket). Returns how many open sockets
        have something to tell, 0 when the time is over, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAEINVAL: `fds` is 0, or other events are asked for, POLLPRI among them.
            WSAEFAULT: `fdArray` is None, or shorter than `fds` entries.
            WSAENOTSOCK: no entry is an open socket.
            WSAENOBUFS: no memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsapoll
        """

    def htons(self, hostshort: int) -> int:
        """u_short htons(u_short hostshort);

        Turns 16 bits, such as a port, from host to network order. Needs no WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-htons
        """

    def ntohs(self, netshort: int) -> int:
        """u_short ntohs(u_short netshort);

        Turns 16 bits, such as a port, from network to host order. Needs no WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-ntohs
        """

    def htonl(self, hostlong: int) -> int:
        """u_long htonl(u_long hostlong);

        Turns 32 bits, such as INADDR_LOOPBACK, from host to network order. Needs no WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-htonl
        """

    def ntohl(self, netlong: int) -> int:
        """u_long ntohl(u_long netlong);

        Turns 32 bits, such as an IPv4 address, from network to host order. Needs no WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-ntohl
        """

    def inet_addr(self, cp: str | bytes | None) -> int:
        """unsigned long inet_addr(const char *cp);

        Reads an IPv4 address, as ASCII text or bytes up to the first NUL: "a.b.c.d", BSD's shorter forms, octal and
        hexadecimal parts, but no host name; " " is 0. Returns it in network order, fit for sin_addr.s_addr. Any other
        text gives INADDR_NONE and leaves the last error alone; so does "255.255.255.255". Needs no WSAStartup.

        Errors:
            WSAEFAULT: `cp` is None; the result is INADDR_NONE.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-inet_addr
        """

    def inet_ntoa(self, in_: in_addr | int) -> str:
        """char *inet_ntoa(struct in_addr in);

        Returns an IPv4 address, an in_addr or its number in network order, as "a.b.c.d".

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-inet_ntoa
        """

    def inet_ntop(
        self, Family: int, pAddr: ConstBuffer | None, pStringBuf: Buffer | None, StringBufSize: int
    ) -> str | None:
        """PCSTR inet_ntop(INT Family, const VOID *pAddr, PSTR pStringBuf, size_t StringBufSize);

        Writes an address as text, closed by a NUL, into `pStringBuf` of `StringBufSize` bytes (INET_ADDRSTRLEN or
        INET6_ADDRSTRLEN are enough), and returns that text, or None. `pAddr` holds 4 bytes for AF_INET or 16 for
        AF_INET6, in network order: an in_addr, in6_addr, any buffer, or a ctypes integer. Needs no WSAStartup.

        Errors:
            WSAEAFNOSUPPORT: another family.
            WSAEFAULT: `pAddr` is shorter than an address, or `StringBufSize` exceeds the buffer.
            WSAEINVAL: `pStringBuf` is None or too small; Windows may say -1073741811 (0xC000000D) instead.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-inet_ntop
        """

    def inet_pton(self, Family: int, pszAddrString: str | bytes | None, pAddrBuf: Buffer | None) -> int:
        """INT inet_pton(INT Family, PCSTR pszAddrString, PVOID pAddrBuf);

        Reads an address, as ASCII text or bytes up to the first NUL, into `pAddrBuf`: 4 bytes for AF_INET (strictly
        four decimal parts), 16 for AF_INET6, in network order. Returns 1, or 0 when the text is no such address (the
        last error is then untouched), or SOCKET_ERROR. Needs no WSAStartup.

        Errors:
            WSAEAFNOSUPPORT: another family.
            WSAEFAULT: either is None, or `pAddrBuf` is shorter than an address.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-inet_pton
        """

    def gethostname(self, name: Buffer | None, namelen: int) -> int:
        """int gethostname(char *name, int namelen);

        Writes this machine's name, closed by a NUL, into `name` of `namelen` bytes; 256 are enough. Returns 0 or
        SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAEFAULT: `name` is None, `namelen` exceeds the buffer, or the name does not fit; nothing is written.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-gethostname
        """

    def getaddrinfo(
        self,
        pNodeName: str | bytes | None,
        pServiceName: str | bytes | None,
        pHints: ConstBuffer | None,
        ppResult: _Pointer[addrinfo] | None,
    ) -> int:
        """INT getaddrinfo(PCSTR pNodeName, PCSTR pServiceName, const ADDRINFOA *pHints, PADDRINFOA *ppResult);

        Looks up a host name or numeric address ("" is this machine) and a service name or port number, as ASCII text
        or bytes up to the first NUL. `pHints` is an addrinfo with ai_flags (AI_), ai_family, ai_socktype and
        ai_protocol, the rest zero. `ppResult`, an instance of POINTER(addrinfo), comes to point at a list linked by
        ai_next, one entry an address, with exactly the type and protocol of the hints; the list is the library's until
        freeaddrinfo. Returns 0, or the error code, which is also the last error; `ppResult` is then NULL.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAHOST_NOT_FOUND (EAI_NONAME): no such host, both names are None, or AI_NUMERICHOST with a name.
            WSATRY_AGAIN (EAI_AGAIN): no answer for now.
            WSANO_RECOVERY (EAI_FAIL): the look-up failed for good.
            WSANO_DATA: the name is known, but has no such address.
            WSATYPE_NOT_FOUND (EAI_SERVICE): unknown service for that type.
            WSAEAFNOSUPPORT (EAI_FAMILY): unknown ai_family.
            WSAESOCKTNOSUPPORT (EAI_SOCKTYPE): unknown ai_socktype.
            WSAEINVAL (EAI_BADFLAGS): bad ai_flags, or AI_CANONNAME without a host name.
            WSAEFAULT: `pHints` is shorter than an addrinfo, or `ppResult` is None.
            WSA_NOT_ENOUGH_MEMORY (EAI_MEMORY): no memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-getaddrinfo
        """

    def freeaddrinfo(self, pAddrInfo: _Pointer[addrinfo] | addrinfo | None) -> None:
        """VOID freeaddrinfo(PADDRINFOA pAddrInfo);

        Gives back a list of getaddrinfo, by its pointer or its first entry; None does nothing. Nothing that the list
        held may be used afterwards.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-freeaddrinfo
        """

    def getnameinfo(
        self,
        pSockaddr: ConstBuffer | None,
        SockaddrLength: int,
        pNodeBuffer: Buffer | None,
        NodeBufferSize: int,
        pServiceBuffer: Buffer | None,
        ServiceBufferSize: int,
        Flags: int,
    ) -> int:
        """INT getnameinfo(const SOCKADDR *pSockaddr, socklen_t SockaddrLength, PCHAR pNodeBuffer, DWORD NodeBufferSize,
        PCHAR pServiceBuffer, DWORD ServiceBufferSize, INT Flags);

        Names the host and the service of a sockaddr_in or sockaddr_in6 of `SockaddrLength` bytes, each as text closed
        by a NUL in its buffer (NI_MAXHOST and NI_MAXSERV bytes are enough), or not at all for None. `Flags`:
        NI_NUMERICHOST and NI_NUMERICSERV give numbers, NI_NAMEREQD insists on a name, NI_NOFQDN leaves the domain out,
        NI_DGRAM asks for UDP's services. Returns 0, or the error code, which is also the last error.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAEFAULT: `pSockaddr` is None or too short for its family, or a size exceeds its buffer.
            WSAEAFNOSUPPORT (EAI_FAMILY): unknown family.
            WSAHOST_NOT_FOUND (EAI_NONAME): no name, with NI_NAMEREQD; or both buffers are None.
            WSAEINVAL (EAI_BADFLAGS): a buffer with size 0, or bad flags.
            WSATRY_AGAIN (EAI_AGAIN): no answer for now.
            WSANO_RECOVERY (EAI_FAIL): the look-up failed for good.
            WSA_NOT_ENOUGH_MEMORY (EAI_MEMORY): no memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-getnameinfo
        """

    def gethostbyname(self, name: str | bytes | None) -> hostent | None:
        """struct hostent *gethostbyname(const char *name);

        Looks up the IPv4 addresses of a host, given as ASCII text or bytes up to the first NUL; None and "" are this
        machine, and "a.b.c.d" gives itself. The hostent and all that it points to live until this thread's next
        gethostbyname, or its end. getaddrinfo does the same for IPv6 too. Returns None after an error.

        Errors:
            WSANOTINITIALISED: no WSAStartup.
            WSAHOST_NOT_FOUND: no such host.
            WSATRY_AGAIN: no answer for now.
            WSANO_RECOVERY: the look-up failed for good.
            WSANO_DATA: the name is known, but has no IPv4 address.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-gethostbyname
        """


# Every call's name, in the order above.
CALLS = tuple(name for name in vars(Winsock) if not name.startswith("_"))

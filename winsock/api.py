"""The interface of every backend: each Winsock call with its C prototype, its types and its errors.

This is the only place where a call is typed and documented. A backend is a module with functions of the same names,
parameters and types, which the type checker verifies; help() shows the documentation below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .structures import Buffer, ConstBuffer, IntRef, addrinfo, hostent, in_addr

if TYPE_CHECKING:
    from ctypes import _Pointer

__all__ = ["CALLS", "Winsock"]


class Winsock(Protocol):
    """The Winsock calls with their C names, argument order and return values; arguments are positional or keyword.

    No call raises an exception for a network error. It returns SOCKET_ERROR, INVALID_SOCKET, INADDR_NONE, None (for a
    NULL pointer) or an error code; WSAGetLastError() returns the reason, separately for each thread. A call raises
    TypeError for an argument of the wrong type, and OverflowError for a number outside both the signed and the
    unsigned range of its C type.

    A pointer to bytes is a buffer: any bytes-like object where C has `const`, otherwise a writable contiguous
    bytearray, memoryview, ctypes structure or ctypes array. A pointer to an integer is a ctypes integer of 4 bytes or
    more, read and written through `.value`. None is NULL. A length that is negative or exceeds its buffer is WSAEFAULT;
    nothing is read or written then. An object without memory, such as a released memoryview, is an argument of the
    wrong type.

    Arguments are checked in this order: TypeError and OverflowError, WSANOTINITIALISED, WSAENOTSOCK, WSAEFAULT, the
    state of the socket, the network. Two errors can come from every call that requires WSAStartup and are not repeated
    below: WSAENETDOWN (the network subsystem has failed) and WSAEINPROGRESS (a Winsock 1.1 call is in progress).
    """

    def WSAStartup(self, wVersionRequested: int, lpWSAData: Buffer | None) -> int:
        """int WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData);

        Starts Winsock for the process. `wVersionRequested` is the highest version that the program can use, normally
        MAKEWORD(2, 2). `lpWSAData` is a WSADATA or a buffer of its size; its wVersion receives the version to use. Each
        successful WSAStartup requires one WSACleanup. Returns 0 or the error code; WSAGetLastError is not set.

        Errors:
            WSAVERNOTSUPPORTED: the major version is 0; `lpWSAData` is filled in nevertheless.
            WSAEFAULT: `lpWSAData` is None or shorter than a WSADATA.
            WSASYSNOTREADY: the network subsystem is not ready.
            WSAEPROCLIM: too many processes are using Winsock.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsastartup
        """

    def WSACleanup(self) -> int:
        """int WSACleanup(void);

        Reverses one successful WSAStartup of any thread. The last WSACleanup closes every socket of the process, and
        calls that are blocked on them fail; the handles stay invalid after a new WSAStartup. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: called more often than WSAStartup succeeded.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsacleanup
        """

    def WSAGetLastError(self) -> int:
        """int WSAGetLastError(void);

        Returns the error code of the last failed call of this thread, or 0 in a new thread. After a successful call the
        value is unspecified: call this immediately after a failure. Does not require WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsagetlasterror
        """

    def WSASetLastError(self, iError: int) -> None:
        """void WSASetLastError(int iError);

        Sets the value that WSAGetLastError returns in this thread, any C int. Does not require WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsasetlasterror
        """

    def socket(self, af: int, type: int, protocol: int) -> int:
        """SOCKET socket(int af, int type, int protocol);

        Creates a socket in blocking mode. `af` is AF_INET or AF_INET6; `type` and `protocol` are SOCK_STREAM and
        IPPROTO_TCP, or SOCK_DGRAM and IPPROTO_UDP. If one of the two is 0 the other one determines it; if both are 0
        the socket is TCP. IPV6_V6ONLY is on for an IPv6 socket, unlike on Linux. Returns the handle or INVALID_SOCKET.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAESOCKTNOSUPPORT: unknown `type`; this is checked first.
            WSAEAFNOSUPPORT: unknown `af`.
            WSAEPROTONOSUPPORT: unknown `protocol`, or it does not match `type`.
            WSAEINVAL: `af` is AF_UNSPEC and `protocol` is 0.
            WSAEACCES: SOCK_RAW requires a privilege that the process lacks.
            WSAEMFILE: too many open sockets.
            WSAENOBUFS: not enough memory for another socket.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-socket
        """

    def ioctlsocket(self, s: int, cmd: int, argp: IntRef | None) -> int:
        """int ioctlsocket(SOCKET s, long cmd, u_long *argp);

        Executes a command; `argp` is its argument, a ctypes integer such as u_long:
            FIONBIO: nonzero sets nonblocking mode (a call that would block fails with WSAEWOULDBLOCK), 0 sets blocking
            mode.
            FIONREAD: receives the number of bytes that can be read; for UDP at least the size of the first datagram.
            SIOCATMARK: receives 0 if out-of-band data is waiting, otherwise 1; always 1 with SO_OOBINLINE.
            SIO_UDP_CONNRESET: nonzero (the default) lets recv and recvfrom of a UDP socket report WSAECONNRESET after
            an earlier datagram was sent to a closed port; 0 disables that.
            SIO_UDP_NETRESET: likewise for WSAENETRESET after the time to live of an earlier datagram has expired.
        `cmd` is the unsigned value of the header or the same bits as a negative C long. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `argp` is None.
            WSAEINVAL: SIOCATMARK on a datagram socket.
            WSAEOPNOTSUPP: any other command.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-ioctlsocket
        """

    def bind(self, s: int, name: ConstBuffer | None, namelen: int) -> int:
        """int bind(SOCKET s, const struct sockaddr *name, int namelen);

        Sets the local address of a socket. `name` is a sockaddr_in of 16 bytes or a sockaddr_in6 of 28 bytes, and
        `namelen` is its size. INADDR_ANY means every interface. For port 0 the system chooses a free port, which
        getsockname returns. After a failure the socket can be bound to another address. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `name` is None, too short for its family, or an IPv4 address for an IPv6 socket.
            WSAEAFNOSUPPORT: unknown family, or an IPv6 address for an IPv4 socket.
            WSAEINVAL: the socket is already bound, by bind, connect, sendto or accept.
            WSAEADDRINUSE: another socket is bound to that address and port.
            WSAEACCES: another socket is bound there and does not share the address: this socket has SO_REUSEADDR and
            the other one does not, or the other one has SO_EXCLUSIVEADDRUSE.
            WSAEADDRNOTAVAIL: no interface of this machine has that address, or it is a multicast or broadcast address,
            or a link-local address without a scope id.
            WSAENOBUFS: no free port is left.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-bind
        """

    def connect(self, s: int, name: ConstBuffer | None, namelen: int) -> int:
        """int connect(SOCKET s, const struct sockaddr *name, int namelen);

        Connects a stream socket to the address `name`, a sockaddr_in (16 bytes) or sockaddr_in6 (28 bytes). On a
        nonblocking socket the call fails with WSAEWOULDBLOCK while the connection is being established; select then
        reports success in writefds, or failure in exceptfds with the reason in SO_ERROR. After a failure the socket can
        connect again. On a datagram socket, sets the default destination and receives from that address only; an
        address of zeros removes it. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket, or another thread closed it during the call.
            WSAEFAULT: `name` is None, too short for its family, or an IPv4 address for an IPv6 socket.
            WSAEAFNOSUPPORT: unknown family, or an IPv6 address for an IPv4 socket.
            WSAEWOULDBLOCK: nonblocking; the connection is being established.
            WSAEALREADY: nonblocking, and an earlier connect is still in progress.
            WSAEISCONN: the stream socket is already connected.
            WSAEINVAL: the socket is listening.
            WSAEADDRNOTAVAIL: an address of zeros; for a stream socket also port 0, a multicast or a broadcast address.
            WSAECONNREFUSED: no socket is listening at that address, or the listener's queue is full.
            WSAETIMEDOUT: the peer did not answer.
            WSAENETUNREACH, WSAEHOSTUNREACH: no route to that network or host.
            WSAEADDRINUSE: the local address to which the socket is bound is already in use.
            WSAEACCES: a broadcast address, and SO_BROADCAST is not set.
            WSAENOBUFS: not enough memory, or no free local port is left.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-connect
        """

    def listen(self, s: int, backlog: int) -> int:
        """int listen(SOCKET s, int backlog);

        Makes a bound stream socket listen for connections. `backlog` connections can wait for accept. A client that
        finds the queue full tries again for about two seconds; then its connect fails with WSAECONNREFUSED. With
        SOMAXCONN the system chooses the number. A negative number -n (the macro SOMAXCONN_HINT of C) means n
        connections, but at least 200 and at most 65535. Calling it again succeeds and changes nothing. Returns 0 or
        SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEOPNOTSUPP: not a stream socket.
            WSAEISCONN: the socket is connected.
            WSAEINVAL: the socket is not bound.
            WSAEADDRINUSE: a socket of another process listens at that address, and bind could not detect it.
            WSAEMFILE: too many open sockets.
            WSAENOBUFS: not enough memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-listen
        """

    def accept(self, s: int, addr: Buffer | None, addrlen: IntRef | None) -> int:
        """SOCKET accept(SOCKET s, struct sockaddr *addr, int *addrlen);

        Accepts the first waiting connection of a listening socket. A blocking socket waits for one; SO_RCVTIMEO has no
        effect. The new socket inherits the options and, unlike on Linux, the blocking or nonblocking mode. `addr`
        receives the address of the peer. `addrlen` is the size of `addr` in bytes and receives the size of the address.
        If either is None, no address is returned. Returns the new handle or INVALID_SOCKET.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `addrlen` is too short for the address or exceeds `addr`; the connection keeps waiting.
            WSAEOPNOTSUPP: not a stream socket.
            WSAEINVAL: the socket is not listening.
            WSAEWOULDBLOCK: nonblocking, and no connection is waiting.
            WSAEINTR: another thread closed the socket during the call.
            WSAECONNRESET: the peer reset the connection before it was accepted.
            WSAEMFILE: too many open sockets.
            WSAENOBUFS: not enough memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-accept
        """

    def send(self, s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
        """int send(SOCKET s, const char *buf, int len, int flags);

        Sends the first `len` bytes of `buf` on a connected socket. A blocking stream socket sends all of them, unless
        the time of SO_SNDTIMEO elapses; a nonblocking one may send fewer. `flags`: MSG_OOB (the last byte is
        out-of-band data), MSG_DONTROUTE. Returns the number of bytes sent, or SOCKET_ERROR. Success does not mean that
        the peer has received the data.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` is not 0, or `len` exceeds the buffer.
            WSAENOTCONN: not connected, or the connection is still being established.
            WSAESHUTDOWN: shutdown was called with SD_SEND or SD_BOTH.
            WSAEWOULDBLOCK: nonblocking, and the send buffer is full.
            WSAETIMEDOUT: the time of SO_SNDTIMEO elapsed, or the peer no longer answers.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket, or an unknown flag.
            WSAEMSGSIZE: a datagram of more than SO_MAX_MSG_SIZE bytes; nothing is sent.
            WSAECONNRESET: the peer reset the connection; every later call fails the same way.
            WSAECONNABORTED: this machine aborted the connection, for example because data was sent after the peer had
            closed; or another thread closed the stream socket during the call.
            WSAEACCES: a broadcast address, and SO_BROADCAST is not set.
            WSAENETRESET: keep-alive detected that the connection is broken.
            WSAENETUNREACH, WSAEHOSTUNREACH: no route to that network or host.
            WSAENOBUFS: not enough memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-send
        """

    def recv(self, s: int, buf: Buffer | None, len: int, flags: int) -> int:
        """int recv(SOCKET s, char *buf, int len, int flags);

        Receives up to `len` bytes of a stream, or one datagram, into the writable buffer `buf`. `flags`: MSG_PEEK (the
        data stays in the receive queue), MSG_OOB (receives out-of-band data), MSG_WAITALL (a blocking stream socket
        waits until the buffer is full or the stream ends). Returns the number of bytes received, 0 at the end of the
        stream or for an empty datagram, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` is not 0, or `len` exceeds the buffer; the data stays in the queue.
            WSAENOTCONN: a stream socket that is not connected, or whose connection is still being established.
            WSAESHUTDOWN: shutdown was called with SD_RECEIVE or SD_BOTH.
            WSAEWOULDBLOCK: nonblocking, and no data is waiting; with MSG_OOB, no out-of-band data.
            WSAETIMEDOUT: the time of SO_RCVTIMEO elapsed, or the peer no longer answers.
            WSAEMSGSIZE: the datagram is longer than `len`. The buffer is filled; the remaining bytes are lost, except
            with MSG_PEEK.
            WSAEINVAL: a datagram socket that is not bound, or MSG_OOB with SO_OOBINLINE.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket; MSG_WAITALL on a nonblocking socket or with MSG_PEEK or
            MSG_OOB; an unknown flag.
            WSAECONNRESET: the peer reset the connection; every later call fails the same way. On a datagram socket,
            reported once: an earlier datagram was sent to a closed port.
            WSAECONNABORTED: this machine aborted the connection, for example because data was sent after the peer had
            closed; or another thread closed the stream socket during the call.
            WSAEINTR: another thread closed the datagram socket during the call.
            WSAENETRESET: keep-alive detected that the connection is broken; on a datagram socket, the time to live of
            an earlier datagram expired.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-recv
        """

    def sendto(self, s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
        """int sendto(SOCKET s, const char *buf, int len, int flags, const struct sockaddr *to, int tolen);

        Sends the first `len` bytes of `buf` as one datagram to the address `to`, a sockaddr_in (`tolen` 16) or
        sockaddr_in6 (`tolen` 28). An unbound socket is bound to a free port first. If `to` is None the datagram goes to
        the default destination that connect has set. A stream socket ignores `to` and `tolen` and sends like send.
        `flags` as for send. Returns the number of bytes sent, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` is not 0; `len` or `tolen` exceeds its buffer; `tolen` is too short.
            WSAENOTCONN: a stream socket that is not connected; `to` is None and there is no default destination.
            WSAESHUTDOWN: shutdown was called with SD_SEND or SD_BOTH.
            WSAEWOULDBLOCK: nonblocking, and the send buffer is full.
            WSAETIMEDOUT: the time of SO_SNDTIMEO elapsed, or the peer of a stream socket no longer answers.
            WSAEMSGSIZE: a datagram of more than SO_MAX_MSG_SIZE bytes; nothing is sent.
            WSAEAFNOSUPPORT: unknown family, or one that does not match the socket.
            WSAEADDRNOTAVAIL: an address of zeros.
            WSAEACCES: a broadcast address, and SO_BROADCAST is not set.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket, or an unknown flag.
            WSAEDESTADDRREQ: a destination address is required.
            WSAECONNRESET, WSAECONNABORTED, WSAENETRESET: the connection of a stream socket is broken; see send.
            WSAENETUNREACH, WSAEHOSTUNREACH: no route to that network or host.
            WSAENOBUFS: not enough memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-sendto
        """

    def recvfrom(
        self, s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None
    ) -> int:
        """int recvfrom(SOCKET s, char *buf, int len, int flags, struct sockaddr *from, int *fromlen);

        Receives one datagram like recv, and the address of its sender. `from_` receives the address. `fromlen` is the
        size of `from_` in bytes and receives the size of the address. Both may be None. A stream socket leaves them
        unchanged. `flags` as for recv. Returns the number of bytes received, 0 for an empty datagram or at the end of a
        stream, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `buf` is None and `len` is not 0; `len` or `fromlen` exceeds its buffer; `fromlen` is too short
            for the address. The datagram stays in the queue.
            WSAEINVAL: the socket is not bound (bind, sendto and connect bind it), or MSG_OOB with SO_OOBINLINE.
            WSAEWOULDBLOCK: nonblocking, and no datagram is waiting.
            WSAETIMEDOUT: the time of SO_RCVTIMEO elapsed, or the peer of a stream socket no longer answers.
            WSAEMSGSIZE: the datagram is longer than `len`. The buffer and the sender's address are filled in; the
            remaining bytes are lost, except with MSG_PEEK.
            WSAECONNRESET: an earlier datagram was sent to a closed port; reported once. On a stream socket, the peer
            reset the connection.
            WSAEINTR: another thread closed the datagram socket during the call.
            WSAESHUTDOWN: shutdown was called with SD_RECEIVE or SD_BOTH.
            WSAENOTCONN: a stream socket that is not connected.
            WSAEOPNOTSUPP: MSG_OOB on a datagram socket, or an unknown flag.
            WSAECONNABORTED: this machine aborted the connection of a stream socket, or another thread closed it during
            the call.
            WSAENETRESET: the time to live of an earlier datagram expired.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-recvfrom
        """

    def shutdown(self, s: int, how: int) -> int:
        """int shutdown(SOCKET s, int how);

        Disables receiving (SD_RECEIVE), sending (SD_SEND; the peer of a stream then receives the end of the stream) or
        both (SD_BOTH). The socket keeps its addresses and still requires closesocket. Calling it again succeeds. Calls
        of other threads that are blocked on the socket continue: a recv waits for data or the peer's end, and a send
        still sends everything before the end of the stream. If a stream ends receiving while received data is unread,
        or data arrives later, the connection is reset: send then fails with WSAECONNABORTED. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEINVAL: `how` is none of the three.
            WSAENOTCONN: a stream socket that is not connected; a listening socket keeps listening.
            WSAECONNRESET, WSAECONNABORTED: the connection is already broken.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-shutdown
        """

    def closesocket(self, s: int) -> int:
        """int closesocket(SOCKET s);

        Closes the socket. A call of another thread that is blocked on it fails. Data in the send buffer is still sent,
        except with SO_LINGER on and a time of 0 seconds, which resets the connection. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket, for example because it was closed before.
            WSAEWOULDBLOCK: nonblocking, and SO_LINGER is on with a time other than 0.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-closesocket
        """

    def getsockname(self, s: int, name: Buffer | None, namelen: IntRef | None) -> int:
        """int getsockname(SOCKET s, struct sockaddr *name, int *namelen);

        Writes the local address of the socket into `name`. `namelen` is the size of `name` in bytes and receives the
        size of the address, 16 or 28. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: either is None, or `namelen` is too short or exceeds the buffer; nothing is written.
            WSAEINVAL: the socket is not bound.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-getsockname
        """

    def getpeername(self, s: int, name: Buffer | None, namelen: IntRef | None) -> int:
        """int getpeername(SOCKET s, struct sockaddr *name, int *namelen);

        Writes the address of the peer into `name`, also while the connection is being established and after the peer
        has closed it. `namelen` is the size of `name` in bytes and receives the size of the address, 16 or 28. Returns
        0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAENOTCONN: the socket has no peer; this is checked before WSAEFAULT.
            WSAEFAULT: either is None, or `namelen` is too short or exceeds the buffer; nothing is written.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-getpeername
        """

    def setsockopt(self, s: int, level: int, optname: int, optval: ConstBuffer | None, optlen: int) -> int:
        """int setsockopt(SOCKET s, int level, int optname, const char *optval, int optlen);

        Sets an option to the value in the first `optlen` bytes of `optval`. Most values are an int, BOOL or DWORD of 4
        bytes, for example c_int(1). SO_LINGER takes a `linger`, the membership options take an `ip_mreq` or
        `ipv6_mreq`, IP_OPTIONS takes up to 40 bytes. SO_RCVTIMEO and SO_SNDTIMEO are in milliseconds, 0 means no limit.
        Boolean options also accept 1 byte. `optname` of SO_DONTLINGER and SO_EXCLUSIVEADDRUSE is their negative value
        or the same bits as an unsigned number. imr_interface and the value of IP_MULTICAST_IF are an address of an
        interface or, as 0.x.y.z, its index. IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP decide whether this socket
        receives what this machine has sent to a group; they have no effect on the sender. Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `optval` is None, or `optlen` is too short for the option or exceeds the buffer.
            WSAEINVAL: unknown level, a value out of range, SO_REUSEADDR together with SO_EXCLUSIVEADDRUSE,
            IPV6_V6ONLY on a bound socket, or leaving a group that the socket has not joined.
            WSAEADDRNOTAVAIL: no such interface, or the socket has joined the group already.
            WSAENOPROTOOPT: unknown option, a read-only option, or one that this type of socket does not have.
            WSAENETRESET, WSAENOTCONN: SO_KEEPALIVE on a connection that is broken.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-setsockopt
        """

    def getsockopt(self, s: int, level: int, optname: int, optval: Buffer | None, optlen: IntRef | None) -> int:
        """int getsockopt(SOCKET s, int level, int optname, char *optval, int *optlen);

        Writes the value of an option into `optval`. `optlen` is the size of `optval` in bytes and receives the size of
        the value. Most values have 4 bytes, but SO_KEEPALIVE, SO_DONTROUTE, TCP_NODELAY and IPV6_V6ONLY write only 1
        byte: pass a buffer of zeros. SO_ERROR is the reason why a nonblocking connect failed. SO_CONNECT_TIME is in
        seconds, 0xFFFFFFFF if not connected. SO_RCVTIMEO and SO_SNDTIMEO are in milliseconds. Returns 0 or
        SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAENOTSOCK: `s` is not an open socket.
            WSAEFAULT: `optval` or `optlen` is None, or `optlen` is too short for the option or exceeds the buffer.
            WSAEINVAL: unknown level, or an option that this type of socket does not have.
            WSAENOPROTOOPT: unknown option, or a write-only option.
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

        Waits until at least one socket of the three sets is ready, and removes the sockets that are not ready from the
        sets. Ready in `readfds`: data, a connection to accept, the end of the stream or a reset. Ready in `writefds`:
        connected, and the send buffer has space. Ready in `exceptfds`: connect failed, or out-of-band data is waiting.
        Each set is an fd_set, a set of fd_set_sized, or None. `timeout` is a timeval, which is not modified; None waits
        without a limit, and a time of 0 returns immediately. `nfds` is ignored. Returns the number of ready sockets in
        all sets, 0 if the time has elapsed, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAEINVAL: all sets are None or empty, or the values in `timeout` are not valid.
            WSAENOTSOCK: a set contains a handle that is not an open socket; the sets are unchanged.
            WSAEFAULT: the buffer of a set or of `timeout` is shorter than its structure.
            WSAENOBUFS: on POSIX, not enough memory, or more different sockets than RLIMIT_NOFILE.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
        """

    def WSAPoll(self, fdArray: Buffer | None, fds: int, timeout: int) -> int:
        """int WSAPoll(LPWSAPOLLFD fdArray, ULONG fds, INT timeout);

        Waits until an event occurs on a socket of the first `fds` entries of `fdArray`, usually a ctypes array of
        WSAPOLLFD, and writes the events that occurred into each `revents`. `timeout` is in milliseconds: 0 returns
        immediately, a negative value waits without a limit. An entry can request POLLRDNORM and POLLRDBAND (together
        POLLIN) and POLLWRNORM (equal to POLLOUT). Reported without a request: POLLERR (reset, or connect failed),
        POLLHUP (the peer has closed, or a reset), POLLNVAL (not an open socket). Returns the number of open sockets
        with an event, 0 if the time has elapsed, or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAEINVAL: `fds` is 0, or an entry requests another event, such as POLLPRI.
            WSAEFAULT: `fdArray` is None, or shorter than `fds` entries.
            WSAENOTSOCK: no entry is an open socket.
            WSAENOBUFS: not enough memory, or on POSIX more different sockets than RLIMIT_NOFILE.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-wsapoll
        """

    def htons(self, hostshort: int) -> int:
        """u_short htons(u_short hostshort);

        Converts a 16-bit number, such as a port, from host to network byte order. Does not require WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-htons
        """

    def ntohs(self, netshort: int) -> int:
        """u_short ntohs(u_short netshort);

        Converts a 16-bit number, such as a port, from network to host byte order. Does not require WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-ntohs
        """

    def htonl(self, hostlong: int) -> int:
        """u_long htonl(u_long hostlong);

        Converts a 32-bit number, such as INADDR_LOOPBACK, from host to network byte order. Does not require WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-htonl
        """

    def ntohl(self, netlong: int) -> int:
        """u_long ntohl(u_long netlong);

        Converts a 32-bit number, such as an IPv4 address, from network to host byte order. Does not require WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-ntohl
        """

    def inet_addr(self, cp: str | bytes | None) -> int:
        """unsigned long inet_addr(const char *cp);

        Converts an IPv4 address in text form, an ASCII str or bytes up to the first NUL, to a number in network byte
        order, as in sin_addr.s_addr. Accepts "a.b.c.d", the shorter forms of BSD, and octal and hexadecimal
        parts, but no host names; " " is 0. Returns INADDR_NONE for any other text, without a change to the last error;
        INADDR_NONE is also the value of "255.255.255.255". Does not require WSAStartup.

        Errors:
            WSAEFAULT: `cp` is None; the result is INADDR_NONE.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-inet_addr
        """

    def inet_ntoa(self, in_: in_addr | int) -> str:
        """char *inet_ntoa(struct in_addr in);

        Converts an IPv4 address, an in_addr or its number in network byte order, to the text "a.b.c.d". Does not
        require WSAStartup.

        Errors: none.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-inet_ntoa
        """

    def inet_ntop(
        self, Family: int, pAddr: ConstBuffer | None, pStringBuf: Buffer | None, StringBufSize: int
    ) -> str | None:
        """PCSTR inet_ntop(INT Family, const VOID *pAddr, PSTR pStringBuf, size_t StringBufSize);

        Converts an address to text. `pAddr` contains 4 bytes for AF_INET or 16 for AF_INET6 in network byte order: an
        in_addr, an in6_addr, another buffer or a ctypes integer. Writes the text with a terminating NUL into
        `pStringBuf` of `StringBufSize` bytes (INET_ADDRSTRLEN or INET6_ADDRSTRLEN are sufficient). Returns the text, or
        None after an error. Does not require WSAStartup.

        Errors:
            WSAEAFNOSUPPORT: `Family` is neither AF_INET nor AF_INET6.
            WSAEFAULT: `pAddr` is shorter than an address or, on POSIX, None; or `StringBufSize` exceeds the buffer.
            WSAEINVAL: `pStringBuf` is None or too small or, on Windows, `pAddr` is None; Windows may report -1073741811
            (0xC000000D) instead.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-inet_ntop
        """

    def inet_pton(self, Family: int, pszAddrString: str | bytes | None, pAddrBuf: Buffer | None) -> int:
        """INT inet_pton(INT Family, PCSTR pszAddrString, PVOID pAddrBuf);

        Converts an address in text form, an ASCII str or bytes up to the first NUL, and writes it into `pAddrBuf` in
        network byte order: 4 bytes for AF_INET (exactly four decimal parts), 16 bytes for AF_INET6. Returns 1, or 0 if
        the text is not such an address (the last error is unchanged), or SOCKET_ERROR. Does not require WSAStartup.

        Errors:
            WSAEAFNOSUPPORT: `Family` is neither AF_INET nor AF_INET6.
            WSAEFAULT: either is None, or `pAddrBuf` is shorter than an address.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-inet_pton
        """

    def gethostname(self, name: Buffer | None, namelen: int) -> int:
        """int gethostname(char *name, int namelen);

        Writes the host name of this machine with a terminating NUL into `name` of `namelen` bytes; 256 are sufficient.
        Returns 0 or SOCKET_ERROR.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
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

        Resolves a host name or numeric address ("" is this machine) and a service name or port number, each an ASCII
        str or bytes up to the first NUL. `pHints` is an addrinfo with ai_flags (AI_), ai_family, ai_socktype and
        ai_protocol; its other fields are zero. `ppResult` is an instance of POINTER(addrinfo) and receives a list
        linked by ai_next, with one entry per address. ai_socktype and ai_protocol are those of the hints, but if the
        hints leave the type open, the name of a service of only one type selects it ("http": SOCK_STREAM). The list
        belongs to the library until freeaddrinfo. Returns 0 or the error code, which is also the last error; after an
        error `ppResult` is NULL.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAHOST_NOT_FOUND (EAI_NONAME): unknown host; both names are None; or AI_NUMERICHOST with a host name.
            WSATRY_AGAIN (EAI_AGAIN): the name server did not answer, or no descriptor is free; try again later.
            WSANO_RECOVERY (EAI_FAIL): the lookup failed permanently, or a field of `pHints` that must be zero is not.
            WSANO_DATA: the name exists, but has no address of the requested family.
            WSATYPE_NOT_FOUND (EAI_SERVICE): unknown service for this ai_socktype.
            WSAEAFNOSUPPORT (EAI_FAMILY): unknown ai_family.
            WSAESOCKTNOSUPPORT (EAI_SOCKTYPE): unknown ai_socktype.
            WSAEINVAL (EAI_BADFLAGS): invalid ai_flags, or AI_CANONNAME without a host name.
            WSAEFAULT: `pHints` is shorter than an addrinfo, or `ppResult` is None.
            WSA_NOT_ENOUGH_MEMORY (EAI_MEMORY): not enough memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-getaddrinfo
        """

    def freeaddrinfo(self, pAddrInfo: _Pointer[addrinfo] | addrinfo | None) -> None:
        """VOID freeaddrinfo(PADDRINFOA pAddrInfo);

        Frees the list that getaddrinfo returned; `pAddrInfo` is the pointer or the first entry. None has no effect. The
        entries and their addresses must not be used afterwards.

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

        Converts a sockaddr_in or sockaddr_in6 of `SockaddrLength` bytes to a host name and a service name. Writes each
        with a terminating NUL into its buffer (NI_MAXHOST and NI_MAXSERV bytes are sufficient); a buffer of None skips
        that name. `Flags`: NI_NUMERICHOST and NI_NUMERICSERV write numbers, NI_NAMEREQD makes a missing name an error,
        NI_NOFQDN omits the domain, NI_DGRAM selects the service names of UDP. Returns 0 or the error code, which is
        also the last error.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAEFAULT: `pSockaddr` is None or too short for its family, a size exceeds its buffer, or a name does not
            fit into its buffer; for the last Windows may report 122 (ERROR_INSUFFICIENT_BUFFER) instead.
            WSAEAFNOSUPPORT (EAI_FAMILY): unknown family.
            WSAHOST_NOT_FOUND (EAI_NONAME): the host has no name and NI_NAMEREQD is set; or both buffers are None.
            WSAEINVAL (EAI_BADFLAGS): a buffer has the size 0, or invalid `Flags`.
            WSATRY_AGAIN (EAI_AGAIN): the name server did not answer, or no descriptor is free; try again later.
            WSANO_RECOVERY (EAI_FAIL): the lookup failed permanently.
            WSA_NOT_ENOUGH_MEMORY (EAI_MEMORY): not enough memory.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/ws2tcpip/nf-ws2tcpip-getnameinfo
        """

    def gethostbyname(self, name: str | bytes | None) -> hostent | None:
        """struct hostent *gethostbyname(const char *name);

        Resolves a host name, an ASCII str or bytes up to the first NUL, to IPv4 addresses; None and "" are this
        machine, and an address "a.b.c.d" is returned unchanged. The hostent and everything it points to stay valid
        until this thread calls gethostbyname again or ends. getaddrinfo also supports IPv6. Returns None after an
        error.

        Errors:
            WSANOTINITIALISED: WSAStartup has not succeeded yet.
            WSAHOST_NOT_FOUND: unknown host.
            WSATRY_AGAIN: the name server did not answer, or no descriptor is free; try again later.
            WSANO_RECOVERY: the lookup failed permanently.
            WSANO_DATA: the name exists, but has no IPv4 address.
        Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-gethostbyname
        """


# The names of all calls, in the order above.
CALLS = tuple(name for name in vars(Winsock) if not name.startswith("_"))

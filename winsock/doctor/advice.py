"""What the author of a client or a server can do about each error."""

from __future__ import annotations

from winsock import errors

__all__ = ["advice_for"]

_ADVICE = {
    errors.WSAEACCES: (
        "The port may be below 1024 (on Linux only root can use it), reserved (Windows: netsh interface ipv4 show "
        "excludedportrange protocol=tcp) or in use by a socket with SO_EXCLUSIVEADDRUSE: use another port. A "
        "broadcast address requires SO_BROADCAST."
    ),
    errors.WSAEFAULT: (
        "A length is wrong, or a structure is too short: sockaddr_in has 16 bytes. `python -m winsock.doctor layout "
        "FILE` compares an MQL program's structures with Winsock's."
    ),
    errors.WSAEINVAL: (
        "The calls are in the wrong order: call bind before listen, listen before accept, and bind only once."
    ),
    errors.WSAEMFILE: (
        "The program opens sockets without closing them: call closesocket for each socket, also after an error."
    ),
    errors.WSAEWOULDBLOCK: (
        "This is not a failure: the socket is nonblocking, and the operation cannot complete yet. Try again in the "
        "next timer event, or wait with select."
    ),
    errors.WSAENOTSOCK: (
        "The handle was closed, or it belongs to another process. Set the variable to INVALID_SOCKET after closesocket."
    ),
    errors.WSAEMSGSIZE: (
        "The datagram is longer than the buffer: use a larger buffer; 65535 bytes are enough for any datagram."
    ),
    errors.WSAEADDRINUSE: (
        "Another program uses the port, or an earlier run of this one: `python -m winsock.doctor port PORT` shows "
        "which. End that program, or use another port."
    ),
    errors.WSAEADDRNOTAVAIL: (
        "The address does not belong to this machine: bind a server to 127.0.0.1 (reachable from this machine only), "
        "to 0.0.0.0 (all addresses of this machine) or to an address that ipconfig (Windows) or ip address (Linux) "
        "lists. A client cannot connect to port 0."
    ),
    errors.WSAENETDOWN: "The network is down: check the network adapter.",
    errors.WSAENETUNREACH: (
        "There is no route to that network: check that this machine is online, and that it has IPv6 if the address is "
        "an IPv6 address."
    ),
    errors.WSAECONNABORTED: "This machine aborted the connection: the peer had closed it, or no longer answered.",
    errors.WSAECONNRESET: (
        "The peer's program ended, or closed the socket with unread data. For UDP: no socket has that port there."
    ),
    errors.WSAENOBUFS: (
        "There is no memory or no free port left: check whether the program opens sockets without closing them."
    ),
    errors.WSAENOTCONN: (
        "Call connect first; after a nonblocking connect wait until select reports the socket in writefds."
    ),
    errors.WSAETIMEDOUT: (
        "There was no answer: the machine is off, the address is wrong, or a firewall or a router (NAT) drops the "
        "packets. Allow the port in the server's firewall; for clients outside the network, forward it in the router."
    ),
    errors.WSAECONNREFUSED: (
        "The machine answered, but no server listens on that port: start the server first, compare the port numbers, "
        "and check that the server is not bound to 127.0.0.1 if the client runs on another machine."
    ),
    errors.WSAEHOSTUNREACH: "There is no route to that machine: check that it is on, and that the address is right.",
    errors.WSASYSNOTREADY: "The network subsystem is not ready: restart the machine's network, then the program.",
    errors.WSAVERNOTSUPPORTED: "Request version 2.2: WSAStartup(MAKEWORD(2, 2), ...).",
    errors.WSANOTINITIALISED: "Call WSAStartup before this call, and WSACleanup only after the last one.",
    errors.WSAEAFNOSUPPORT: "The address family does not match the socket or the call: AF_INET is 2, AF_INET6 is 23.",
    errors.WSAHOST_NOT_FOUND: (
        "The name does not exist: check its spelling, or use a numeric address. inet_addr accepts numeric addresses "
        "only."
    ),
    errors.WSATRY_AGAIN: (
        "The name server does not answer: check that this machine is online, or use a numeric address."
    ),
    errors.WSANO_RECOVERY: "The name server failed: use a numeric address.",
    errors.WSANO_DATA: "The name has no address of this family: try the other family, or a numeric address.",
    errors.WSATYPE_NOT_FOUND: "There is no service of that name: use the port number.",
}


def advice_for(code: int) -> str:
    """What to do about an error; "" if its description is sufficient."""
    return _ADVICE.get(code, "")

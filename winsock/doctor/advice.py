"""What to do about an error, for those who write a client or a server."""

from __future__ import annotations

from winsock import errors

__all__ = ["advice_for"]

_ADVICE = {
    errors.WSAEACCES: (
        "Is the port below 1024 (Linux keeps those for root), reserved (Windows: netsh interface ipv4 show "
        "excludedportrange protocol=tcp) or held with SO_EXCLUSIVEADDRUSE? Then take another one. For a broadcast "
        "address set SO_BROADCAST first."
    ),
    errors.WSAEFAULT: (
        "A length is wrong, or a structure too short: sockaddr_in has 16 bytes. `python -m winsock.doctor layout "
        "FILE` compares an MQL program's structures with Winsock's."
    ),
    errors.WSAEINVAL: "The calls are out of order: bind before listen, listen before accept, and bind only once.",
    errors.WSAEMFILE: "Sockets are made and never closed: each one needs closesocket, also after an error.",
    errors.WSAEWOULDBLOCK: (
        "No failure: the socket is nonblocking and there is nothing to do yet. Try again at the next timer, or wait "
        "with select."
    ),
    errors.WSAENOTSOCK: (
        "The handle was closed, or is that of another program; after closesocket set it to INVALID_SOCKET."
    ),
    errors.WSAEMSGSIZE: "The datagram is longer than the buffer: give recvfrom a larger one, 65535 bytes for any.",
    errors.WSAEADDRINUSE: (
        "Another program has the port, or an earlier run of this one: `python -m winsock.doctor port PORT` tells "
        "who. End that program, or take another port."
    ),
    errors.WSAEADDRNOTAVAIL: (
        "The address is not of this machine: a server binds to 127.0.0.1 (this machine only), to 0.0.0.0 (all of "
        "its addresses) or to one that ipconfig or ip address shows. A client needs a port other than 0."
    ),
    errors.WSAENETDOWN: "The network is down: look at the adapter.",
    errors.WSAENETUNREACH: (
        "No route to that network: is this machine on line, and does it have IPv6 if the address does?"
    ),
    errors.WSAECONNABORTED: "This side gave up the connection: the peer had closed it, or no longer answered.",
    errors.WSAECONNRESET: "The peer's program ended or closed with data unread. For UDP: nobody has that port there.",
    errors.WSAENOBUFS: "No memory or no free port: look for sockets that are made and never closed.",
    errors.WSAENOTCONN: "Connect first, and after a nonblocking connect wait until select shows the socket writable.",
    errors.WSAETIMEDOUT: (
        "Nobody answered: the machine is off, the address is another one's, or a firewall or a router (NAT) drops "
        "the packets. Let the firewall there accept the port; from outside a router must forward it."
    ),
    errors.WSAECONNREFUSED: (
        "The machine answered, but nobody listens on that port: start the server first, compare the ports, and see "
        "that it is not bound to 127.0.0.1 when the client is elsewhere."
    ),
    errors.WSAEHOSTUNREACH: "The network knows no way to that machine: is it on, and in the same network?",
    errors.WSASYSNOTREADY: "The network is not ready: restart the machine's network, then the program.",
    errors.WSAVERNOTSUPPORTED: "Ask for version 2.2: WSAStartup(MAKEWORD(2, 2), ...).",
    errors.WSANOTINITIALISED: "WSAStartup is missing before this call, or WSACleanup came too early.",
    errors.WSAEAFNOSUPPORT: "The family does not fit the socket or the call: AF_INET is 2, AF_INET6 is 23.",
    errors.WSAHOST_NOT_FOUND: (
        "No such name: check its spelling, or give the address in digits. inet_addr takes digits only."
    ),
    errors.WSATRY_AGAIN: "The name server does not answer: is this machine on line? An address in digits needs none.",
    errors.WSANO_RECOVERY: "The name server failed: give the address in digits.",
    errors.WSANO_DATA: "The name is known but has no such address: try the other family, or digits.",
    errors.WSATYPE_NOT_FOUND: "No service of that name: give the port as a number.",
}


def advice_for(code: int) -> str:
    """What to do, or nothing where the error's own text says all there is."""
    return _ADVICE.get(code, "")

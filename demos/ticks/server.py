"""The article's tick server: shows each tick that a client sends over UDP."""

from __future__ import annotations

from ctypes import c_int, sizeof
from typing import Annotated

from demos.terminal import *
from demos.ticks.protocol import MAX_DATAGRAM, datagram_problem, listening_port_problem
from winsock import *  # H2

Host: Annotated[str, Input("IPv4 address to listen on; 0.0.0.0 for all network interfaces")] = "127.0.0.1"  # A1
Port: Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)] = 8082

# The most datagrams that one timer event reads: a fast sender cannot keep the program in the event.
MAX_READS = 4096  # U1

server = INVALID_SOCKET  # H4
started = False  # S13


def OnInit() -> int:
    EventSetMillisecondTimer(300)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()


def OnTimer() -> None:  # noqa: C901, PLR0912, PLR0915 - one procedure, as in the listing
    global server, started
    if server != INVALID_SOCKET:
        buf = bytearray(MAX_DATAGRAM)
        ref = bytearray(sizeof(sockaddr_in))  # H1
        for _ in range(MAX_READS):  # U1 U2
            res = recvfrom(server, buf, MAX_DATAGRAM, 0, ref, c_int(len(ref)))
            if res >= 0:  # receive and show data
                data = bytes(buf[:res])
                problem = datagram_problem(data)  # U6
                if problem:
                    Print(f"-invalid datagram from client {AddressText(ref)}: {problem}")  # U6
                else:
                    Print(f"receive tick from client {AddressText(ref)}: ", CharArrayToString(data))  # U6
                continue
            err = WSAGetLastError()
            if err == WSAEMSGSIZE:  # U3
                Print(f"-invalid datagram from client {AddressText(ref)}: longer than {MAX_DATAGRAM} bytes")
                continue
            if err != WSAEWOULDBLOCK:
                Print(f"-receive failed error: {WSAErrorDescript(err)} Cleanup socket")
                CloseClean()
            return

    else:  # otherwise start the server
        # initialize the library
        res = WSAStartup(MAKEWORD(2, 2), WSADATA())  # H6
        if res != 0:
            Print(f"-WSAStartup failed error: {WSAErrorDescript(res)}")
            return
        started = True  # S13

        # create a socket
        server = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)
        if server == INVALID_SOCKET:
            Print(f"-Create failed error: {WSAErrorDescript(WSAGetLastError())}")
            CloseClean()
            return

        # bind to address and port
        Print(f"try bind... {Host}:{Port}")
        addrin = sockaddr_in()  # H3
        addrin.sin_family = AF_INET
        addrin.sin_addr.s_addr = inet_addr(StringToCharArray(Host))  # H5
        addrin.sin_port = htons(Port)
        if addrin.sin_addr.s_addr == INADDR_NONE:  # S22
            Fail(2, f"invalid IPv4 address: {Host!r}; Host takes four numbers, as in 127.0.0.1")
            return
        ref = bytearray(addrin)  # H6
        if bind(server, ref, len(ref)) == SOCKET_ERROR:  # H1 A7
            Fail(3, f"Bind to {Host}:{Port} failed error: {WSAErrorDescript(WSAGetLastError())}")  # S21
            return
        if getsockname(server, ref, c_int(len(ref))) == SOCKET_ERROR:  # A5
            Fail(3, f"getsockname failed error: {WSAErrorDescript(WSAGetLastError())}")
            return

        # set to nonblocking mode
        if ioctlsocket(server, FIONBIO, u_long(1)) != NO_ERROR:
            Print(f"-ioctlsocket failed error: {WSAErrorDescript(WSAGetLastError())}")
            CloseClean()
            return

        Print(f"start server ok, {AddressText(ref)}")  # A5


def CloseClean() -> None:  # close and clear operation
    global server, started
    Print("Shutdown server")
    if server != INVALID_SOCKET:  # close the server
        closesocket(server)
        server = INVALID_SOCKET
    if started:  # S13
        WSACleanup()
        started = False


def AddressText(ref: bytearray) -> str:  # U6
    addrin = sockaddr_in.from_buffer_copy(ref)
    return f"{inet_ntoa(addrin.sin_addr)}:{ntohs(addrin.sin_port)}"

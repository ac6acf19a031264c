"""WSAStartup, WSACleanup and the last error."""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, c_int

from winsock import (
    AF_INET,
    AF_INET6,
    FIONBIO,
    HIBYTE,
    INVALID_SOCKET,
    LOBYTE,
    MAKEWORD,
    NI_NUMERICHOST,
    POLLIN,
    SD_BOTH,
    SO_KEEPALIVE,
    SO_TYPE,
    SOCK_STREAM,
    SOL_SOCKET,
    WSADATA,
    WSAEISCONN,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    WSASetLastError,
    WSAStartup,
    accept,
    addrinfo,
    bind,
    closesocket,
    connect,
    getaddrinfo,
    gethostbyname,
    gethostname,
    getnameinfo,
    getpeername,
    getsockname,
    getsockopt,
    htonl,
    htons,
    inet_addr,
    inet_ntoa,
    inet_ntop,
    inet_pton,
    ioctlsocket,
    listen,
    ntohl,
    ntohs,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    socket,
    u_long,
)

from ..kit import IN, NOW, bound_udp, inet, listener, option, port_of, set_of, tcp, tcp_pair, wait_readable
from ..recorder import Recorder, error_name

# Before WSAStartup the value of the handle does not matter.
_S = 256


def version_2_2(see: Recorder) -> None:
    data = WSADATA()
    see("WSAStartup", WSAStartup(MAKEWORD(2, 2), data), data.wVersion, data.wHighVersion)
    see("LOBYTE", LOBYTE(data.wVersion))
    see("HIBYTE", HIBYTE(data.wVersion))


def other_fields_of_wsadata(see: Recorder) -> None:
    data = WSADATA()
    see("WSAStartup", WSAStartup(MAKEWORD(2, 2), data), data.szDescription, data.szSystemStatus)
    see("WSAStartup limits", 0, data.iMaxSockets, data.iMaxUdpDg)


def vendor_info_is_left_alone(see: Recorder) -> None:
    kept = ctypes.create_string_buffer(b"kept")
    data = WSADATA(lpVendorInfo=ctypes.addressof(kept))
    see("WSAStartup", WSAStartup(MAKEWORD(2, 2), data), ctypes.string_at(data.lpVendorInfo))


def old_versions_are_returned_as_requested(see: Recorder) -> None:
    for major, minor in ((1, 0), (1, 1), (2, 0), (2, 1)):
        data = WSADATA()
        see(f"WSAStartup {major}.{minor}", WSAStartup(MAKEWORD(major, minor), data), data.wVersion, data.wHighVersion)


def versions_between_give_the_one_below(see: Recorder) -> None:
    for minor in (2, 99, 255):
        data = WSADATA()
        see(f"WSAStartup 1.{minor}", WSAStartup(MAKEWORD(1, minor), data), data.wVersion)


def versions_to_come_give_2_2(see: Recorder) -> None:
    for major, minor in ((2, 3), (2, 255), (3, 0), (255, 0), (255, 255)):
        data = WSADATA()
        see(f"WSAStartup {major}.{minor}", WSAStartup(MAKEWORD(major, minor), data), data.wVersion)


def version_1_returns_limits(see: Recorder) -> None:
    data = WSADATA()
    see("WSAStartup", WSAStartup(MAKEWORD(1, 1), data), data.iMaxSockets, data.iMaxUdpDg)
    see("WSAStartup description", 0, data.szDescription, data.szSystemStatus)


def version_0_is_refused_and_2_2_is_returned(see: Recorder) -> None:
    data = WSADATA()
    see("WSAStartup 0.0", WSAStartup(0, data), data.wVersion, data.wHighVersion, data.szDescription)
    data = WSADATA()
    see("WSAStartup 0.2", WSAStartup(MAKEWORD(0, 2), data), data.wVersion, data.szSystemStatus)


def a_refused_start_does_not_count(see: Recorder) -> None:
    see("WSAStartup refused", WSAStartup(0, WSADATA()))
    see("WSACleanup", WSACleanup())
    see("WSACleanup once more", WSACleanup())


def a_start_without_wsadata_does_not_count(see: Recorder) -> None:
    see("WSAStartup NULL", WSAStartup(MAKEWORD(2, 2), None))
    see("WSAStartup NULL with version 0", WSAStartup(0, None))
    see("WSACleanup", WSACleanup())
    see("WSACleanup once more", WSACleanup())


def a_start_returns_its_error_and_sets_no_other(see: Recorder) -> None:
    WSASetLastError(WSAEISCONN)
    see("WSAStartup", WSAStartup(0, WSADATA()))
    see("WSACleanup", WSACleanup())
    see("socket", socket(AF_INET, SOCK_STREAM, 0))


def starts_are_counted(see: Recorder) -> None:
    see("WSAStartup second", WSAStartup(MAKEWORD(2, 2), WSADATA()))
    s = tcp()
    see("WSACleanup first", WSACleanup())
    see("getsockopt in between", option(s, SOL_SOCKET, SO_TYPE))
    see("socket in between", socket(AF_INET, SOCK_STREAM, 0))
    see("WSACleanup second", WSACleanup())
    see("socket afterwards", socket(AF_INET, SOCK_STREAM, 0))
    see("WSACleanup third", WSACleanup())


def starts_of_different_versions_count_together(see: Recorder) -> None:
    see("WSAStartup 1.1", WSAStartup(MAKEWORD(1, 1), WSADATA()))
    see("WSACleanup", WSACleanup())
    see("socket", socket(AF_INET6, SOCK_STREAM, 0))
    see("WSACleanup again", WSACleanup())
    see("WSACleanup too often", WSACleanup())


def the_last_cleanup_closes_all_sockets(see: Recorder) -> None:
    client, server = tcp_pair()
    datagrams = bound_udp()
    see("WSACleanup", WSACleanup())
    see("closesocket", closesocket(client))
    see("WSAStartup", WSAStartup(MAKEWORD(2, 2), WSADATA()))
    see("send", send(client, b"x", 1, 0))
    see("recv", recv(server, bytearray(1), 1, 0))
    see("closesocket datagrams", closesocket(datagrams))


def a_port_is_free_after_the_last_cleanup(see: Recorder) -> None:
    port = port_of(listener())
    see("WSACleanup", WSACleanup())
    see("WSAStartup", WSAStartup(MAKEWORD(2, 2), WSADATA()))
    see("bind", bind(tcp(), inet(port), IN))


def sockets_survive_a_cleanup_that_is_not_the_last(see: Recorder) -> None:
    client, server = tcp_pair()
    see("WSAStartup", WSAStartup(MAKEWORD(2, 2), WSADATA()))
    see("WSACleanup", WSACleanup())
    see("send", send(client, b"still here", 10, 0))
    buffer = bytearray(10)
    see("recv", recv(wait_readable(server), buffer, 10, 0), buffer)


def any_thread_may_call_wsacleanup(see: Recorder) -> None:
    result = []
    thread = threading.Thread(target=lambda: result.append(WSACleanup()))
    thread.start()
    thread.join()
    see("WSACleanup elsewhere", result[0])
    see("socket", socket(AF_INET, SOCK_STREAM, 0))


def sockets_need_a_start(see: Recorder) -> None:
    WSACleanup()
    see("socket", socket(AF_INET, SOCK_STREAM, 0))
    see("closesocket", closesocket(_S))
    see("bind", bind(_S, inet(), IN))
    see("connect", connect(_S, inet(9), IN))
    see("listen", listen(_S, 5))
    see("accept", accept(_S, None, None))
    see("shutdown", shutdown(_S, SD_BOTH))
    see("ioctlsocket", ioctlsocket(_S, FIONBIO, u_long(1)))


def transfers_need_a_start(see: Recorder) -> None:
    WSACleanup()
    buffer = bytearray(4)
    see("send", send(_S, b"data", 4, 0))
    see("recv", recv(_S, buffer, 4, 0))
    see("sendto", sendto(_S, b"data", 4, 0, inet(9), IN))
    see("recvfrom", recvfrom(_S, buffer, 4, 0, None, None))


def names_and_options_need_a_start(see: Recorder) -> None:
    WSACleanup()
    see("getsockname", getsockname(_S, sockaddr_in(), c_int(IN)))
    see("getpeername", getpeername(_S, sockaddr_in(), c_int(IN)))
    see("getsockopt", getsockopt(_S, SOL_SOCKET, SO_TYPE, bytearray(4), c_int(4)))
    see("setsockopt", setsockopt(_S, SOL_SOCKET, SO_KEEPALIVE, c_int(1), 4))
    see("gethostname", gethostname(bytearray(256), 256))


def waiting_needs_a_start(see: Recorder) -> None:
    WSACleanup()
    see("select", select(0, set_of(_S), None, None, NOW))
    see("select with nothing", select(0, None, None, None, NOW))
    see("WSAPoll", WSAPoll((WSAPOLLFD * 1)(WSAPOLLFD(_S, POLLIN)), 1, 0))


def look_ups_need_a_start(see: Recorder) -> None:
    WSACleanup()
    found = POINTER(addrinfo)()
    see("getaddrinfo", getaddrinfo("127.0.0.1", "80", None, found), bool(found))
    see("WSAGetLastError", error_name(WSAGetLastError()))
    see("gethostbyname", gethostbyname("127.0.0.1"))
    see("getnameinfo", getnameinfo(inet(80), IN, bytearray(64), 64, None, 0, NI_NUMERICHOST))


def no_start_comes_before_bad_arguments(see: Recorder) -> None:
    WSACleanup()
    see("socket", socket(-1, -1, -1))
    see("bind", bind(_S, None, 0))
    see("connect", connect(_S, None, 0))
    see("send", send(_S, None, 4, 0))
    see("recvfrom", recvfrom(_S, bytearray(1), 4, 0, None, None))
    see("getpeername", getpeername(_S, None, None))
    see("ioctlsocket", ioctlsocket(_S, FIONBIO, None))
    see("select", select(0, None, None, None, None))
    see("gethostname", gethostname(None, 0))
    see("closesocket", closesocket(INVALID_SOCKET))


def byte_order_needs_no_start(see: Recorder) -> None:
    WSACleanup()
    see("htons", htons(0x1234))
    see("ntohs", ntohs(0x1234))
    see("htonl", htonl(0x12345678))
    see("ntohl", ntohl(0x12345678))


def addresses_as_text_need_no_start(see: Recorder) -> None:
    WSACleanup()
    see("inet_addr", inet_addr("127.0.0.1"))
    see("inet_ntoa", inet_ntoa(0x0100007F))
    address, shown = bytearray(4), bytearray(16)
    see("inet_pton", inet_pton(AF_INET, "10.1.2.3", address), address)
    see("inet_ntop", inet_ntop(AF_INET, address, shown, 16), shown)

"""A server in an Expert Advisor that is attached to a chart twice. It closes its socket."""

from ctypes import c_int

from winsock import *


def check(result, call):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(f"{call} failed: {WSAErrorDescript(WSAGetLastError())}")
    return result


def OnInit(port):
    if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
        raise SystemExit("Winsock cannot be started")
    server = check(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), "socket")
    name = sockaddr_in(AF_INET, htons(port), in_addr(inet_addr("127.0.0.1")))
    check(bind(server, name, 16), "bind")
    check(listen(server, SOMAXCONN), "listen")
    print("start server ok")
    return server


def OnDeinit(server):
    check(closesocket(server), "closesocket")
    check(WSACleanup(), "WSACleanup")
    print("stop server")


server = OnInit(0)
# The port that the system has assigned. The second start is to use the same one.
name = sockaddr_in()
check(getsockname(server, name, c_int(16)), "getsockname")
OnDeinit(server)

server = OnInit(ntohs(name.sin_port))
OnDeinit(server)

"""A server that sends a large chart template to its client, in four blocks."""

from ctypes import c_int

from winsock import *


def check(result):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(WSAErrorDescript(WSAGetLastError()))
    return result


if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
    raise SystemExit("Winsock cannot be started")
server = check(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))
name = sockaddr_in(AF_INET, htons(0), in_addr(inet_addr("127.0.0.1")))
check(bind(server, name, 16))
check(listen(server, SOMAXCONN))
check(getsockname(server, name, c_int(16)))
print("start server ok, port", ntohs(name.sin_port))

input("timer> ")
client = check(accept(server, None, None))
check(ioctlsocket(client, FIONBIO, u_long(1)))
print("a client has connected")
template = b"." * 16_000_000
for begin in range(0, len(template), 4_000_000):
    send(client, template[begin : begin + 4_000_000], 4_000_000, 0)
print("template sent")

check(shutdown(client, SD_SEND))
check(closesocket(client))
check(closesocket(server))
check(WSACleanup())

"""A server that collects ticks of up to 16 bytes."""

from ctypes import c_int

from winsock import *


def check(result):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(WSAErrorDescript(WSAGetLastError()))
    return result


if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
    raise SystemExit("Winsock cannot be started")
server = check(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP))
name = sockaddr_in(AF_INET, htons(0), in_addr(inet_addr("127.0.0.1")))
check(bind(server, name, 16))
check(ioctlsocket(server, FIONBIO, u_long(1)))
check(getsockname(server, name, c_int(16)))
print("start server ok, port", ntohs(name.sin_port))

input("timer> ")
buf = bytearray(16)
while True:
    count = recvfrom(server, buf, len(buf), 0, None, None)
    if count >= 0:
        print("tick:", buf[:count].decode("ascii").rstrip("\0"))
        continue
    error = WSAGetLastError()
    if error == WSAEWOULDBLOCK:
        break
    print("the server ends:", WSAErrorDescript(error))
    break

check(closesocket(server))
check(WSACleanup())

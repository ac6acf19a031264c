"""A server that sends a large chart template to its client, completely."""

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
unsent = memoryview(template)
while unsent:
    count = send(client, unsent, len(unsent), 0)
    if count >= 0:
        unsent = unsent[count:]
    elif WSAGetLastError() == WSAEWOULDBLOCK:
        # There is no room at the moment. Wait until there is.
        writable = fd_set()
        FD_SET(client, writable)
        check(select(0, None, writable, None, None))
    else:
        check(count)
print("template sent")

check(shutdown(client, SD_SEND))
# The client closes its socket when it has read everything. Until then this call waits.
check(ioctlsocket(client, FIONBIO, u_long(0)))
check(recv(client, bytearray(1), 1, 0))
check(closesocket(client))
check(closesocket(server))
check(WSACleanup())

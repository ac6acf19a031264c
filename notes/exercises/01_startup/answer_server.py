"""A server that waits for clients. It starts Winsock first."""

from winsock import *


def check(result):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(WSAErrorDescript(WSAGetLastError()))
    return result


error = WSAStartup(MAKEWORD(2, 2), WSADATA())
if error != 0:
    raise SystemExit(WSAErrorDescript(error))
server = check(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))
name = sockaddr_in(AF_INET, htons(0), in_addr(inet_addr("127.0.0.1")))
check(bind(server, name, 16))
check(listen(server, SOMAXCONN))
print("start server ok")

check(closesocket(server))
check(WSACleanup())

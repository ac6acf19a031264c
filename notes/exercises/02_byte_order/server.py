"""A server on port 8210. It reports whether a client has connected."""

import sys

from winsock import *


def check(result):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(WSAErrorDescript(WSAGetLastError()))
    return result


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8210
if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
    raise SystemExit("Winsock cannot be started")
server = check(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))
name = sockaddr_in(AF_INET, htons(port), in_addr(inet_addr("127.0.0.1")))
check(bind(server, name, 16))
check(listen(server, SOMAXCONN))
check(ioctlsocket(server, FIONBIO, u_long(1)))
print("start server ok, port", port)

input("timer> ")
client = accept(server, None, None)
if client == INVALID_SOCKET:
    print("no client yet")
else:
    print("a client has connected")
    check(closesocket(client))
check(closesocket(server))
check(WSACleanup())

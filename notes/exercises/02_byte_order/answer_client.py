"""A client of the server on port 8210, in network byte order."""

import sys

from winsock import *


def check(result):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(WSAErrorDescript(WSAGetLastError()))
    return result


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8210
if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
    raise SystemExit("Winsock cannot be started")
client = check(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))

name = sockaddr_in()
name.sin_family = AF_INET
name.sin_port = htons(port)
name.sin_addr = in_addr(inet_addr("127.0.0.1"))
check(connect(client, name, 16))
print("connected")

check(closesocket(client))
check(WSACleanup())

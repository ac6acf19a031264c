"""A client that reads the server's position until the connection is lost."""

import sys

from winsock import *


def check(result):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(WSAErrorDescript(WSAGetLastError()))
    return result


if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
    raise SystemExit("Winsock cannot be started")
client = check(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))
port = int(sys.argv[1])
name = sockaddr_in(AF_INET, htons(port), in_addr(inet_addr("127.0.0.1")))
check(connect(client, name, 16))
check(ioctlsocket(client, FIONBIO, u_long(1)))
print("connected")

buf = bytearray(512)
for _ in range(2):
    input("timer> ")
    count = recv(client, buf, len(buf), 0)
    if count == SOCKET_ERROR:
        print("connection lost:", WSAErrorDescript(WSAGetLastError()))
        break
    if count == 0:
        print("the server has closed the connection")
        break
    print("received", buf[:count].decode("ascii").rstrip("\0"))

check(closesocket(client))
check(WSACleanup())

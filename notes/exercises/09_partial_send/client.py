"""A client that reads a chart template up to the end of the stream."""

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
print("connected")

input("timer> ")
template = bytearray()
buf = bytearray(1_000_000)
while (count := check(recv(client, buf, len(buf), 0))) > 0:
    template += buf[:count]
print("the template is complete:", len(template) == 16_000_000)

check(closesocket(client))
check(WSACleanup())

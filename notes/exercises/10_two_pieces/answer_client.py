"""A client that copies the server's position. It keeps an incomplete message."""

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

received = bytearray()
buf = bytearray(512)
for _ in range(3):
    input("timer> ")
    count = recv(client, buf, len(buf), 0)
    if count == SOCKET_ERROR and WSAGetLastError() == WSAEWOULDBLOCK:
        continue
    if check(count) == 0:
        print("the server has closed the connection")
        break
    received += buf[:count]
    # Remove each complete message. What remains is the beginning of the next one.
    while b"\0" in received:
        message, _, received = received.partition(b"\0")
        text = message.decode("ascii")
        if text.startswith("<<") and text.endswith(">>"):
            print("position:", text[2:-2])
        else:
            print("wrong message:", text)
    if received:
        print("incomplete, waiting for more:", received.decode("ascii"))

check(closesocket(client))
check(WSACleanup())

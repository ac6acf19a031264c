"""A client that sends two ticks. Between them a stranger sends a datagram."""

import sys

from winsock import *


def check(result):
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(WSAErrorDescript(WSAGetLastError()))
    return result


if WSAStartup(MAKEWORD(2, 2), WSADATA()) != 0:
    raise SystemExit("Winsock cannot be started")
port = int(sys.argv[1])
server = sockaddr_in(AF_INET, htons(port), in_addr(inet_addr("127.0.0.1")))
client = check(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP))
stranger = check(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP))

tick = b"EURUSD 1.10000\0"
check(sendto(client, tick, len(tick), 0, server, 16))
check(sendto(stranger, b"x" * 20, 20, 0, server, 16))
tick = b"EURUSD 1.10003\0"
check(sendto(client, tick, len(tick), 0, server, 16))
print("sent EURUSD 1.10000 and EURUSD 1.10003")

check(closesocket(stranger))
check(closesocket(client))
check(WSACleanup())

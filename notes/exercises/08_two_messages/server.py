"""A server that sends its position after each deal."""

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
message = b"<<EURUSD|0.10>>\0"
check(send(client, message, len(message), 0))
print("sent EURUSD|0.10")

input("timer> ")
message = b"<<EURUSD|0.25>>\0"
check(send(client, message, len(message), 0))
print("sent EURUSD|0.25")

check(closesocket(client))
check(closesocket(server))
check(WSACleanup())

"""A server that waits for clients. It says that it has started."""

from winsock import *

server = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
name = sockaddr_in(AF_INET, htons(0), in_addr(inet_addr("127.0.0.1")))
bind(server, name, 16)
listen(server, SOMAXCONN)
print("start server ok")

closesocket(server)
WSACleanup()

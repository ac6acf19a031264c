"""A server in an Expert Advisor that is attached to a chart twice."""

from ctypes import c_int

from winsock import *


def OnInit(port):
    WSAStartup(MAKEWORD(2, 2), WSADATA())
    server = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    name = sockaddr_in(AF_INET, htons(port), in_addr(inet_addr("127.0.0.1")))
    bind(server, name, 16)
    listen(server, SOMAXCONN)
    print("start server ok")
    return server


def OnDeinit(server):
    print("stop server")


server = OnInit(0)
# The port that the system has assigned. The second start is to use the same one.
name = sockaddr_in()
getsockname(server, name, c_int(16))
OnDeinit(server)

server = OnInit(ntohs(name.sin_port))
OnDeinit(server)

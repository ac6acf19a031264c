"""Programs as users write them, for the type checkers: right ones, and statements that are wrong.

`tests/project/test_typing.py` checks that the right programs have no type error, and that each wrong statement has one.
"""

from __future__ import annotations

# The programs by file name. Together they use every call with each kind of argument that it accepts.
RIGHT_PROGRAMS = {
    "buffers.py": r"""
from winsock import *
import ctypes
from ctypes import c_char, c_int, c_uint32, c_ulong, create_string_buffer, sizeof, wintypes

WSAStartup(0x0202, WSADATA())
WSAStartup(wVersionRequested=MAKEWORD(2, 2), lpWSAData=bytearray(408))
WSAStartup(514, (c_char * 408)())
WSAStartup(514, create_string_buffer(408))
WSAStartup(514, None)
s: int = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
s6 = socket(af=AF_INET6, type=SOCK_DGRAM, protocol=IPPROTO_UDP)
arg = u_long(1)
ioctlsocket(s, FIONBIO, arg)
ioctlsocket(s, FIONREAD, c_ulong())
ioctlsocket(s, SIO_UDP_CONNRESET, wintypes.DWORD(0))
ioctlsocket(s, SIOCATMARK, c_uint32())
send(s, b"abc", 3, 0)
send(s, bytearray(b"abc"), 3, 0)
send(s, memoryview(b"abc"), 3, 0)
send(s, create_string_buffer(b"abc"), 3, 0)
send(s, sockaddr_in(), sizeof(sockaddr_in), 0)
send(s, c_int(3), 4, MSG_OOB)
send(s, None, 0, 0)
buf = bytearray(100)
n = recv(s, buf, len(buf), MSG_PEEK)
if n > 0:
    text = buf[:n].decode()
recv(s, memoryview(buf)[10:], 90, 0)
recv(s, (ctypes.c_ubyte * 10)(), 10, 0)
recv(s, create_string_buffer(10), 10, 0)
class Packet(ctypes.Structure):
    _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_double)]
recv(s, Packet(), sizeof(Packet), 0)
p = Packet.from_buffer(buf)
send(s, p, sizeof(p), 0)
""",
    "other_buffers.py": r"""
import array
import mmap
from ctypes import Union, c_int
from winsock import *
class U(Union):
    _fields_ = [("a", c_int)]
s = socket(AF_INET, SOCK_STREAM, 0)
recv(s, array.array("B", bytes(5)), 5, 0)
send(s, array.array("h", [1, 2]), 4, 0)
recv(s, mmap.mmap(-1, 4096), 4096, 0)
recv(s, U(), 4, 0)
""",
    "addresses.py": r"""
from winsock import *
from ctypes import c_int, c_int32, sizeof, byref, string_at, cast, POINTER, wintypes

s = socket(AF_INET, SOCK_DGRAM, 0)
a = sockaddr_in(AF_INET, htons(80), in_addr(inet_addr("127.0.0.1")))
b = sockaddr_in(sin_family=AF_INET, sin_port=htons(80), sin_addr=in_addr(s_addr=inet_addr(b"1.2.3.4")))
a.sin_addr.s_addr = htonl(INADDR_ANY)
a.sin_port = htons(8080)
print(a.sin_addr, a.sin_zero, a == b, a != b, repr(a), bytes(a), a in [b])
bind(s, a, sizeof(a))
bind(s=s, name=bytes(a), namelen=16)
connect(s, bytearray(a), sizeof(a))
l = c_int(sizeof(a))
c = accept(s, a, l)
c = accept(s, None, None)
c = accept(s, sockaddr_storage(), c_int(128))
print(l.value)
getsockname(s, a, l)
getpeername(s, name=a, namelen=wintypes.INT(16))
recvfrom(s, bytearray(10), 10, 0, None, None)
recvfrom(s, bytearray(10), 10, 0, a, l)
recvfrom(s, buf=bytearray(10), len=10, flags=0, from_=bytearray(28), fromlen=c_int(28))
sendto(s, b"", 0, 0, a, 16)
sendto(s, "abc".encode(), 3, 0, None, 0)
a6 = sockaddr_in6(sin6_family=AF_INET6, sin6_port=htons(1))
inet_pton(AF_INET6, "::1", a6.sin6_addr)
inet_pton(AF_INET, b"1.2.3.4\0", a.sin_addr)
inet_pton(AF_INET, "1.2.3.4", u_long())
out = bytearray(INET6_ADDRSTRLEN)
t = inet_ntop(AF_INET6, a6.sin6_addr, out, len(out))
if t is not None:
    print(t.upper())
print(inet_ntop(AF_INET, c_int32(5), out, 16), inet_ntop(AF_INET, b"1234", out, 16))
print(inet_ntoa(a.sin_addr), inet_ntoa(5), inet_ntoa(in_=a.sin_addr))
generic = sockaddr(sa_family=AF_INET)
back = sockaddr_in.from_buffer_copy(bytearray(16))
view = sockaddr_in.from_buffer(bytearray(16))
storage = sockaddr_storage()
addr4 = sockaddr_in.from_buffer(storage)
print(addr4.sin_addr.s_addr + back.sin_port + view.sin_family)
""",
    "waiting.py": r"""
from winsock import *
from ctypes import sizeof, c_int

def wait(sockets: list[int], timeout_ms: int) -> list[int]:
    r = fd_set()
    FD_ZERO(r)
    for s in sockets:
        FD_SET(s, r)
    tv = timeval(timeout_ms // 1000, timeout_ms % 1000 * 1000)
    n = select(0, r, None, None, tv)
    if n == SOCKET_ERROR:
        raise OSError(WSAErrorDescript(WSAGetLastError()))
    assert r.fd_count == n
    print(r.fd_array[0], list(r.fd_array[: r.fd_count]))
    return [s for s in sockets if FD_ISSET(s, r)]

big_type = fd_set_sized(1024)
big = big_type()
FD_SET(4, big)
FD_CLR(4, big)
select(nfds=0, readfds=big, writefds=big_type(), exceptfds=None, timeout=timeval(tv_sec=1, tv_usec=0))
select(0, big, None, None, None)
polls = (WSAPOLLFD * 3)()
polls[0].fd = 4
polls[0].events = POLLIN | POLLOUT
polls[1] = WSAPOLLFD(fd=4, events=POLLRDNORM)
n: int = WSAPoll(polls, len(polls), 100)
WSAPoll(fdArray=polls, fds=3, timeout=-1)
WSAPoll(WSAPOLLFD(4, POLLIN, 0), 1, 0)
WSAPoll(None, 0, 0)
for p in polls:
    if p.revents & (POLLERR | POLLHUP | POLLNVAL):
        closesocket(p.fd)
print(wait([4, 8], 10))
""",
    "options.py": r"""
from winsock import *
from ctypes import c_int, c_uint, c_bool, sizeof, c_byte, c_char

s = socket(AF_INET, SOCK_STREAM, 0)
setsockopt(s, SOL_SOCKET, SO_REUSEADDR, c_int(1), sizeof(c_int))
setsockopt(s, IPPROTO_TCP, TCP_NODELAY, b"\1\0\0\0", 4)
setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, u_long(1000), 4)
setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, c_bool(True), 1)
setsockopt(s, SOL_SOCKET, SO_LINGER, linger(l_onoff=1, l_linger=0), sizeof(linger))
setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, ip_mreq(in_addr(inet_addr("224.0.0.1")), in_addr(0)), 8)
setsockopt(s, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, ipv6_mreq(), 20)
setsockopt(s, SOL_SOCKET, SO_SNDBUF, optval=bytearray(4), optlen=4)
v = c_int()
n = c_int(sizeof(v))
if getsockopt(s, SOL_SOCKET, SO_ERROR, v, n) == 0:
    print(v.value, n.value)
getsockopt(s, SOL_SOCKET, SO_TYPE, bytearray(4), c_int(4))
getsockopt(s, SOL_SOCKET, SO_LINGER, linger(), c_int(4))
shutdown(s, SD_BOTH)
closesocket(s)
code: int = WSACleanup()
WSASetLastError(WSAEWOULDBLOCK)
WSASetLastError(iError=0)
match WSAGetLastError():
    case 0:
        pass
    case WSAError.WSAEWOULDBLOCK:
        pass
err = WSAGetLastError()
if err in (WSAEWOULDBLOCK, WSAEINTR, WSAECONNRESET):
    print(WSAErrorDescript(err), WSAErrorDescript(code=err))
print(LOBYTE(514), HIBYTE(w=514), MAKEWORD(a=1, b=2), ntohl(5), ntohs(netshort=3), BACKEND)
""",
    "names.py": r"""
from winsock import *
from ctypes import POINTER, c_int, cast, pointer, sizeof, string_at
import ctypes

hints = addrinfo(ai_family=AF_UNSPEC, ai_socktype=SOCK_STREAM, ai_flags=AI_PASSIVE)
result = POINTER(addrinfo)()
if getaddrinfo("localhost", "http", hints, result) != 0:
    raise SystemExit(1)
node = result
while node:
    entry = node.contents
    raw = string_at(entry.ai_addr, entry.ai_addrlen)
    if entry.ai_family == AF_INET:
        a4 = sockaddr_in.from_buffer_copy(raw)
        print(a4.sin_addr)
    else:
        a6 = ctypes.cast(entry.ai_addr, POINTER(sockaddr_in6)).contents
        print(a6.sin6_addr, a6.sin6_scope_id)
    name = entry.ai_canonname
    print(name)
    node = entry.ai_next
freeaddrinfo(result)
freeaddrinfo(None)
freeaddrinfo(pAddrInfo=result.contents)
getaddrinfo(None, b"80", None, result)
getaddrinfo(pNodeName=b"x", pServiceName=None, pHints=hints, ppResult=result)
host = bytearray(NI_MAXHOST)
serv = ctypes.create_string_buffer(NI_MAXSERV)
a = sockaddr_in()
getnameinfo(a, sizeof(a), host, len(host), serv, len(serv), NI_NUMERICHOST | NI_NUMERICSERV)
getnameinfo(a, 16, None, 0, serv, 32, 0)
print(host.partition(b"\0")[0].decode(), serv.value.decode())
me = bytearray(256)
gethostname(me, len(me))
gethostname(ctypes.create_string_buffer(256), 256)
h = gethostbyname("localhost")
if h:
    print(h.h_name, h.h_addrtype, h.h_length, h.h_aliases[0])
    i = 0
    while h.h_addr_list[i]:
        ip = in_addr.from_buffer_copy(string_at(h.h_addr_list[i], h.h_length))
        print(inet_ntoa(ip))
        i += 1
gethostbyname(None)
gethostbyname(b"x")
""",
    "qualified.py": r"""
from __future__ import annotations
from dataclasses import dataclass
from typing import Callable
import winsock
import winsock as ws
from winsock import sockaddr_in, sockaddr_in6, fd_set, WSADATA, WSAData, SOCKET_ERROR, INVALID_SOCKET, WSAError

@dataclass
class Peer:
    handle: int
    name: sockaddr_in | sockaddr_in6

def send_all(s: int, data: bytes | bytearray | memoryview) -> int:
    view = memoryview(data)
    sent = 0
    while sent < len(view):
        n = ws.send(s, view[sent:], len(view) - sent, 0)
        if n == SOCKET_ERROR:
            return ws.WSAGetLastError()
        sent += n
    return 0

def receive(s: int) -> bytes | None:
    buf = bytearray(1024)
    n = ws.recv(s, buf, len(buf), 0)
    return None if n == ws.SOCKET_ERROR else bytes(buf[:n])

class MyAddress(sockaddr_in):
    def text(self) -> str:
        return f"{ws.inet_ntoa(self.sin_addr)}:{ws.ntohs(self.sin_port)}"

d: WSAData = WSADATA()
print(d.wVersion, d.szDescription.decode(), d.szSystemStatus, d.iMaxSockets, d.lpVendorInfo)
peers: dict[int, Peer] = {}
call: Callable[[int], int] = ws.closesocket
peers[ws.socket(2, 1, 6)] = Peer(INVALID_SOCKET, MyAddress())
print(isinstance(d, WSADATA), WSAError(10035).name, winsock.__version__, ws.SOCKET(5).value, ws.u_short(3).value)
names = [e.name for e in WSAError]
class Sub(fd_set):
    pass
ws.FD_ZERO(Sub())
""",
    "structures.py": r"""
from winsock import *
import copy
from ctypes import POINTER, Union, addressof, cast, memmove, memset, pointer, sizeof

a = sockaddr_in()
a.sin_addr.S_un.S_un_b.s_b1 = 127
a.sin_addr.S_un_b.s_b4 = 1
print(a.sin_addr.S_un_w.s_w1, a.sin_addr.S_un.S_addr, a.sin_zero[0], list(a.sin_zero))
a.sin_addr = in_addr(inet_addr("1.2.3.4"))
a6 = sockaddr_in6()
a6.sin6_addr.s6_addr = bytes(16)
a6.sin6_addr.Byte[0] = 0xFE
a6.sin6_addr.u.Word[0] = 5
b = copy.copy(a)
b.sin_port = a.sin_port
memset(addressof(a), 0, sizeof(a))
memmove(addressof(a), addressof(b), sizeof(a))
d = WSADATA()
print(d.szDescription.decode("ascii"), d.lpVendorInfo or 0, LOBYTE(d.wVersion))
generic = cast(pointer(a), POINTER(sockaddr)).contents
print(generic.sa_family, bytes(generic.sa_data))
class Both(Union):
    _fields_ = [("v4", sockaddr_in), ("v6", sockaddr_in6), ("any", sockaddr)]
both = Both()
getsockname(0, memoryview(both), u_long(28))
print(both.v4.sin_port)
class Tagged(sockaddr_in):
    def __init__(self, name: str) -> None:
        super().__init__(sin_family=AF_INET)
        self.name = name
Tagged("x").sin_port = 5
hints = addrinfo()
hints.ai_addr = pointer(generic)
hints.ai_next = pointer(addrinfo())
hints.ai_canonname = b"x"
fds = fd_set()
fds.fd_count = 1
fds.fd_array[0] = 4
print({"a": a}, [a, b].index(b), a == b, sorted([1, 2]), str(a), f"{a}")
arr = (sockaddr_in * 3)()
arr[1] = a
print(arr[1].sin_addr, bytes(arr)[:4])
""",
    "classes.py": r"""
from __future__ import annotations
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from winsock import *

class Server:
    def __init__(self, port: int) -> None:
        self.s: int = INVALID_SOCKET
        self.port = port
    def __enter__(self) -> Server:
        if WSAStartup(MAKEWORD(2, 2), WSADATA()) != NO_ERROR:
            raise RuntimeError("no Winsock")
        self.s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
        name = sockaddr_in(sin_family=AF_INET, sin_port=htons(self.port))
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
        if bind(self.s, name, 16) == SOCKET_ERROR or listen(self.s, SOMAXCONN) == SOCKET_ERROR:
            raise RuntimeError(WSAErrorDescript(WSAGetLastError()))
        return self
    def __exit__(self, *args: object) -> None:
        closesocket(self.s)
        WSACleanup()

@contextmanager
def winsock_started() -> Iterator[WSADATA]:
    data = WSADATA()
    WSAStartup(0x202, data)
    try:
        yield data
    finally:
        WSACleanup()

def check(result: int, what: str) -> int:
    if result == SOCKET_ERROR:
        error = WSAGetLastError()
        raise OSError(error, f"{what}: {WSAErrorDescript(error)}")
    return result

sender: Callable[[int, bytes, int, int], int] = send
with Server(0) as server, winsock_started() as d:
    t = threading.Thread(target=closesocket, args=(server.s,))
    print(d.wVersion, check(0, "x"), sender, t)
""",
    "imported.py": r"""
import array, mmap
import winsock
from winsock import FD_CLR, FD_ISSET, FD_SET, FD_ZERO, fd_set, recv, select, timeval
from winsock.batch import send_many
from winsock.errors import WSAError
import winsock.api
import winsock.trace

def f(s: int, calls: winsock.Winsock) -> int:
    r = fd_set()
    FD_ZERO(r); FD_SET(s, r); FD_CLR(s, r)
    if FD_ISSET(s, r) and select(1, r, None, None, timeval(0)) > 0:
        return calls.recv(s, bytearray(5), 5, 0)
    print(send_many([s], b"x", 1, 0)[0])
    return winsock.calls.send(s, b"", 0, 0)
""",
}

# What the wrong statements need.
PREPARATION = """\
from winsock import *
from ctypes import c_int, byref, POINTER, pointer, c_char_p, c_float, c_double, c_char
import ctypes
s = socket(AF_INET, SOCK_STREAM, 0)
a = sockaddr_in()
n = c_int(16)
"""
WRONG_STATEMENTS = [
    "timeval(tv_sek=1)",
    "linger(l_onof=1)",
    "sockaddr_in(sin_adr=in_addr())",
    "sockaddr_in6(sin6_adress=in6_addr())",
    "WSAPOLLFD(event=1)",
    "addrinfo(ai_flag=1)",
    "ip_mreq(imr_interfaces=in_addr())",
    "ipv6_mreq(ipv6mr_interfaces=1)",
    'timeval("1")',
    "WSAPOLLFD(1, 2, 3, 4)",
    'WSAStartup("2.2", WSADATA())',
    'WSAStartup(514, b"x" * 408)',
    "WSAStartup(514)",
    "WSAStartup(514, WSADATA)",
    "WSAStartup(2.2, WSADATA())",
    'socket("AF_INET", 1, 0)',
    "socket(AF_INET, SOCK_STREAM)",
    "socket(None, 1, 0)",
    "ioctlsocket(s, FIONBIO, 1)",
    "ioctlsocket(s, FIONBIO, True)",
    "ioctlsocket(s, FIONBIO, bytearray(4))",
    "ioctlsocket(s, FIONBIO, byref(n))",
    'bind(s, ("127.0.0.1", 80))',
    'bind(s, ("127.0.0.1", 80), 16)',
    'bind(s, "127.0.0.1", 16)',
    "bind(s, a)",
    "bind(s, byref(a), 16)",
    "connect(s, a, n)",
    "connect(s, pointer(a), 16)",
    "listen(s)",
    'listen(s, "5")',
    "accept(s)",
    "accept(s, a, 16)",
    "accept(s, bytes(16), n)",
    'send(s, "abc", 3, 0)',
    'send(s, b"abc")',
    'send(s, b"abc", 3)',
    "send(s, [1, 2], 2, 0)",
    "send(s, 5, 4, 0)",
    "recv(s, 1024)",
    'recv(s, b"\\0" * 10, 10, 0)',
    "recv(s, 1024, 0)",
    'recv(s, bytearray(10), 10, flags="x")',
    'sendto(s, b"a", 1, 0, ("h", 1), 16)',
    "recvfrom(s, bytearray(1), 1, 0, a, 16)",
    'recvfrom(s, bytearray(1), 1, 0, from_=b"", fromlen=n)',
    'shutdown(s, "w")',
    "closesocket(None)",
    "getsockname(s, a, 16)",
    "getsockname(s)",
    'getpeername(s, b"", n)',
    "setsockopt(s, SOL_SOCKET, SO_REUSEADDR, 1, 4)",
    "setsockopt(s, SOL_SOCKET, SO_REUSEADDR, c_int(1))",
    "getsockopt(s, SOL_SOCKET, SO_ERROR, n, 4)",
    'getsockopt(s, SOL_SOCKET, SO_ERROR, b"1234", n)',
    "select(0, [s], [], [], 1.0)",
    "select([s], [], [])",
    "select(0, fd_set(), None, None, 1)",
    "select(0, fd_set(), None, None, 0.5)",
    "FD_SET(fd_set(), s)",
    "FD_ISSET(fd_set(), s)",
    "FD_ZERO()",
    "FD_ZERO(None)",
    "WSAPoll([WSAPOLLFD()], 1, 0)",
    "WSAPoll((WSAPOLLFD * 1)(), 1, 1.5)",
    'htons("80")',
    'htons(b"80")',
    "htonl(1.0)",
    "inet_addr(5)",
    'inet_ntoa("1.2.3.4")',
    'inet_ntoa(b"1234")',
    'inet_ntop(AF_INET, "1234", bytearray(16), 16)',
    'inet_ntop(AF_INET, b"1234", bytes(16), 16)',
    "inet_pton(AF_INET, 5, bytearray(4))",
    'inet_pton(AF_INET, "1.2.3.4", bytes(4))',
    "gethostname(256)",
    'gethostname(b"x", 1)',
    'getaddrinfo("h", 80, None, POINTER(addrinfo)())',
    'getaddrinfo("h", "80", None, addrinfo())',
    'getaddrinfo("h", "80", None, POINTER(sockaddr)())',
    'getaddrinfo("h", "80")',
    "freeaddrinfo(5)",
    "getnameinfo(a, 16, bytearray(10), 10, bytearray(10), 10)",
    'getnameinfo(("h", 1), 0)',
    "gethostbyname(5)",
    'MAKEWORD("2", 2)',
    "LOBYTE(None)",
    'WSASetLastError("x")',
    'WSAErrorDescript("x")',
    'a.sin_port = "80"',
    "x: str = WSAErrorDescript(5) + 5",
    'inet_ntop(AF_INET, b"1234", bytearray(16), 16).upper()',
    'gethostbyname("x").h_name',
    "y: str = recv(s, bytearray(1), 1, 0)",
    "SO_NOTHING",
    'send(s, buff=b"", len=0, flags=0)',
    'FD_SET("x", fd_set())',
    "FD_CLR(s, None)",
    "FD_ISSET(s, 5)",
    'fd_set_sized("x")',
    "ioctlsocket(s, FIONBIO, c_float(1))",
    'ioctlsocket(s, FIONBIO, c_char(b"1"))',
    "a.sin_adr = 5",
]

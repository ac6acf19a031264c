"""The Windows backend: every call of `winsock.api`, declared against Ws2_32.dll through ctypes.

How it works:

- One loader. `_dll` is loaded once, with use_last_error=True: after each call ctypes saves the thread's last error in
  a variable of its own. WSAGetLastError returns that copy, because system calls of the interpreter may overwrite the
  original before the program asks for it.
- Nothing undeclared is called. `_declare` sets argtypes and restype of each function that is used below. Without them
  ctypes would pass every argument as a 32-bit int and cut a 64-bit SOCKET or pointer in half.
- Each public function converts its arguments with `winsock.arguments`, as compat does, and then calls the DLL.
- Lengths are checked here. The DLL cannot know the size of a Python buffer; a length that exceeds it would read or
  overwrite other memory. The call fails with WSAEFAULT instead, but only after Winsock itself was asked whether it is
  started and the handle is a socket, because these errors take precedence (`_fault`).
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint16, c_uint32, c_void_p, sizeof
from typing import Any, TypeAlias

from .arguments import as_input_buffer, as_int, as_output_buffer, as_uint, as_word, integer_ref, socket_handle, text
from .constants import AF_INET, AF_INET6, INVALID_SOCKET, SO_TYPE, SOCKET_ERROR, SOL_SOCKET
from .errors import WSAEFAULT, WSAENOTSOCK, WSANOTINITIALISED, WSAVERNOTSUPPORTED
from .structures import (
    SOCKET,
    WSADATA,
    WSAPOLLFD,
    Buffer,
    ConstBuffer,
    IntRef,
    addrinfo,
    addrinfo_pointer,
    fd_set_over,
    hostent,
)
from .structures import in_addr as _in_addr
from .structures import timeval as _timeval

assert sys.platform == "win32"

_dll = ctypes.WinDLL("Ws2_32.dll", use_last_error=True)

_Function: TypeAlias = Any  # ctypes checks the arguments at run time, by argtypes


def _declare(name: str, restype: Any, *argtypes: Any) -> _Function:
    function = getattr(_dll, name)
    function.restype = restype
    function.argtypes = argtypes
    return function


_WSAStartup = _declare("WSAStartup", c_int, c_uint16, c_void_p)
_WSACleanup = _declare("WSACleanup", c_int)
_socket = _declare("socket", SOCKET, c_int, c_int, c_int)
_ioctlsocket = _declare("ioctlsocket", c_int, SOCKET, c_int, c_void_p)
_bind = _declare("bind", c_int, SOCKET, c_void_p, c_int)
_connect = _declare("connect", c_int, SOCKET, c_void_p, c_int)
_listen = _declare("listen", c_int, SOCKET, c_int)
_accept = _declare("accept", SOCKET, SOCKET, c_void_p, c_void_p)
_send = _declare("send", c_int, SOCKET, c_void_p, c_int, c_int)
_recv = _declare("recv", c_int, SOCKET, c_void_p, c_int, c_int)
_sendto = _declare("sendto", c_int, SOCKET, c_void_p, c_int, c_int, c_void_p, c_int)
_recvfrom = _declare("recvfrom", c_int, SOCKET, c_void_p, c_int, c_int, c_void_p, c_void_p)
_shutdown = _declare("shutdown", c_int, SOCKET, c_int)
_closesocket = _declare("closesocket", c_int, SOCKET)
_getsockname = _declare("getsockname", c_int, SOCKET, c_void_p, c_void_p)
_getpeername = _declare("getpeername", c_int, SOCKET, c_void_p, c_void_p)
_setsockopt = _declare("setsockopt", c_int, SOCKET, c_int, c_int, c_void_p, c_int)
_getsockopt = _declare("getsockopt", c_int, SOCKET, c_int, c_int, c_void_p, c_void_p)
_select = _declare("select", c_int, c_int, c_void_p, c_void_p, c_void_p, c_void_p)
_WSAPoll = _declare("WSAPoll", c_int, c_void_p, c_uint32, c_int)
_htons = _declare("htons", c_uint16, c_uint16)
_ntohs = _declare("ntohs", c_uint16, c_uint16)
_htonl = _declare("htonl", c_uint32, c_uint32)
_ntohl = _declare("ntohl", c_uint32, c_uint32)
_inet_addr = _declare("inet_addr", c_uint32, c_char_p)
_inet_ntoa = _declare("inet_ntoa", c_char_p, _in_addr)
_inet_ntop = _declare("inet_ntop", c_char_p, c_int, c_void_p, c_void_p, c_size_t)
_inet_pton = _declare("inet_pton", c_int, c_int, c_char_p, c_void_p)
_gethostname = _declare("gethostname", c_int, c_void_p, c_int)
_getaddrinfo = _declare("getaddrinfo", c_int, c_char_p, c_char_p, c_void_p, c_void_p)
_freeaddrinfo = _declare("freeaddrinfo", None, c_void_p)
_getnameinfo = _declare("getnameinfo", c_int, c_void_p, c_int, c_void_p, c_uint32, c_void_p, c_uint32, c_int)
_gethostbyname = _declare("gethostbyname", POINTER(hostent), c_char_p)


def _input(buffer: ConstBuffer | None) -> tuple[Any, int]:
    """A const buffer as ctypes passes it, and its size in bytes. The result keeps the memory in place."""
    if buffer is None:
        return None, 0
    view = as_input_buffer(buffer)
    if isinstance(buffer, bytes):
        return buffer, len(view)
    return (view.tobytes() if view.readonly else (ctypes.c_char * len(view)).from_buffer(view)), len(view)


def _output(buffer: Buffer | None) -> tuple[Any, int]:
    """A buffer that the DLL writes to, as ctypes passes it, and its size in bytes."""
    if buffer is None:
        return None, 0
    view = as_output_buffer(buffer)
    return (ctypes.c_char * len(view)).from_buffer(view), len(view)


def _fault(s: int = INVALID_SOCKET) -> int:
    """Returns SOCKET_ERROR with WSAEFAULT, or with WSANOTINITIALISED or WSAENOTSOCK, which take precedence."""
    value, length = c_int(), c_int(sizeof(c_int))
    if _getsockopt(s, SOL_SOCKET, SO_TYPE, byref(value), byref(length)) == SOCKET_ERROR:
        error = ctypes.get_last_error()
        if error == WSANOTINITIALISED or (error == WSAENOTSOCK and s != INVALID_SOCKET):
            return SOCKET_ERROR
    ctypes.set_last_error(WSAEFAULT)
    return SOCKET_ERROR


def _fault_of(s: int) -> int:
    """Like _fault for a call that has a socket: INVALID_SOCKET is WSAENOTSOCK too."""
    if s == INVALID_SOCKET:
        _closesocket(s)
        return SOCKET_ERROR
    return _fault(s)


def _length(ref: IntRef | None) -> c_int | None:
    """A copy of a pointer's integer as a C int; the caller's ctypes integer may be wider."""
    return None if ref is None else c_int(integer_ref(ref).value)


def WSAStartup(wVersionRequested: int, lpWSAData: Buffer | None) -> int:
    version = as_word(wVersionRequested)
    data, size = _output(lpWSAData)
    if data is not None and size < sizeof(WSADATA):
        return WSAEFAULT if version & 0xFF else WSAVERNOTSUPPORTED
    code: int = _WSAStartup(version, data)
    return code


def WSACleanup() -> int:
    result: int = _WSACleanup()
    return result


def WSAGetLastError() -> int:
    return ctypes.get_last_error()


def WSASetLastError(iError: int) -> None:
    ctypes.set_last_error(as_int(iError))


def socket(af: int, type: int, protocol: int) -> int:
    handle: int = _socket(as_int(af), as_int(type), as_int(protocol))
    return handle


def ioctlsocket(s: int, cmd: int, argp: IntRef | None) -> int:
    handle, command = socket_handle(s), as_int(cmd)
    if argp is None:
        return _fault_of(handle)
    value = c_uint32(integer_ref(argp).value)
    result: int = _ioctlsocket(handle, command, byref(value))
    argp.value = value.value
    return result


def bind(s: int, name: ConstBuffer | None, namelen: int) -> int:
    handle, (address, size), length = socket_handle(s), _input(name), as_int(namelen)
    if address is None or not 0 <= length <= size:
        return _fault_of(handle)
    result: int = _bind(handle, address, length)
    return result


def connect(s: int, name: ConstBuffer | None, namelen: int) -> int:
    handle, (address, size), length = socket_handle(s), _input(name), as_int(namelen)
    if address is None or not 0 <= length <= size:
        return _fault_of(handle)
    result: int = _connect(handle, address, length)
    return result


def listen(s: int, backlog: int) -> int:
    result: int = _listen(socket_handle(s), as_int(backlog))
    return result


def accept(s: int, addr: Buffer | None, addrlen: IntRef | None) -> int:
    handle, (address, size), length = socket_handle(s), _output(addr), _length(addrlen)
    if address is not None and length is not None and not 0 <= length.value <= size:
        _fault_of(handle)
        return INVALID_SOCKET
    client: int = _accept(handle, address, None if length is None else byref(length))
    if addrlen is not None and length is not None:
        addrlen.value = length.value
    return client


def send(s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
    handle, (data, size), length, bits = socket_handle(s), _input(buf), as_int(len), as_int(flags)
    if not 0 <= length <= size:
        return _fault_of(handle)
    sent: int = _send(handle, data, length, bits)
    return sent


def recv(s: int, buf: Buffer | None, len: int, flags: int) -> int:
    handle, (data, size), length, bits = socket_handle(s), _output(buf), as_int(len), as_int(flags)
    if not 0 <= length <= size:
        return _fault_of(handle)
    received: int = _recv(handle, data, length, bits)
    return received


def sendto(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    handle, (data, size), length, bits = socket_handle(s), _input(buf), as_int(len), as_int(flags)
    (address, room), address_length = _input(to), as_int(tolen)
    if not 0 <= length <= size or (address is not None and not 0 <= address_length <= room):
        return _fault_of(handle)
    sent: int = _sendto(handle, data, length, bits, address, address_length)
    return sent


def recvfrom(s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None) -> int:
    handle, (data, size), length, bits = socket_handle(s), _output(buf), as_int(len), as_int(flags)
    (address, room), address_length = _output(from_), _length(fromlen)
    if not 0 <= length <= size:
        return _fault_of(handle)
    if address is not None and address_length is not None and not 0 <= address_length.value <= room:
        return _fault_of(handle)
    pointer = None if address_length is None else byref(address_length)
    received: int = _recvfrom(handle, data, length, bits, address, pointer)
    if fromlen is not None and address_length is not None:
        fromlen.value = address_length.value
    return received


def shutdown(s: int, how: int) -> int:
    result: int = _shutdown(socket_handle(s), as_int(how))
    return result


def closesocket(s: int) -> int:
    result: int = _closesocket(socket_handle(s))
    return result


def getsockname(s: int, name: Buffer | None, namelen: IntRef | None) -> int:
    handle, (address, size), length = socket_handle(s), _output(name), _length(namelen)
    if address is None or namelen is None or length is None or not 0 <= length.value <= size:
        return _fault_of(handle)
    result: int = _getsockname(handle, address, byref(length))
    if result == 0:
        namelen.value = length.value
    return result


def getpeername(s: int, name: Buffer | None, namelen: IntRef | None) -> int:
    handle, (address, size), length = socket_handle(s), _output(name), _length(namelen)
    if address is not None and length is not None and not 0 <= length.value <= size:
        # Winsock checks the connection before the length. Length 0 makes it report WSAEFAULT in its own order.
        length.value = 0
    result: int = _getpeername(handle, address, None if length is None else byref(length))
    if result == 0 and namelen is not None and length is not None:
        namelen.value = length.value
    return result


def setsockopt(s: int, level: int, optname: int, optval: ConstBuffer | None, optlen: int) -> int:
    handle, option = socket_handle(s), (as_int(level), as_int(optname))
    (value, size), length = _input(optval), as_int(optlen)
    if value is None or not 0 <= length <= size:
        return _fault_of(handle)
    result: int = _setsockopt(handle, *option, value, length)
    return result


def getsockopt(s: int, level: int, optname: int, optval: Buffer | None, optlen: IntRef | None) -> int:
    handle, option = socket_handle(s), (as_int(level), as_int(optname))
    (value, size), length = _output(optval), _length(optlen)
    if value is None or optlen is None or length is None or length.value > size:
        return _fault_of(handle)
    result: int = _getsockopt(handle, *option, value, byref(length))
    optlen.value = length.value
    return result


def select(
    nfds: int,
    readfds: Buffer | None,
    writefds: Buffer | None,
    exceptfds: Buffer | None,
    timeout: ConstBuffer | None,
) -> int:
    count = as_int(nfds)
    given = [fds for fds in (readfds, writefds, exceptfds) if fds is not None]
    sets = [s for s in map(fd_set_over, given) if s is not None and s.fd_count <= len(s.fd_array)]
    limit, size = _input(timeout)
    if len(sets) < len(given):
        return _fault()
    if limit is not None and size < sizeof(_timeval):
        return _fault()
    pointers = iter(sets)
    read, write, exc = (None if fds is None else byref(next(pointers)) for fds in (readfds, writefds, exceptfds))
    ready: int = _select(count, read, write, exc, limit)
    return ready


def WSAPoll(fdArray: Buffer | None, fds: int, timeout: int) -> int:
    (array, size), count, limit = _output(fdArray), as_uint(fds), as_int(timeout)
    if array is not None and count * sizeof(WSAPOLLFD) > size:
        return _fault()
    ready: int = _WSAPoll(array, count, limit)
    return ready


def htons(hostshort: int) -> int:
    value: int = _htons(as_word(hostshort))
    return value


def ntohs(netshort: int) -> int:
    value: int = _ntohs(as_word(netshort))
    return value


def htonl(hostlong: int) -> int:
    value: int = _htonl(as_uint(hostlong))
    return value


def ntohl(netlong: int) -> int:
    value: int = _ntohl(as_uint(netlong))
    return value


def inet_addr(cp: str | bytes | None) -> int:
    address: int = _inet_addr(None if cp is None else text(cp))
    return address


def inet_ntoa(in_: _in_addr | int) -> str:
    address = in_ if isinstance(in_, _in_addr) else _in_addr(as_uint(in_))
    dotted: bytes = _inet_ntoa(address)
    return dotted.decode("ascii")


_ADDRESS_SIZE = {AF_INET: 4, AF_INET6: 16}


def inet_ntop(Family: int, pAddr: ConstBuffer | None, pStringBuf: Buffer | None, StringBufSize: int) -> str | None:
    family, (address, size), (string, room) = as_int(Family), _input(pAddr), _output(pStringBuf)
    length = socket_handle(StringBufSize)
    if (address is not None and size < _ADDRESS_SIZE.get(family, 0)) or (string is not None and length > room):
        _fault()
        return None
    result: bytes | None = _inet_ntop(family, address, string, length)
    return None if result is None else result.decode("ascii")


def inet_pton(Family: int, pszAddrString: str | bytes | None, pAddrBuf: Buffer | None) -> int:
    family, (address, size) = as_int(Family), _output(pAddrBuf)
    string = None if pszAddrString is None else text(pszAddrString)
    if address is not None and size < _ADDRESS_SIZE.get(family, 0):
        return _fault()
    result: int = _inet_pton(family, string, address)
    return result


def gethostname(name: Buffer | None, namelen: int) -> int:
    (string, size), length = _output(name), as_int(namelen)
    if length < 0 or (string is not None and length > size):
        return _fault()
    result: int = _gethostname(string, length)
    return result


def getaddrinfo(
    pNodeName: str | bytes | None,
    pServiceName: str | bytes | None,
    pHints: ConstBuffer | None,
    ppResult: ctypes._Pointer[addrinfo] | None,
) -> int:
    node = None if pNodeName is None else text(pNodeName)
    service = None if pServiceName is None else text(pServiceName)
    hints, size = _input(pHints)
    result = None
    if ppResult is not None:
        result = byref(addrinfo_pointer(ppResult))
        ctypes.memset(result, 0, sizeof(c_void_p))
    if result is None or (hints is not None and size < sizeof(addrinfo)):
        _fault()
        return ctypes.get_last_error()
    code: int = _getaddrinfo(node, service, hints, result)
    return code


def freeaddrinfo(pAddrInfo: ctypes._Pointer[addrinfo] | addrinfo | None) -> None:
    if isinstance(pAddrInfo, addrinfo):
        _freeaddrinfo(byref(pAddrInfo))
    else:
        _freeaddrinfo(None if pAddrInfo is None else addrinfo_pointer(pAddrInfo))


def getnameinfo(
    pSockaddr: ConstBuffer | None,
    SockaddrLength: int,
    pNodeBuffer: Buffer | None,
    NodeBufferSize: int,
    pServiceBuffer: Buffer | None,
    ServiceBufferSize: int,
    Flags: int,
) -> int:
    (address, size), length = _input(pSockaddr), as_int(SockaddrLength)
    (node, node_room), node_size = _output(pNodeBuffer), as_uint(NodeBufferSize)
    (service, service_room), service_size = _output(pServiceBuffer), as_uint(ServiceBufferSize)
    flags = as_int(Flags)
    if (
        address is None
        or not 0 <= length <= size
        or (node is not None and node_size > node_room)
        or (service is not None and service_size > service_room)
    ):
        _fault()
        return ctypes.get_last_error()
    code: int = _getnameinfo(address, length, node, node_size, service, service_size, flags)
    return code


def gethostbyname(name: str | bytes | None) -> hostent | None:
    host = _gethostbyname(None if name is None else text(name))
    if not host:
        return None
    found: hostent = host.contents
    return found

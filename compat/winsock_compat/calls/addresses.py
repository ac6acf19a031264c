"""Byte order, and addresses as text: htons, htonl, ntohs, ntohl, inet_addr, inet_ntoa, inet_ntop, inet_pton."""

from __future__ import annotations

import re

from winsock.arguments import as_int, as_uint, as_word, socket_handle
from winsock.constants import AF_INET, AF_INET6, INADDR_NONE
from winsock.errors import WSAEAFNOSUPPORT, WSAEFAULT, WSAEINVAL
from winsock.structures import Buffer, ConstBuffer, in_addr

from ..posix import resolver
from ..state.last_error import fail
from .pointers import as_input_buffer, as_output_buffer, text

_ADDRESS_SIZE = {AF_INET: 4, AF_INET6: 16}


def htons(hostshort: int) -> int:
    value = as_word(hostshort)
    return value >> 8 | (value & 0xFF) << 8


def ntohs(netshort: int) -> int:
    return htons(netshort)


def htonl(hostlong: int) -> int:
    return int.from_bytes(as_uint(hostlong).to_bytes(4, "little"), "big")


def ntohl(netlong: int) -> int:
    return htonl(netlong)


def inet_addr(cp: str | bytes | None) -> int:
    raw = text(cp)
    if raw is None:
        fail(WSAEFAULT)
        return INADDR_NONE
    if raw == b" ":
        return 0
    return resolver.inet_addr(raw)


def inet_ntoa(in_: in_addr | int) -> str:
    address = in_.s_addr if isinstance(in_, in_addr) else as_uint(in_)
    return ".".join(map(str, address.to_bytes(4, "little")))


def inet_ntop(Family: int, pAddr: ConstBuffer | None, pStringBuf: Buffer | None, StringBufSize: int) -> str | None:
    family, address = as_int(Family), None if pAddr is None else as_input_buffer(pAddr)
    string, room = None if pStringBuf is None else as_output_buffer(pStringBuf), socket_handle(StringBufSize)
    if address is None or family not in _ADDRESS_SIZE:
        fail(WSAEFAULT if address is None else WSAEAFNOSUPPORT)
        return None
    if address.nbytes < _ADDRESS_SIZE[family] or (string is not None and room > len(string)):
        fail(WSAEFAULT)
        return None
    shown = _text_of(family, address.tobytes()[: _ADDRESS_SIZE[family]])
    if string is None or len(shown) >= room:
        # Windows leaves an NTSTATUS here, which is no Winsock error.
        fail(WSAEINVAL)
        return None
    string[: len(shown) + 1] = shown + b"\0"
    return shown.decode("ascii")


# ISATAP and translated addresses end in an IPv4 address, which Windows shows as one.
_ENDS_IN_IPV4 = re.compile(rb"\0{8}\xff\xff\0\0|.{8}[\0\2]\0\x5e\xfe", re.DOTALL)


def _text_of(family: int, address: bytes) -> bytes:
    shown = resolver.inet_ntop(family, address)
    if family == AF_INET6 and b"." not in shown and _ENDS_IN_IPV4.match(address):
        head = resolver.inet_ntop(family, address[:12] + b"\xff\xff\xff\xff")
        dotted = b".".join(b"%d" % byte for byte in address[12:])
        return head.removesuffix(b"ffff:ffff") + dotted
    return shown


def inet_pton(Family: int, pszAddrString: str | bytes | None, pAddrBuf: Buffer | None) -> int:
    family, address = as_int(Family), None if pAddrBuf is None else as_output_buffer(pAddrBuf)
    raw = text(pszAddrString)
    if raw is None or address is None:
        return fail(WSAEFAULT)
    if family not in _ADDRESS_SIZE:
        return fail(WSAEAFNOSUPPORT)
    if len(address) < _ADDRESS_SIZE[family]:
        return fail(WSAEFAULT)
    packed = resolver.inet_pton(family, raw)
    if packed is None:
        return 0
    address[: len(packed)] = packed
    return 1

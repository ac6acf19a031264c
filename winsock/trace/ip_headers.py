"""The IP, TCP and UDP headers of packets, of which only the first bytes may be known."""

from __future__ import annotations

import ipaddress
import re
import struct
from enum import IntFlag
from typing import NamedTuple, TypeAlias

__all__ = ["LARGEST_PAYLOAD", "Address", "Datagram", "Flags", "Host", "Segment", "parsed"]

_TCP, _UDP = 6, 17
_HOPS = 64
_MOST = 0xFFFF
# What fits into an IPv4 packet after the headers of IP and TCP without options.
LARGEST_PAYLOAD = _MOST - 40
# The options of SYN: the largest payload, and a window of a gigabyte, which no trace fills: 65535 with 14 more bits.
_WINDOW = _MOST
_SYN_OPTIONS = struct.pack("!BBHBBBx", 2, 4, LARGEST_PAYLOAD, 3, 3, 14)


class Flags(IntFlag):
    """The flags of a TCP header."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16
    URG = 32


Host: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"


class Address(NamedTuple):
    """A host and a port."""

    host: Host
    port: int


class Segment(NamedTuple):
    """A TCP packet: its numbers, its data as far as it is known, and the size of its data."""

    source: Address
    target: Address
    flags: Flags
    sequence: int
    acknowledged: int
    data: bytes = b""
    size: int = 0

    def packet(self) -> tuple[bytes, int]:
        """The known bytes of the packet, and its size."""
        options = _SYN_OPTIONS if self.flags & Flags.SYN else b""
        # As systems write it: what follows the urgent bytes.
        urgent = self.size if self.flags & Flags.URG else 0
        numbers = self.sequence & 0xFFFFFFFF, self.acknowledged & 0xFFFFFFFF
        words = (20 + len(options)) // 4 << 12 | self.flags
        ports = self.source.port, self.target.port
        header = struct.pack("!HHIIHHHH", *ports, *numbers, words, _WINDOW, 0, urgent) + options
        return _packet(self.source, self.target, _TCP, header, 16, self.data, self.size)


class Datagram(NamedTuple):
    """A UDP packet: its data as far as it is known, and the size of its data; `packet` needs one that is possible."""

    source: Address
    target: Address
    data: bytes
    size: int

    @property
    def is_possible(self) -> bool:
        """Whether its size fits into the 16 bits that the headers have for it."""
        headers = 28 if self.source.host.version == self.target.host.version == 4 else 8
        return headers + self.size <= _MOST

    def packet(self) -> tuple[bytes, int]:
        """The known bytes of the packet, and its size."""
        header = struct.pack("!HHHH", self.source.port, self.target.port, 8 + self.size, 0)
        return _packet(self.source, self.target, _UDP, header, 6, self.data, self.size)


def parsed(text: str) -> Address | None:
    """The address in a text such as 127.0.0.1:80 or [::1]:80; None if it is none. A mapped address becomes IPv4."""
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)(?:%[^]]*)?\]:([0-9]{1,5})|([0-9.]+):([0-9]{1,5})", text)
    if match is None or int(match[2] or match[4]) > _MOST:
        return None
    try:
        host = ipaddress.ip_address(match[1] or match[3])
    except ValueError:
        return None
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return Address(mapped or host, int(match[2] or match[4]))


def _packet(
    source: Address, target: Address, protocol: int, header: bytes, checksum_at: int, data: bytes, size: int
) -> tuple[bytes, int]:
    """An IP packet around a TCP or UDP header whose checksum is still 0."""
    one, other = _same_version(source, target)
    length = len(header) + size
    checksum = _MOST  # of data that is not known
    if len(data) == size:
        checksum = _checksum(one + other + struct.pack("!II", length, protocol) + header + data) or _MOST
    header = header[:checksum_at] + struct.pack("!H", checksum) + header[checksum_at + 2 :]
    if len(one) == 4:
        fields = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, _HOPS, protocol, 0) + one + other
        ip = fields[:10] + struct.pack("!H", _checksum(fields)) + fields[12:]
    else:
        ip = struct.pack("!IHBB", 6 << 28, length, protocol, _HOPS) + one + other
    return ip + header + data, len(ip) + length


def _same_version(source: Address, target: Address) -> tuple[bytes, bytes]:
    """The bytes of both hosts; if only one is IPv6, the other one is mapped into IPv6."""
    one, other = source.host.packed, target.host.packed
    if len(one) != len(other):
        one, other = (host.rjust(6, b"\xff").rjust(16, b"\0") if len(host) == 4 else host for host in (one, other))
    return one, other


def _checksum(data: bytes) -> int:
    """The internet checksum: the complement of the sum of all 16-bit words with end-around carry."""
    total = int.from_bytes(data + bytes(len(data) % 2), "big")
    # The remainder is that sum, except that a sum of 65535 becomes 0.
    return _MOST - (total % _MOST or (_MOST if total else 0))

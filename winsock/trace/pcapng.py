"""Writes packets in the file format pcapng, version 1.0, which Wireshark reads.

A file is a sequence of blocks: first one for the section, then one for each interface, then one for each packet. A
block is its type, its length, its body, and its length again, in little-endian order and padded to four bytes. Options
at the end of a body have a code, a length and a value. Packets start with the IP header (LINKTYPE_RAW), and times are
in nanoseconds since 1970.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from winsock.version import __version__

__all__ = ["Interface", "Packet", "pcapng"]

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_UNKNOWN_LENGTH = -1
_LINKTYPE_RAW = 101
_UNLIMITED = 0

# The codes of options; each kind of block has its own, except for a comment.
_COMMENT = 1
_SECTION_PROGRAM = 4
_INTERFACE_NAME, _INTERFACE_DESCRIPTION, _INTERFACE_RESOLUTION = 2, 3, 9
_PACKET_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2
_NANOSECONDS = 9  # a tenth to the power of 9

# The longest value of an option is 65535 bytes; nobody reads such a comment.
_LONGEST_TEXT = 4000


class Interface(NamedTuple):
    """Where packets were captured."""

    name: str
    description: str


class Packet(NamedTuple):
    """A packet: the number of its interface, its time, its first bytes, and its size, which may be larger."""

    interface: int
    time: int
    data: bytes
    size: int
    inbound: bool
    comments: Sequence[str] = ()


def pcapng(interfaces: Iterable[Interface], packets: Iterable[Packet]) -> bytes:
    """The bytes of a file; times outside of 64 bits become the nearest possible ones."""
    program = _option(_SECTION_PROGRAM, _text(f"winsock {__version__}"))
    section = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    blocks = [_block(_SECTION, section, program)]
    blocks += [_interface(interface) for interface in interfaces]
    blocks += [_packet(packet) for packet in packets]
    return b"".join(blocks)


def _interface(interface: Interface) -> bytes:
    options = _option(_INTERFACE_NAME, _text(interface.name))
    options += _option(_INTERFACE_DESCRIPTION, _text(interface.description))
    options += _option(_INTERFACE_RESOLUTION, bytes([_NANOSECONDS]))
    return _block(_INTERFACE, struct.pack("<HHI", _LINKTYPE_RAW, 0, _UNLIMITED), options)


def _packet(packet: Packet) -> bytes:
    time = min(max(packet.time, 0), (1 << 64) - 1)
    captured = len(packet.data)
    head = struct.pack("<IIIII", packet.interface, time >> 32, time & 0xFFFFFFFF, captured, packet.size)
    options = b"".join(_option(_COMMENT, _text(comment)) for comment in packet.comments)
    options += _option(_PACKET_FLAGS, struct.pack("<I", _INBOUND if packet.inbound else _OUTBOUND))
    return _block(_PACKET, head + _padded(packet.data), options)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    content = body + options + bytes(4)  # the end of the options
    length = struct.pack("<I", len(content) + 12)
    return struct.pack("<I", kind) + length + content + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _text(text: str) -> bytes:
    return text[:_LONGEST_TEXT].encode("utf-8", "backslashreplace")

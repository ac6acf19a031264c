"""Addresses as text, as the C library of Linux reads and writes them."""

from __future__ import annotations

import ipaddress
import re

from winsock.constants import AF_INET, INADDR_NONE

_NUMBER = rb"(?:0[xX][0-9A-Fa-f]+|[0-9]+)"
_NUMBERS = re.compile(rb"(%b(?:\.%b){0,3})(?:[ \t\n\v\f\r].*)?" % (_NUMBER, _NUMBER), re.DOTALL)
_MOST_DIGITS = 11  # of a number of 32 bits
_PART_SIZES = {1: (32,), 2: (8, 24), 3: (8, 8, 16), 4: (8, 8, 8, 8)}


def inet_aton(text: bytes) -> bytes | None:
    """The four bytes of one to four numbers, each decimal, octal or hexadecimal; blanks may follow."""
    matched = _NUMBERS.fullmatch(text)
    if matched is None:
        return None
    parts, address = matched[1].split(b"."), 0
    for part, size in zip(parts, _PART_SIZES[len(parts)], strict=True):
        value = _number(part)
        if value is None or value >> size:
            return None
        address = address << size | value
    return address.to_bytes(4, "big")


def _number(text: bytes) -> int | None:
    """The number; None if it has a digit that its base does not have, or is far too large."""
    base = 16 if text[:2].lower() == b"0x" else 8 if text.startswith(b"0") else 10
    digits = (text[2:] if base == 16 else text).lstrip(b"0") or b"0"
    if len(digits) > _MOST_DIGITS:
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def inet_addr(text: bytes) -> int:
    """The address as the number that its bytes are in memory; INADDR_NONE if the text is none."""
    address = inet_aton(text)
    return INADDR_NONE if address is None else int.from_bytes(address, "little")


def inet_ntop(family: int, address: bytes) -> bytes:
    """The text of an address of 4 or 16 bytes."""
    if family == AF_INET:
        return b".".join(b"%d" % byte for byte in address[:4])
    packed = bytes(address[:16])
    ends_in_ipv4 = not any(packed[:10]) and (
        packed[10:12] == b"\xff\xff" or (packed[10:12] == b"\0\0" and any(packed[12:14]))
    )
    if ends_in_ipv4:
        return (b"::ffff:" if packed[10] else b"::") + inet_ntop(AF_INET, packed[12:])
    return ipaddress.IPv6Address(packed).compressed.encode()


def inet_pton(family: int, text: bytes) -> bytes | None:
    """The 4 or 16 bytes of an address, None if the text is not an address."""
    try:
        plain = text.decode("ascii")
        if "%" in plain or "/" in plain:
            return None
        return (ipaddress.IPv4Address if family == AF_INET else ipaddress.IPv6Address)(plain).packed
    except ValueError:
        return None

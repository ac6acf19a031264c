"""Programs of the kernel's packet filter (classic BPF) that decide which datagrams a descriptor receives.

The kernel runs the program for each datagram before it puts it into the descriptor's queue. So a datagram that Winsock
does not deliver makes no socket readable and takes no room in its queue.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TypeAlias

_Instruction: TypeAlias = "tuple[int, int, int, int]"  # code, jump if true, jump if false, operand

_LOAD_WORD, _LOAD_BYTE, _JUMP, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x30, 0x05, 0x15, 0x35, 0x06
# Offsets of what the kernel knows about a datagram, and of its IP header.
_ABOUT, _IP_HEADER = 0xFFFFF000, 0xFFF00000
_PROTOCOL, _PACKET_TYPE, _INTERFACE, _HARDWARE_TYPE = _ABOUT, _ABOUT + 4, _ABOUT + 8, _ABOUT + 28
_DESTINATION, _DESTINATION6 = _IP_HEADER + 16, _IP_HEADER + 24
_ETHERTYPE_IPV6 = 0x86DD
_PACKET_LOOPBACK = 5  # the copy of a multicast datagram that this machine has sent out of another interface
_LOOPBACK_HARDWARE = 772  # the interface lo

_ACCEPT: _Instruction = (_RETURN, 0, 0, 0xFFFFFFFF)
_DROP: _Instruction = (_RETURN, 0, 0, 0)
_DROP_IF_FROM_THIS_MACHINE: list[_Instruction] = [
    (_LOAD_WORD, 0, 0, _PACKET_TYPE),
    (_JUMP_EQUAL, 2, 0, _PACKET_LOOPBACK),
    (_LOAD_WORD, 0, 0, _HARDWARE_TYPE),
    (_JUMP_EQUAL, 0, 1, _LOOPBACK_HARDWARE),
    _DROP,
]


def _packed(instructions: Iterable[_Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *one) for one in instructions)


# For listeners that share an address: the result is the number of the one that gets the connection.
SELECT_FIRST = _packed([(_RETURN, 0, 0, 0)])


def program(loop: bool, loop6: bool, groups6: Sequence[tuple[bytes, int]], interface: int) -> bytes:
    """The program, or b"" where everything is accepted.

    Without `loop` and `loop6` it drops the multicast datagrams of IPv4 and IPv6 that this machine has sent. With
    `groups6` it drops those of IPv6, unless they are for one of the groups and came through the interface with that
    index, or any interface if the index is 0. With `interface` it drops all that came through another interface.
    """
    check_groups = any(index for _, index in groups6)
    if loop and loop6 and not check_groups and not interface:
        return b""
    ipv4 = [
        (_LOAD_BYTE, 0, 0, _DESTINATION),
        (_JUMP_AT_LEAST, 0, 1, 0xE0),
        (_JUMP_AT_LEAST, 0, 1, 0xF0),
        _ACCEPT,
        *([] if loop else _DROP_IF_FROM_THIS_MACHINE),
        _ACCEPT,
    ]
    ipv6 = [
        (_LOAD_BYTE, 0, 0, _DESTINATION6),
        (_JUMP_EQUAL, 1, 0, 0xFF),
        _ACCEPT,
        *(_only_groups(groups6) if check_groups else []),
        *([] if loop6 else _DROP_IF_FROM_THIS_MACHINE),
        _ACCEPT,
    ]
    by_interface = [(_LOAD_WORD, 0, 0, _INTERFACE), (_JUMP_EQUAL, 1, 0, interface), _DROP] if interface else []
    by_family = [(_LOAD_WORD, 0, 0, _PROTOCOL), (_JUMP_EQUAL, 0, 1, _ETHERTYPE_IPV6), (_JUMP, 0, 0, len(ipv4))]
    return _packed((*by_interface, *by_family, *ipv4, *ipv6))


def _only_groups(groups: Sequence[tuple[bytes, int]]) -> list[_Instruction]:
    """Continues after its end for a datagram to one of the groups, and drops every other one."""
    result: list[_Instruction] = [_DROP]
    for group, index in groups:
        words = struct.unpack(">4I", group)
        checks = [(_DESTINATION6 + 4 * at, word) for at, word in enumerate(words)]
        if index:
            checks.append((_INTERFACE, index))
        one: list[_Instruction] = []
        for at, (offset, value) in enumerate(checks):
            to_next_group = 2 * (len(checks) - at - 1) + 1
            one += [(_LOAD_WORD, 0, 0, offset), (_JUMP_EQUAL, 0, to_next_group, value)]
        result = [*one, (_JUMP, 0, 0, len(result)), *result]
    return result

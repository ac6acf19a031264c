"""The options in the header of IPv4 packets, as the kernel checks them. No simulated host looks at them."""

from __future__ import annotations

_LONGEST = 40
_END, _NOTHING = 0, 1


def is_valid(options: bytes) -> bool:
    """Whether each option has its length, and they fit into the header."""
    if len(options) > _LONGEST:
        return False
    at = 0
    while at < len(options) and options[at] != _END:
        if options[at] == _NOTHING:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            return False
        at += length
    return True


def padded(options: bytes) -> bytes:
    """The options with zeros to a multiple of four bytes."""
    return options + bytes(-len(options) % 4)

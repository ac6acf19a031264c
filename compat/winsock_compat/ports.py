"""Who may bind which port: Winsock's rules for SO_REUSEADDR, SO_EXCLUSIVEADDRUSE and the default (TCP).

Every TCP descriptor has the host's SO_REUSEADDR, so that a closed listener's port can be bound again, as on Windows.
What that permits too much is refused here, for the sockets of this process; of others' the kernel shows the listeners.
"""

from collections.abc import Iterator

from winsock.constants import AF_INET, IPPROTO_IPV6, IPV6_V6ONLY, SO_EXCLUSIVEADDRUSE, SO_REUSEADDR, SOL_SOCKET
from winsock.errors import WSAEACCES, WSAEADDRINUSE

from .addresses import address_of, family_of, is_wildcard, port_of
from .handles import Socket, table

_DEFAULT, _REUSE, _EXCLUSIVE = "default", "reuse", "exclusive"
_ANY, _ONE = True, False

# Microsoft's table in "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE": first and second bind, each a mode and whether the
# address is the wildcard. A pair that is absent succeeds.
_CLASHES = {
    (_DEFAULT, _ANY): {(_DEFAULT, _ANY): "U", (_REUSE, _ANY): "A", (_EXCLUSIVE, _ANY): "U"},
    (_DEFAULT, _ONE): {
        (_DEFAULT, _ONE): "U",
        (_REUSE, _ONE): "A",
        (_EXCLUSIVE, _ANY): "U",
        (_EXCLUSIVE, _ONE): "U",
    },
    (_REUSE, _ANY): {(_DEFAULT, _ANY): "U", (_EXCLUSIVE, _ANY): "U"},
    (_REUSE, _ONE): {(_DEFAULT, _ONE): "U", (_EXCLUSIVE, _ANY): "U", (_EXCLUSIVE, _ONE): "U"},
    (_EXCLUSIVE, _ANY): {
        (_DEFAULT, _ANY): "U",
        (_DEFAULT, _ONE): "A",
        (_REUSE, _ANY): "A",
        (_REUSE, _ONE): "A",
        (_EXCLUSIVE, _ANY): "U",
        (_EXCLUSIVE, _ONE): "A",
    },
    (_EXCLUSIVE, _ONE): {
        (_DEFAULT, _ONE): "U",
        (_REUSE, _ONE): "A",
        (_EXCLUSIVE, _ANY): "U",
        (_EXCLUSIVE, _ONE): "U",
    },
}
_ERRORS = {"U": WSAEADDRINUSE, "A": WSAEACCES}
_MAPPED = bytes(10) + b"\xff\xff"


def clash(sock: Socket, name: bytes) -> int:
    """The error that binding `sock` to `name` meets among this process's TCP sockets, or 0."""
    port = port_of(name)
    if not port:
        return 0
    for other in list(table.values()):
        if other.stream and other is not sock and other.local is not None and port_of(other.local) == port:
            error = _clash_of(other, other.local, sock, name)
            if error:
                return error
    return 0


def _clash_of(first: Socket, first_name: bytes, second: Socket, name: bytes) -> int:
    for space, address in _spaces(first, first_name):
        for other_space, other_address in _spaces(second, name):
            if space != other_space or (address and other_address and address != other_address):
                continue
            first_mode, second_mode = _mode(first), _mode(second)
            if first.family != second.family and not address and not other_address:
                # A dual-stack wildcard beside IPv4's: exclusive refuses, all else succeeds.
                if first_mode == _EXCLUSIVE:
                    return WSAEACCES
                if second_mode != _EXCLUSIVE:
                    continue
            letter = _CLASHES[first_mode, not address].get((second_mode, not other_address))
            if letter:
                return _ERRORS[letter]
    return 0


def _spaces(sock: Socket, name: bytes) -> Iterator[tuple[int, bytes]]:
    """The families that a name covers, each with its address; empty bytes are the wildcard."""
    address = address_of(name)
    if family_of(name) == AF_INET:
        yield 4, b"" if is_wildcard(name) else address
    elif address.startswith(_MAPPED):
        yield 4, address[12:].strip(b"\0") and address[12:]
    elif not is_wildcard(name):
        yield 6, address
    else:
        yield 6, b""
        if not sock.options.get((IPPROTO_IPV6, IPV6_V6ONLY), 1):
            yield 4, b""


def _mode(sock: Socket) -> str:
    if sock.options.get((SOL_SOCKET, SO_EXCLUSIVEADDRUSE)):
        return _EXCLUSIVE
    return _REUSE if sock.options.get((SOL_SOCKET, SO_REUSEADDR)) else _DEFAULT

"""Compares the constants, type names and macros of an MQL program with those of Winsock's headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from winsock import constants, errors

from .declarations import MQL_TYPES, Declarations
from .findings import Finding
from .mql_macros import MqlError, Token, expanded
from .mql_structs import number

__all__ = ["compare_definitions"]

# These constants are limits that a program may choose.
_CHOSEN = {"FD_SETSIZE", "SOMAXCONN", "NI_MAXHOST", "NI_MAXSERV", "MSG_MAXIOVLEN", "MAXGETHOSTSTRUCT"}
_VALUES = {
    name: int(value)
    for module in (constants, errors)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, int) and name not in _CHOSEN
}
# Numbers from here on are easier to read in hexadecimal.
_LARGE = 0x10000
# The sizes of type names in bytes; 0 is the size of a pointer. Headers for both kinds of terminal use the names with
# 32 and 64 next to each other.
_TYPES = {
    "BYTE": 1, "u_char": 1, "UCHAR": 1, "WORD": 2, "u_short": 2, "USHORT": 2, "DWORD": 4, "u_int": 4, "u_long": 4,
    "ULONG": 4, "UINT": 4, "SOCKET": 0, "HANDLE": 0, "UINT_PTR": 0, "DWORD_PTR": 0, "SIZE_T": 0, "size_t": 0,
    "SOCKET32": 4, "DWORD_PTR32": 4, "SOCKET64": 8, "DWORD_PTR64": 8,
}  # fmt: skip
# Macros with a parameter list: arguments, and the result of Winsock's macro.
_CALLS: dict[str, list[tuple[tuple[int, ...], int]]] = {
    "MAKEWORD": [((2, 2), 0x0202), ((1, 2), 0x0201), ((0x34, 0x12), 0x1234)],
    "LOBYTE": [((0x1234,), 0x34)],
    "HIBYTE": [((0x1234,), 0x12)],
    "htons": [((0x1234,), 0x3412), ((0xFF00,), 0x00FF)],
    "ntohs": [((0x1234,), 0x3412), ((0xFF00,), 0x00FF)],
    "htonl": [((0x12345678,), 0x78563412)],
    "ntohl": [((0x12345678,), 0x78563412)],
}


def compare_definitions(found: Declarations, bits: int) -> list[Finding]:
    """One finding for each definition with another value than Winsock's, and one for all that are correct."""
    checked = _compared_macros(found, bits) | _compared_declarations(found, bits)
    findings = [finding for finding in checked.values() if finding]
    correct = [name for name, finding in checked.items() if finding is None]
    if correct:
        text = f"{len(correct)} have Winsock's values: {_shortened(correct)}"
        findings.append(Finding(True, "definitions", text, facts={"definitions": correct}))
    return findings


def _compared_macros(found: Declarations, bits: int) -> dict[str, Finding | None]:
    """The macros that Winsock has too; None if they are correct."""
    checked: dict[str, Finding | None] = {}
    for name, macro in found.macros.items():
        where = found.place(macro.line)
        if macro.parameters is not None:
            if name in _CALLS:
                checked[name] = _compare_macro(name, found, where)
        elif name in _TYPES:
            checked[name] = _compare_type_macro(name, macro.body, found, where, bits)
        elif (expected := _expected(name, bits)) is not None:
            checked[name] = _compare_constant(name, found, where, bits, expected)
    return checked


def _compared_declarations(found: Declarations, bits: int) -> dict[str, Finding | None]:
    """The constants, enumerators and typedefs that Winsock has too; None if they are correct."""
    checked: dict[str, Finding | None] = {}
    for name, line in found.defined_at.items():
        if name in found.macros:
            continue
        if name in _TYPES and name in found.aliases:
            checked[name] = _compare_type(name, found.aliases[name], found.place(line), bits, f"typedef {{}} {name};")
        elif name in found.constants and (expected := _expected(name, bits)) is not None:
            checked[name] = _compare_value(name, found.constants[name], expected, found.place(line), bits)
    return checked


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")


def _expected(name: str, bits: int) -> int | None:
    """Winsock's value; None if the name has none, or one for the other kind of terminal."""
    if name in ("INVALID_SOCKET32", "INVALID_SOCKET64"):
        return constants.INVALID_SOCKET if name.endswith(str(bits)) else None
    return _VALUES.get(name)


def _compare_constant(name: str, found: Declarations, where: str, bits: int, expected: int) -> Finding | None:
    macro = found.macros[name]
    try:
        value = number(found, macro.body, macro.line)
    except MqlError as error:
        text = f"{where}: its value is not known: {error}"
        return Finding(None, f"constant {name}", text, facts={"constant": name, "expected": expected})
    return _compare_value(name, value, expected, where, bits)


def _compare_value(name: str, value: int, expected: int, where: str, bits: int) -> Finding | None:
    """Compares in the width of the type: -1 and 0xFFFFFFFF are the same number of 32 bits."""
    width = bits if name.startswith("INVALID_SOCKET") else 32
    if -(1 << (width - 1)) <= value < 1 << width and (value - expected) % (1 << width) == 0:
        return None
    socket = name.startswith("INVALID_SOCKET")
    right = "-1" if socket or name == "SOCKET_ERROR" else _number(expected)
    text = f"{where}: it is {_number(value)}, Winsock's is {right}" + (f" in {bits} bits" if socket else "")
    plain = "(-1)" if right == "-1" else str(expected) if expected < _LARGE else f"0x{expected:X}"
    facts = {"constant": name, "value": value, "expected": expected}
    return Finding(False, f"constant {name}", text, f"#define {name} {plain}", facts)


def _number(value: int) -> str:
    return str(value) if -_LARGE < value < _LARGE else f"{value} (0x{value & 0xFFFFFFFFFFFFFFFF:X})"


def _compare_type_macro(name: str, body: Sequence[Token], found: Declarations, where: str, bits: int) -> Finding | None:
    try:
        kind = " ".join(token.text for token in expanded(body, found.macros))
    except MqlError as error:
        return Finding(None, f"type {name}", f"{where}: {error}")
    return _compare_type(name, found.aliases.get(kind, kind), where, bits, f"#define {name} {{}}")


def _compare_type(name: str, kind: str, where: str, bits: int, declaration: str) -> Finding | None:
    """`declaration` is the form of the correct one, with {} for the type."""
    size, expected = MQL_TYPES.get(kind), _TYPES[name] or bits // 8
    if size is None:
        return Finding(None, f"type {name}", f"{where}: {kind} is not a simple type of MQL")
    if size == expected:
        return None
    right = {1: "uchar", 2: "ushort", 4: "uint", 8: "ulong"}[expected]
    width = "" if _TYPES[name] else f" on {bits}-bit Windows"
    text = f"{where}: {kind} has {size} bytes, Winsock's {name} has {expected}{width}"
    facts = {"type": name, "size": size, "expected": expected}
    return Finding(False, f"type {name}", text, declaration.format(right), facts)


def _compare_macro(name: str, found: Declarations, where: str) -> Finding | None:
    line = found.macros[name].line
    for arguments, expected in _CALLS[name]:
        call = f"{name}({', '.join(map(hex, arguments))})"
        try:
            value = number(found, list(_call(name, arguments, line)), line)
        except MqlError as error:
            return Finding(None, f"macro {name}", f"{where}: its value is not known: {error}")
        if value != expected:
            text = f"{where}: {call} is {value:#x}, Winsock's is {expected:#x}"
            return Finding(False, f"macro {name}", text, facts={"macro": name, "value": value, "expected": expected})
    return None


def _call(name: str, arguments: Sequence[int], line: int) -> Iterable[Token]:
    yield Token(name, line)
    for index, argument in enumerate(arguments):
        yield Token("," if index else "(", line)
        yield Token(str(argument), line)
    yield Token(")", line)

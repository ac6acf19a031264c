"""The declarations of winsock, for pointers of this process and of 32 bits, and the layouts of MQL."""

from __future__ import annotations

import ast
import builtins
import ctypes
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import winsock
from winsock import constants, errors, structures

PACKAGE = Path(str(winsock.__file__)).parent
BITS = 8 * struct.calcsize("P")


class Pointer32(ctypes.c_uint32):
    """A 32-bit pointer."""


def _ctypes(bits: int) -> ModuleType:
    """The module ctypes of a process of that width, as far as layouts are concerned."""
    if bits == BITS:
        return ctypes
    assert bits == 32
    module = ModuleType("ctypes")
    vars(module).update(vars(ctypes))
    vars(module).update(c_void_p=Pointer32, c_char_p=Pointer32, c_size_t=ctypes.c_uint32, POINTER=lambda _: Pointer32)
    return module


@cache
def module(name: str, bits: int) -> dict[str, Any]:
    """The names of winsock.NAME in a process of that width: the same source, executed with pointers of that width."""
    loaded = {"constants": constants, "structures": structures}[name]
    if bits == BITS:
        return vars(loaded)
    narrow = _ctypes(bits)

    def load(wanted: str, *arguments: Any) -> Any:
        return narrow if wanted == "ctypes" else builtins.__import__(wanted, *arguments)

    names = {
        "__name__": f"{loaded.__name__}_{bits}",
        "__package__": "winsock",
        "__builtins__": vars(builtins) | {"__import__": load},
    }
    exec(compile((PACKAGE / f"{name}.py").read_text(encoding="utf-8"), f"{name}_{bits}", "exec"), names)
    return names


def constants_of(bits: int) -> dict[str, int]:
    """All integer constants of winsock by name."""
    names = [*constants.__all__, *(name for name in errors.__all__ if isinstance(getattr(errors, name), int))]
    return {name: module("constants", bits).get(name, getattr(winsock, name)) for name in names}


def structures_of(bits: int) -> dict[str, type[ctypes.Structure]]:
    """All structures of winsock by name."""
    found = {name: module("structures", bits)[name] for name in structures.__all__}
    return {
        name: value for name, value in found.items() if isinstance(value, type) and issubclass(value, ctypes.Structure)
    }


def layout(kind: type[ctypes.Structure | ctypes.Union], name: str) -> dict[str, int]:
    """Size, alignment, and offset, size and sign of every field, each by the C expression that computes it."""
    facts = {f"sizeof({name})": ctypes.sizeof(kind), f"_Alignof({name})": ctypes.alignment(kind)}
    for path, offset, field in _fields(kind):
        member = f"(({name} *)0)->{path}"
        facts[f"offsetof({name}, {path})"] = offset
        facts[f"sizeof({member})"] = ctypes.sizeof(field)
        if number_kind := integer(field):
            facts[f"(__typeof__({member}))-1 < 0"] = int(number_kind.startswith("i"))
    return facts


def _fields(kind: Any, prefix: str = "", start: int = 0) -> Iterator[tuple[str, int, Any]]:
    for name, field in kind._fields_:
        offset = start + getattr(kind, name).offset
        yield prefix + name, offset, field
        if issubclass(field, ctypes.Structure | ctypes.Union):
            yield from _fields(field, f"{prefix}{name}.", offset)


def integer(kind: Any) -> str:
    """The sign and size of a ctypes integer, such as 'i4' or 'u2'; '' for anything else."""
    code = getattr(kind, "_type_", None)
    if issubclass(kind, Pointer32) or not isinstance(code, str) or code not in "bBhHiIlLqQ":
        return ""
    return f"{'i' if code.islower() else 'u'}{ctypes.sizeof(kind)}"


def kind_of(kind: Any) -> str:
    """How C passes a ctypes type: 'void', 'pointer', 'struct NAME', or an integer such as 'i4'."""
    if kind is None:
        return "void"
    if number := integer(kind):
        return number
    return f"struct {kind.__name__}" if issubclass(kind, ctypes.Structure) else "pointer"


def declared(bits: int) -> dict[str, tuple[Any, list[Any]]]:
    """restype and argtypes of each function of Ws2_32.dll, read from the source of winsock.ws2_32."""
    names = vars(_ctypes(bits)) | module("structures", bits)
    names["_in_addr"] = names["in_addr"]
    found = {}
    for node in ast.walk(ast.parse((PACKAGE / "ws2_32.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_declare":
            name, result, *arguments = (eval(ast.unparse(argument), names) for argument in node.args)
            found[name] = result, arguments
    return found


# Structures of MQL have no padding.


class printed_sockaddr_in(ctypes.Structure):
    """sockaddr_in of the printed listing: it declares in_addr as a ulong, which has 8 bytes in MQL."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [
        ("sin_family", ctypes.c_uint16),
        ("sin_port", ctypes.c_uint16),
        ("sin_addr", ctypes.c_uint64),
        ("sin_zero", ctypes.c_char * 8),
    ]


class printed_ref_sockaddr(ctypes.Structure):
    """The byte array of the printed listing, to which an address is cast."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("ref", ctypes.c_char * 16)]


class attached_in_addr(ctypes.Union):
    """in_addr of the attached library."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("u_b", ctypes.c_uint8 * 4), ("u_w", ctypes.c_uint16 * 2), ("u_i", ctypes.c_uint32)]


class attached_sockaddr_in(ctypes.Structure):
    """sockaddr_in of the attached library."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [
        ("sin_family", ctypes.c_uint16),
        ("sin_port", ctypes.c_uint16),
        ("sin_addr", attached_in_addr),
        ("sin_zero", ctypes.c_char * 8),
    ]


class attached_ref_sockaddr(ctypes.Union):
    """The address union of the attached library: programs fill in `in` and pass `ref`."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("ref", ctypes.c_char * 16), ("in_", attached_sockaddr_in)]


class mql_WSAData(ctypes.Structure):
    """WSAData of both, without its last field, which is a dynamic array in MQL."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [
        ("wVersion", ctypes.c_uint16),
        ("wHighVersion", ctypes.c_uint16),
        ("szDescription", ctypes.c_char * 257),
        ("szSystemStatus", ctypes.c_char * 129),
        ("iMaxSockets", ctypes.c_uint16),
        ("iMaxUdpDg", ctypes.c_uint16),
    ]

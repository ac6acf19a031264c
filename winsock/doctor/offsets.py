"""Computes the size of a structure and the offsets of its fields, as MQL and C do.

A field is aligned to its own alignment or to the structure's pack value, whichever is smaller. MQL's pack value is 1 by
default: no gaps. C compilers on Windows use 8.
"""

from __future__ import annotations

from typing import NamedTuple

from .declarations import Field, Struct
from .mql_macros import MqlError

__all__ = ["Layout", "PlacedField", "lay_out"]

# A structure of MQL is smaller than 2 GB. The limit of nesting keeps a recursion short.
_MAX_SIZE = (1 << 31) - 1
_MAX_DEPTH = 50


class PlacedField(NamedTuple):
    """A field with its offset and size in bytes; the size of a dynamic array is -1."""

    field: Field
    offset: int
    size: int


class Layout(NamedTuple):
    """The size and alignment of a structure in bytes, and its fields."""

    size: int
    align: int
    fields: list[PlacedField]


def lay_out(name: str, structs: dict[str, Struct], types: dict[str, int], pack: int | None = None) -> Layout:
    """The layout of the structure `name`. `types` has the sizes of the simple types; `pack` overrides the source's.

    Errors: MqlError for a declaration that could not be parsed, an undeclared type, or a structure that contains
    itself.
    """
    return _Layouts(structs, types, pack).of(name, ())


class _Layouts:
    """Layouts by name: a structure that others contain many times is computed once."""

    def __init__(self, structs: dict[str, Struct], types: dict[str, int], pack: int | None) -> None:
        self._structs, self._types, self._pack = structs, types, pack
        self._known: dict[str, Layout] = {}

    def of(self, name: str, outer: tuple[str, ...]) -> Layout:
        if name not in self._known:
            struct = self._structs[name]
            if struct.error:
                raise struct.error
            if name in outer:
                raise MqlError(struct.line, f"{struct.shown} contains itself")
            if len(outer) > _MAX_DEPTH:
                raise MqlError(struct.line, f"{struct.shown} is nested too deeply")
            self._known[name] = self._computed(struct, (*outer, name))
        return self._known[name]

    def _computed(self, struct: Struct, outer: tuple[str, ...]) -> Layout:
        limit = self._pack or struct.pack
        offset, size, greatest = 0, 0, 1
        fields: list[PlacedField] = []
        if struct.base and struct.base != "enum":
            if struct.base not in self._structs:
                raise MqlError(struct.line, f"the base {struct.base} of {struct.shown} is not declared in this source")
            size, greatest, inherited = self.of(struct.base, outer)
            fields, offset = list(inherited), size
        for member in struct.fields:
            one, natural = self._size_and_alignment(member, outer)
            if -1 in member.sizes:
                fields.append(PlacedField(member, offset, -1))
                continue
            align = min(limit, natural)
            for count in member.sizes:
                one *= count
            start = 0 if struct.union else _rounded_up(offset, align)
            fields.append(PlacedField(member, start, one))
            offset = start + one
            if offset > _MAX_SIZE:
                raise MqlError(member.line, f"{member.name} ends beyond 2 GB, the largest size of a structure")
            size, greatest = max(size, offset), max(greatest, align)
        return Layout(_rounded_up(size, greatest), greatest, fields)

    def _size_and_alignment(self, member: Field, outer: tuple[str, ...]) -> tuple[int, int]:
        """Of one element, if the field is an array."""
        if member.type.endswith(("*", "&")):
            return self._types["pointer"], self._types["pointer"]
        if member.type in self._types:
            return self._types[member.type], self._types[member.type]
        if member.type in self._structs:
            inner = self.of(member.type, outer)
            return inner.size, inner.align
        raise MqlError(member.line, f"{member.type} is neither a simple type of MQL nor declared in this source")


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple

"""Computes the size of a structure and the offsets of its fields, as MQL and C do.

A field is aligned to its own alignment or to the structure's pack value, whichever is smaller. MQL's pack value is 1 by
default: no gaps. C compilers on Windows use 8.
"""

from __future__ import annotations

from typing import NamedTuple

from .mql_structs import Field, MqlError, Struct

__all__ = ["Layout", "PlacedField", "lay_out"]


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

    Errors: MqlError for an undeclared type, or a structure that contains itself.
    """
    return _lay_out(name, structs, types, pack, ())


def _lay_out(
    name: str, structs: dict[str, Struct], types: dict[str, int], pack: int | None, outer: tuple[str, ...]
) -> Layout:
    struct = structs[name]
    if name in outer:
        raise MqlError(struct.line, f"{name} contains itself")
    outer = (*outer, name)
    limit = pack or struct.pack
    offset, size, greatest = 0, 0, 1
    fields: list[PlacedField] = []
    if struct.base and struct.base != "enum":
        if struct.base not in structs:
            raise MqlError(struct.line, f"the base {struct.base} of {name} is not declared in this source")
        size, greatest, fields = _lay_out(struct.base, structs, types, pack, outer)
        offset = size
    for member in struct.fields:
        one, natural = _size_and_alignment(member, structs, types, pack, outer)
        if -1 in member.sizes:
            fields.append(PlacedField(member, offset, -1))
            continue
        align = min(limit, natural)
        for count in member.sizes:
            one *= count
        start = 0 if struct.union else _rounded_up(offset, align)
        fields.append(PlacedField(member, start, one))
        offset = start + one
        size, greatest = max(size, offset), max(greatest, align)
    return Layout(_rounded_up(size, greatest), greatest, fields)


def _size_and_alignment(
    member: Field, structs: dict[str, Struct], types: dict[str, int], pack: int | None, outer: tuple[str, ...]
) -> tuple[int, int]:
    """Of one element, if the field is an array."""
    if member.type.endswith(("*", "&")):
        return types["pointer"], types["pointer"]
    if member.type in types:
        return types[member.type], types[member.type]
    if member.type in structs:
        inner = _lay_out(member.type, structs, types, pack, outer)
        return inner.size, inner.align
    raise MqlError(member.line, f"{member.type} is neither a type of MQL nor declared in this source")


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple

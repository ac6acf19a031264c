"""Where MQL, and C with pack(8), put the fields of a structure in memory."""

from __future__ import annotations

from typing import NamedTuple

from .mql import Field, MqlError, Struct

__all__ = ["Layout", "Place", "lay_out"]


class Place(NamedTuple):
    """Where a field lies, and its size; -1 is one that has no bytes of its own, as an array without a size."""

    field: Field
    offset: int
    size: int


class Layout(NamedTuple):
    size: int
    align: int
    places: list[Place]


def lay_out(name: str, structs: dict[str, Struct], types: dict[str, int], pack: int | None = None) -> Layout:
    """Where the fields of a structure lie. `types` are the simple types' sizes; `pack` stands in for the source's.

    Errors: MqlError for a type that nobody has declared, or a structure that holds itself.
    """
    return _lay_out(name, structs, types, pack, ())


def _lay_out(
    name: str, structs: dict[str, Struct], types: dict[str, int], pack: int | None, outer: tuple[str, ...]
) -> Layout:
    struct = structs[name]
    if name in outer:
        raise MqlError(struct.line, f"{name} holds itself")
    limit = pack or struct.pack
    offset, size, greatest = 0, 0, 1
    places: list[Place] = []
    if struct.base and struct.base != "enum":
        if struct.base not in structs:
            raise MqlError(struct.line, f"{struct.base}, which {name} is made from, is not declared in this source")
        size, greatest, places = _lay_out(struct.base, structs, types, pack, (*outer, name))
        offset = size
    for member in struct.fields:
        if member.type.endswith(("*", "&")):
            one = natural = types["pointer"]
        elif member.type in types:
            one = natural = types[member.type]
        elif member.type in structs:
            inner = _lay_out(member.type, structs, types, pack, (*outer, name))
            one, natural = inner.size, inner.align
        else:
            raise MqlError(member.line, f"{member.type} is neither a type of MQL nor declared in this source")
        if -1 in member.sizes:
            places.append(Place(member, offset, -1))
            continue
        align = min(limit, natural)
        for count in member.sizes:
            one *= count
        here = 0 if struct.union else -(-offset // align) * align
        places.append(Place(member, here, one))
        offset = here + one
        size, greatest = max(size, offset), max(greatest, align)
    return Layout(-(-size // greatest) * greatest, greatest, places)

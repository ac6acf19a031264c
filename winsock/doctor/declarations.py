"""What MQL source declares: structures, prototypes, constants and macros."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .mql_macros import Macro, MqlError, Token
from .source_files import LineTable

__all__ = ["MQL_TYPES", "Declarations", "Field", "Parameter", "Prototype", "Struct"]

# Sizes of MQL5's simple types in bytes; an enum has 4.
MQL_TYPES = {
    "char": 1, "uchar": 1, "bool": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "color": 4, "float": 4,
    "long": 8, "ulong": 8, "double": 8, "datetime": 8,
}  # fmt: skip


class Field(NamedTuple):
    """A field: its type, its name, and the sizes of its array dimensions; -1 is a dynamic array."""

    type: str
    name: str
    sizes: tuple[int, ...]
    line: int

    def __str__(self) -> str:
        kind = "{...}" if "::" in self.type else self.type
        return f"{kind} {self.name}" + "".join(f"[{'' if size < 0 else size}]" for size in self.sizes)


@dataclass
class Struct:
    """A struct or union; `pack` limits the alignment of its fields (1 if the source has no pack).

    `error` is the reason why the rest of the declaration could not be parsed.
    """

    name: str
    line: int
    union: bool = False
    pack: int = 1
    base: str = ""
    fields: list[Field] = field(default_factory=list)
    error: MqlError | None = None

    @property
    def shown(self) -> str:
        """The name for messages; a structure without a name has an internal one that contains ::."""
        outer, inner, _ = self.name.partition("::")
        if not inner:
            return self.name
        return f"a structure inside {outer}" if outer else "a structure without a name"


class Parameter(NamedTuple):
    """A parameter of a prototype; `reference` says whether it is passed as a pointer (&, an array, or *)."""

    type: str
    name: str
    reference: bool


class Prototype(NamedTuple):
    """A prototype in `#import`; `text` is its source."""

    result: str
    name: str
    parameters: tuple[Parameter, ...]
    text: str
    line: int


@dataclass
class Declarations:
    """The declarations of a source.

    `prototypes` are those that `#import` takes from Winsock's DLL. `tokens` are the tokens of the whole source.
    `constants` are enumerators and values of `const int NAME = value;`.
    `aliases` are the names of `typedef` with their types. `defined_at` has the line of each of these constants and
    aliases. `lines` says which file and line a line number stands for.
    `not_included` are the directives #include that were not followed: line, name and reason. `unknown_conditions` says
    whether the declarations depend on a condition of #if that is not known.
    """

    lines: LineTable = field(default_factory=LineTable)
    not_included: list[tuple[int, str, str]] = field(default_factory=list)
    unknown_conditions: bool = False
    structs: dict[str, Struct] = field(default_factory=dict)
    prototypes: list[Prototype] = field(default_factory=list)
    constants: dict[str, int] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    defined_at: dict[str, int] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)

    def add_constant(self, name: Token, value: int) -> None:
        """Adds a constant; the first definition of a name is kept."""
        if name.text not in self.constants:
            self.constants[name.text] = value
            self.defined_at[name.text] = name.line

    def place(self, line: int) -> str:
        """The file and the line that this line number stands for, for messages."""
        return "{}:{}".format(*self.lines.place(line))

"""Turns the project's docstrings into Markdown for the API reference.

A docstring starts with the C prototype or with what the function does; `Errors:` lists the error codes with their
causes, and `Source:` names the page of Microsoft's reference.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_PROTOTYPE = re.compile(r"\A([^\n]*\([^;.]*\);)\n", re.DOTALL)
# A macro: the prototype and a colon.
_MACRO = re.compile(r"\A(\w+ [A-Z_]+\([^)]*\)): (\w)")
_SOURCE = re.compile(r"^Source: (https://\S+)$", re.MULTILINE)
_OTHER_SOURCE = re.compile(r"^Source: ", re.MULTILINE)
_ERRORS = re.compile(r"^Errors:\n((?:    .*\n?)+)", re.MULTILINE)
_COMMANDS = re.compile(r"^((?:    [A-Z]\w+: .*\n(?:    (?![A-Z]\w+: ).*\n)*)+)", re.MULTILINE)
_ITEM = re.compile(r"^    ([A-Z][\w, ()]*): ")


def items(block: str) -> str:
    """A list of indented entries `NAME: text`, which may continue on the next lines, as a Markdown list."""
    lines = []
    for line in block.splitlines():
        found = _ITEM.match(line)
        if found:
            names = re.sub(r"\w+", lambda name: f"`{name[0]}`", found[1])
            lines.append(f"- {names}: {line[found.end() :]}")
        else:
            lines.append(f"  {line.strip()}")
    return "\n".join(lines) + "\n"


def as_markdown(text: str) -> str:
    """A docstring as Markdown."""
    text = _PROTOTYPE.sub(lambda found: f"```c\n{found[1]}\n```\n", text)
    text = _MACRO.sub(lambda found: f"```c\n{found[1]};\n```\n\n{found[2].upper()}", text)
    text = _ERRORS.sub(lambda found: f"**Errors**\n\n{items(found[1])}\n", text)
    text = _COMMANDS.sub(lambda found: f"\n{items(found[1])}\n", text)
    text = re.sub(r"^Errors: none\.$", "**Errors**: none.\n", text, flags=re.MULTILINE)
    text = re.sub(r"^Errors: ", "**Errors**: ", text, flags=re.MULTILINE)
    text = _SOURCE.sub(r"\n[Microsoft's reference](<\1>)", text)
    return _OTHER_SOURCE.sub("\nSource: ", text)


def fields(obj: griffe.Class) -> str:
    """The fields of a structure with their Python types, as a Markdown list."""
    found = [
        f"- `{name}`: {member.annotation}"
        for name, member in obj.members.items()
        if isinstance(member, griffe.Attribute) and member.annotation and not name.startswith("_")
    ]
    return "\n".join(["", "", "**Fields**", "", *found]) if found else ""


class Docstrings(griffe.Extension):
    """Changes the docstring of every object, adds the fields of structures, and leaves `self` out of the signatures."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
        if isinstance(obj, griffe.Function) and "self" in obj.parameters:
            del obj.parameters["self"]

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        if cls.docstring and "_Structure" in map(str, cls.bases):
            cls.docstring.value += fields(cls)

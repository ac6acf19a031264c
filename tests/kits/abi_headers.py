"""Reads declarations of the Windows headers of mingw-w64, with its compiler and from its preprocessor's output."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

COMPILERS = {64: "x86_64-w64-mingw32-gcc", 32: "i686-w64-mingw32-gcc"}
MISSING = (
    "needs mingw-w64's compilers, which are not seen from Wine; "
    "on Linux: apt-get install gcc-mingw-w64-x86-64 gcc-mingw-w64-i686, or tests/wine/build.py"
)
HEADERS = "".join(f"#include <{name}>\n" for name in ("winsock2.h", "ws2tcpip.h", "mswsock.h", "mstcpip.h", "stddef.h"))
# Declarations up to Windows 10.
OPTIONS = ("-D_WIN32_WINNT=0x0A00", "-DWIN32_LEAN_AND_MEAN")

PROGRAM = """\
#include <stdio.h>
{headers}{preamble}
const long long facts[] __attribute__((section("facts"), used)) = {{
{facts}
}};
int main(void) {{
    for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); ++i)
        printf("%lld\\n", facts[i]);
    return 0;
}}
"""

# Compiler extensions that pycparser does not parse. Assembly is __asm__ (…) or __asm__ __volatile__ (…); of the second
# form one word remains, which is a valid statement.
EXTENSIONS = (
    "__asm__=__volatile__",
    "__volatile__(...)=",
    "__attribute__(x)=",
    "__builtin_offsetof(type, member)=0",
    "__builtin_va_list=int",
    "__cdecl=",
    "__declspec(x)=",
    "__extension__=",
    "__inline=",
    "__inline__=",
    "__restrict__=",
    "__stdcall=",
)


def needs_compiler(bits: int) -> None:
    """Skips the test if there is no compiler for Windows."""
    if shutil.which(COMPILERS[bits]) is None:
        pytest.skip(MISSING)


def compiler(bits: int, *arguments: str | Path, source: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMPILERS[bits], *OPTIONS, *arguments],
        input=source,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )


def tool(bits: int, name: str) -> str:
    """The path of a program of the compiler."""
    return compiler(bits, f"-print-prog-name={name}").stdout.strip()


def output(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def program(expressions: Iterable[str], preamble: str = "") -> str:
    """C source that contains the values of the expressions and prints them when it runs."""
    facts = ",\n".join(f"    (long long)({expression})" for expression in expressions)
    return PROGRAM.format(headers=HEADERS, preamble=preamble, facts=facts)


def values(bits: int, expressions: Iterable[str], preamble: str = "", *options: str) -> dict[str, int]:
    """The values of integer constant expressions, read from the object file, so that no program has to run."""
    asked = list(expressions)
    with TemporaryDirectory() as folder:
        code, facts = Path(folder, "facts.o"), Path(folder, "facts.bin")
        done = compiler(bits, *options, "-c", "-xc", "-", "-o", code, source=program(asked, preamble))
        assert done.returncode == 0, done.stderr
        output(tool(bits, "objcopy"), "-O", "binary", "--only-section=facts", code, facts)
        found = struct.unpack(f"<{len(asked)}q", facts.read_bytes()[: 8 * len(asked)])
    return dict(zip(asked, found, strict=True))


def undeclared(bits: int, names: Iterable[str]) -> set[str]:
    """The names that the headers do not declare."""
    done = compiler(bits, "-fsyntax-only", "-fmax-errors=0", "-xc", "-", source=program(names))
    missing = set(re.findall(r"error: '(\w+)' undeclared", done.stderr))
    assert len(missing) == len(re.findall(r"error: ", done.stderr)), done.stderr
    return missing


def linked_bytes(bits: int, names: Iterable[str]) -> dict[str, int | None]:
    """The size of the arguments of each function in bytes, from its linker name; None if the name has no size."""
    source = HEADERS + "".join(f"void *p_{name} = {name};\n" for name in names)
    with TemporaryDirectory() as folder:
        code = Path(folder, "functions.o")
        done = compiler(bits, "-w", "-c", "-xc", "-", "-o", code, source=source)
        assert done.returncode == 0, done.stderr
        symbols = output(tool(bits, "nm"), "--undefined-only", code)
    found = re.findall(r"U (?:__imp_)?_?(\w+?)(?:@(\d+))?$", symbols, re.MULTILINE)
    return {name: int(size) if size else None for name, size in found}


@cache
def _declarations(bits: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The typedefs and functions of the headers by name, as types of pycparser."""
    pycparser = pytest.importorskip("pycparser", reason="needs pycparser: pip install pycparser")
    ast = pycparser.c_ast
    redefined = [f"-U{name.partition('=')[0].partition('(')[0]}" for name in EXTENSIONS]
    done = compiler(bits, *redefined, *(f"-D{name}" for name in EXTENSIONS), "-E", "-xc", "-", source=HEADERS)
    assert done.returncode == 0, done.stderr
    lines = []
    wanted = True
    for line in done.stdout.splitlines():
        if marker := re.match(r'# \d+ "(.*?)"', line):
            # The compiler's own headers declare intrinsics, except for a few of the C standard.
            own = "/lib/gcc/" in marker[1].replace("\\\\", "/") and "/std" not in marker[1]
            wanted = not own and "intrin" not in marker[1]
        elif wanted and not line.startswith("#"):
            lines.append(line)
    tree = pycparser.CParser().parse("\n".join(lines))
    types = {node.name: node.type for node in tree.ext if isinstance(node, ast.Typedef)}
    functions = {
        node.name: node.type for node in tree.ext if isinstance(node, ast.Decl) and isinstance(node.type, ast.FuncDecl)
    }
    return types, functions


def prototype(bits: int, name: str) -> tuple[str, list[str]]:
    """The kinds of the result and of the parameters of a function in the headers."""
    _, functions = _declarations(bits)
    function = functions[name]
    kinds = [_kind(bits, parameter.type) for parameter in function.args.params]
    return _kind(bits, function.type), [] if kinds == ["void"] else kinds


def _kind(bits: int, node: Any) -> str:
    """'void', 'pointer', 'struct NAME', or an integer's sign and bytes: 'i4', 'u2'."""
    types, _ = _declarations(bits)
    shape = type(node).__name__
    if shape in ("PtrDecl", "ArrayDecl"):
        return "pointer"
    if shape == "TypeDecl":
        return _kind(bits, node.type)
    if shape == "Struct":
        return f"struct {node.name}"
    assert shape == "IdentifierType", shape
    words = node.names
    if len(words) == 1 and words[0] in types:
        return _kind(bits, types[words[0]])
    if words == ["void"]:
        return "void"
    size = 1 if "char" in words else 2 if "short" in words else 8 if words.count("long") == 2 else 4
    return f"{'u' if 'unsigned' in words else 'i'}{size}"

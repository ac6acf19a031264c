"""Compares the prototypes of an MQL program's `#import` with those of Winsock.

How a value of the wrong size fails: on 64-bit Windows an argument and a result are in a register of 8 bytes, and only
the bytes of their C type are defined. A smaller MQL type loses bytes; a larger result has undefined ones. On 32-bit
Windows the arguments are on the stack, each in 4 bytes, and the function removes them: an argument of 8 bytes shifts
all others.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from .declarations import MQL_TYPES, Declarations, Parameter, Prototype
from .findings import Finding
from .mql_macros import MqlError
from .offsets import lay_out

__all__ = ["C_PROTOTYPES", "compare_prototypes"]

# As in Microsoft's reference; __WSAFDIsSet is the function behind the macro FD_ISSET.
C_PROTOTYPES = """
int WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData);
int WSACleanup(void);
int WSAGetLastError(void);
void WSASetLastError(int iError);
SOCKET socket(int af, int type, int protocol);
int ioctlsocket(SOCKET s, long cmd, u_long *argp);
int bind(SOCKET s, const struct sockaddr *name, int namelen);
int connect(SOCKET s, const struct sockaddr *name, int namelen);
int listen(SOCKET s, int backlog);
SOCKET accept(SOCKET s, struct sockaddr *addr, int *addrlen);
int send(SOCKET s, const char *buf, int len, int flags);
int recv(SOCKET s, char *buf, int len, int flags);
int sendto(SOCKET s, const char *buf, int len, int flags, const struct sockaddr *to, int tolen);
int recvfrom(SOCKET s, char *buf, int len, int flags, struct sockaddr *from, int *fromlen);
int shutdown(SOCKET s, int how);
int closesocket(SOCKET s);
int getsockname(SOCKET s, struct sockaddr *name, int *namelen);
int getpeername(SOCKET s, struct sockaddr *name, int *namelen);
int setsockopt(SOCKET s, int level, int optname, const char *optval, int optlen);
int getsockopt(SOCKET s, int level, int optname, char *optval, int *optlen);
int select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, const struct timeval *timeout);
int WSAPoll(LPWSAPOLLFD fdArray, ULONG fds, INT timeout);
u_short htons(u_short hostshort);
u_short ntohs(u_short netshort);
u_long htonl(u_long hostlong);
u_long ntohl(u_long netlong);
unsigned long inet_addr(const char *cp);
char *inet_ntoa(struct in_addr in);
PCSTR inet_ntop(INT Family, const VOID *pAddr, PSTR pStringBuf, size_t StringBufSize);
INT inet_pton(INT Family, PCSTR pszAddrString, PVOID pAddrBuf);
int gethostname(char *name, int namelen);
INT getaddrinfo(PCSTR pNodeName, PCSTR pServiceName, const ADDRINFOA *pHints, PADDRINFOA *ppResult);
VOID freeaddrinfo(PADDRINFOA pAddrInfo);
INT getnameinfo(const SOCKADDR *pSockaddr, socklen_t SockaddrLength, PCHAR pNodeBuffer, DWORD NodeBufferSize,
        PCHAR pServiceBuffer, DWORD ServiceBufferSize, INT Flags);
struct hostent *gethostbyname(const char *name);
int __WSAFDIsSet(SOCKET s, fd_set *set);
"""
# Macros of winsock2.h, which a DLL does not export.
_MACROS = ("FD_SET", "FD_CLR", "FD_ZERO", "FD_ISSET", "MAKEWORD", "LOBYTE", "HIBYTE")
_SIZES = {"WORD": 2, "u_short": 2, "void": 0, "VOID": 0}


class _CType(NamedTuple):
    """A C type: its size in bytes on 32-bit and 64-bit Windows, and what it points to.

    `target` is "" for a value, "text" for char, "number" for an integer of 4 bytes, or the name of a structure.
    """

    name: str
    sizes: tuple[int, int]
    target: str = ""
    constant: bool = False

    def size(self, bits: int) -> int:
        return self.sizes[bits == 64]


class _CPrototype(NamedTuple):
    result: _CType
    name: str
    parameters: tuple[tuple[str, _CType], ...]


_TARGETS = {
    "char": "text", "PSTR": "text", "PCSTR": "text", "PCHAR": "text", "u_long": "number", "int": "number",
    "LPWSADATA": "WSADATA", "LPWSAPOLLFD": "WSAPOLLFD", "PADDRINFOA": "addrinfo", "ADDRINFOA": "addrinfo",
    "SOCKADDR": "sockaddr", "PVOID": "bytes", "VOID": "bytes",
}  # fmt: skip


def _c_type(text: str) -> _CType:
    name = text.replace("*", "").replace("struct", "").replace("const", "").strip()
    pointer = "*" in text or (name.startswith(("P", "LP")) and name in _TARGETS)
    constant = "const" in text or name == "PCSTR"
    if name.startswith("P") and "*" in text:
        return _CType(name + " *", (4, 8), "pointer")
    if pointer:
        return _CType(text, (4, 8), _TARGETS.get(name, name), constant)
    if name in ("SOCKET", "size_t"):
        return _CType(name, (4, 8))
    size = _SIZES.get(name, 4)
    return _CType(name, (size, size))


@cache
def _known() -> dict[str, _CPrototype]:
    known = {}
    for result, name, inside in re.findall(r"([\w ]+\*? ?)\b(\w+)\(([^()]*)\);", C_PROTOTYPES):
        parameters = []
        for part in inside.split(",") if inside != "void" else ():
            kind, own = re.fullmatch(r"\s*(.*?)(\w+)\s*", part, re.DOTALL).groups()  # type: ignore[union-attr]
            parameters.append((own, _c_type(kind.strip())))
        known[name] = _CPrototype(_c_type(result.strip()), name, tuple(parameters))
    return known


def compare_prototypes(found: Declarations, bits: int) -> list[Finding]:
    """One finding for each wrong function of the import, and one for all that are correct.

    A function may be declared several times, for terminals of 32 and 64 bits: one correct declaration is enough.
    """
    by_name: dict[str, list[Prototype]] = {}
    for prototype in found.prototypes:
        by_name.setdefault(prototype.name, []).append(prototype)
    findings, correct, unknown = [], [], []
    for name, declared in by_name.items():
        if name not in _known():
            unknown.append(declared[0])
            continue
        differences = [_differences(prototype, found, bits) for prototype in declared]
        if [] in differences:
            correct.append(name)
            continue
        wrong, prototype = min(zip(differences, declared, strict=True), key=lambda pair: len(pair[0]))
        text = "\n".join([f"{found.place(prototype.line)}: {prototype.text}", *wrong])
        advice = f"Correct declaration: {_as_mql(_known()[name], bits)}"
        facts = {"function": name, "line": found.lines.place(prototype.line)[1], "wrong": wrong}
        findings.append(Finding(False, f"function {name}", text, advice, facts))
    findings += _not_exported(unknown, found)
    if correct:
        found_text = f"correct for {bits}-bit Windows: {', '.join(correct)}"
        findings.append(Finding(True, "functions", found_text, facts={"functions": correct}))
    return findings


def _not_exported(unknown: list[Prototype], found: Declarations) -> list[Finding]:
    findings, others = [], []
    spelled = {name.lower(): name for name in _known()}
    for prototype in unknown:
        name = prototype.name
        if name in _MACROS:
            text = f"{found.place(prototype.line)}: a macro of winsock2.h; Ws2_32.dll has no such function"
            findings.append(Finding(False, f"function {name}", text, "Write it as a function of the program."))
        elif name.lower() in spelled:
            text = f"{found.place(prototype.line)}: Ws2_32.dll has no such function"
            findings.append(Finding(False, f"function {name}", text, f"Write {spelled[name.lower()]}."))
        else:
            others.append(name)
    if others:
        findings.append(Finding(None, "functions", f"not checked: {', '.join(others)}"))
    return findings


def _differences(prototype: Prototype, found: Declarations, bits: int) -> list[str]:
    expected = _known()[prototype.name]
    if len(prototype.parameters) != len(expected.parameters):
        return [f"It has {len(prototype.parameters)} parameters, Winsock's has {len(expected.parameters)}."]
    wrong = []
    for number, (given, (name, kind)) in enumerate(zip(prototype.parameters, expected.parameters, strict=True), 1):
        if problem := _parameter(given, kind, found, bits):
            wrong.append(f"Parameter {number} ({given.name or name}): {problem}.")
    if problem := _result(prototype.result, expected.result, found, bits):
        wrong.append(f"The result: {problem}.")
    return wrong


def _size(kind: str, found: Declarations, bits: int) -> int | None:
    """The size of an MQL type in bytes; None if it is unknown."""
    kind = found.aliases.get(kind, kind)
    if kind.endswith("*") or kind == "pointer":
        return bits // 8
    if kind in MQL_TYPES:
        return MQL_TYPES[kind]
    try:
        return lay_out(kind, found.structs, MQL_TYPES | {"pointer": bits // 8}).size if kind in found.structs else None
    except MqlError:
        return None


def _parameter(given: Parameter, kind: _CType, found: Declarations, bits: int) -> str:
    """What is wrong with a parameter; "" if nothing is."""
    if kind.target:
        return _pointer(given, kind, found, bits)
    if given.reference:
        return f"it passes a pointer, but Winsock expects a value, {kind.name}"
    if given.type in ("string", "float", "double"):
        return f"{given.type} is not an integer; Winsock expects {kind.name}"
    size, expected = _size(given.type, found, bits), kind.size(bits)
    if size is None:
        return f"the type {given.type} is not declared in this source"
    if size < expected:
        return _too_small(given.type, size, kind, bits)
    if size > 4 and bits == 32:
        return f"{given.type} takes 8 bytes of the stack, Winsock's {kind.name} takes 4; use {_mql_value(kind, bits)}"
    return ""


def _too_small(name: str, size: int, kind: _CType, bits: int) -> str:
    where = f" on {bits}-bit Windows" if kind.sizes[0] != kind.sizes[1] else ""
    return f"{name} has {size} bytes, Winsock's {kind.name} has {kind.size(bits)}{where}; use {_mql_value(kind, bits)}"


def _pointer(given: Parameter, kind: _CType, found: Declarations, bits: int) -> str:
    if given.type == "string":
        return "MQL passes a string as UTF-16, Winsock reads or writes bytes; use uchar &name[] and StringToCharArray"
    size = _size(given.type, found, bits)
    if not given.reference:
        if size is None:
            return f"the type {given.type} is not declared in this source"
        wide = "ulong" if bits == 64 else "uint"
        return "" if size == bits // 8 else f"{given.type} has {size} bytes, a pointer has {bits // 8}; use {wide}"
    if kind.target in ("number", "pointer") and given.type in MQL_TYPES:
        expected = 4 if kind.target == "number" else bits // 8
        # A byte array may have any length.
        if size not in (1, expected):
            return f"it points to {given.type} of {size} bytes, Winsock writes {expected}"
    return ""


def _result(given: str, kind: _CType, found: Declarations, bits: int) -> str:
    if given == "void" or kind.size(bits) == 0:
        return ""
    if given == "string":
        return "Winsock returns a pointer to bytes, MQL reads UTF-16; use " + ("ulong" if bits == 64 else "uint")
    size, expected = _size(given, found, bits), kind.size(bits)
    if size is None:
        return f"the type {given} is not declared in this source"
    if size < expected:
        return _too_small(given, size, kind, bits)
    if size > expected or given in ("float", "double"):
        return (
            f"{given} has {size} bytes, Winsock's {kind.name} has {expected}: the others are undefined; "
            f"use {_mql_value(kind, bits)}"
        )
    return ""


def _mql_value(kind: _CType, bits: int) -> str:
    return {1: "uchar", 2: "ushort", 8: "ulong"}.get(kind.size(bits)) or (
        "uint"
        if kind.target or kind.name in ("SOCKET", "size_t", "u_long", "ULONG", "DWORD", "unsigned long", "in_addr")
        else "int"
    )


def _as_mql(prototype: _CPrototype, bits: int) -> str:
    """The correct declaration in MQL."""
    parts = []
    for name, kind in prototype.parameters:
        const = "const " if kind.constant else ""
        if not kind.target:
            parts.append(f"{_mql_value(kind, bits)} {name}")
        elif kind.target in ("number", "pointer"):
            number = "ulong" if bits == 64 and kind.target == "pointer" else "uint" if "u_long" in kind.name else "int"
            parts.append(f"{number} &{name}")
        elif kind.target in ("text", "bytes"):
            parts.append(f"{const}uchar &{name}[]")
        elif kind.target == "addrinfo":
            parts.append(f"{'ulong' if bits == 64 else 'uint'} {name}")
        else:
            parts.append(f"{const}{kind.target} &{name}")
    result = "void" if prototype.result.size(bits) == 0 else _mql_value(prototype.result, bits)
    return f"{result} {prototype.name}({', '.join(parts)});"

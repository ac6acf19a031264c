"""Compares the declarations of an MQL program with Winsock's.

Structures: sizes, offsets, and what is wrong with them. The other modules compare constants and macros
(definitions.py), imported functions (prototypes.py), and the variable passed to WSAStartup (startup_buffers.py).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Any

from .declarations import MQL_TYPES, Declarations, Field, Struct
from .definitions import compare_definitions
from .findings import Finding
from .mql_macros import MqlError
from .mql_structs import parse, read
from .offsets import Layout, PlacedField, lay_out
from .prototypes import compare_prototypes
from .source_files import Includes, SourceFile
from .startup_buffers import compare_startup_buffers

__all__ = ["compare", "winsock_structures"]

# Winsock's structures in MQL notation; pack(8) gives the alignment of C. `pointer`, SOCKET and size_t are as wide as a
# pointer of the process. The fields of WSADATA are in the order of 64-bit Windows; 32-bit Windows has another order.
_WINSOCK = """
struct WSADATA pack(8) { ushort wVersion; ushort wHighVersion; ushort iMaxSockets; ushort iMaxUdpDg;
  pointer lpVendorInfo; uchar szDescription[257]; uchar szSystemStatus[129]; };
struct in_addr pack(8) { uint s_addr; };
struct in6_addr pack(8) { ushort s6_words[8]; };
struct sockaddr pack(8) { ushort sa_family; uchar sa_data[14]; };
struct sockaddr_in pack(8) { ushort sin_family; ushort sin_port; uint sin_addr; uchar sin_zero[8]; };
struct sockaddr_in6 pack(8) { ushort sin6_family; ushort sin6_port; uint sin6_flowinfo; uchar sin6_addr[16];
  uint sin6_scope_id; };
struct sockaddr_storage pack(8) { ushort ss_family; uchar __ss_pad1[6]; long __ss_align; uchar __ss_pad2[112]; };
struct timeval pack(8) { int tv_sec; int tv_usec; };
struct fd_set pack(8) { uint fd_count; SOCKET fd_array[64]; };
struct WSAPOLLFD pack(8) { SOCKET fd; short events; short revents; };
struct linger pack(8) { ushort l_onoff; ushort l_linger; };
struct ip_mreq pack(8) { uint imr_multiaddr; uint imr_interface; };
struct ipv6_mreq pack(8) { ushort ipv6mr_multiaddr[8]; uint ipv6mr_interface; };
struct addrinfo pack(8) { int ai_flags; int ai_family; int ai_socktype; int ai_protocol; size_t ai_addrlen;
  pointer ai_canonname; pointer ai_addr; pointer ai_next; };
struct hostent pack(8) { pointer h_name; pointer h_aliases; short h_addrtype; short h_length; pointer h_addr_list; };
"""
_WSADATA_32 = """
struct WSADATA pack(8) { ushort wVersion; ushort wHighVersion; uchar szDescription[257]; uchar szSystemStatus[129];
  ushort iMaxSockets; ushort iMaxUdpDg; pointer lpVendorInfo; };
"""


def _types(bits: int) -> dict[str, int]:
    return MQL_TYPES | dict.fromkeys(("pointer", "SOCKET", "size_t"), bits // 8)


@cache
def winsock_structures(bits: int) -> dict[str, Struct]:
    """Winsock's structures for a process of 32 or 64 bits."""
    return parse(_WINSOCK) | (parse(_WSADATA_32) if bits == 32 else {})


def compare(
    file: SourceFile, bits: int = 64, only: str | None = None, includes: Includes | None = None
) -> list[Finding]:
    """One finding per structure of the source, followed by those about its other declarations.

    `bits` is the width of the process. If `only` is given, only this structure is compared.
    """
    again = deepcopy(includes)
    found = read(file, includes)
    findings = _compared(found, file.name, bits, only)
    if found.unknown_conditions:
        other = {finding[:3] for finding in _compared(read(file, again, assumed=False), file.name, bits, only)}
        findings = [_uncertain(finding) if finding[:3] not in other else finding for finding in findings]
    return findings


def _uncertain(finding: Finding) -> Finding:
    """The finding about a declaration that the source has only if an unknown condition of #if holds."""
    if finding.ok is not False:
        return finding
    text = f"{finding.found}\nThis is so only if a condition of #if holds that is not known."
    return finding._replace(ok=None, found=text)


def _compared(found: Declarations, source: str, bits: int, only: str | None) -> list[Finding]:
    names = [name for name, struct in found.structs.items() if struct.base != "enum" and "::" not in name]
    if only is not None:
        names = [name for name in names if name in (only, found.aliases.get(only))]
    aliases: dict[str, list[str]] = {}
    for alias, kind in found.aliases.items():
        aliases.setdefault(kind, []).append(alias)
    findings = [_compare([name, *aliases.get(name, ())], found, bits) for name in names]
    if only is None:
        findings += compare_definitions(found, bits)
        findings += compare_prototypes(found, bits)
        size = lay_out("WSADATA", winsock_structures(bits), _types(bits)).size
        findings += compare_startup_buffers(found, bits, size)
    if not findings:
        text = f"struct {only}" if only else "struct, no constant and no function of Winsock"
        findings = [Finding(False, source, f"contains no {text}")]
    return findings + [
        Finding(None, f"#include {name}", f"{found.place(line)}: not read: {reason}")
        for line, name, reason in found.not_included
    ]


def _compare(names: Sequence[str], found: Declarations, bits: int) -> Finding:
    name = names[0]
    types = _types(bits)
    reference = winsock_structures(bits)
    same = closest(names, found.structs[name], reference)
    try:
        mine = lay_out(name, found.structs, types)
    except MqlError as error:
        return _not_compared(name, same, found.place(error.line), error)
    facts: dict[str, Any] = {
        "struct": name,
        "size": mine.size,
        "fields": [{"field": str(each.field), "offset": each.offset, "size": each.size} for each in mine.fields],
    }
    if same is None:
        text = f"{mine.size} bytes; Winsock has no such structure\n{_table(mine, None)}"
        return Finding(None, f"struct {name}", text, facts=facts)
    if same == "fd_set":
        reference = reference | {same: _resized(reference[same], found.structs[name])}
    theirs = lay_out(same, reference, types)
    facts |= {"winsock": same, "winsock_size": theirs.size}
    head = f"{mine.size} bytes; Winsock's {same} has {theirs.size} on {bits}-bit Windows\n{_table(mine, theirs)}"
    wrong = _wrong(name, same, found.structs, mine, theirs, bits)
    if not wrong:
        return Finding(True, f"struct {name}", head, facts=facts)
    right = "Correct declaration:\n" + _declaration(same, reference[same], bits)
    return Finding(False, f"struct {name}", head + "\n" + "\n".join(wrong), right, facts | {"wrong": wrong})


def _not_compared(name: str, same: str | None, where: str, error: MqlError) -> Finding:
    """A structure whose layout is unknown; that is wrong only if Winsock has this structure."""
    advice = 'To compare it, add the missing declarations, or #include "FILE" with them.' if same else ""
    facts = {"struct": name, "winsock": same} if same else {"struct": name}
    return Finding(False if same else None, where, f"struct {name} is not compared: {error}", advice, facts)


def _resized(theirs: Struct, mine: Struct) -> Struct:
    """Winsock's fd_set with the number of sockets of another one: programs choose FD_SETSIZE."""
    counts = [field.sizes[0] for field in mine.fields if len(field.sizes) == 1 and field.sizes[0] > 0]
    if len(counts) != 1:
        return theirs
    count, array = theirs.fields
    return Struct(theirs.name, theirs.line, pack=theirs.pack, fields=[count, array._replace(sizes=(counts[0],))])


def closest(names: Sequence[str], struct: Struct, reference: dict[str, Struct]) -> str | None:
    """The structure of Winsock that corresponds to this one, by one of its names or by the names of its fields."""
    plain = {known.lower(): known for known in reference}
    bare = [re.sub(r"^_+|^(tag|ref|my|lp|p)_?(?=[a-z]*_?[a-z])", "", name.lower()) for name in names]
    for candidate in [*map(str.lower, names), *bare]:
        if candidate in plain:
            return plain[candidate]
    fields = {member.name.lower() for member in struct.fields}
    for known, theirs in reference.items():
        shared = fields & {member.name.lower() for member in theirs.fields}
        if 2 * len(shared) > len(theirs.fields):
            return known
    near = [match for name in bare for match in difflib.get_close_matches(name, plain, 1, 0.8)]
    return plain[near[0]] if near else None


def _wrong(name: str, same: str, structs: dict[str, Struct], mine: Layout, theirs: Layout, bits: int) -> list[str]:
    """The differences that matter to Winsock, one sentence each."""
    types = _types(bits)
    wrong = []
    own = {place.field.name.lower(): place for place in mine.fields}
    expected = {place.field.name.lower(): place for place in theirs.fields}
    for key, place in own.items():
        there = expected.get(key)
        if place.size < 0:
            wrong.append(_dynamic(place.field, there))
        elif there and place.size != there.size:
            wrong.append(f"{place.field.name} has {place.size} bytes, Winsock's has {there.size}{_why(place, there)}.")
    order = [key for key in own if key in expected]
    if order != sorted(order, key=lambda key: expected[key].offset):
        other = lay_out("WSADATA", winsock_structures(32), _types(32)) if same == "WSADATA" and bits == 64 else None
        in_32 = [place.field.name.lower() for place in other.fields] if other else []
        of_32 = " It is the order of 32-bit Windows." if order == [key for key in in_32 if key in order] else ""
        wrong.append(f"The order of the fields is not that of {bits}-bit Windows.{of_32}")
    if not wrong:
        moved = [place for key, place in own.items() if key in expected and place.offset != expected[key].offset]
        for place in moved:
            at = expected[place.field.name.lower()].offset
            wrong.append(f"{place.field.name} is at offset {place.offset}, Winsock's at {at}.")
    if mine.size != theirs.size:
        by = mine.size - theirs.size
        wrong.insert(0, f"{abs(by)} bytes too {'long' if by > 0 else 'short'}: {_effect(same, by)}")
        padded = lay_out(name, structs, types, 8)
        if padded.size == theirs.size:
            wrong.append(
                "C aligns the fields and leaves gaps, MQL does not: write pack(8) after the name of the struct."
            )
    return wrong


def _dynamic(member: Field, there: PlacedField | None) -> str:
    pointer = there is not None and there.field.type == "pointer"
    instead = f", but Winsock has a pointer of {there.size} bytes here" if there and pointer else ""
    return f"{member.name}[] is a dynamic array, whose elements are not part of the structure{instead}."


def _why(place: PlacedField, there: PlacedField) -> str:
    kind = place.field.type
    if kind in ("long", "ulong") and there.field.type in ("int", "uint"):
        return f": long has 4 bytes in C on Windows, {kind} has 8 in MQL; use {kind.replace('long', 'int')}"
    if there.field.type in ("SOCKET", "pointer", "size_t") and MQL_TYPES.get(kind) == 4:
        return ": it is as wide as a pointer; use ulong"
    return ""


def _effect(same: str, by: int) -> str:
    if by < 0:
        return "Winsock reads or writes beyond its end, or fails with WSAEFAULT."
    if same.startswith("sockaddr"):
        return "the offsets of later fields are wrong, and sizeof is not the length that Winsock expects."
    return "Winsock does not fill in its last bytes."


def _table(mine: Layout, theirs: Layout | None) -> str:
    """Offsets and sizes in columns; an arrow marks the fields that differ from Winsock's."""
    expected = {place.field.name.lower(): place for place in theirs.fields} if theirs else {}
    lines = ["offset  size  field" + (" " * 32 + "Winsock" if theirs else "")]
    for place in mine.fields:
        size = "-" if place.size < 0 else str(place.size)
        line = f"{place.offset:>6} {size:>5}  {place.field!s:<35}"
        there = expected.get(place.field.name.lower())
        if there:
            same = (there.offset, there.size) == (place.offset, place.size)
            line += f"  {there.offset:>4} {there.size:>4}{'' if same else '  <-'}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _declaration(name: str, struct: Struct, bits: int) -> str:
    """The declaration of Winsock's structure in MQL."""
    wide = "ulong" if bits == 64 else "uint"
    lines = []
    for member in struct.fields:
        kind = wide if member.type in ("pointer", "SOCKET", "size_t") else member.type
        lines.append(f"   {member._replace(type=kind)};")
    return "\n".join([f"struct {name} pack(8)", "  {", *lines, "  };"])

"""winsock.doctor layout parses MQL structures and finds their differences from Winsock's."""

from __future__ import annotations

import ctypes
import io
import json
import struct as bytes_of
import sys
from pathlib import Path

import abi_layouts
import pytest

import winsock
from winsock.doctor.__main__ import main
from winsock.doctor.declarations import MQL_TYPES, Struct
from winsock.doctor.findings import Finding
from winsock.doctor.layout import closest, compare, winsock_structures
from winsock.doctor.mql_macros import MqlError
from winsock.doctor.mql_structs import parse
from winsock.doctor.offsets import Layout, lay_out
from winsock.doctor.source_files import SourceFile

# The article's declarations: 8 bytes for an address of 4, and WSAData in the order of 32-bit Windows, with a dynamic
# array as its last field.
PRINTED = """
#define BYTE   uchar
#define WORD\u00a0 ushort
#define WSADESCRIPTION_LEN 256
#define WSASYS_STATUS_LEN  0x80
#define MAKEWORD(a, b) ((WORD)(((BYTE)(a)) | ((WORD)(b)) << 8))
struct WSAData
  {
   WORD              wVersion;
   WORD              wHighVersion;
   char              szDescription[WSADESCRIPTION_LEN+1];
   char              szSystemStatus[WSASYS_STATUS_LEN+1];
   ushort            iMaxSockets;
   ushort            iMaxUdpDg;
   char              lpVendorInfo[];
  };
struct sockaddr_in
  {
   ushort            sin_family;
   ushort            sin_port;
   ulong             sin_addr; //struct in_addr { ulong s_addr; };
   char              sin_zero[8];
  };
struct sockaddr { ushort sa_family; char sa_data[14]; };
struct ref_sockaddr { char ref[2+14]; };
#import "Ws2_32.dll"
int WSAStartup(WORD wVersionRequested, char &lpWSAData[]);
#import
"""
# The declarations of the attached library, which has unions; all are correct except for WSAData.
ATTACHED = """
struct in_addr { union { struct { uchar s_b1, s_b2, s_b3, s_b4; } S_un_b; struct { ushort s_w1, s_w2; } S_un_w;
   uint S_addr; } S_un; };
struct sockaddr_in { ushort sin_family; ushort sin_port; in_addr sin_addr; char sin_zero[8]; };
union ref_sockaddr { char ref[16]; sockaddr_in in; };
"""


def found(text: str, name: str, bits: int = 64) -> Finding:
    (finding,) = compare(SourceFile("source", text), bits, name)
    return finding


def laid_out(text: str, name: str = "s", pack: int | None = None) -> Layout:
    return lay_out(name, parse(text), MQL_TYPES | {"pointer": 8}, pack)


def offsets(text: str, name: str = "s") -> list[int]:
    return [placed.offset for placed in laid_out(text, name).fields]


# ---- the listings of the article


def test_the_printed_sockaddr_in_is_too_long() -> None:
    finding = found(PRINTED, "sockaddr_in")
    assert finding.ok is False
    assert finding.facts is not None
    assert (finding.facts["size"], finding.facts["winsock_size"]) == (20, 16)
    long, address = finding.facts["wrong"]
    assert long.startswith("4 bytes too long: ")
    assert address == (
        "sin_addr has 8 bytes, Winsock's has 4: long has 4 bytes in C on Windows, ulong has 8 in MQL; use uint."
    )
    assert "uint sin_addr;" in finding.advice


def test_the_printed_wsadata_has_the_order_of_32_bits_and_a_dynamic_array() -> None:
    finding = found(PRINTED, "WSAData")
    assert finding.facts is not None
    assert finding.facts["winsock"] == "WSADATA"
    short, array, order = finding.facts["wrong"]
    assert short.startswith("14 bytes too short: ")
    assert array.startswith("lpVendorInfo[] is a dynamic array, whose elements are not part of the structure")
    assert array.endswith("but Winsock has a pointer of 8 bytes here.")
    assert order == "The order of the fields is not that of 64-bit Windows. It is the order of 32-bit Windows."
    finding = found(PRINTED, "WSAData", 32)
    assert finding.facts is not None
    assert not any("order" in wrong for wrong in finding.facts["wrong"])


def test_the_other_printed_structures_are_correct() -> None:
    assert found(PRINTED, "sockaddr").ok
    finding = found(PRINTED, "ref_sockaddr")
    assert finding.ok
    assert finding.found.startswith("16 bytes; Winsock's sockaddr has 16 on 64-bit Windows")


def test_the_structures_of_the_attached_library_are_correct() -> None:
    for name in ("in_addr", "sockaddr_in", "ref_sockaddr"):
        finding = found(ATTACHED, name)
        assert finding.ok, finding
    assert "{...} S_un" in found(ATTACHED, "in_addr").found


@pytest.mark.parametrize("bits", [32, 64])
def test_the_declarations_that_the_doctor_suggests_are_correct(bits: int) -> None:
    advised = (
        found(PRINTED, "WSAData", bits).advice.partition("\n")[2]
        + found(PRINTED, "sockaddr_in").advice.partition("\n")[2]
    )
    for finding in compare(SourceFile("source", advised), bits):
        assert finding.ok, finding


# ---- Winsock's own


@pytest.mark.parametrize("bits", sorted({32, abi_layouts.BITS}))
def test_the_reference_structures_match_those_that_winsock_declares(bits: int) -> None:
    declared = abi_layouts.structures_of(bits)
    types = MQL_TYPES | dict.fromkeys(("pointer", "SOCKET", "size_t"), bits // 8)
    reference = winsock_structures(bits)
    assert set(reference) == {name for name in declared if name != "WSAData"}
    for name, structure in reference.items():
        own = declared[name]
        mine = lay_out(name, reference, types)
        assert mine.size == ctypes.sizeof(own), name
        if name in ("in_addr", "in6_addr"):
            continue  # declared as unions, with other field names
        assert [(placed.field.name, placed.offset, placed.size) for placed in mine.fields] == [
            (field, getattr(own, field).offset, getattr(own, field).size)
            for field, *_ in own._fields_  # type: ignore[misc]
        ], structure


def test_a_correct_declaration_of_every_winsock_structure_has_no_differences() -> None:
    for name, finding in zip(winsock_structures(64), compare(SourceFile("source", _as_mql(64)), 64), strict=True):
        assert finding.ok, (name, finding)


def _as_mql(bits: int) -> str:
    wide = "ulong" if bits == 64 else "uint"
    lines = []
    for name, struct in winsock_structures(bits).items():
        fields = " ".join(
            f"{field._replace(type=field.type if field.type in MQL_TYPES else wide)};" for field in struct.fields
        )
        lines.append(f"struct {name} pack(8) {{ {fields} }};")
    return "\n".join(lines)


# ---- what is wrong


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("struct WSAPOLLFD { ulong fd; short events; short revents; };", "C aligns the fields and leaves gaps"),
        ("struct fd_set { uint fd_count; uint fd_array[64]; };", "fd_array has 256 bytes, Winsock's has 512"),
        ("struct WSAPOLLFD pack(8) { uint fd; short events; short revents; };", "as wide as a pointer; use ulong"),
        ("struct timeval { long tv_sec; long tv_usec; };", "use int"),
        ("struct linger { ushort l_linger; ushort l_onoff; };", "order of the fields is not that of 64-bit Windows."),
        ("struct timeval { int tv_sec; };", "4 bytes too short: Winsock reads or writes beyond its end"),
        ("struct fd_set { uint fd_count; uint fd_array[1024]; };", "fd_array has 4096 bytes, Winsock's has 8192: it is "
         "as wide as a pointer; use ulong"),
        ("struct timeval { int tv_sec; int tv_usec; int more; };", "Winsock does not fill in its last bytes"),
        ("struct linger { uchar pad; ushort l_linger; uchar l_onoff[1]; };", "l_onoff has 1 bytes, Winsock's has 2"),
        ("struct addrinfo2 { char gap[4]; int ai_flags; int ai_family; int ai_socktype; int ai_protocol; "
         "ulong ai_addrlen; ulong ai_canonname; ulong ai_addr; };", "ai_flags is at offset 4, Winsock's at 0."),
        ("struct sockaddr { ushort sa_family; char sa_data[]; };",
         "sa_data[] is a dynamic array, whose elements are not part of the structure."),
    ],
)  # fmt: skip
def test_a_difference_is_named(source: str, wrong: str) -> None:
    (finding,) = compare(SourceFile("source", source))
    assert finding.ok is False
    assert wrong in finding.found


def test_a_structure_that_winsock_does_not_have_is_shown_without_a_comparison() -> None:
    finding = found("struct Trade { double volume; long ticket; };", "Trade")
    assert finding.ok is None
    assert "16 bytes; Winsock has no such structure" in finding.found
    assert "     8     8  long ticket" in finding.found


@pytest.mark.parametrize(
    ("name", "fields", "known"),
    [
        ("WSAData", [], "WSADATA"),
        ("SOCKADDR_IN", [], "sockaddr_in"),
        ("tagWSAPOLLFD", [], "WSAPOLLFD"),
        ("my_timeval", [], "timeval"),
        ("Address", ["sin_family", "sin_port", "sin_addr"], "sockaddr_in"),
        ("sockadr_in", [], "sockaddr_in"),
        ("MqlTick", [], None),
    ],
)
def test_the_closest_structure_is_found(name: str, fields: list[str], known: str | None) -> None:
    text = f"struct {name} {{ {' '.join(f'int {field};' for field in fields)} }};"
    assert closest([name], parse(text)[name], winsock_structures(64)) == known


# ---- MQL syntax


def test_simple_types_have_the_sizes_of_mql() -> None:
    for kind, size in MQL_TYPES.items():
        assert laid_out(f"struct s {{ {kind} x; }};").size == size
    assert bytes_of.calcsize("q") == MQL_TYPES["long"]


def test_fields_have_no_gaps_unless_pack_says_otherwise() -> None:
    fields = "{ char a; int b; char c; double d; }"
    assert offsets(f"struct s {fields};") == [0, 1, 5, 6]
    assert offsets(f"struct s pack(8) {fields};") == [0, 4, 8, 16]
    assert laid_out(f"struct s pack(8) {fields};").size == 24
    assert offsets(f"struct s pack(sizeof(short)) {fields};") == [0, 2, 6, 8]
    assert offsets(f"struct s pack(0) {fields};") == [0, 1, 5, 6]


def test_unions_and_nested_and_inherited_structures_are_laid_out() -> None:
    text = """
    enum Colour { RED, GREEN = 5 };
    struct base { short kind; };
    struct s : public base { Colour colour; base inner[2][3]; union { double d; uchar raw[16]; } u; };
    struct t: s { char last; };
    """
    assert offsets(text) == [0, 2, 6, 18]
    assert laid_out(text).size == 34
    assert laid_out(text, "t").size == 35


def test_methods_access_specifiers_static_fields_and_other_code_are_skipped() -> None:
    text = r"""
    #property copyright "a struct x { int y; }"
    #include "SocketLib.mqh"
    #define LONG(x) ((long)(x))
    #define TWICE 2 * \
       (3 - 1)
    input string Host = "127.0.0.1"; // struct commented { int a; };
    /* struct commented { int b; };
    */
    struct s
      {
       private:
       static int    count;
       const  uint   a, b[TWICE], c;
       struct s2     *next;
       ;
       s() { if(true) { a = 1; } }
       int get(const int n[]) const { return n[0]; }
       void later(int x = 1);
       public:
       char          d[4 / 2 | 1][-1 + +2];
      };
    struct s2;
    void OnStart() { struct s x; x.a = 1; }
    """
    assert [str(placed.field) for placed in laid_out(text).fields] == [
        "uint a",
        "uint b[4]",
        "uint c",
        "s2 * next",
        "char d[3][1]",
    ]
    assert list(parse(text)) == ["s"]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("struct linger { char a[WIDTH]; };", 1, "not a constant integer: WIDTH"),
        ("#define A B\n#define B A\nstruct linger { char a[A]; };", 3, "not a constant integer: A"),
        ("struct linger { char a[1/0]; };", 1, "not a constant integer: 1 / 0"),
        ("struct linger { char a[~1]; };", 1, "invalid size of an array: -2; it must be from 1 to 2147483647"),
        ("struct linger { char a[2 2]; };", 1, "not a constant integer"),
        ("struct linger { char a[1.5]; };", 1, "not a constant integer"),
        ("struct linger {\n  string name;\n};", 2, "string is neither a simple type of MQL nor declared in this "
         "source"),
        ("struct linger { linger inner; };", 1, "linger contains itself"),
        ("struct linger : other { int a; };", 1, "the base other of linger is not declared"),
        ("struct linger { int a; ", 1, "'{' is never closed"),
        ("struct linger { int a[2", 1, "'{' is never closed"),
        ("struct linger { int a[2 };", 1, "']' is missing"),
        ("struct linger { int f(int };", 1, "'(' is never closed"),
        ("struct linger { template<typename T };", 1, "'>' is missing"),
        ("struct linger { int; };", 1, "cannot parse: int ;"),
        ("struct linger { int a = 5; };", 1, "neither a simple type"),
        ("struct linger { int a[2] b; };", 1, "';' expected, found 'b'"),
        ("struct linger pack 4 { int a; };", 1, "'(' expected, found '4'"),
        ("struct linger { const a; };", 1, "a has no type"),
    ],
)  # fmt: skip
def test_a_syntax_error_is_reported_with_its_line(source: str, line: int, message: str) -> None:
    (finding,) = compare(SourceFile("file.mqh", source))
    assert finding.ok is False
    assert finding.what == f"file.mqh:{line}"
    assert message in finding.found


def test_a_huge_shift_does_not_exhaust_memory() -> None:
    with pytest.raises((MqlError, OverflowError)):
        laid_out("struct s { char a[1 << 999999999999 >> 99]; char b[x]; };")


def test_a_missing_base_name_is_ignored() -> None:
    assert parse("struct s : public { int a; };")["s"] == Struct("s", 1, fields=parse("struct s{int a;};")["s"].fields)


# ---- the command


def test_a_file_in_any_encoding_of_metaeditor_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "SocketLib.mqh"
    windows = PRINTED.replace("\n", "\r\n")
    for raw in (
        PRINTED.encode("utf-16"),
        windows.encode("utf-16-le"),
        windows.encode("utf-16-be"),
        windows.encode("utf-8-sig"),
        PRINTED.replace("\n", "\r").encode("utf-8"),
        PRINTED.encode("cp1252"),
    ):
        source.write_bytes(raw)
        assert main(["layout", str(source), "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert [finding["ok"] for finding in report["findings"]] == [False, False, True, True, True, True]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ATTACHED.encode("utf-16"))))
    assert main(["layout", "-", "--struct", "sockaddr_in"]) == 0
    assert capsys.readouterr().out.startswith(
        "ok     struct sockaddr_in  16 bytes; Winsock's sockaddr_in has 16 on 64-bit Windows\n"
    )


def test_a_source_without_structures_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout", str(tmp_path / "missing.mqh")]) == 1
    assert "cannot be read: No such file" in capsys.readouterr().out
    assert compare(SourceFile("a", "int x;"))[0].found == "contains no struct, no constant and no function of Winsock"
    assert compare(SourceFile("a", ""))[0].ok is False
    assert compare(SourceFile("a", PRINTED), only="timeval")[0].found == "contains no struct timeval"
    assert winsock.sockaddr_in

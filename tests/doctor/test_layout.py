"""winsock.doctor layout reads MQL structures, and finds what is wrong with them for Winsock."""

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
from winsock.doctor.findings import Finding
from winsock.doctor.layout import closest, compare, winsock_structures
from winsock.doctor.mql import MQL_TYPES, MqlError, Struct, parse
from winsock.doctor.places import Layout, lay_out

# What the article prints: 8 bytes for an address of 4, and WSAData as 32-bit Windows has it, with an array at its end.
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
# And the fuller library: unions, all right but for the start-up data.
ATTACHED = """
struct in_addr { union { struct { uchar s_b1, s_b2, s_b3, s_b4; } S_un_b; struct { ushort s_w1, s_w2; } S_un_w;
   uint S_addr; } S_un; };
struct sockaddr_in { ushort sin_family; ushort sin_port; in_addr sin_addr; char sin_zero[8]; };
union ref_sockaddr { char ref[16]; sockaddr_in in; };
"""


def found(text: str, name: str, bits: int = 64) -> Finding:
    (finding,) = compare(text, "source", bits, name)
    return finding


def laid_out(text: str, name: str = "s", pack: int | None = None) -> Layout:
    return lay_out(name, parse(text), MQL_TYPES | {"pointer": 8}, pack)


def offsets(text: str, name: str = "s") -> list[int]:
    return [place.offset for place in laid_out(text, name).places]


# ---- the listings of the article


def test_the_printed_sockaddr_in_is_too_long() -> None:
    told = found(PRINTED, "sockaddr_in")
    assert told.ok is False
    assert told.facts is not None
    assert (told.facts["size"], told.facts["winsock_size"]) == (20, 16)
    long, address = told.facts["wrong"]
    assert long.startswith("4 bytes too long: ")
    assert address == (
        "sin_addr has 8 bytes, Winsock's 4: C's long has 4 bytes on Windows and MQL's ulong 8, so take uint."
    )
    assert "uint sin_addr;" in told.advice


def test_the_printed_start_up_data_has_the_order_of_32_bits_and_an_array_without_bytes() -> None:
    told = found(PRINTED, "WSAData")
    assert told.facts is not None
    assert told.facts["winsock"] == "WSADATA"
    short, array, order = told.facts["wrong"]
    assert short.startswith("14 bytes too short: ")
    assert array.startswith("lpVendorInfo[] is an array that MQL keeps elsewhere")
    assert array.endswith("where Winsock has a pointer of 8 bytes.")
    assert order == "The order of the fields is not that of 64-bit Windows. It is that of 32-bit Windows."
    told = found(PRINTED, "WSAData", 32)
    assert told.facts is not None
    assert not any("order" in wrong for wrong in told.facts["wrong"])


def test_the_other_printed_structures_are_right() -> None:
    assert found(PRINTED, "sockaddr").ok
    told = found(PRINTED, "ref_sockaddr")
    assert told.ok
    assert told.found.startswith("16 bytes; Winsock's sockaddr has 16 in 64 bits")


def test_the_attached_structures_are_right() -> None:
    for name in ("in_addr", "sockaddr_in", "ref_sockaddr"):
        told = found(ATTACHED, name)
        assert told.ok, told
    assert "{...} S_un" in found(ATTACHED, "in_addr").found


@pytest.mark.parametrize("bits", [32, 64])
def test_what_the_doctor_advises_is_right(bits: int) -> None:
    advised = (
        found(PRINTED, "WSAData", bits).advice.partition("\n")[2]
        + found(PRINTED, "sockaddr_in").advice.partition("\n")[2]
    )
    for told in compare(advised, "source", bits):
        assert told.ok, told


# ---- Winsock's own


@pytest.mark.parametrize("bits", sorted({32, abi_layouts.BITS}))
def test_the_reference_is_what_winsock_declares(bits: int) -> None:
    declared = abi_layouts.structures_of(bits)
    types = MQL_TYPES | dict.fromkeys(("pointer", "SOCKET", "size_t"), bits // 8)
    reference = winsock_structures(bits)
    assert set(reference) == {name for name in declared if name != "WSAData"}
    for name, structure in reference.items():
        own = declared[name]
        mine = lay_out(name, reference, types)
        assert mine.size == ctypes.sizeof(own), name
        if name == "in_addr" or name == "in6_addr":
            continue  # unions there, by another name here
        assert [(place.field.name, place.offset, place.size) for place in mine.places] == [
            (field, getattr(own, field).offset, getattr(own, field).size)
            for field, *_ in own._fields_  # type: ignore[misc]
        ], structure


def test_every_structure_of_winsock_written_well_is_right() -> None:
    for name, told in zip(winsock_structures(64), compare(_as_mql(64), "source", 64), strict=True):
        assert told.ok, (name, told)


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
        ("struct WSAPOLLFD { ulong fd; short events; short revents; };", "C leaves gaps"),
        ("struct fd_set { uint fd_count; uint fd_array[64]; };", "fd_array has 256 bytes, Winsock's 512"),
        ("struct WSAPOLLFD pack(8) { uint fd; short events; short revents; };", "as wide as a pointer, so take ulong"),
        ("struct timeval { long tv_sec; long tv_usec; };", "so take int"),
        ("struct linger { ushort l_linger; ushort l_onoff; };", "order of the fields is not that of 64-bit Windows."),
        ("struct timeval { int tv_sec; };", "4 bytes too short: Winsock writes or reads past its end"),
        ("struct fd_set pack(8) { uint fd_count; ulong fd_array[65]; };", "too long: Winsock fills in less"),
        ("struct linger { uchar pad; ushort l_linger; uchar l_onoff[1]; };", "l_onoff has 1 bytes, Winsock's 2"),
        ("struct addrinfo2 { char gap[4]; int ai_flags; int ai_family; int ai_socktype; int ai_protocol; "
         "ulong ai_addrlen; ulong ai_canonname; ulong ai_addr; };", "ai_flags is at 4, Winsock's at 0."),
        ("struct sockaddr { ushort sa_family; char sa_data[]; };", "it has no bytes for Winsock here."),
    ],
)  # fmt: skip
def test_a_mistake_is_named(source: str, wrong: str) -> None:
    (told,) = compare(source, "source")
    assert told.ok is False
    assert wrong in told.found


def test_a_structure_that_is_none_of_winsocks_is_only_laid_out() -> None:
    told = found("struct Trade { double volume; long ticket; };", "Trade")
    assert told.ok is None
    assert "16 bytes; Winsock has no structure like it" in told.found
    assert "     8     8  long ticket" in told.found


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
    assert closest(name, parse(text)[name], winsock_structures(64)) == known


# ---- MQL as it is written


def test_simple_types_have_mqls_sizes() -> None:
    for kind, size in MQL_TYPES.items():
        assert laid_out(f"struct s {{ {kind} x; }};").size == size
    assert bytes_of.calcsize("q") == MQL_TYPES["long"]


def test_fields_follow_each_other_without_gaps_unless_packed_otherwise() -> None:
    fields = "{ char a; int b; char c; double d; }"
    assert offsets(f"struct s {fields};") == [0, 1, 5, 6]
    assert offsets(f"struct s pack(8) {fields};") == [0, 4, 8, 16]
    assert laid_out(f"struct s pack(8) {fields};").size == 24
    assert offsets(f"struct s pack(sizeof(short)) {fields};") == [0, 2, 6, 8]
    assert offsets(f"struct s pack(0) {fields};") == [0, 1, 5, 6]


def test_unions_nested_and_inherited_structures() -> None:
    text = """
    enum Colour { RED, GREEN = 5 };
    struct base { short kind; };
    struct s : public base { Colour colour; base inner[2][3]; union { double d; uchar raw[16]; } u; };
    struct t: s { char last; };
    """
    assert offsets(text) == [0, 2, 6, 18]
    assert laid_out(text).size == 34
    assert laid_out(text, "t").size == 35


def test_methods_access_static_and_all_else_are_passed_over() -> None:
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
    assert [str(place.field) for place in laid_out(text).places] == [
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
        ("struct s { char a[WIDTH]; };", 1, "not a number: WIDTH"),
        ("#define A B\n#define B A\nstruct s { char a[A]; };", 3, "not a number: A"),
        ("struct s { char a[1/0]; };", 1, "not a number: 1 / 0"),
        ("struct s { char a[~1]; };", 1, "not a number"),
        ("struct s { char a[2 2]; };", 1, "not a number"),
        ("struct s { char a[1.5]; };", 1, "not a number"),
        ("struct s {\n  string name;\n};", 2, "string is neither a type of MQL nor declared"),
        ("struct s { s inner; };", 1, "s holds itself"),
        ("struct s : other { int a; };", 1, "other, which s is made from, is not declared"),
        ("struct s { int a; ", 1, "not understood"),
        ("struct s { int a[2", 1, "the source ends inside a structure"),
        ("struct s { int; };", 1, "not understood: int ;"),
        ("struct s { int a = 5; };", 1, "neither a type"),
        ("struct s { int a[2] b; };", 1, "';' is needed, not 'b'"),
        ("struct s pack 4 { int a; };", 1, "'(' is needed, not '4'"),
        ("struct s { const a; };", 1, "a has no type"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_told_with_its_line(source: str, line: int, message: str) -> None:
    (told,) = compare(source, "file.mqh")
    assert told.ok is False
    assert told.what == f"file.mqh:{line}"
    assert message in told.found


def test_a_huge_shift_is_no_danger() -> None:
    with pytest.raises((MqlError, OverflowError)):
        laid_out("struct s { char a[1 << 999999999999 >> 99]; char b[x]; };")


def test_a_structure_without_a_base_name() -> None:
    assert parse("struct s : public { int a; };")["s"] == Struct("s", 1, fields=parse("struct s{int a;};")["s"].fields)


# ---- the command


def test_a_file_in_any_of_metaeditors_codings_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "SocketLib.mqh"
    for raw in (PRINTED.encode("utf-16"), PRINTED.replace("\n", "\r\n").encode("utf-8-sig"), PRINTED.encode("cp1252")):
        source.write_bytes(raw)
        assert main(["layout", str(source), "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert [finding["ok"] for finding in report["findings"]] == [False, False, True, True]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(ATTACHED))
    assert main(["layout", "-", "--struct", "sockaddr_in"]) == 0
    assert capsys.readouterr().out.startswith(
        "ok     struct sockaddr_in  16 bytes; Winsock's sockaddr_in has 16 in 64 bits\n"
    )


def test_nothing_to_compare_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout", str(tmp_path / "missing.mqh")]) == 1
    assert "can't be read: No such file" in capsys.readouterr().out
    assert compare("int x;", "a")[0].found == "no struct NAME { ... } in it"
    assert compare("", "a")[0].ok is False
    assert compare(PRINTED, "a", only="timeval")[0].found == "no struct timeval"
    assert winsock.sockaddr_in

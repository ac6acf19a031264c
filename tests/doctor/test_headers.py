"""winsock.doctor layout reads the headers that programs really have: one odd declaration does not hide the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from winsock.doctor.__main__ import main
from winsock.doctor.findings import Finding, as_text
from winsock.doctor.layout import compare
from winsock.doctor.mql_macros import MqlError
from winsock.doctor.mql_structs import parse, read
from winsock.doctor.source_files import Includes, SourceFile

LINGER = "struct linger { ushort l_onoff; ushort l_linger; };\n"


def by_struct(text: str, bits: int = 64) -> dict[str, Finding]:
    return {finding.facts["struct"]: finding for finding in compare(SourceFile("a.mqh", text), bits) if finding.facts}


# ---- a declaration that cannot be read


@pytest.mark.parametrize(
    "odd",
    [
        "struct Order { string comment; double lots; };",
        "struct Order { CObject *next; CArrayObj items; };",
        "struct Order { WORD kind; };",
        "struct Order : Base { int a; };",
        "struct Order { int a[COUNT]; };",
        "struct Order { Order inside; };",
        "struct Order { int a[2] b; };",
        "struct Order { int a[0]; };",
        "struct Order { int; };",
        "struct Order { = };",
        "struct Order { struct { string s; } inside; };",
        "struct Order pack(x) { int a; };",
        "struct Order pack { int a; };",
        "template<typename T> struct Order { T value; };",
        "struct Order { uchar a[1 << 40]; };",
        "struct Order { struct Part { int a[3] b; } part; };",
    ],
)
def test_a_structure_that_cannot_be_read_does_not_stop_the_others(odd: str) -> None:
    for text in (odd + "\n" + LINGER, LINGER + odd):
        findings = by_struct(text)
        assert findings["linger"].ok is True
        assert findings["Order"].ok is None
        assert "is not compared" in findings["Order"].found


def test_a_structure_of_winsock_that_cannot_be_read_is_wrong() -> None:
    findings = by_struct("struct sockaddr_in {\n WORD sin_family;\n ushort sin_port; };\n" + LINGER)
    assert findings["linger"].ok is True
    assert findings["sockaddr_in"].ok is False
    assert findings["sockaddr_in"].what == "a.mqh:2"
    assert "WORD is neither a simple type of MQL nor declared in this source" in findings["sockaddr_in"].found
    assert "add the missing declarations, or #include" in findings["sockaddr_in"].advice


def test_a_bracket_that_is_never_closed_does_not_hide_the_structures_before_and_after_it() -> None:
    findings = by_struct(LINGER + "void f() { struct timeval {\n" + LINGER.replace("linger", "ip_mreq"))
    assert findings["linger"].ok is True
    assert findings["timeval"].ok is False
    assert "ip_mreq" in findings


# ---- what headers contain


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ("char a[0x10]; /* comment } */ char b[ 2 + 2 ]; // } comment", 20),
        ("unsigned short a; unsigned int b; unsigned c;", 10),
        ("struct In { uchar b1, b2; }; In one; In two[3];", 8),
        ("union { uint whole; uchar parts[4]; } address; char zero[8];", 12),
        ("enum Kind { FIRST, SECOND = 7, THIRD }; Kind kind; char a[THIRD];", 12),
        ("enum { ONE = 1, FOUR = 4 } kind; char a[FOUR];", 8),
        (
            "void operator=(const X &x) { a = x.a; } bool operator==(X &x); int operator[](int i) { return 1; } int a;",
            4,
        ),
        ("template<typename T, typename U> T get(U u) { return (T)u; } int a;", 4),
        ("X() : a(1), b(2) { } ~X() { if(a) { b = 0; } } int a, b;", 8),
        ("static int count; static const int LIMIT = 5; const int a;", 4),
        ("virtual void f() const = 0; private: short a; public: short b;", 4),
        ("char a[sizeof(int) * 2]; char b[sizeof(Pair)];", 10),
        ("char a[WIDTH]; char b[AREA(2, 3)]; char c[LIMIT];", 25),
        ("char a['A' - 'B' + 2]; char b[(uchar)257]; char c[1 ? 2 : 3];", 4),
        ("Callback handler; Short a;", 10),
    ],
)
def test_the_syntax_of_real_headers_is_read(fields: str, size: int) -> None:
    text = f"""
    struct Pair {{ uchar one, two; }};
    typedef void (*Callback)(int code, string text);
    typedef short Short;
    const int LIMIT = 9;
    #define WIDTH (1 << 3) + 2 // ten
    #define AREA(a, b) ((a) * (b))
    struct linger {{ {fields}
    }};
    """
    struct = by_struct(text)["linger"]
    assert struct.facts is not None
    assert struct.facts["size"] == size, struct.found


@pytest.mark.parametrize(
    ("declaration", "size"),
    [
        ("struct sockaddr_in pack(1) { ushort sin_family; uint sin_addr; };", 6),
        ("struct pack(4) sockaddr_in { ushort sin_family; uint sin_addr; };", 8),
        ("struct sockaddr_in pack(sizeof(ushort)) { uchar sin_family; uint sin_addr; };", 6),
        ("typedef struct sockaddr_in { ushort sin_family; } SOCKADDR_IN, *PSOCKADDR_IN;", 2),
        ("typedef struct { ushort sin_family; uint sin_addr; } sockaddr_in;", 6),
        ("class Socket { private: struct sockaddr_in { uint sin_addr; }; sockaddr_in a; };", 4),
        ("struct sockaddr_in;\nclass A;\nstruct sockaddr_in { uint sin_addr; };", 4),
        ("#ifdef __MQL5__\nstruct sockaddr_in { uint a; };\n#else\nstruct sockaddr_in { ulong a; };\n#endif", 4),
        ("#ifndef GUARD\n#define GUARD\nstruct sockaddr_in { uint a; };\n#endif", 4),
        ("#ifdef NO\n#ifdef __MQL5__\nstruct x { int b; };\n#else\n#endif\n#else\nstruct sockaddr_in { uint a; };\n"
         "#endif", 4),
        ("#define W 2\n#undef W\n#define W 3\nstruct sockaddr_in { uchar a[W]; };", 3),
        ('string s = "struct x { int a; /*"; struct sockaddr_in { uint a; };', 4),
        ("char quote = '\"'; struct sockaddr_in { uint a; }; char other = '\"';", 4),
        ("struct sockaddr_in { uint a; }; /* never closed struct x {", 4),
        ("#pragma pack(push, 1)\n#property strict\n#resource \"a.wav\"\nstruct sockaddr_in { uint a; };", 4),
    ],
)  # fmt: skip
def test_a_structure_may_be_declared_in_any_way(declaration: str, size: int) -> None:
    struct = by_struct(declaration)["sockaddr_in"]
    assert struct.facts is not None
    assert struct.facts["size"] == size, struct.found


@pytest.mark.parametrize(
    ("declarations", "size"),
    [
        ("typedef struct _in { uint a; } in, *PIN;\nstruct linger { PIN one; in two; };", 12),
        ("typedef struct { ushort a; } *PONLY;\nstruct linger { PONLY one; };", 8),
        ("typedef struct { ushort a; } *PFIRST, first;\nstruct linger { PFIRST one; first two; };", 10),
        ("typedef union _u { uint a; uchar b[8]; } U, *PU, **PPU;\nstruct linger { U one; PU two; PPU three; };", 24),
        ("struct in { uint a; }; typedef struct in IN, *PIN;\nstruct linger { IN one; PIN two; };", 12),
        ("typedef struct in *PIN;\nstruct linger { PIN one; };", 8),
        ("typedef enum { A, B } Kind, *PKind;\nstruct linger { Kind one; PKind two; };", 12),
        ("typedef enum _Kind { A, B } Kind;\nstruct linger { Kind one; _Kind two; };", 8),
        ("enum Kind { A }; typedef enum Kind KIND;\nstruct linger { KIND one; };", 4),
        ("typedef unsigned char B1, *PB1;\nstruct linger { B1 one; PB1 two; };", 9),
        ("typedef const uchar *TEXT;\nstruct linger { TEXT one; };", 8),
        ("struct linger { uchar *one, *two; };", 16),
        ("struct linger { uchar *one, two, **three; };", 17),
    ],
)
def test_every_name_of_a_typedef_is_a_type(declarations: str, size: int) -> None:
    struct = by_struct(declarations)["linger"]
    assert struct.facts is not None
    assert struct.facts["size"] == size, struct.found


def test_a_pointer_type_of_a_c_header_is_a_pointer() -> None:
    text = """
    typedef struct _sockaddr_in { short sin_family; ushort sin_port; uint sin_addr; char sin_zero[8]; }
        sockaddr_in, *PSOCKADDR_IN;
    struct addrinfo pack(8) { int ai_flags, ai_family, ai_socktype, ai_protocol; ulong ai_addrlen; ulong ai_canonname;
        PSOCKADDR_IN ai_addr; ulong ai_next; };
    """
    assert {name: finding.ok for name, finding in by_struct(text).items()} == {"_sockaddr_in": True, "addrinfo": True}


@pytest.mark.parametrize("name", ["_address", "SOCKADDR_IN", "sockaddr_in"])
def test_a_structure_may_be_selected_by_each_of_its_names(name: str) -> None:
    text = "typedef struct _address { int a; } SOCKADDR_IN, sockaddr_in; struct timeval { int tv_sec; int tv_usec; };"
    (finding,) = compare(SourceFile("a.mqh", text), only=name)
    assert finding.facts is not None
    assert (finding.ok, finding.what, finding.facts["winsock"]) == (False, "struct _address", "sockaddr_in")


# ---- fd_set


@pytest.mark.parametrize(
    ("declaration", "bits"),
    [
        ("#define FD_SETSIZE 16\nstruct fd_set { uint fd_count; int fd_array[FD_SETSIZE]; };", 32),
        ("struct fd_set { uint fd_count; uint fd_array[1]; };", 32),
        ("struct fd_set { uint fd_count; uint fd_array[4096]; };", 32),
        ("struct fd_set pack(8) { uint fd_count; uint fd_array[64]; };", 32),
        ("struct fd_set { uint count; uint sockets[10]; };", 32),
        ("struct fd_set { uint fd_count; uint pad; ulong fd_array[1024]; };", 64),
        ("struct fd_set pack(8) { uint fd_count; ulong fd_array[1]; };", 64),
        ("struct fd_set pack(8) { uint fd_count; long fd_array[65]; };", 64),
        ("enum { FD_SETSIZE = 100 }; struct fd_set pack(8) { uint fd_count; ulong fd_array[FD_SETSIZE]; };", 64),
        ("struct FDSet { uint fd_count; int gap; ulong fd_array[3 * 7]; };", 64),
        ("const int FD_SETSIZE = 1 << 9; struct fd_set { int fd_count, pad; ulong fd_array[FD_SETSIZE]; };", 64),
    ],
)
def test_any_fd_setsize_is_accepted(declaration: str, bits: int) -> None:
    assert [finding.ok for finding in compare(SourceFile("a.mqh", declaration), bits)] == [True]


@pytest.mark.parametrize(
    ("declaration", "bits", "wrong"),
    [
        ("struct fd_set { uint fd_count; ulong fd_array[16]; };", 64, "write pack(8)"),
        ("struct fd_set pack(8) { uint fd_count; uint fd_array[16]; };", 64, "use ulong"),
        ("struct fd_set { uint fd_count; ulong fd_array[16]; };", 32, "fd_array has 128 bytes, Winsock's has 64"),
        ("struct fd_set { ushort fd_count; uint fd_array[16]; };", 32, "fd_count has 2 bytes"),
        ("struct fd_set { uint fd_count; uint fd_array[]; };", 32, "fd_array[] is a dynamic array"),
        ("struct fd_set { uint fd_count; };", 32, "256 bytes too short"),
    ],
)
def test_other_differences_of_an_fd_set_are_wrong(declaration: str, bits: int, wrong: str) -> None:
    (finding,) = compare(SourceFile("a.mqh", declaration), bits)
    assert finding.ok is False
    assert wrong in finding.found


def test_the_suggested_fd_set_keeps_the_size_of_the_program() -> None:
    (finding,) = compare(SourceFile("a.mqh", "struct fd_set { uint fd_count; uint fd_array[16]; };"), 64)
    assert "ulong fd_array[16];" in finding.advice


# ---- sources made to use up time or memory


@pytest.mark.parametrize(
    "source",
    [
        "\n".join(f"#define A{n} A{n + 1} A{n + 1}" for n in range(40)) + "\nstruct linger { char a[A0]; };",
        "\n".join(f"#define A{n} A{n + 1}" for n in range(4000)) + "\nstruct linger { char a[A0]; };",
        "#define F(x) F(x x)\nstruct linger { char a[F(1)]; };",
        "struct linger { char a[" + "(" * 5000 + "1" + ")" * 5000 + "]; };",
        "struct linger { char a[" + "-" * 5000 + "1]; };",
        "struct linger { char a[" + "1?1:" * 20 + "1" + "?1:1" * 5000 + "]; };",
        "struct linger { char a[1 << 999999999999 >> 99]; char b[x]; };",
        "struct linger { char a" + "[2147483647]" * 500 + "; };",
        "struct linger { char a[" + "9" * 5000 + "]; };",
        "struct s { " * 3000 + "struct linger { x };",
        "struct linger { f( " * 3000,
        "struct linger { template " * 3000,
        "struct linger : a b c " * 3000 + "{ int a; };",
        "/*" * 5000 + "struct linger { x };",
        'struct linger { x }; "' + '\\"' * 5000,
    ],
)
def test_a_source_made_to_do_harm_is_read_within_limits(source: str) -> None:
    assert all(finding.ok is not True for finding in compare(SourceFile("a.mqh", source)))


def test_structures_that_contain_each_other_many_times_are_computed_once() -> None:
    chain = [f"struct s{n} {{ s{n - 1} one, two; }};" for n in range(1, 45)]
    findings = by_struct("\n".join(["struct s0 { uchar a; };", *chain]))
    assert findings["s29"].facts is not None
    assert findings["s29"].facts["size"] == 1 << 29
    assert "beyond 2 GB" in findings["s31"].found


def test_a_long_chain_of_structures_is_an_error_of_the_last_ones() -> None:
    chain = [f"struct s{n} {{ s{n - 1} one; }};" for n in reversed(range(1, 2000))]
    findings = by_struct("\n".join([*chain, "struct s0 { uchar a; };"]))
    assert "nested too deeply" in findings["s1999"].found
    assert findings["s1"].found.startswith("1 bytes")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("struct s { union { int a; long b; }; int c; };", 12),
        ("struct s { struct { int a; } x; struct { long a[2]; } y; };", 20),
        ("struct s { struct { int a; }; struct { int b; }; };", 8),
        ("struct s { struct part { int a; }; part b[2]; };", 8),
        ("typedef uint U1; typedef U1 U2; typedef U2 U3; struct s { U3 a; };", 4),
        ("#define B8 uchar\ntypedef B8 UB;\nstruct s { UB a; };", 1),
        ("typedef struct tagX { int a; int b; } X, *PX; struct s { X one; };", 8),
        ("typedef struct { ushort a; } L1; typedef L1 L2; struct s { L2 x; L1 y[2]; };", 6),
        ("struct s final { int a; };", 4),
        ("struct s final pack(4) { char a; int b; };", 8),
        ("#define N (0x10UL*2)\n#define M (N-1)\nstruct s { char a[M][N]; };", 992),
        ("#define SZ sizeof(int)\nstruct s { char c[SZ*2]; };", 8),
        ("#pragma pack(push, 1)\nstruct s { char a; int b; };\n#pragma pack(pop)", 5),
        ("struct /* } */ s { int /* ; */ a; // }\n int b; };", 8),
        ("struct \\\ns { int a; \\\n int b; };", 8),
        ("struct s { int a; } one, two[4] = {0};", 4),
        ("enum E { A, B = 5, }; struct s { char a[B]; E b; };", 9),
        ("#if 0\nstruct s { int a; };\n#elif 1\nstruct s { char a; };\n#elif 1\nstruct s { long a; };\n#else\n"
         "struct s { short a; };\n#endif", 1),
        ("#ifdef NO\nstruct s { int a; };\n#elif !defined(NO)\nstruct s { char a; };\n#else\n"
         "struct s { short a; };\n#endif", 1),
        ("#if defined __MQL5__\nstruct s { char a; };\n#else\nstruct s { short a; };\n#endif", 1),
        ("#if !1\nstruct s { int a; };\n#else\nstruct s { char a; };\n#endif", 1),
        ("#if VERSION > 3\nstruct s { char a; };\n#else\nstruct s { int a; };\n#endif", 1),
        ("struct s { int a; };\x1a", 4),
    ],
)  # fmt: skip
def test_the_declarations_of_c_headers_and_their_conditions_are_read(text: str, size: int) -> None:
    struct = by_struct(text + "\n" + LINGER)["s"]
    assert struct.facts is not None
    assert struct.facts["size"] == size, struct.found
    assert by_struct(text + "\n" + LINGER)["linger"].ok is True


@pytest.mark.parametrize("field", ["uint a:4;", "uint a : 4, b : 28;", "ws::timeval t;"])
def test_a_field_with_a_colon_is_named_as_the_reason(field: str) -> None:
    findings = by_struct(f"struct s {{ {field} }};\n{LINGER}")
    assert "a field of MQL has no colon: " in findings["s"].found
    assert findings["linger"].ok is True


def test_parse_raises_the_error_of_a_structure() -> None:
    with pytest.raises(MqlError, match="not a constant integer"):
        parse("struct s { char a[x]; };")


def test_only_whole_directives_are_applied() -> None:
    found = read(SourceFile("a.mqh", "#else\n#endif\n#define\n#undef\n#import\n#\nstruct s { int a; };\n#ifdef X\n"))
    assert list(found.structs) == ["s"]


# ---- the command


def test_control_characters_of_a_source_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mqh"
    path.write_text(
        "struct linger { int a[\x1b[31m\x07]; \x9b2J };\nstruct timeval { int \u202ea; };", encoding="utf-8"
    )
    assert main(["layout", str(path)]) == 1
    out = capsys.readouterr().out
    assert out.count("\n") >= 2
    assert all(character.isprintable() for character in out.replace("\n", ""))


def test_a_long_name_does_not_widen_the_other_lines() -> None:
    findings = [Finding(True, "x" * 5000, "fine"), Finding(True, "b", "fine")]
    assert [len(line) for line in as_text(findings).splitlines()] == [7 + 5000 + 2 + 4, 7 + 40 + 2 + 4]


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, bytes(range(256)) * 50, b"\xff\xfe", b"PK\x03\x04 struct"])
def test_a_file_without_declarations_is_one_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "a.ex5"
    path.write_bytes(content)
    assert main(["layout", str(path), "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["found"] == "contains no struct, no constant and no function of Winsock"


def test_a_file_that_cannot_be_read_or_is_too_large_is_one_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = tmp_path / "large.mqh"
    with large.open("wb") as file:
        file.truncate((1 << 23) + 1)
    for path, message in ((tmp_path, "cannot be read: "), (large, "has more than 8 MB")):
        assert main(["layout", str(path), "--json"]) == 1
        (finding,) = json.loads(capsys.readouterr().out)["findings"]
        assert message in finding["found"]


# ---- conditions


@pytest.mark.parametrize(
    "condition",
    [
        "(0)", "0x0", "0u", "1 - 1", "defined(A) && 0", "defined(A) && B", "!defined(__MQL5__) || 0", "VERSION < 3",
        "(VERSION & 1) && B > 2", "(defined __MQL5__) == 0", "false", "!(1 || B)", "EMPTY(0)", "'a' == 'b'", "B && !B",
    ],
)  # fmt: skip
def test_a_condition_that_does_not_hold_excludes_its_branch(condition: str) -> None:
    text = f"#define VERSION 4\n#define EMPTY(x) x\n#if {condition}\n#define AF_INET 5\n#else\n"
    for source in (
        text + "#define AF_INET 2\n#endif",
        text.replace("#if", "#if 0\n#elif") + "#define AF_INET 2\n#endif",
        f"{text}#endif\n#define AF_INET 2\n",
    ):
        (finding,) = compare(SourceFile("a.mqh", source))
        assert (finding.ok, finding.facts) == (True, {"definitions": ["AF_INET"]})


@pytest.mark.parametrize(
    "condition", ["(1)", "0x1", "defined(A) || 1", "VERSION >= 4", "!B || B", "!defined(A)", "true", "1 ? 2 : 0"]
)
def test_a_condition_that_holds_includes_its_branch(condition: str) -> None:
    text = f"#define VERSION 4\n#if {condition}\n#define AF_INET 5\n#else\n#define AF_INET 2\n#endif"
    (finding,) = compare(SourceFile("a.mqh", text))
    assert (finding.ok, finding.what) == (False, "constant AF_INET")


@pytest.mark.parametrize(
    "condition", ["B", "_WIN32_WINNT >= 0x0600", "has(<a.h>)", "", "1 +", "(" * 500 + "1" + ")" * 500, "1 / B", "B(2)"]
)
def test_a_difference_that_depends_on_an_unknown_condition_is_only_a_note(condition: str) -> None:
    text = f"#if {condition}\n#define AF_INET 5\nstruct in_addr {{ ushort a; }};\n#else\n#define AF_INET 2\n#endif"
    findings = {finding.what: finding for finding in compare(SourceFile("a.mqh", text))}
    assert {name: finding.ok for name, finding in findings.items()} == {
        "struct in_addr": None,
        "constant AF_INET": None,
    }
    for finding in findings.values():
        assert finding.found.endswith("\nThis is so only if a condition of #if holds that is not known.")


def test_a_difference_in_every_branch_is_wrong() -> None:
    text = "#if B\nstruct a { int a; };\n#else\nstruct b { int b; };\n#endif\n#define AF_INET 5\n"
    findings = {finding.what: finding.ok for finding in compare(SourceFile("a.mqh", text))}
    assert findings == {"struct a": None, "constant AF_INET": False}
    selected = compare(SourceFile("a.mqh", text), only="c")
    assert [finding.ok for finding in selected] == [False]


def test_a_condition_inside_an_excluded_branch_is_not_evaluated(tmp_path: Path) -> None:
    (tmp_path / "b.mqh").write_text("#define AF_INET 5\n", encoding="utf-8")
    text = '#if 0\n#if B\n#endif\n#elif 1\n#elif B\n#endif\n#include "b.mqh"\n'
    (finding,) = compare(SourceFile("a.mqh", text, tmp_path), includes=Includes())
    assert finding.ok is False


def test_included_files_are_read_under_either_assumption(tmp_path: Path) -> None:
    (tmp_path / "b.mqh").write_text("#define AF_INET 5\n", encoding="utf-8")
    text = '#if B\n#endif\n#include "b.mqh"\n'
    (finding,) = compare(SourceFile("a.mqh", text, tmp_path), includes=Includes())
    assert finding.ok is False


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("struct a {" + "struct {" * 40 + "int x;" + "} y;" * 40 + "};", "a structure inside a is nested too deeply"),
        ("struct a { struct : c { int b; } d; };", "cannot parse: struct : c {"),
        ("struct a { struct pack(8) : c { int b; } d; };",
         "the base c of a structure inside a is not declared in this source"),
        ("typedef struct { struct { int b; } d : 4; } a;", "';' expected, found ':'"),
    ],
)  # fmt: skip
def test_a_message_has_no_internal_name_of_a_structure(declaration: str, message: str) -> None:
    (finding,) = compare(SourceFile("a.mqh", declaration))
    assert finding.found == f"struct a is not compared: {message}"
    assert "::" not in str(finding)

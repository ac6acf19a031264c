"""winsock.doctor layout checks the size of the variable that MQL source passes to WSAStartup."""

from __future__ import annotations

import pytest

from winsock.doctor.layout import compare
from winsock.doctor.mql_structs import read
from winsock.doctor.source_files import SourceFile
from winsock.doctor.startup_buffers import compare_startup_buffers


def sizes(text: str, bits: int = 64) -> list[int]:
    found = compare_startup_buffers(read(SourceFile("a.mqh", text)), bits, 408 if bits == 64 else 400)
    assert all(
        finding.facts and finding.ok is (finding.facts["size"] >= (408 if bits == 64 else 400)) for finding in found
    )
    return [finding.facts["size"] for finding in found if finding.facts]


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ("void f() { uchar data[400]; WSAStartup(0x202, data); }", 400),
        ("void f() { char data[512]; if(WSAStartup(MAKEWORD(2, 2), data) != 0) return; }", 512),
        ("#define SIZE 408\nuchar data[SIZE]; int r = WSAStartup(2, data);", 408),
        ("int wsa[100]; void f() { WSAStartup((ushort)0x0202, wsa); }", 400),
        ("int wsa[]; void f() { ArrayResize(wsa, 102); WSAStartup(2, wsa); }", 408),
        ("uchar a, wsa[]; void f() { ArrayResize(wsa, 512, 0); ArrayInitialize(wsa, 0); WSAStartup(2, wsa); }", 512),
        ("class C { uchar m_data[]; void f() { ArrayResize(m_data, sizeof(Data)); WSAStartup(2, m_data); } };", 6),
        ("void f() { Data data; WSAStartup(2, data); }", 6),
        ("static uchar data[sizeof(Data) * 100]; void f() { WSAStartup(2, data); }", 600),
        ("#define BYTE uchar\nBYTE data[16 * 16]; void f() { WSAStartup(2, data); }", 256),
        ("uchar data[10]; void f() { uchar data[500]; WSAStartup(2, data); }", 500),
        ("typedef uchar BYTE;\nvoid f() { BYTE data[100]; WSAStartup(2, data); }", 100),
        ("typedef unsigned char BYTE, *PBYTE;\nvoid f() { BYTE data[100]; WSAStartup(2, data); }", 100),
        ("typedef struct tagD { uint a; } D, *PD;\nvoid f() { D data; WSAStartup(2, data); }", 4),
        ("typedef Data Other;\nvoid f() { Other data; WSAStartup(2, data); }", 6),
        ("#define OTHER struct Data\nvoid f() { OTHER data; WSAStartup(2, data); }", 6),
        ("void f() { unsigned char data[100]; WSAStartup(2, data); }", 100),
        ("void f() { struct Data data; WSAStartup(2, data); }", 6),
        ("void f() { const struct Data data[2]; WSAStartup(2, data); }", 12),
        ("struct Small { uchar data[7]; }; Small data = {0}; void f() { WSAStartup(2, data); }", 7),
    ],
)
def test_the_size_of_the_variable_is_found(source: str, size: int) -> None:
    assert sizes("struct Data { ushort a; uint b; };\n" + source) == [size]


@pytest.mark.parametrize(
    "source",
    [
        "void f(uchar &data[]) { WSAStartup(2, data); }",
        "uchar data[4]; void f(uchar &data[]) { WSAStartup(2, data); }",
        "void f() { WSAStartup(2, data); }",
        "uchar data[4]; void f() { uchar *data; WSAStartup(2, data); }",
        "typedef struct { uint a; } D, *PD; uchar data[4]; void f() { PD data = GetPointer(d); WSAStartup(2, data); }",
        "void f() { uchar data[]; WSAStartup(2, data); }",
        "void f() { uchar data[N]; WSAStartup(2, data); }",
        "void f() { uchar data[]; ArrayResize(data, n); WSAStartup(2, data); }",
        "void f() { Unknown data; WSAStartup(2, data); }",
        "void f() { WSAStartup(2, this.data); WSAStartup(2); WSAStartup(); WSAStartup; WSAStartup(2, g(x)); }",
        '#import "ws2_32.dll"\nint WSAStartup(int version, uchar &data[]);\n#import\n',
        "void f() { string s; Broken data; WSAStartup(2, data); } struct Broken { string s; };",
        "WSAStartup(2, data",
        "WSAStartup",
    ],
)
def test_a_variable_of_unknown_size_is_not_reported(source: str) -> None:
    assert sizes(source) == []


def test_a_variable_that_is_too_small_is_reported_with_the_line_and_the_right_size() -> None:
    text = "uchar data[400];\nvoid f() {\n  WSAStartup(0x202, data); }"
    (finding,) = compare(SourceFile("a.mqh", text), 64)
    assert finding.ok is False
    assert finding.found == "a.mqh:3: data has 400 bytes, WSADATA has 408 on 64-bit Windows"
    assert finding.advice == "WSAStartup writes beyond its end. Use: uchar data[408];"
    (finding,) = compare(SourceFile("a.mqh", text), 32)
    assert finding.ok is True


def test_calls_after_an_import_are_found() -> None:
    text = '#import "ws2_32.dll"\nint WSAStartup(int v, uchar &d[]);\n#import\nuchar d[9]; int r = WSAStartup(2, d);'
    assert sizes(text, 32) == [9]


def test_the_number_of_calls_that_are_examined_is_limited() -> None:
    assert sizes("uchar data[9];\n" + "int r = WSAStartup(2, data);\n" * 50) == [9] * 20

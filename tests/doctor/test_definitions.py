"""winsock.doctor layout compares constants, type names and macros with those of Winsock's headers."""

from __future__ import annotations

import pytest

from winsock import constants, errors
from winsock.doctor.definitions import compare_definitions
from winsock.doctor.findings import Finding
from winsock.doctor.mql_structs import read
from winsock.doctor.source_files import SourceFile


def definitions(text: str, bits: int = 64) -> dict[str, Finding]:
    return {finding.what: finding for finding in compare_definitions(read(SourceFile("a.mqh", text)), bits)}


# ---- constants


@pytest.mark.parametrize(
    "value",
    [
        "0x8004667E", "0x8004667eu", "-2147195266", "(int)0x8004667E", "(uint)2147772030", "2147772030",
        "0x80000000 | 4 << 16 | 'f' << 8 | 126", "_IOW('f', 126, int)",
        "(IOC_IN|((sizeof(uint)&0x7f)<<16)|(102<<8)|126)",
        "int(0x8004667E)", "0b10000000000001000110011001111110", "~0x7FFB9981", "1 ? 0x8004667E : 0",
    ],
)  # fmt: skip
def test_a_constant_may_be_written_in_any_way(value: str) -> None:
    text = f"""
    #define IOC_IN 0x80000000
    #define _IOW(x,y,t) (IOC_IN|(((int)sizeof(t)&0x7f)<<16)|((x)<<8)|(y))
    #define FIONBIO {value} // set or clear non-blocking mode
    """
    (finding,) = definitions(text).values()
    assert finding.ok is True
    assert finding.facts == {"definitions": ["IOC_IN", "FIONBIO"]}


@pytest.mark.parametrize(
    ("definition", "name", "found"),
    [
        ("#define FIONBIO 0x5421", "FIONBIO", "it is 21537, Winsock's is 2147772030 (0x8004667E)"),
        ("#define FIONBIO 0x8004667F", "FIONBIO", "it is 2147772031 (0x8004667F)"),
        ("#define FIONREAD 0x541B", "FIONREAD", "Winsock's is 1074030207 (0x4004667F)"),
        ("#define SOL_SOCKET 1", "SOL_SOCKET", "it is 1, Winsock's is 65535"),
        ("#define SO_REUSEADDR 2", "SO_REUSEADDR", "it is 2, Winsock's is 4"),
        ("#define SO_KEEPALIVE 9", "SO_KEEPALIVE", "it is 9, Winsock's is 8"),
        ("#define AF_INET6 10", "AF_INET6", "it is 10, Winsock's is 23"),
        ("#define WSAEWOULDBLOCK 11", "WSAEWOULDBLOCK", "it is 11, Winsock's is 10035"),
        ("#define INVALID_SOCKET 0", "INVALID_SOCKET", "it is 0, Winsock's is -1 in 64 bits"),
        ("#define INVALID_SOCKET 0xFFFFFFFF", "INVALID_SOCKET", "it is 4294967295 (0xFFFFFFFF), Winsock's is -1 in 64"),
        ("#define INVALID_SOCKET (uint)-1", "INVALID_SOCKET", "Winsock's is -1 in 64 bits"),
        ("#define SOCKET_ERROR 1", "SOCKET_ERROR", "it is 1, Winsock's is -1"),
        ("#define MSG_PEEK 1\n#undef MSG_PEEK\n#define MSG_PEEK 4", "MSG_PEEK", "a.mqh:3: it is 4, Winsock's is 2"),
        ("const int SOCK_STREAM = 2;", "SOCK_STREAM", "it is 2, Winsock's is 1"),
        ("enum Types { SOCK_STREAM, SOCK_DGRAM };", "SOCK_STREAM", "it is 0, Winsock's is 1"),
    ],
)
def test_a_constant_with_another_value_is_wrong(definition: str, name: str, found: str) -> None:
    finding = definitions(definition)[f"constant {name}"]
    assert finding.ok is False
    assert found in finding.found
    assert finding.advice.startswith(f"#define {name} ")
    corrected = definitions(finding.advice)
    assert [each.ok for each in corrected.values()] == [True]


@pytest.mark.parametrize(
    ("definition", "bits"),
    [
        ("#define INVALID_SOCKET -1", 64),
        ("#define INVALID_SOCKET (SOCKET)(~0)\n#define SOCKET ulong", 64),
        ("#define INVALID_SOCKET 0xFFFFFFFFFFFFFFFF", 64),
        ("#define INVALID_SOCKET 18446744073709551615", 64),
        ("#define INVALID_SOCKET 0xFFFFFFFF", 32),
        ("#define INVALID_SOCKET64 (ulong)(~0)\n#define INVALID_SOCKET32 1", 64),
        ("#define INVALID_SOCKET32 (uint)(~0)\n#define INVALID_SOCKET64 1", 32),
        ("#define SOCKET_ERROR (-1)", 64),
        ("#define SOCKET_ERROR 0xFFFFFFFF", 32),
        ("enum { AF_UNSPEC, AF_INET = 1 + 1, MORE }; static const uint INADDR_NONE = UINT_MAX;", 64),
        ("#define INADDR_NONE ((uint)-1)\n#define INADDR_LOOPBACK 0x7f000001", 64),
        ("#define FD_SETSIZE 1024\n#define SOMAXCONN 5\n#define AF_INET 2", 64),
    ],
)
def test_a_constant_is_compared_in_the_width_of_its_type(definition: str, bits: int) -> None:
    assert [finding.ok for finding in definitions(definition, bits).values()] == [True]


def test_every_constant_of_winsock_is_correct() -> None:
    values = {name: getattr(constants, name) for name in constants.__all__} | {e.name: e.value for e in errors.WSAError}
    for style in ("#define {} {}", "const long {} = {};"):
        text = "\n".join(style.format(name, value) for name, value in values.items())
        (finding,) = definitions(text).values()
        assert finding.ok is True
        assert finding.facts is not None
        assert len(finding.facts["definitions"]) > 400


@pytest.mark.parametrize(
    "value", ["", "2;", '"2"', "two", "\uff12", "1\u0662", "'\\x1_'", "(2", "2.0", "f(2)", "sizeof(Unknown)", "AF_INET"]
)
def test_a_constant_whose_value_is_unknown_is_only_a_note(value: str) -> None:
    (finding,) = definitions(f"#define AF_INET {value}").values()
    assert finding.ok is None
    assert "its value is not known" in finding.found


def test_names_that_winsock_does_not_have_are_ignored() -> None:
    assert definitions("#define WSAWOULDBLOCK 10035\n#define PORT 8081\n#define MAX(a, b) (a)") == {}


# ---- type names


@pytest.mark.parametrize(
    ("name", "kind", "bits", "right"),
    [
        ("SOCKET", "uint", 64, "ulong"),
        ("SOCKET", "int", 64, "ulong"),
        ("SOCKET", "ulong", 32, "uint"),
        ("SOCKET64", "uint", 64, "ulong"),
        ("SOCKET32", "ulong", 32, "uint"),
        ("WORD", "uint", 64, "ushort"),
        ("DWORD", "ulong", 64, "uint"),
        ("BYTE", "short", 64, "uchar"),
        ("u_long", "ulong", 64, "uint"),
        ("u_short", "uint", 32, "ushort"),
        ("HANDLE", "int", 64, "ulong"),
    ],
)
def test_a_type_name_with_another_size_is_wrong(name: str, kind: str, bits: int, right: str) -> None:
    (finding,) = definitions(f"#define {name} {kind}", bits).values()
    assert (finding.ok, finding.what, finding.advice) == (False, f"type {name}", f"#define {name} {right}")
    assert [each.ok for each in definitions(finding.advice, bits).values()] == [True]


def test_a_type_name_that_is_not_a_simple_type_is_only_a_note() -> None:
    (finding,) = definitions("#define HANDLE CHandle").values()
    assert (finding.ok, finding.found) == (None, "a.mqh:1: CHandle is not a simple type of MQL")


@pytest.mark.parametrize(
    ("definition", "name", "right"),
    [
        ("typedef ushort DWORD;", "DWORD", "uint"),
        ("typedef unsigned int SOCKET;", "SOCKET", "ulong"),
        ("typedef ushort U16;\ntypedef U16 BYTE;", "BYTE", "uchar"),
        ("typedef int A, WORD, *PA;", "WORD", "ushort"),
    ],
)
def test_a_typedef_of_another_size_is_wrong(definition: str, name: str, right: str) -> None:
    (finding,) = definitions(definition).values()
    assert (finding.ok, finding.what, finding.advice) == (False, f"type {name}", f"typedef {right} {name};")
    assert finding.found.startswith(f"a.mqh:{1 + definition.count(chr(10))}: ")
    assert [each.ok for each in definitions(finding.advice).values()] == [True]


# ---- macros with parameters


@pytest.mark.parametrize(
    "macro",
    [
        "MAKEWORD(a, b) ((ushort)(((uchar)(a)) | ((ushort)((uchar)(b))) << 8))",
        "MAKEWORD(a,b) ((b) * 256 + (a))",
        "MAKEWORD(low, high) (ushort)(low | high << 8)",
        "LOBYTE(w) ((uchar)(w))",
        "LOBYTE(w) (w & 0xff)",
        "HIBYTE(w) ((uchar)(((ushort)(w)) >> 8))",
        "HIBYTE(w) (w / 256)",
        "htons(x) ((((x) & 0xff) << 8) | (((x) >> 8) & 0xff))",
        "ntohs(x) (ushort)(x << 8 | x >> 8)",
        "htonl(x) ((x & 0xff) << 24 | (x & 0xff00) << 8 | (x >> 8) & 0xff00 | (x >> 24) & 0xff)",
    ],
)
def test_a_macro_may_be_written_in_any_way(macro: str) -> None:
    assert [finding.ok for finding in definitions(f"#define {macro}").values()] == [True]


@pytest.mark.parametrize(
    ("macro", "found"),
    [
        ("MAKEWORD(a, b) ((a) << 8 | (b))", "MAKEWORD(0x1, 0x2) is 0x102, Winsock's is 0x201"),
        ("MAKEWORD(a, b) ((uchar)((a) | (b) << 8))", "MAKEWORD(0x2, 0x2) is 0x2, Winsock's is 0x202"),
        ("LOBYTE(w) ((w) >> 8)", "LOBYTE(0x1234) is 0x12, Winsock's is 0x34"),
        ("HIBYTE(w) (w)", "HIBYTE(0x1234) is 0x1234, Winsock's is 0x12"),
        ("htons(x) (x)", "htons(0x1234) is 0x1234, Winsock's is 0x3412"),
        ("htons(x) ((x) << 8 | (x) >> 8)", "htons(0x1234) is 0x123412, Winsock's is 0x3412"),
        ("htonl(x) ((x) << 16 | (x) >> 16)", "htonl(0x12345678) is 0x123456781234"),
    ],
)
def test_a_macro_with_another_result_is_wrong(macro: str, found: str) -> None:
    (finding,) = definitions(f"#define {macro}").values()
    assert finding.ok is False
    assert found in finding.found


def test_a_macro_whose_value_is_unknown_is_only_a_note() -> None:
    for macro in ("htons(x) swap(x)", "htons(x, y) (x)", "MAKEWORD(a, b) (a) << 8 | HIGH(b)", "htons(x)"):
        (finding,) = definitions(f"#define {macro}").values()
        assert finding.ok is None, macro


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("f(" * 500 + "2" + ")" * 500, "the macro f is nested too deeply"),
        ("f(f(" * 5000 + "2" + "))" * 5000, "the macro f is nested too deeply"),
        ("g(" * 500 + "2" + ",1)" * 500, "the macro g is nested too deeply"),
        ("f(" * 20_000, "not a constant integer: f ( f ("),
        ("0" + "+f(2)" * 10_000, "the macro f is too long when it is expanded"),
    ],
)
def test_macros_that_contain_many_others_are_only_a_note(value: str, problem: str) -> None:
    (finding,) = definitions(f"#define f(x) x\n#define g(x,y) x\n#define AF_INET {value}").values()
    assert finding.ok is None
    assert finding.found.startswith(f"a.mqh:3: its value is not known: {problem}")


@pytest.mark.parametrize("value", ["f(" * 25 + "2" + ")" * 25, "(" * 20 + "f(2)" + ")" * 20, "f((1,2),2)", "h(1,2)"])
def test_an_argument_may_contain_macros_and_parentheses(value: str) -> None:
    text = f"#define f(x) x\n#define h(x,y) f(f(y))\n#define AF_INET {value}"
    (finding,) = definitions(text).values()
    assert finding.ok is (None if value.startswith("f((") else True)

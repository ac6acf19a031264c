"""winsock.doctor layout compares the functions that MQL source imports with Winsock's prototypes."""

from __future__ import annotations

import re

import pytest

from winsock.api import CALLS, Winsock
from winsock.doctor.findings import Finding
from winsock.doctor.mql_structs import read
from winsock.doctor.prototypes import C_PROTOTYPES, compare_prototypes
from winsock.doctor.source_files import SourceFile

SOURCE = """
#define SOCKET32 uint
#define SOCKET64 ulong
#define LPSOCKADDR char&
struct sockaddr_in { short sin_family; ushort sin_port; uint sin_addr; char sin_zero[8]; };
struct in_addr { uint s_addr; };
#import "DLL"
PROTOTYPE
#import
"""


def functions(prototype: str, bits: int = 64, dll: str = "Ws2_32.dll") -> list[Finding]:
    text = SOURCE.replace("DLL", dll).replace("PROTOTYPE", prototype)
    return compare_prototypes(read(SourceFile("a.mqh", text)), bits)


def test_the_prototypes_are_those_of_the_contract() -> None:
    known = {re.sub(r"\s+", " ", text).strip() for text in C_PROTOTYPES.split(";")}
    for name in CALLS:
        documented = getattr(Winsock, name).__doc__.partition("\n\n")[0]
        assert re.sub(r"\s+", " ", documented).strip("; ") in known


@pytest.mark.parametrize("bits", [32, 64])
def test_the_declarations_that_the_doctor_suggests_are_correct(bits: int) -> None:
    source = "\n".join(f"void {name}(int a, int b, int c, int d, int e, int f, int g, int h);" for name in CALLS)
    wrong = functions(source, bits)
    assert len(wrong) == len(CALLS)
    suggested = "\n".join(finding.advice.removeprefix("Correct declaration: ") for finding in wrong)
    (finding,) = functions(suggested, bits)
    assert finding.ok is True
    assert finding.facts == {"functions": list(CALLS)}


@pytest.mark.parametrize(
    ("prototype", "bits"),
    [
        ("int WSAStartup(ushort wVersionRequested, uchar &lpWSAData[]);", 64),
        ("int WSAStartup(int version, int &data[]);", 64),
        ("int WSACleanup(void); int WSAGetLastError();", 64),
        ("void WSACleanup();", 64),
        ("ulong socket(int, int, int);", 64),
        ("long socket(int af, int type, int protocol);", 64),
        ("int socket(int af, int type, int protocol);", 32),
        ("SOCKET32 socket(int, int, int); SOCKET64 socket(int, int, uint);", 32),
        ("SOCKET32 socket(int, int, int); SOCKET64 socket(int, int, uint);", 64),
        ("int connect(SOCKET64 s, LPSOCKADDR name[], int namelen);", 64),
        ("int connect(ulong s, const sockaddr_in &name, int namelen = 16);", 64),
        ("int ioctlsocket(ulong s, uint cmd, uint &argp);", 64),
        ("int ioctlsocket(ulong s, long cmd, uchar &argp[]);", 64),
        ("int ioctlsocket(int s, int cmd, int &argp[]);", 32),
        ("SOCKET64 accept(SOCKET64, long, long);", 64),
        ("uint accept(uint s, int addr, int addrlen);", 32),
        ("int select(int, fd_set &r, fd_set &w, fd_set &e, timeval &t);", 64),
        ("int select(int n, uchar &r[], ulong w, ulong e, uchar &t[]);", 64),
        ("unsigned int inet_addr(uchar& cp[]); unsigned short htons(unsigned short port);", 64),
        ("long inet_ntoa(in_addr address);", 64),
        ("uint inet_ntoa(uint address);", 32),
        ("ulong gethostbyname(const char &name[]);", 64),
        ("int getaddrinfo(uchar &node[], uchar &service[], addrinfo &hints, ulong &result);", 64),
        ("void freeaddrinfo(ulong info); int freeaddrinfo(ulong info);", 64),
        ("int __WSAFDIsSet(ulong s, fd_set &set);", 64),
    ],
)  # fmt: skip
def test_a_correct_prototype_may_be_written_in_any_way(prototype: str, bits: int) -> None:
    assert [finding.ok for finding in functions(prototype, bits)] == [True]


@pytest.mark.parametrize(
    ("prototype", "bits", "wrong"),
    [
        ("uint socket(int af, int type, int protocol);", 64, "The result: uint has 4 bytes, Winsock's SOCKET has 8"),
        ("int closesocket(uint s);", 64, "Parameter 1 (s): uint has 4 bytes, Winsock's SOCKET has 8 on 64-bit Windows"),
        ("int closesocket(SOCKET32);", 64, "Parameter 1 (s): uint has 4 bytes"),
        ("int closesocket(SOCKET64 s);", 32, "ulong takes 8 bytes of the stack, Winsock's SOCKET takes 4; use uint"),
        ("int accept(int s, sockaddr_in &addr, int &addrlen);", 64, "The result: int has 4 bytes"),
        ("ulong accept(ulong s, int addr, int addrlen);", 64, "Parameter 2 (addr): int has 4 bytes, a pointer has 8"),
        ("ulong inet_addr(char &cp[]);", 64, "ulong has 8 bytes, Winsock's unsigned long has 4: the others are"),
        ("uint inet_addr(string cp);", 64, "MQL passes a string as UTF-16"),
        ("int htons(int hostshort);", 64, "int has 4 bytes, Winsock's u_short has 2: the others are undefined"),
        ("ulong htonl(ulong hostlong);", 32, "Parameter 1 (hostlong): ulong takes 8 bytes of the stack"),
        ("string inet_ntoa(uint in);", 64, "Winsock returns a pointer to bytes, MQL reads UTF-16; use ulong"),
        ("string inet_ntop(int f, uint &a, char &b[], uint n);", 64, "uint has 4 bytes, Winsock's size_t has 8"),
        ("int ioctlsocket(ulong s, int cmd, uint argp);", 64, "Parameter 3 (argp): uint has 4 bytes, a pointer has 8"),
        ("int ioctlsocket(ulong s, int cmd, ulong &argp);", 64, "it points to ulong of 8 bytes, Winsock writes 4"),
        ("int ioctlsocket(int s, long cmd, int &argp);", 32, "long takes 8 bytes of the stack, Winsock's long takes 4"),
        ("int recv(ulong s, uchar &buf[], int len);", 64, "It has 3 parameters, Winsock's has 4."),
        ("int recv(ulong s, uchar &buf[], int &len, int flags);", 64, "it passes a pointer, but Winsock expects"),
        ("int send(ulong s, uchar &buf[], short len, int flags);", 64, "short has 2 bytes, Winsock's int has 4"),
        ("int send(ulong s, uchar &buf[], double len, int flags);", 64, "double is not an integer"),
        ("int gethostbyname(uchar &name[]);", 64, "int has 4 bytes, Winsock's struct hostent * has 8 on 64"),
        ("int getaddrinfo(uchar &a[], uchar &b[], addrinfo &h, uint &result);", 64, "it points to uint of 4 bytes"),
        ("int listen(HANDLE s, int backlog);", 64, "the type HANDLE is not declared in this source"),
        ("DWORD listen(ulong s, int backlog);", 64, "The result: the type DWORD is not declared in this source"),
        ("int bind(ulong s, PVOID name, int namelen);", 64, "the type PVOID is not declared in this source"),
        ("float recv(ulong s, uchar &b[], int n, int f);", 64, "float has 4 bytes, Winsock's int has 4"),
        ("int FD_SET(ulong s, uchar &set[]);", 64, "a macro of winsock2.h; Ws2_32.dll has no such function"),
        ("ushort MAKEWORD(uchar a, uchar b);", 64, "a macro of winsock2.h"),
        ("int WSAStartUp(ushort v, uchar &data[]);", 64, "Ws2_32.dll has no such function"),
        ("int CloseSocket(ulong s);", 64, "Ws2_32.dll has no such function"),
    ],
)  # fmt: skip
def test_a_wrong_prototype_is_reported_with_its_line(prototype: str, bits: int, wrong: str) -> None:
    (finding,) = functions(prototype, bits)
    assert finding.ok is False
    assert wrong in finding.found
    assert finding.found.startswith("a.mqh:8: ")
    assert finding.advice


@pytest.mark.parametrize(
    "dll", ["ws2_32.dll", "WS2_32.DLL", "Ws2_32", "wsock32.dll", r"C:\Windows\System32\ws2_32.dll"]
)
def test_the_import_of_winsock_is_found_by_its_name(dll: str) -> None:
    assert [finding.ok for finding in functions("int closesocket(uint s);", 64, dll)] == [False]


@pytest.mark.parametrize("dll", ["kernel32.dll", "my_ws2_32.dll", "ws2_32.ex5", ""])
def test_imports_of_other_files_are_not_compared(dll: str) -> None:
    assert functions("int closesocket(uint s);", 64, dll) == []


def test_functions_that_are_not_known_are_a_note_and_other_text_is_ignored() -> None:
    prototypes = "int WSAAsyncSelect(ulong, int, uint, int); int closesocket(ulong s); ; broken(; int x;"
    found = {finding.ok: finding.found for finding in functions(prototypes)}
    assert found == {None: "not checked: WSAAsyncSelect", True: "correct for 64-bit Windows: closesocket"}


def test_two_imports_in_a_row_and_calls_outside_are_told_apart() -> None:
    text = """
    #import "ws2_32.dll"
    int closesocket(ulong s);
    #import "user32.dll"
    int listen(int s, int backlog);
    #import
    void OnStart() { int socket(3); bind(1, 2); }
    """
    (finding,) = compare_prototypes(read(SourceFile("a.mqh", text)), 64)
    assert finding.found == "correct for 64-bit Windows: closesocket"

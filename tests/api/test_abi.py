"""The binary interface: winsock declares what Microsoft's headers declare, for 64-bit and for 32-bit Windows."""

from __future__ import annotations

import ast
import ctypes
import re
import subprocess
import sys
from ctypes import c_int, sizeof
from inspect import getdoc
from pathlib import Path

import abi_headers
import abi_layouts
import pytest
from winsock_kit import error_of

import winsock
from winsock import (
    AF_INET,
    CALLS,
    SOCK_STREAM,
    WSAEFAULT,
    Winsock,
    bind,
    closesocket,
    getsockname,
    htonl,
    htons,
    inet_addr,
    sockaddr_in,
    socket,
)

RUN = Path(__file__).parents[1] / "wine" / "run"
NOT_BUILT = 125

# ctypes saves the last error; these two functions of the DLL are not called.
KEPT_BY_CTYPES = {"WSAGetLastError", "WSASetLastError"}
FOREIGN = [call for call in CALLS if call not in KEPT_BY_CTYPES]

# The names of the structures in the headers, where they differ.
TAGS = {"WSADATA": "WSADATA", "WSAData": "WSADATA", "WSAPOLLFD": "WSAPOLLFD", "fd_set": "fd_set"}

# Names that some releases of mingw-w64 lack, with their values in Microsoft's headers.
NOT_IN_MINGW = {
    # ws2def.h
    "AF_LINK": 33,
    "AF_HYPERV": 34,
    "AI_DNS_ONLY": 0x10,
    "SO_BSP_STATE": 0x1009,
    "SO_PAUSE_ACCEPT": 0x3003,
    "SO_COMPARTMENT_ID": 0x3004,
    "SO_RANDOMIZE_PORT": 0x3005,
    "SO_PORT_SCALABILITY": 0x3006,
    "SO_REUSE_UNICASTPORT": 0x3007,
    "SO_REUSE_MULTICASTPORT": 0x3008,
    # ws2ipdef.h
    "TCP_KEEPALIVE": 3,
    "TCP_KEEPIDLE": 3,
    "TCP_MAXSEG": 4,
    "TCP_MAXRT": 5,
    "TCP_STDURG": 6,
    "TCP_NOURG": 7,
    "TCP_ATMARK": 8,
    "TCP_NOSYNRETRIES": 9,
    "TCP_TIMESTAMPS": 10,
    "TCP_OFFLOAD_PREFERENCE": 11,
    "TCP_CONGESTION_ALGORITHM": 12,
    "TCP_DELAY_FIN_ACK": 13,
    "TCP_MAXRTMS": 14,
    "TCP_FASTOPEN": 15,
    "TCP_KEEPCNT": 16,
    "TCP_KEEPINTVL": 17,
    "TCP_FAIL_CONNECT_ON_ICMP_ERROR": 18,
    "TCP_ICMP_ERROR_INFO": 19,
    # ws2tcpip.h, and winerror.h, from which it takes them
    "EAI_NOSECURENAME": 11032,
    "EAI_IPSECPOLICY": 11033,
    "WSA_SECURE_HOST_NOT_FOUND": 11032,
    "WSA_IPSEC_NAME_POLICY_ERROR": 11033,
    # mswsock.h
    "SIO_UDP_NETRESET": 0x9800000F,
}
# Microsoft's ws2tcpip.h defines EAI_NODATA as EAI_NONAME, mingw-w64's as WSANO_DATA.
EAI_NODATA_IN_MINGW = 11004
# Microsoft's winsock2.h has `const struct timeval *`; in mingw-w64's, `const` belongs to the pointer.
SELECT_IN_MINGW = ("const struct timeval *timeout", "const PTIMEVAL timeout")

# Microsoft's headers have used ADDRESS_FAMILY, a USHORT, since Windows Vista; mingw-w64's still use short.
SIGNED_IN_MINGW = [
    f"(__typeof__(((struct {name} *)0)->{field}))-1 < 0"
    for name, field in (
        ("sockaddr_in", "sin_family"),
        ("sockaddr_in6", "sin6_family"),
        ("sockaddr_storage", "ss_family"),
    )
]

MQL = """\
#pragma pack(push, 1)
typedef struct { unsigned short sin_family, sin_port; unsigned long long sin_addr; char sin_zero[8]; }
    printed_sockaddr_in;
typedef struct { char ref[16]; } printed_ref_sockaddr;
typedef union { unsigned char u_b[4]; unsigned short u_w[2]; unsigned int u_i; } attached_in_addr;
typedef struct { unsigned short sin_family, sin_port; attached_in_addr sin_addr; char sin_zero[8]; }
    attached_sockaddr_in;
typedef union { char ref[16]; attached_sockaddr_in in_; } attached_ref_sockaddr;
typedef struct {
    unsigned short wVersion, wHighVersion;
    char szDescription[257], szSystemStatus[129];
    unsigned short iMaxSockets, iMaxUdpDg;
} mql_WSAData;
#pragma pack(pop)
"""
MQL_LAYOUTS = (
    abi_layouts.printed_sockaddr_in,
    abi_layouts.printed_ref_sockaddr,
    abi_layouts.attached_in_addr,
    abi_layouts.attached_sockaddr_in,
    abi_layouts.attached_ref_sockaddr,
    abi_layouts.mql_WSAData,
)
MACROS = {
    "MAKEWORD(2, 2)": winsock.MAKEWORD(2, 2),
    "MAKEWORD(0x1FF, -1)": winsock.MAKEWORD(0x1FF, -1),
    "LOBYTE(0x1234)": winsock.LOBYTE(0x1234),
    "HIBYTE(0x1234)": winsock.HIBYTE(0x1234),
}


@pytest.fixture(params=[64, 32])
def bits(request: pytest.FixtureRequest) -> int:
    """32 or 64, the width of Windows."""
    width: int = request.param
    abi_headers.needs_compiler(width)
    return width


def layouts(bits: int) -> dict[str, int]:
    facts: dict[str, int] = {}
    for name, structure in abi_layouts.structures_of(bits).items():
        facts |= abi_layouts.layout(structure, TAGS.get(name, f"struct {name}"))
    for name in ("SOCKET", "u_long", "u_short"):
        kind = abi_layouts.module("structures", bits)[name]
        facts |= {f"sizeof({name})": sizeof(kind), f"({name})-1 < 0": 0}
    assert [facts.pop(family) for family in SIGNED_IN_MINGW] == [0, 0, 0]
    return facts


def as_c(bits: int, value: int) -> int:
    """A number as a C program stores it in a `long long`."""
    return ctypes.c_longlong(value).value if bits == 64 else value


def test_every_structure_has_the_size_alignment_offsets_and_field_types_of_the_headers(bits: int) -> None:
    expected = layouts(bits)
    assert abi_headers.values(bits, expected) == expected


def test_every_structure_is_checked_against_the_headers() -> None:
    assert set(abi_layouts.structures_of(64)) == {
        name for name in winsock.__all__ if isinstance(getattr(winsock, name), type(ctypes.Structure))
    }


@pytest.mark.parametrize("size", [1, 63, 100, 1000])
def test_fd_set_sized_has_the_layout_of_the_headers_with_fd_setsize_redefined(bits: int, size: int) -> None:
    expected = abi_layouts.layout(abi_layouts.module("structures", bits)["fd_set_sized"](size), "fd_set")
    assert abi_headers.values(bits, expected, "", f"-DFD_SETSIZE={size}") == expected


def test_every_constant_has_the_headers_value(bits: int) -> None:
    constants = {name: as_c(bits, value) for name, value in abi_layouts.constants_of(bits).items()}
    absent = abi_headers.undeclared(bits, constants)
    declared = abi_headers.values(bits, constants.keys() - absent)
    declared_differently = {"EAI_NODATA"} if declared["EAI_NODATA"] == EAI_NODATA_IN_MINGW else set()
    assert declared == {name: constants[name] for name in declared} | dict.fromkeys(
        declared_differently, EAI_NODATA_IN_MINGW
    )
    assert absent <= NOT_IN_MINGW.keys()


def test_constants_that_mingw_lacks_or_defines_differently_have_the_value_of_microsoft() -> None:
    constants = abi_layouts.constants_of(64)
    assert {name: constants[name] for name in NOT_IN_MINGW} == NOT_IN_MINGW
    assert winsock.EAI_NODATA == winsock.EAI_NONAME == 11001


def test_the_macros_give_what_the_headers_do(bits: int) -> None:
    assert abi_headers.values(bits, MACROS) == MACROS


def test_a_c_program_on_windows_prints_the_same_constants(tmp_path: Path) -> None:
    abi_headers.needs_compiler(64)
    constants = {name: as_c(64, value) for name, value in abi_layouts.constants_of(64).items()}
    for name in abi_headers.undeclared(64, constants) | {"EAI_NODATA"}:
        del constants[name]
    expected = constants | layouts(64) | MACROS
    executable = tmp_path / "facts.exe"
    done = abi_headers.compiler(
        64, "-D__USE_MINGW_ANSI_STDIO", "-xc", "-", "-o", executable, source=abi_headers.program(expected)
    )
    assert done.returncode == 0, done.stderr
    runner = [] if sys.platform == "win32" else [str(RUN)]
    printed = subprocess.run([*runner, str(executable)], capture_output=True, text=True, check=False)
    if printed.returncode == NOT_BUILT:
        pytest.skip(printed.stderr.strip())
    assert printed.returncode == 0, printed.stderr
    assert dict(zip(expected, map(int, printed.stdout.split()), strict=True)) == expected


# Prototypes


def test_every_call_except_those_for_the_last_error_is_declared() -> None:
    assert sorted(abi_layouts.declared(64)) == sorted(FOREIGN)


def test_nothing_undeclared_is_called() -> None:
    tree = ast.parse((abi_layouts.PACKAGE / "ws2_32.py").read_text(encoding="utf-8"))
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "_dll"]
    (declare,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_declare")
    inside = [node for node in ast.walk(declare) if isinstance(node, ast.Name) and node.id == "_dll"]
    assert len(inside) == 1
    assert [type(node.ctx) for node in uses if node not in inside] == [ast.Store]


def test_every_call_is_declared_with_the_result_and_parameter_types_of_the_headers(bits: int) -> None:
    declared = abi_layouts.declared(bits)
    kinds = {
        call: (abi_layouts.kind_of(result), [*map(abi_layouts.kind_of, arguments)])
        for call, (result, arguments) in declared.items()
    }
    assert kinds == {call: abi_headers.prototype(bits, call) for call in declared}


def test_every_call_is_documented_with_the_prototype_of_the_headers(bits: int) -> None:
    source = abi_headers.HEADERS
    for call in CALLS:
        text = getdoc(getattr(Winsock, call))
        assert text is not None
        prototype = text.split("\n\n")[0]
        if call == "select":
            prototype = prototype.replace(*SELECT_IN_MINGW)
        # The documentation leaves out the calling convention, which the compiler compares too.
        redeclared, count = re.subn(rf"\b{call}\(", f"WSAAPI {call}(", prototype)
        assert count == 1
        source += redeclared + "\n"
    done = abi_headers.compiler(bits, "-w", "-fsyntax-only", "-xc", "-", source=source)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_declared_arguments_have_the_size_that_the_linker_name_requires() -> None:
    # On 32-bit Windows the linker name of a stdcall function contains the size: _recv@16.
    abi_headers.needs_compiler(32)
    declared = abi_layouts.declared(32)
    assert abi_headers.linked_bytes(32, declared) == {
        call: sum(max(4, sizeof(kind)) for kind in arguments) for call, (_, arguments) in declared.items()
    }


@pytest.mark.skipif(sys.platform != "win32", reason="Ws2_32.dll is on Windows; tests/wine/run runs it")
def test_the_functions_of_the_dll_have_the_declared_types_and_save_the_last_error() -> None:
    dll = winsock.ws2_32._dll  # type: ignore[attr-defined]
    used = {call: getattr(dll, call) for call in FOREIGN}
    types = {call: (function.restype, list(function.argtypes)) for call, function in used.items()}
    assert types == abi_layouts.declared(abi_layouts.BITS)
    for function in used.values():
        flags = type(function)._flags_
        assert flags & ctypes._FUNCFLAG_USE_LASTERROR  # type: ignore[attr-defined]
        assert not flags & (ctypes._FUNCFLAG_CDECL | ctypes._FUNCFLAG_PYTHONAPI)  # type: ignore[attr-defined]


# MQL programs


def test_the_layouts_of_mql_are_those_of_a_c_compiler_without_padding(bits: int) -> None:
    expected: dict[str, int] = {}
    for kind in MQL_LAYOUTS:
        expected |= abi_layouts.layout(kind, kind.__name__)
    assert abi_headers.values(bits, expected, MQL) == expected


def offsets(kind: type[ctypes.Structure | ctypes.Union]) -> dict[str, int]:
    return {field[0]: getattr(kind, field[0]).offset for field in kind._fields_}


def test_the_address_of_the_printed_listing_has_20_bytes_of_which_16_are_passed() -> None:
    kind = abi_layouts.printed_sockaddr_in
    assert sizeof(kind) == 20
    assert offsets(kind) == {"sin_family": 0, "sin_port": 2, "sin_addr": 4, "sin_zero": 12}
    assert sizeof(abi_layouts.printed_ref_sockaddr) == sizeof(sockaddr_in) == 16


def test_the_address_of_the_attached_library_has_16_bytes_as_in_winsock() -> None:
    kind = abi_layouts.attached_sockaddr_in
    assert sizeof(kind) == sizeof(abi_layouts.attached_ref_sockaddr) == sizeof(sockaddr_in)
    assert offsets(kind) == offsets(sockaddr_in)
    assert sizeof(abi_layouts.attached_in_addr) == sizeof(winsock.in_addr)


def test_the_wsadata_of_mql_has_the_field_order_of_32_bit_windows_only() -> None:
    theirs = offsets(abi_layouts.mql_WSAData)
    on_32, on_64 = (offsets(abi_layouts.module("structures", bits)["WSADATA"]) for bits in (32, 64))
    assert theirs == {name: on_32[name] for name in theirs}
    assert {name for name in theirs if on_64[name] == theirs[name]} == {"wVersion", "wHighVersion"}


def printed_address() -> bytes:
    """What the programs of the printed listing pass: the first 16 of the 20 bytes of their address."""
    address = abi_layouts.printed_sockaddr_in(AF_INET, htons(0), inet_addr("127.0.0.1"))
    return bytes(address)[: sizeof(abi_layouts.printed_ref_sockaddr)]


def attached_address() -> bytes:
    """What the programs of the attached library pass."""
    address = abi_layouts.attached_ref_sockaddr()
    address.in_.sin_family = AF_INET
    address.in_.sin_port = htons(0)
    address.in_.sin_addr.u_i = inet_addr("127.0.0.1")
    return bytes(address)


@pytest.mark.parametrize("address", [printed_address, attached_address])
@pytest.mark.usefixtures("started")
def test_the_calls_accept_an_address_with_the_layout_of_mql(address: object) -> None:
    ref = bytearray(address())  # type: ignore[operator]
    assert ref == bytes(sockaddr_in(sin_family=AF_INET, sin_addr=winsock.in_addr(htonl(winsock.INADDR_LOOPBACK))))
    s = socket(AF_INET, SOCK_STREAM, 0)
    assert bind(s, ref, len(ref)) == 0, error_of(-1)
    length = c_int(len(ref))
    assert getsockname(s, ref, length) == 0, error_of(-1)
    assert length.value == 16
    assert abi_layouts.attached_sockaddr_in.from_buffer_copy(ref).sin_addr.u_i == inet_addr("127.0.0.1")
    assert closesocket(s) == 0


@pytest.mark.usefixtures("started")
def test_the_length_20_of_the_printed_listing_exceeds_its_16_bytes() -> None:
    # These programs pass sizeof(addrin), so Windows reads four bytes after the end of the array.
    s = socket(AF_INET, SOCK_STREAM, 0)
    assert error_of(bind(s, printed_address(), sizeof(abi_layouts.printed_sockaddr_in))) == WSAEFAULT
    whole = bytes(abi_layouts.printed_sockaddr_in(AF_INET, htons(0), inet_addr("127.0.0.1")))
    assert bind(s, whole, len(whole)) == 0, error_of(-1)
    assert closesocket(s) == 0

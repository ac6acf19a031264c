"""The sources of facts: test suites that run on Windows, and Microsoft's reference."""

from __future__ import annotations

# Wine's tests are also run on Windows; "todo_wine" marks an answer that only Windows gives.
WINE = "https://github.com/wine-mirror/wine/blob/master/dlls/ws2_32/tests/sock.c"
_DOTNET = "https://github.com/dotnet/runtime/blob/main/src/libraries/System.Net.Sockets/tests/FunctionalTests"
_LIBUV = "https://github.com/libuv/libuv/blob/v1.x/test"
_MIO = "https://github.com/tokio-rs/mio/blob/master/tests"
_REACTOS = "https://github.com/reactos/reactos/blob/master/modules/rostests/apitests/ws2_32"
_RUST = "https://github.com/rust-lang/rust/blob/main/library/std/src/net"
_SOCKET2 = "https://github.com/rust-lang/socket2/blob/master"
_REFERENCE = "https://learn.microsoft.com/en-us/windows/win32"


def wine(test: str) -> str:
    return f"{WINE}: {test}"


def dotnet(file: str, test: str) -> str:
    return f"{_DOTNET}/{file}: {test}"


def libuv(file: str, test: str) -> str:
    return f"{_LIBUV}/{file}: {test}"


def mio(file: str, test: str) -> str:
    return f"{_MIO}/{file}: {test}"


def reactos(file: str, test: str) -> str:
    return f"{_REACTOS}/{file}: {test}"


def rust(file: str, test: str) -> str:
    return f"{_RUST}/{file}: {test}"


def socket2(file: str, test: str) -> str:
    return f"{_SOCKET2}/{file}: {test}"


def page(call: str, statement: str) -> str:
    """Microsoft's reference page of a call."""
    return f"{_REFERENCE}/api/winsock2/nf-winsock2-{call.lower()}: {statement}"


def topic_page(name: str, statement: str) -> str:
    """Another page of Microsoft's reference for Winsock."""
    return f"{_REFERENCE}/winsock/{name}: {statement}"

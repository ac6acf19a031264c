"""The sources of facts: test suites that run on Windows, and Microsoft's reference."""

from __future__ import annotations

# Wine's tests are also run on Windows; "todo_wine" marks an answer that only Windows gives.
WINE = "https://github.com/wine-mirror/wine/blob/master/dlls/ws2_32/tests/sock.c"
DOTNET = "https://github.com/dotnet/runtime/blob/main/src/libraries/System.Net.Sockets/tests/FunctionalTests"
LIBUV = "https://github.com/libuv/libuv/blob/v1.x/test"
MIO = "https://github.com/tokio-rs/mio/blob/master/tests"
REACTOS = "https://github.com/reactos/reactos/blob/master/modules/rostests/apitests/ws2_32"
RUST = "https://github.com/rust-lang/rust/blob/main/library/std/src/net"
SOCKET2 = "https://github.com/rust-lang/socket2/blob/master"
REFERENCE = "https://learn.microsoft.com/en-us/windows/win32"


def wine(test: str) -> str:
    return f"{WINE}: {test}"


def dotnet(file: str, test: str) -> str:
    return f"{DOTNET}/{file}: {test}"


def libuv(file: str, test: str) -> str:
    return f"{LIBUV}/{file}: {test}"


def mio(file: str, test: str) -> str:
    return f"{MIO}/{file}: {test}"


def reactos(file: str, test: str) -> str:
    return f"{REACTOS}/{file}: {test}"


def rust(file: str, test: str) -> str:
    return f"{RUST}/{file}: {test}"


def socket2(file: str, test: str) -> str:
    return f"{SOCKET2}/{file}: {test}"


def page(call: str, statement: str) -> str:
    """Microsoft's reference page of a call."""
    return f"{REFERENCE}/api/winsock2/nf-winsock2-{call.lower()}: {statement}"


def topic_page(name: str, statement: str) -> str:
    """Another page of Microsoft's reference for Winsock."""
    return f"{REFERENCE}/winsock/{name}: {statement}"

"""compat's reference in the place of its accelerator, for comparisons of both."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import winsock

_MODULES = {
    "send": "calls.sending",
    "recv": "calls.receiving",
    "sendto": "calls.sending",
    "recvfrom": "calls.receiving",
    "send_many": "calls.sending",
    "accept": "calls.connections",
    "closesocket": "calls.sockets",
    "ioctlsocket": "calls.sockets",
    "select": "calls.polling",
    "WSAPoll": "calls.polling",
    "WSAGetLastError": "calls.startup",
}
_MACROS = ("FD_SET", "FD_CLR", "FD_ISSET", "FD_ZERO")


def accelerated() -> bool:
    return bool(getattr(winsock.calls, "ACCELERATED", False))


def reference_of(name: str) -> Callable[..., Any]:
    """The reference's function of an accelerated call or macro."""
    module = "winsock.structures" if name in _MACROS else f"winsock_compat.{_MODULES[name]}"
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


@contextmanager
def on_the_reference() -> Iterator[None]:
    """Puts the reference's functions into the package `winsock`."""
    names = (*(name for name in _MODULES if name != "send_many"), *_MACROS)
    before = {name: getattr(winsock, name) for name in names}
    try:
        for name in names:
            setattr(winsock, name, reference_of(name))
        yield
    finally:
        for name in names:
            setattr(winsock, name, before[name])

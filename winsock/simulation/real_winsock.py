"""The real Winsock, which a simulated program must not call.

A program may hold a real call in many places: a class attribute, a default value, a partial, a container. So not the
calls are replaced, but the functions through which all of them go: in compat those of state/handles, which say whether
Winsock is started and find the socket of a handle; on Windows the functions of Ws2_32.dll. A call that needs neither,
such as htons, is not checked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from winsock.api import CALLS

from .callers import calling_process, refuse

__all__ = ["PURE", "checked_calls"]

# Their results are the same in a simulation and outside, and they need no WSAStartup.
PURE = frozenset({"htons", "ntohs", "htonl", "ntohl", "inet_addr", "inet_ntoa"})
_NO_SOCKETS = PURE | {"inet_ntop", "inet_pton", "WSAGetLastError", "WSASetLastError", "freeaddrinfo"}
_PROBLEM = (
    "a socket of the machine, because the program has imported the function before the network was opened; write "
    "`import winsock` and `winsock.{0}(…)`, or open the network with Network(programs=[…]) and import the program's "
    "package within its block"
)


def checked_calls() -> Iterator[tuple[ModuleType, str, Callable[..., Any]]]:
    """The functions to replace: the module, the name, and what to put in its place."""
    if sys.platform == "win32":
        backend = sys.modules["winsock.ws2_32"]
        for name in CALLS:
            if name not in _NO_SOCKETS:
                yield backend, f"_{name}", _checked(getattr(backend, f"_{name}"))
        return
    handles = sys.modules["winsock_compat.state.handles"]
    for name in ("start", "stop", "started", "find"):
        original: Callable[..., Any] = getattr(handles, name)
        # By their names in sys.modules: an attribute of another module may load it (importlib.util.LazyLoader).
        for module in [each for key, each in sys.modules.items() if key.startswith("winsock_compat.")]:
            if getattr(module, name, None) is original:
                yield module, name, _checked(original)


def _checked(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        if calling_process() is not None:
            name = _name_of_call()
            refuse(f"the real winsock.{name}()", _PROBLEM.format(name))
        return original(*args)

    return call


def _name_of_call() -> str:
    """The call of winsock that the program has made: the outermost one, because send uses sendto, for example."""
    name, frame = "", sys._getframe(2)
    while frame.f_globals["__name__"].startswith(("winsock_compat.", "winsock.ws2_32")) and frame.f_back is not None:
        if frame.f_code.co_name in CALLS:
            name = frame.f_code.co_name
        frame = frame.f_back
    return name

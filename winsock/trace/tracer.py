"""The calls with a tracer in between: each does what it did, and is told to a sink."""

from __future__ import annotations

from collections.abc import Callable, Collection
from ctypes import c_int
from functools import wraps
from itertools import count
from typing import Any, cast

from winsock.api import CALLS, Winsock
from winsock.errors import WSAEWOULDBLOCK
from winsock.structures import sockaddr_storage

from .calls import CODES, MOVING, Call, failed
from .memory import address, number
from .parameters import PARAMETERS, When
from .sinks import CLOCK, Sink

__all__ = ["traced"]


def traced(calls: Winsock, sink: Sink, names: bool, preview: int, only: Collection[str] = CALLS) -> Winsock:
    """`calls` with each of `only` told to `sink`; `names` also asks for the addresses of sockets, which JSON has."""
    tracer = _Traced(calls, _SocketNames(calls) if names else None, sink, preview)
    for name in CALLS:
        call = getattr(calls, name)
        setattr(tracer, name, tracer.around(name, call) if name in only else call)
    return cast(Winsock, tracer)


class _Traced:
    """What else the backend has, such as MODE, is to be found here as well."""

    def __init__(self, calls: Winsock, names: _SocketNames | None, sink: Sink, preview: int) -> None:
        self._calls, self._names, self._sink, self._preview = calls, names, sink, preview
        self._numbers = count(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, told to the sink."""
        parameters = PARAMETERS[name]
        order = tuple(parameters)
        sink, names, last_error, set_last_error = (
            self._sink, self._names, self._calls.WSAGetLastError, self._calls.WSASetLastError,
        )  # fmt: skip

        @wraps(function)
        def call_and_tell(*args: Any, **kwargs: Any) -> Any:
            # More arguments than the call has are a TypeError of its own; they are shown under their position.
            given = {order[i] if i < len(order) else f"#{i}": arg for i, arg in enumerate(args)}
            given |= kwargs
            call = Call(name, {key: given[key] for key in order if key in given} | given, self._preview)
            _show(call, When.IN)
            number, start = next(self._numbers), CLOCK()
            sink.begin(call, start)
            start = CLOCK()
            try:
                call.result = function(*args, **kwargs)
            except BaseException as error:
                duration = CLOCK() - start
                call.raised = error
                _show(call, When.OUT)
                sink.end(call, number, start, duration, {})
                raise
            duration = CLOCK() - start
            call.done = True
            # Asked for at once: whatever comes below may need Winsock itself.
            kept = last_error()
            if failed(name, call.result):
                call.error = call.result if name in CODES else kept
            _show(call, When.OUT)
            found = names.of(call) if names else {}
            sink.end(call, number, start, duration, found)
            set_last_error(kept)
            return call.result

        return call_and_tell


def _show(call: Call, time: When) -> None:
    """Fill in what can be read at this time: before the call, or after it."""
    parameters = PARAMETERS[call.name]
    for name, value in call.args.items():
        parameter = parameters.get(name)
        if parameter is None:
            call.shown[name] = {"type": type(value).__name__}
        elif parameter.when is When.BOTH and time is When.OUT:
            before = call.shown[name]
            after = parameter.read(value, call)
            call.shown[name] = before if value is None else {"in": before, "out": after}
        elif time is When.IN or parameter.when is When.OUT:
            call.shown[name] = parameter.read(value, call)


class _SocketNames:
    """The local and the peer's address of each socket, as far as the calls have told them.

    A program seldom asks for the port that connect or sendto has chosen for it, nor accept for its client; Winsock is
    asked here once for each socket, with calls that change nothing.
    """

    def __init__(self, calls: Winsock) -> None:
        self._calls = calls
        self._known: dict[int, dict[str, str]] = {}
        self._settled: set[int] = set()

    def of(self, call: Call) -> dict[str, str]:
        """The addresses of the call's socket, or of the socket that it made."""
        handle = number(call.args.get("s"))
        if call.name in ("socket", "accept") and call.ok:
            handle = call.result
            self._forget(call.result)
        if handle is None:
            return {}
        known = self._known.setdefault(handle, {})
        if call.name == "accept" and call.ok:
            self._ask(handle, known, "local", self._calls.getsockname)
            self._ask(handle, known, "peer", self._calls.getpeername)
            self._settled.add(handle)
        elif call.name == "bind" and call.ok:
            self._ask(handle, known, "local", self._calls.getsockname)
        elif call.name == "connect" and (call.ok or call.error == WSAEWOULDBLOCK):
            known["peer"] = str(call.shown.get("name"))
            self._ask(handle, known, "local", self._calls.getsockname)
        elif call.name in MOVING and call.ok and handle not in self._settled:
            # Windows knows the interface of a nonblocking connect only when it is connected.
            self._ask(handle, known, "local", self._calls.getsockname)
            self._settled.add(handle)
        found = dict(known)
        if call.name == "closesocket" and call.ok:
            self._forget(handle)
        return found

    def _forget(self, handle: int) -> None:
        self._known.pop(handle, None)
        self._settled.discard(handle)

    def _ask(self, handle: int, known: dict[str, str], which: str, ask: Callable[..., int]) -> None:
        name, length = sockaddr_storage(), c_int(128)
        if ask(handle, name, length) == 0:
            known[which] = address(bytes(name)[: length.value])

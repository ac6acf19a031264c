"""Puts a tracer between a program and the backend.

How it works:

- All calls of `winsock` are attributes of one object, `winsock.calls`. `traced` builds another object with the same
  calls; `winsock.trace.start` installs it with `winsock.replace_calls`. There is no other hook: without a trace the
  program calls the backend directly, at no extra cost.
- Each traced call is a function with the signature and documentation of the original. It reads the arguments that are
  known before the call, reports the start to the sink, calls the original, reads the arguments that the call has filled
  in, and reports the end. It returns the same result or raises the same exception.
- A trace must not change what the program sees. The last error is saved directly after the call and set again at the
  end, because the tracer makes calls of its own. Arguments are read without exceptions (memory.py).
- FD_SET is a macro and not a call of the backend. It is reported only when the set is full, because then the program
  will not notice the socket's events, and the macro itself reports no error.
- JSON lines contain the addresses of each socket, which `_SocketAddresses` keeps. A picture needs them to match
  connections, and a program rarely asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from ctypes import c_int
from functools import wraps
from itertools import count
from typing import Any, cast

from winsock.api import CALLS, Winsock
from winsock.errors import WSAEWOULDBLOCK
from winsock.formatting import address
from winsock.structures import FD_ISSET, FD_SET, sockaddr_storage

from .calls import CODES, MOVING, Call, failed
from .memory import number
from .parameters import PARAMETERS, When
from .readers import fds, handle
from .sinks import CLOCK, Sink

__all__ = ["traced"]


def traced(
    calls: Winsock,
    sink: Sink,
    with_addresses: bool,
    preview: int,
    only: Collection[str] = CALLS,
    clock: Callable[[], int] = CLOCK,
) -> Winsock:
    """An object with the calls of `calls`, of which those in `only` are reported to `sink`.

    `with_addresses` also reports the addresses of the sockets; `preview` is the number of bytes of a buffer to show;
    `clock` gives the times in nanoseconds.
    """
    tracer = _Tracer(calls, _SocketAddresses(calls) if with_addresses else None, sink, preview, clock)
    for name in CALLS:
        call = getattr(calls, name)
        setattr(tracer, name, tracer.wrap(name, call) if name in only else call)
    if "select" in only:
        tracer.FD_SET = tracer.wrap_fd_set(getattr(calls, "FD_SET", FD_SET))
    return cast(Winsock, tracer)


class _Tracer:
    """The object that replaces the backend; all other attributes, such as MODE, are those of the backend."""

    FD_SET: Callable[[int, Any], None]  # only if select is traced, otherwise the backend's

    def __init__(
        self,
        calls: Winsock,
        addresses: _SocketAddresses | None,
        sink: Sink,
        preview: int,
        clock: Callable[[], int],
    ) -> None:
        self._calls, self._addresses, self._sink, self._preview, self._clock = calls, addresses, sink, preview, clock
        self._numbers = count(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that calls `function` and reports the call to the sink."""
        sink, addresses, clock = self._sink, self._addresses, self._clock
        last_error, set_last_error = self._calls.WSAGetLastError, self._calls.WSASetLastError

        @wraps(function)
        def traced_call(*args: Any, **kwargs: Any) -> Any:
            call = Call(name, _arguments(name, args, kwargs), self._preview)
            _show(call, When.IN)
            number, start = next(self._numbers), clock()
            sink.begin(call, number, start)
            start = clock()
            try:
                call.result = function(*args, **kwargs)
            except BaseException as error:
                duration = clock() - start
                call.raised = error
                _show(call, When.OUT)
                sink.end(call, number, start, duration, {})
                raise
            duration = clock() - start
            call.done = True
            # Read immediately: the statements below may make Winsock calls.
            error_of_call = last_error()
            if failed(name, call.result):
                call.error = call.result if name in CODES else error_of_call
            _show(call, When.OUT)
            sink.end(call, number, start, duration, addresses.of(call) if addresses else {})
            set_last_error(error_of_call)
            return call.result

        return _exported(traced_call, name)

    def wrap_fd_set(self, function: Callable[[int, Any], None]) -> Callable[[int, Any], None]:
        """FD_SET that reports to the sink when the set is full; the macro reports no error then."""

        @wraps(function)
        def traced_macro(s: int, set: Any) -> None:
            start = self._clock()
            function(s, set)
            duration = self._clock() - start
            if not FD_ISSET(s, set):
                error_before = self._calls.WSAGetLastError()
                call = Call("FD_SET", {"s": s, "set": set}, done=True)
                call.shown = {"s": handle(s, call), "set": fds(set, call)}
                self._sink.end(call, next(self._numbers), start, duration, {})
                # On Windows, every system call can set it.
                self._calls.WSASetLastError(error_before)

        return _exported(traced_macro, "FD_SET")


def _exported(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function as one of the module winsock: pickle, and so multiprocessing, finds it there by its name."""
    function.__module__, function.__qualname__ = "winsock", name
    return function


def _arguments(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by parameter name, in the order of the call; surplus ones, a TypeError, by their position."""
    order = tuple(PARAMETERS[name])
    given = {order[i] if i < len(order) else f"#{i}": arg for i, arg in enumerate(args)} | kwargs
    return {key: given[key] for key in order if key in given} | given


def _show(call: Call, time: When) -> None:
    """Reads the arguments that can be read at this time, before or after the call, into `call.shown`."""
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


class _SocketAddresses:
    """The local address and the peer address of each socket, as far as they are known.

    A program rarely calls getsockname for the port that connect or sendto has chosen. So the tracer calls getsockname
    and getpeername itself, once per socket; these calls change nothing.
    """

    def __init__(self, calls: Winsock) -> None:
        self._calls = calls
        self._known: dict[int, dict[str, str]] = {}
        # The sockets whose addresses do not change any more.
        self._final: set[int] = set()

    def of(self, call: Call) -> dict[str, str]:
        """The addresses of the call's socket, or of the socket that the call created."""
        handle = number(call.args.get("s"))
        if call.name in ("socket", "accept") and call.ok:
            handle = call.result
            self._forget(call.result)
        if handle is None:
            return {}
        self._update(handle, call)
        found = dict(self._known.get(handle, {}))
        if call.name == "closesocket" and call.ok:
            self._forget(handle)
        return found

    def _update(self, handle: int, call: Call) -> None:
        known = self._known.setdefault(handle, {})
        if call.name == "accept" and call.ok:
            self._query(handle, known, "local", self._calls.getsockname)
            self._query(handle, known, "peer", self._calls.getpeername)
            self._final.add(handle)
        elif call.name == "bind" and call.ok:
            self._query(handle, known, "local", self._calls.getsockname)
        elif call.name == "connect" and (call.ok or call.error == WSAEWOULDBLOCK):
            known["peer"] = str(call.shown.get("name"))
            self._query(handle, known, "local", self._calls.getsockname)
        elif call.name in MOVING and call.ok and handle not in self._final:
            # After a nonblocking connect, Windows knows the local address only once the connection is established.
            self._query(handle, known, "local", self._calls.getsockname)
            self._final.add(handle)

    def _forget(self, handle: int) -> None:
        self._known.pop(handle, None)
        self._final.discard(handle)

    def _query(self, handle: int, known: dict[str, str], which: str, query: Callable[..., int]) -> None:
        name, length = sockaddr_storage(), c_int(128)
        if query(handle, name, length) == 0:
            known[which] = address(bytes(name)[: length.value])

"""Executes the steps of a program on this backend.

The trace has the answer of each step and what the call wrote, in a form that is the same on every machine: errors by
name, sockets by slot, ports numbered in the order of their first appearance. Violations of the rules, such as an
unexpected exception or an unknown error code, are collected in `breaches`.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_int
from typing import Any

import winsock
from tests.conformance.recorder import Json, error_name
from winsock import (
    BACKEND,
    FD_SET,
    FIONBIO,
    INVALID_SOCKET,
    SO_ACCEPTCONN,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOCK_DGRAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEINVAL,
    WSAError,
    WSAGetLastError,
    WSASetLastError,
    addrinfo,
    closesocket,
    fd_set,
    freeaddrinfo,
    getsockname,
    getsockopt,
    ioctlsocket,
    ntohs,
    select,
    setsockopt,
    timeval,
    u_long,
)

from .arguments import as_json, value
from .situations import SITUATIONS

# The time limit of every blocking call.
LIMIT_MILLISECONDS = 5
# On the loopback of Linux a call affects another socket immediately; on other systems that may take some time.
SETTLE_MICROSECONDS = {"compat": 0, "ws2_32": 2000}[BACKEND]

_REMOTE = {"connect", "accept", "send", "sendto", "shutdown", "closesocket", "recv", "recvfrom"}
_CODES = {"WSAStartup", "getaddrinfo", "getnameinfo"}
_HANDLES = {"socket", "accept"}
_POINTERS = {"gethostbyname", "inet_ntop"}
_PLAIN = {
    "WSAGetLastError",
    "WSASetLastError",
    "htons",
    "htonl",
    "ntohs",
    "ntohl",
    "inet_ntoa",
    "inet_pton",
    "inet_addr",
}
# The index of the argument that receives a socket address.
_ADDRESSES = {"accept": 1, "getsockname": 1, "getpeername": 1, "recvfrom": 4}
_STATUS_INVALID_PARAMETER = -0x3FFFFFF3
_WINSOCK_CODES = {0, *map(int, WSAError)}

Trace = list[list[Json]]


class RunningProgram:
    """A program that is being executed: its sockets, its trace, and the names that the trace uses."""

    def __init__(self, nonblocking: bool) -> None:
        self.nonblocking = nonblocking
        self.slots: list[int] = []
        self.live: dict[int, int] = {}  # slot by handle
        self.blocking: dict[int, bool] = {}  # by slot
        self.starts = 1
        self.ports: dict[int, str] = {}
        self.codes = set(_WINSOCK_CODES)
        self.failed = False
        self.trace: Trace = []
        self.breaches: list[str] = []

    def add(self, handle: int, prepare: bool) -> None:
        """Gives a new socket the next slot."""
        slot = len(self.slots)
        self.slots.append(handle)
        self.live[handle] = slot
        if prepare:
            self.blocking[slot] = not self.nonblocking
            ioctlsocket(handle, FIONBIO, u_long(self.nonblocking))
            for option in (SO_RCVTIMEO, SO_SNDTIMEO):
                setsockopt(handle, SOL_SOCKET, option, c_int(LIMIT_MILLISECONDS), 4)

    def handle(self, slot: int) -> int:
        if not self.slots:
            return INVALID_SOCKET
        slot %= len(self.slots)
        handle = self.slots[slot]
        # Windows may give the value of a closed handle to a new socket, which has another slot.
        return handle if self.live.get(handle, slot) == slot else 0xDEAD0000

    def slot_of(self, handle: int) -> str:
        return f"slot {self.live[handle]}" if handle in self.live else "no slot"

    def port(self, port: Any) -> int:
        if isinstance(port, int):
            return port
        handle = self.handle(port[1])
        code = WSAGetLastError()
        name, length = bytearray(32), c_int(32)
        number = ntohs(int.from_bytes(name[2:4], "little")) if getsockname(handle, name, length) == 0 else 0
        WSASetLastError(code)
        return number

    def port_name(self, number: int) -> str:
        return self.ports.setdefault(number, f"port {len(self.ports) + 1}" if number else "port 0")


def _waits_without_limit(program: RunningProgram, handle: int) -> bool:
    """Whether accept would wait: Winsock has no time limit for it."""
    listening, length = c_int(), c_int(4)
    if getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, listening, length) != 0 or not listening.value:
        return False
    fds = fd_set()
    FD_SET(handle, fds)
    return program.blocking.get(program.live.get(handle, -1), True) and select(0, fds, None, None, timeval()) == 0


def _settle() -> None:
    """Waits a moment with select, on a socket of its own."""
    if not SETTLE_MICROSECONDS:
        return
    code = WSAGetLastError()
    quiet, fds = winsock.socket(winsock.AF_INET, SOCK_DGRAM, 0), fd_set()
    FD_SET(quiet, fds)
    select(0, fds, None, None, timeval(0, SETTLE_MICROSECONDS))
    closesocket(quiet)
    WSASetLastError(code)


def _failed(call: str, result: Any) -> bool:
    if call in _HANDLES:
        return bool(result == INVALID_SOCKET)
    if call in _POINTERS:
        return result is None
    if call == "inet_pton":
        return bool(result == SOCKET_ERROR)
    return call not in _CODES and call not in _PLAIN and bool(result == SOCKET_ERROR)


def _broken(step: list[Any]) -> bool:
    return any(isinstance(spec, list) and spec[0] == "broken" for spec in step)


def _step(program: RunningProgram, step: list[Any]) -> None:
    call, *specs = step
    if call == "accept" and not _broken(step) and _waits_without_limit(program, value(specs[0], program)):
        program.trace.append(["would wait"])
        return
    given: list[Any] = []
    for spec in specs:
        if spec == ["size"]:
            given.append(len(given[-1]) if isinstance(given[-1], bytes | bytearray) else 16)
        else:
            given.append(given[-1] if spec == ["again"] else value(spec, program))
    pointer = POINTER(addrinfo)() if call == "getaddrinfo" else None
    if pointer is not None:
        given.append(pointer)
    try:
        result = getattr(winsock, call)(*given)
    except (TypeError, OverflowError, OSError) as raised:
        # ctypes turns an access violation into an OSError.
        if not _broken(step) or isinstance(raised, OSError):
            program.breaches.append(f"{step}: {raised!r}")
        program.trace.append([type(raised).__name__])
        return
    if _broken(step):
        program.breaches.append(f"{step}: accepted an invalid argument")
    _answered(program, step, given, result)
    if call in _REMOTE:
        _settle()


def _answered(program: RunningProgram, step: list[Any], given: list[Any], result: Any) -> None:
    """Records the answer of a call and updates the state of the program's sockets."""
    call, *specs = step
    error = WSAGetLastError()
    if call == "WSASetLastError":
        program.codes.add(error)
    if call == "inet_ntop" and error == _STATUS_INVALID_PARAMETER and BACKEND == "ws2_32":
        error = WSAEINVAL
        WSASetLastError(error)
    if error not in program.codes:
        program.breaches.append(f"{step}: the last error is {error}")
    failed = _failed(call, result)
    if failed and not error:
        program.breaches.append(f"{step}: failed without an error")
    answer = error_name(error) if failed else _result(program, call, result)
    outs = []
    for place, (spec, object_) in enumerate(zip(specs, given, strict=False)):
        if isinstance(spec, list) and spec[0] in ("room", "ref", "set", "poll"):
            # A datagram that does not fit is recorded like any other, as far as it was received.
            outs.append(_out(program, call, place, spec, object_, failed and answer != "WSAEMSGSIZE"))
    if call == "getaddrinfo":
        outs.append(_address_list(given[-1]))
    program.trace.append([answer, *outs])
    if call != "WSAGetLastError":
        program.failed = failed or call == "WSASetLastError"
    _follow(program, call, given, result, failed)


def _result(program: RunningProgram, call: str, result: Any) -> Json:
    if call in _HANDLES:
        return "a socket"
    if call in _CODES:
        if result not in _WINSOCK_CODES:
            program.breaches.append(f"{call} returns {result}")
        return error_name(result) if result else 0
    if call == "WSAGetLastError":
        # After a successful call it is unspecified.
        return error_name(result) if program.failed else "any"
    if call == "gethostbyname":
        addresses = [bytes(address[: result.h_length]).hex() for address in _until_null(result.h_addr_list)]
        return [result.h_name.decode("ascii"), result.h_addrtype, *addresses]
    return result  # type: ignore[no-any-return]


def _until_null(pointers: Any) -> list[Any]:
    found = []
    for pointer in pointers:
        if not pointer:
            break
        found.append(ctypes.cast(pointer, POINTER(ctypes.c_ubyte)))
    return found


def _out(program: RunningProgram, call: str, place: int, spec: Any, given: Any, failed: bool) -> Json:
    if spec[0] == "room" and not failed:
        raw = bytes(given)
        if _ADDRESSES.get(call) == place and len(raw) >= 4 and raw[:2] in (b"\2\0", b"\x17\0"):
            return f"{raw[:2].hex()} {program.port_name(ntohs(int.from_bytes(raw[2:4], 'little')))} {raw[4:].hex()}"
        if call == "gethostname":
            return "a name"
        if call == "getnameinfo":
            shown = raw.partition(b"\0")[0].decode("latin-1")
            return program.port_name(int(shown)) if shown.isdecimal() else shown
    return as_json(spec, given, program)


def _address_list(pointer: Any) -> Json:
    entries: list[Json] = []
    while pointer:
        entry = pointer.contents
        raw = ctypes.string_at(entry.ai_addr, entry.ai_addrlen).hex() if entry.ai_addr else None
        name = entry.ai_canonname
        name = name.decode("ascii") if isinstance(name, bytes) else name
        entries.append([entry.ai_flags, entry.ai_family, entry.ai_socktype, entry.ai_protocol, raw, name])
        pointer = entry.ai_next
    return entries


def _follow(program: RunningProgram, call: str, given: list[Any], result: Any, failed: bool) -> None:
    """Tracks how a call has changed the program's sockets."""
    if call == "accept" and not failed:
        program.add(result, False)
        program.blocking[len(program.slots) - 1] = program.blocking.get(program.live.get(given[0], -1), True)
    elif call == "socket" and not failed:
        program.add(result, True)
    elif call == "closesocket" and not failed:
        program.live.pop(given[0], None)
    elif call == "ioctlsocket" and not failed and given[1] & 0xFFFFFFFF == FIONBIO & 0xFFFFFFFF:
        program.blocking[program.live[given[0]]] = not given[2].value
    elif call == "WSAStartup" and result == 0:
        program.starts += 1
    elif call == "WSACleanup" and not failed:
        program.starts -= 1
        if not program.starts:
            program.live.clear()
    elif call == "getaddrinfo":
        freeaddrinfo(given[-1])


def run_steps(program: RunningProgram, data: dict[str, Any], raised: list[BaseException]) -> None:
    try:
        for handle in SITUATIONS[data["start"]]():
            program.add(handle, True)
        _settle()
        for step in data["steps"]:
            _step(program, step)
    except BaseException as error:  # handed to the thread that waits
        raised.append(error)

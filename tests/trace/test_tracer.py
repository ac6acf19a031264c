"""winsock.trace prints each call in C notation and does not change the behaviour of the program."""

from __future__ import annotations

import ctypes
import inspect
import json
import pickle
import re
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_int, c_uint32
from pathlib import Path
from typing import Any

import pytest
from trace_kit import Tracing, python
from winsock_kit import Running, bound, connected_pair, listener, name_of, new, port_of, readable, set_nonblocking

import winsock
from winsock import (
    AF_INET,
    AI_NUMERICHOST,
    AI_PASSIVE,
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_IP,
    IPPROTO_TCP,
    MAKEWORD,
    MSG_OOB,
    MSG_PEEK,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    POLLIN,
    SD_SEND,
    SO_DONTLINGER,
    SO_LINGER,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    SOMAXCONN,
    TCP_NODELAY,
    WSADATA,
    WSAENOTSOCK,
    WSAPOLLFD,
    addrinfo,
    fd_set,
    in6_addr,
    in_addr,
    linger,
    sockaddr_in,
    sockaddr_in6,
    timeval,
    trace,
    u_long,
)
from winsock.api import CALLS, Winsock
from winsock.trace.calls import Call
from winsock.trace.memory import peek
from winsock.trace.parameters import PARAMETERS
from winsock.trace.rendering import quoted
from winsock.trace.sinks import Output, TextSink, raised_text

NOT_A_SOCKET = 0x7FFFFFF0


@pytest.fixture
def text(started: None, tmp_path: Path) -> Iterator[Tracing]:
    yield Tracing(tmp_path / "trace.txt", json=False)
    trace.stop()


@pytest.fixture
def records(started: None, tmp_path: Path) -> Iterator[Tracing]:
    yield Tracing(tmp_path / "trace.jsonl", json=True)
    trace.stop()


# ---- without a trace there is no cost


def test_without_a_trace_the_calls_are_the_backends_own() -> None:
    backend = sys.modules["winsock.ws2_32" if winsock.BACKEND == "ws2_32" else "winsock_compat"]
    for name in CALLS:
        assert getattr(winsock, name) is getattr(backend, name)


def test_without_a_trace_its_modules_are_not_imported(tmp_path: Path) -> None:
    program = (
        "import sys, winsock; print([m for m in sys.modules if m.startswith(('winsock.trace', 'winsock.doctor'))])"
    )
    done = python("-c", program, cwd=tmp_path)
    assert done.stdout.split() == ["[]"], done.stderr


def test_stop_restores_the_calls(started: None, tmp_path: Path) -> None:
    own = winsock.calls
    tracing = Tracing(tmp_path / "trace.txt", json=False)
    traced_htons = winsock.htons
    assert traced_htons is not own.htons
    assert traced_htons(1) == own.htons(1)
    trace.stop()
    assert winsock.calls is own
    assert winsock.htons is own.htons
    traced_htons(2)  # imported during the trace: it still works, and writes nothing
    assert [line.partition("(")[0] for line in tracing.lines()] == ["htons"]


def test_a_second_trace_ends_the_first(started: None, tmp_path: Path) -> None:
    first = Tracing(tmp_path / "1.txt", json=False)
    second = Tracing(tmp_path / "2.txt", json=False)
    winsock.calls.htons(1)
    trace.stop()
    assert (len(first.lines()), len(second.lines())) == (0, 1)


# ---- each call in C notation


def test_every_parameter_of_the_protocol_has_a_reader() -> None:
    assert {name: list(parameters) for name, parameters in PARAMETERS.items()} == {
        name: [each for each in inspect.signature(getattr(Winsock, name)).parameters if each != "self"]
        for name in CALLS
    }


def test_a_line_has_the_time_the_thread_and_the_duration(text: Tracing) -> None:
    text.calls.htonl(1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} \[MainThread\] htonl\(1\) = 0x01000000 <\d+\.\d{6}>\n", text.text()), (
        text.text()
    )


def test_the_calls_of_a_connection(text: Tracing) -> None:
    calls = text.calls
    server = calls.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    calls.bind(server, sockaddr_in(AF_INET, 0, in_addr(calls.inet_addr("127.0.0.1"))), 16)
    calls.listen(server, SOMAXCONN)
    name, length = sockaddr_in(), c_int(64)
    calls.getsockname(server, bytearray(64), length)
    calls.getsockname(server, name, c_int(16))
    client = calls.socket(AF_INET, SOCK_STREAM, 0)
    calls.connect(client, bytearray(name), 16)
    peer = sockaddr_in()
    accepted = calls.accept(server, peer, c_int(16))
    calls.send(client, b'say "hello"\n\0' + b"1\xff", 15, 0)
    assert readable(accepted)
    calls.recv(accepted, bytearray(4), 4, MSG_PEEK)
    calls.recv(accepted, bytearray(512), 512, 0)
    calls.shutdown(client, SD_SEND)
    calls.recv(accepted, bytearray(512), 512, 0)
    calls.closesocket(client)
    at, home = f"127.0.0.1:{calls.ntohs(name.sin_port)}", f"127.0.0.1:{calls.ntohs(peer.sin_port)}"
    assert text.lines()[:-2] == [
        f"socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = {server}",
        'inet_addr("127.0.0.1") = 0x0100007f',
        f"bind({server}, 127.0.0.1:0, 16) = 0",
        f"listen({server}, SOMAXCONN) = 0",
        f"getsockname({server}, {at}, [64 -> 16]) = 0",
        f"getsockname({server}, {at}, [16]) = 0",
        f"socket(AF_INET, SOCK_STREAM, 0) = {client}",
        f"connect({client}, {at}, 16) = 0",
        f"accept({server}, {home}, [16]) = {accepted}",
        f'send({client}, "say \\"hello\\"\\n\\0001\\xff", 15, 0) = 15',
        f'recv({accepted}, "say ", 4, MSG_PEEK) = 4',
        f'recv({accepted}, "say \\"hello\\"\\n\\0001\\xff", 512, 0) = 15',
        f"shutdown({client}, SD_SEND) = 0",
        f'recv({accepted}, "", 512, 0) = 0',
        f"closesocket({client}) = 0",
    ]


def test_only_the_first_bytes_of_a_long_buffer_are_shown(started: None, tmp_path: Path) -> None:
    tracing = Tracing(tmp_path / "trace.txt", json=False, preview=3)
    one, _ = connected_pair()
    tracing.calls.send(one, b"abcdef", 6, 0)
    tracing.calls.send(one, memoryview(bytearray(b"abc")), 3, 0)
    trace.stop()
    assert tracing.lines() == [f'send({one}, "abc"..., 6, 0) = 6', f'send({one}, "abc", 3, 0) = 3']


def test_only_the_bytes_of_a_buffer_that_were_sent_or_received_are_shown(text: Tracing) -> None:
    one, other = connected_pair()
    set_nonblocking(other)
    text.calls.recv(other, bytearray(b"secret"), 6, 0)
    text.calls.send(NOT_A_SOCKET, b"secret", 6, 0)
    text.calls.send(one, b"secret", 2, 0)
    assert "WSAEWOULDBLOCK" in text.lines()[0]
    assert text.lines()[0].startswith(f"recv({other}, <6 bytes>, 6, 0) = SOCKET_ERROR (#10035) WSAEWOULDBLOCK: ")
    assert text.lines()[1].startswith(f"send({NOT_A_SOCKET}, <6 bytes>, 6, 0) = SOCKET_ERROR (#10038) WSAENOTSOCK: ")
    assert text.lines()[2] == f'send({one}, "se", 2, 0) = 2'


def test_datagrams_are_shown_with_their_addresses(text: Tracing) -> None:
    one, other = bound(SOCK_DGRAM), bound(SOCK_DGRAM)
    there, here = f"127.0.0.1:{port_of(other)}", f"127.0.0.1:{port_of(one)}"
    text.calls.sendto(one, b"tick", 4, 0, name_of(other), 16)
    assert readable(other)
    text.calls.recvfrom(other, bytearray(2), 2, 0, sockaddr_in(), c_int(16))
    text.calls.sendto(one, b"", 0, 0, name_of(other), 16)
    assert readable(other)
    text.calls.recvfrom(other, bytearray(9), 9, 0, None, None)
    sent, cut, empty, taken = text.lines()
    assert sent == f'sendto({one}, "tick", 4, 0, {there}, 16) = 4'
    assert cut.startswith(f'recvfrom({other}, "ti", 2, 0, {here}, [16]) = SOCKET_ERROR (#10040) WSAEMSGSIZE: ')
    assert empty == f'sendto({one}, "", 0, 0, {there}, 16) = 0'
    assert taken == f'recvfrom({other}, "", 9, 0, NULL, NULL) = 0'


def test_options_and_commands_are_shown_by_name(text: Tracing) -> None:
    s = new()
    calls = text.calls
    calls.setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int(1500), 4)
    calls.setsockopt(s, IPPROTO_TCP, TCP_NODELAY, b"\1", 1)
    calls.setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 2), 4)
    calls.setsockopt(s, SOL_SOCKET, SO_DONTLINGER & 0xFFFFFFFF, c_int(1), 4)
    calls.getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int(), c_int(4))
    calls.ioctlsocket(s, FIONBIO, u_long(1))
    calls.ioctlsocket(s, FIONBIO - (1 << 32), u_long(0))
    calls.setsockopt(s, IPPROTO_IP, 12, bytes(8), 8)
    calls.getsockopt(s, SOL_SOCKET, 0x5555, c_int(), c_int(4))
    lines = text.lines()
    assert lines[:7] == [
        f"setsockopt({s}, SOL_SOCKET, SO_RCVTIMEO, 1500, 4) = 0",
        f"setsockopt({s}, IPPROTO_TCP, TCP_NODELAY, 1, 1) = 0",
        f"setsockopt({s}, SOL_SOCKET, SO_LINGER, {{l_onoff=1, l_linger=2}}, 4) = 0",
        f"setsockopt({s}, SOL_SOCKET, SO_DONTLINGER, 1, 4) = 0",
        f"getsockopt({s}, SOL_SOCKET, SO_RCVTIMEO, 1500, [4]) = 0",
        f"ioctlsocket({s}, FIONBIO, [1]) = 0",
        f"ioctlsocket({s}, FIONBIO, [0]) = 0",
    ]
    assert lines[7].startswith(f'setsockopt({s}, IPPROTO_IP, IP_ADD_MEMBERSHIP, "\\0\\0\\0\\0\\0\\0\\0\\0", 8) = ')
    assert lines[8].startswith(f"getsockopt({s}, SOL_SOCKET, 21845, <4 bytes>, [4]) = SOCKET_ERROR (#10042) ")


def test_fd_sets_and_poll_arrays_are_shown_before_and_after_the_call(text: Tracing) -> None:
    one, other = connected_pair()
    text.calls.send(one, b"x", 1, 0)
    assert readable(other)
    fds = fd_set()
    winsock.FD_SET(one, fds)
    winsock.FD_SET(other, fds)
    text.calls.select(0, fds, None, None, timeval(1, 500000))
    text.calls.select(0, fds, None, None, None)
    polled = (WSAPOLLFD * 2)(WSAPOLLFD(one, POLLIN), WSAPOLLFD(other, POLLIN))
    text.calls.WSAPoll(polled, 2, 1000)
    assert text.lines()[1:] == [
        f"select(0, {{{one}, {other}}} -> {{{other}}}, NULL, NULL, {{tv_sec=1, tv_usec=500000}}) = 1",
        f"select(0, {{{other}}}, NULL, NULL, NULL) = 1",
        f"WSAPoll({{{{fd={one}, events=POLLIN}}, {{fd={other}, events=POLLIN}}}} -> "
        f"{{{{fd={one}, revents=0}}, {{fd={other}, revents=POLLRDNORM}}}}, 2, 1000) = 1",
    ]


def test_the_events_of_wsapoll_have_16_bits(text: Tracing) -> None:
    polled = WSAPOLLFD(INVALID_SOCKET, POLLIN - 32768)
    text.calls.WSAPoll(polled, 1, 0)
    assert "events=POLLIN|0x8000}" in text.lines()[-1]


def test_fd_set_on_a_full_set_is_reported(text: Tracing) -> None:
    fds, others = winsock.fd_set_sized(3)(), fd_set()
    for s in (4, 8, 12, 16, 12):
        winsock.FD_SET(s, fds)
        winsock.FD_SET(s, others)
    assert text.lines() == ["FD_SET(16, {4, 8, 12}) = void; the set is full and does not contain 16: use fd_set_sized"]
    assert (fds.fd_count, others.fd_count) == (3, 4)


def test_fd_set_on_a_full_set_is_a_json_record(records: Tracing) -> None:
    fds = fd_set()
    for s in range(4, 4 * 66, 4):
        winsock.FD_SET(s, fds)
    winsock.FD_SET(INVALID_SOCKET, fds)
    first, second = records.records()
    assert (first["call"], first["args"]["s"], first["result"]) == ("FD_SET", 4 * 65, None)
    assert first["args"]["set"] == list(range(4, 4 * 65, 4))
    assert second["args"]["s"] == "INVALID_SOCKET"
    assert second["n"] == first["n"] + 1
    assert second["text"].endswith("= void; the set is full and does not contain INVALID_SOCKET: use fd_set_sized")


def test_fd_set_is_the_macro_again_when_the_trace_has_stopped(tmp_path: Path) -> None:
    macro = winsock.FD_SET
    traced = Tracing(tmp_path / "trace.txt", json=False)
    assert winsock.FD_SET is not macro
    assert winsock.FD_SET.__doc__ == macro.__doc__
    trace.stop()
    assert winsock.FD_SET is macro
    full = winsock.fd_set_sized(1)(1)
    winsock.FD_SET(4, full)
    assert traced.lines() == []


def test_a_trace_of_other_calls_does_not_report_fd_set(tmp_path: Path) -> None:
    traced = Tracing(tmp_path / "trace.txt", json=False, only=("send", "recv"))
    winsock.FD_SET(4, winsock.fd_set_sized(1)(1))
    trace.stop()
    assert traced.lines() == []


def test_an_error_of_fd_set_under_a_trace_names_the_macro(text: Tracing) -> None:
    macro: Any = winsock.FD_SET
    with pytest.raises(TypeError, match=r"^FD_SET\(\) argument 'set': "):
        macro(4, b"no set")


def test_an_error_of_a_traced_call_names_the_call_and_the_parameter(text: Tracing) -> None:
    calls: Any = text.calls
    with pytest.raises(TypeError, match=r"^recv\(\) argument 'buf': "):
        calls.recv(4, b"read-only", 4, 0)
    assert text.lines()[0].endswith(
        "raised TypeError: recv() argument 'buf': a writable buffer is required, not a read-only 'bytes'"
    )


def test_conversions_of_names_and_numbers(text: Tracing) -> None:
    calls = text.calls
    calls.htons(8081)
    calls.ntohl(1)
    calls.inet_addr("no address")
    calls.inet_ntoa(in_addr(0x0100007F))
    calls.inet_ntoa(0x0100007F)
    calls.inet_ntop(AF_INET, in_addr(0x04030201), bytearray(22), 22)
    calls.inet_pton(AF_INET, "1.2.3.4", in_addr())
    calls.inet_pton(23, b"::1\0rest", in6_addr())
    calls.inet_pton(AF_INET, "1.2.3", in_addr())
    found = calls.gethostbyname("127.0.0.1")
    assert found is not None
    calls.WSASetLastError(10061)
    calls.WSAGetLastError()
    calls.WSASetLastError(0)
    calls.WSAGetLastError()
    assert text.lines() == [
        "htons(8081) = 37151",
        "ntohl(1) = 0x01000000",
        'inet_addr("no address") = INADDR_NONE',
        'inet_ntoa(127.0.0.1) = "127.0.0.1"',
        'inet_ntoa(127.0.0.1) = "127.0.0.1"',
        'inet_ntop(AF_INET, "\\x01\\x02\\x03\\x04", "1.2.3.4", 22) = "1.2.3.4"',
        'inet_pton(AF_INET, "1.2.3.4", "\\x01\\x02\\x03\\x04") = 1',
        'inet_pton(AF_INET6, "::1", "\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\x01") = 1',
        'inet_pton(AF_INET, "1.2.3", <4 bytes>) = 0',
        'gethostbyname("127.0.0.1") = {h_name=127.0.0.1, h_addr_list={127.0.0.1}}',
        "WSASetLastError(WSAECONNREFUSED) = void",
        "WSAGetLastError() = 10061 WSAECONNREFUSED",
        "WSASetLastError(0) = void",
        "WSAGetLastError() = 0",
    ]


def test_name_resolution(text: Tracing) -> None:
    calls = text.calls
    found = POINTER(addrinfo)()
    hints = addrinfo(ai_flags=AI_PASSIVE | AI_NUMERICHOST, ai_family=AF_INET, ai_socktype=SOCK_STREAM)
    calls.getaddrinfo("127.0.0.1", "80", hints, found)
    calls.freeaddrinfo(found)
    calls.getaddrinfo("no address", None, hints, POINTER(addrinfo)())
    node, service = bytearray(64), bytearray(64)
    address = sockaddr_in6(23, calls.htons(80))
    address.sin6_addr.s6_addr = bytes(15) + b"\1"
    calls.getnameinfo(address, 28, node, 64, service, 64, NI_NUMERICHOST | NI_NUMERICSERV)
    calls.gethostname(bytearray(256), 256)
    calls.gethostname(bytearray(1), 1)
    lines = text.lines()
    hinted = "{ai_flags=AI_PASSIVE|AI_NUMERICHOST, ai_family=AF_INET, ai_socktype=SOCK_STREAM, ai_protocol=0}"
    assert lines[0] == f'getaddrinfo("127.0.0.1", "80", {hinted}, {{127.0.0.1:80}}) = 0'
    assert lines[1] == "freeaddrinfo(<LP_addrinfo>) = void"
    assert lines[2].startswith(
        f'getaddrinfo("no address", NULL, {hinted}, <LP_addrinfo>) = WSAHOST_NOT_FOUND (#11001) '
    )
    assert lines[4] == 'getnameinfo([::1]:80, 28, "::1", 64, "80", 64, NI_NUMERICHOST|NI_NUMERICSERV) = 0'
    assert re.fullmatch(r'gethostname\("[^"]+", 256\) = 0', lines[5])
    assert lines[6].startswith("gethostname(<1 bytes>, 1) = SOCKET_ERROR (#10014) WSAEFAULT: ")


def test_wsastartup_and_wsacleanup(text: Tracing) -> None:
    assert text.calls.WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert text.calls.WSACleanup() == 0
    text.calls.WSAStartup(0, WSADATA())
    first, clean, wrong = text.lines()
    assert first == "WSAStartup(MAKEWORD(2, 2), {wVersion=MAKEWORD(2, 2), wHighVersion=MAKEWORD(2, 2)}) = 0"
    assert clean == "WSACleanup() = 0"
    assert wrong.startswith("WSAStartup(MAKEWORD(0, 0), <408 bytes>) = WSAVERNOTSUPPORTED (#10092) ")


def test_numbers_without_a_name_are_shown_as_numbers(text: Tracing) -> None:
    text.calls.send(INVALID_SOCKET, b"x", 1, MSG_OOB | 0x40000000)
    text.calls.send(-1, None, 0, 0x40000000)
    text.calls.socket(77, 66, 55)
    first, second, third = text.lines()
    assert first.startswith("send(INVALID_SOCKET, <1 bytes>, 1, MSG_OOB|0x40000000) = SOCKET_ERROR")
    assert second.startswith("send(INVALID_SOCKET, NULL, 0, 1073741824) = SOCKET_ERROR")
    assert third.startswith("socket(77, 66, 55) = INVALID_SOCKET (#")


def test_keyword_arguments_are_shown_in_the_order_of_the_prototype(text: Tracing) -> None:
    one, _ = connected_pair()
    text.calls.send(flags=0, len=1, s=one, buf=b"x")
    assert text.lines() == [f'send({one}, "x", 1, 0) = 1']


# ---- a trace does not change the program


def test_the_tracer_preserves_the_last_error(records: Tracing) -> None:
    one, _ = connected_pair()
    assert records.calls.closesocket(NOT_A_SOCKET) == SOCKET_ERROR
    assert winsock.calls.WSAGetLastError() == WSAENOTSOCK
    # The tracer calls getsockname here; that must not change the last error.
    winsock.WSASetLastError(12345)
    assert records.calls.send(one, b"x", 1, 0) == 1
    assert records.records()[-1]["local"]


def test_an_exception_is_shown_and_raised(text: Tracing) -> None:
    calls: Any = text.calls
    with pytest.raises(TypeError, match="argument"):
        calls.recv(1)
    with pytest.raises(TypeError, match="argument"):
        calls.htons(1, 2, 3)
    with pytest.raises(TypeError, match="argument"):
        calls.htons(other=1)
    with pytest.raises(TypeError):
        calls.send(1, "text", 4, 0)
    with pytest.raises(OverflowError):
        calls.htons(1 << 16)
    lines = text.lines()
    assert lines[0].startswith("recv(1) raised TypeError: ")
    assert lines[1].startswith("htons(1, <int>, <int>) raised TypeError: ")
    assert lines[2].startswith("htons(<int>) raised TypeError: ")
    assert lines[3].startswith("send(1, <str>, 4, 0) raised TypeError: ")
    assert lines[4].startswith("htons(65536) raised OverflowError: ")


def _outcome(call: Callable[..., Any], *given: Any) -> object:
    try:
        result = call(*given)
    except (TypeError, OverflowError, ValueError, ctypes.ArgumentError) as error:
        return type(error)
    return result if isinstance(result, int | str | None) else type(result)


def _released() -> memoryview:
    view = memoryview(bytearray(8))
    view.release()
    return view


STRANGE: list[Any] = [
    None, -1, 1 << 80, 1.5, "text", "\u00e9", b"bytes", bytearray(), _released(), object(), [], memoryview(b"readonly"),
    memoryview(bytearray(8))[::2], c_int(-5), ctypes.c_short(1), POINTER(c_int)(), fd_set(), (c_uint32 * 2)(), type,
    fd_set(fd_count=1000),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"WSACleanup", "WSAGetLastError"}))
@pytest.mark.parametrize("json", [False, True])
def test_no_argument_makes_the_tracer_raise(started: None, tmp_path: Path, name: str, json: bool) -> None:
    own = getattr(winsock.calls, name)
    tracing = Tracing(tmp_path / "trace", json)
    traced = getattr(tracing.calls, name)
    count = len(PARAMETERS[name])
    calls = 0
    for strange in STRANGE:
        for position in range(count):
            given: list[Any] = [0] * count
            given[position] = strange
            if name in ("gethostbyname", "getaddrinfo") and isinstance(strange, str | bytes):
                continue  # would query a name server
            assert _outcome(traced, *given) == _outcome(own, *given), given
            calls += 1
    trace.stop()
    assert len([line for line in tracing.lines() if '"begun":' not in line]) == calls + json


def test_json_lines_contain_more_bytes_than_their_text(started: None, tmp_path: Path) -> None:
    one, other = connected_pair()
    data = bytes(range(256)) * 20
    trace.start(str(tmp_path / "trace.jsonl"), json=True)
    winsock.calls.send(one, data, len(data), 0)
    winsock.calls.send(one, data, 40, 0)
    trace.stop()
    del other
    lines = (tmp_path / "trace.jsonl").read_text(encoding="ascii").splitlines()
    long, short = (record for record in map(json.loads, lines) if "n" in record)
    assert long["args"]["buf"] == {"bytes": len(data), "hex": data[: trace.JSON_PREVIEW].hex()}
    assert short["args"]["buf"] == {"bytes": 40, "hex": data[:40].hex()}
    for record in (long, short):
        assert f"{quoted(data[: trace.PREVIEW])}..., {record['result']}, 0)" in record["text"]


@pytest.mark.parametrize("step", [1, 2])
def test_of_a_large_buffer_only_the_shown_bytes_are_copied(step: int) -> None:
    data = memoryview(b"ab" * 1_000_000)[::step]
    tracemalloc.start()
    try:
        assert peek(data, 3) == bytes(data[:3])
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert peek(data, len(data) + 1) == bytes(data)
    assert peek(memoryview((c_uint32 * 2)(1, 2)).toreadonly(), 5) == b"\1\0\0\0\2"


def test_a_trace_can_be_limited_to_some_calls(started: None, tmp_path: Path) -> None:
    tracing = Tracing(tmp_path / "trace.txt", json=False, only=["htons"])
    tracing.calls.htonl(1)
    tracing.calls.htons(1)
    trace.stop()
    assert [line.partition("(")[0] for line in tracing.lines()] == ["htons"]


def test_a_traced_call_can_be_passed_to_another_process(text: Tracing) -> None:
    del text
    for name in (*CALLS, "FD_SET"):
        assert pickle.loads(pickle.dumps(getattr(winsock, name))) is getattr(winsock, name)


def test_a_traced_backend_has_the_other_attributes_of_the_backend(text: Tracing) -> None:
    assert getattr(text.calls, "MODE", None) == getattr(sys.modules.get("winsock_compat"), "MODE", None)
    assert inspect.signature(text.calls.recv) == inspect.signature(winsock.recv)
    assert text.calls.recv.__doc__ == Winsock.recv.__doc__


# ---- several threads


def test_the_line_of_a_blocking_call_starts_before_the_call(text: Tracing) -> None:
    server = listener()
    calls = text.calls
    waiting = Running(lambda: calls.accept(server, None, None))
    while f"accept({server}, " not in text.text():
        assert threading.active_count() > 1, text.text()
    calls.htons(1)
    client = new()
    calls.connect(client, name_of(server), 16)
    accepted = waiting.result()
    begun, between, connecting, *more = text.lines()
    assert begun == f"accept({server},  <unfinished ...>"
    assert between == "htons(1) = 256"
    # The end of accept may interrupt the line of connect as well.
    assert connecting.startswith(f"connect({client}, 127.0.0.1:")
    assert f"<... accept resumed> {server}, NULL, NULL) = {accepted}" in more


def test_a_call_of_a_signal_handler_interrupts_the_line_of_the_call_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    sink = TextSink(Output(str(path), append=False))
    waits, handler = (Call(name, {"s": 5}, done=True, result=4, shown={"s": 5}) for name in ("recv", "send"))
    sink.begin(waits, 1, 0)
    sink.begin(handler, 2, 10)
    sink.end(handler, 2, 10, 1, {})
    sink.end(waits, 1, 0, 20, {})
    sink.close()
    lines = [re.sub(r"^\S+ \[MainThread\] | <\S+>$", "", line) for line in path.read_text("ascii").splitlines()]
    assert lines == ["recv(5 <unfinished ...>", "send(5) = 4", "<... recv resumed> 5) = 4"]


def test_a_line_has_the_name_of_the_thread(text: Tracing) -> None:
    thread = threading.Thread(target=lambda: text.calls.htons(1), name="ticks \u00e9\n]")
    thread.start()
    thread.join()
    assert "[ticks \\xc3\\xa9\\n]] htons(1)" in text.text()


FORKING = """\
import os, signal, sys, threading
from winsock.trace.calls import Call
from winsock.trace.sinks import TextSink

class Blocks:
    def write(self, text):
        if threading.current_thread() is not threading.main_thread():
            writes.set()
            threading.Event().wait()

writes = threading.Event()
sink = TextSink(Blocks())
report = lambda: sink.end(Call("htons", {}, done=True, result=256), 1, 0, 0, {})
threading.Thread(target=report, daemon=True).start()
writes.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    report()
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)
"""


@pytest.mark.posix_only(reason="Windows has no fork")
def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent_that_writes_a_line(tmp_path: Path) -> None:
    assert python("-c", FORKING, cwd=tmp_path).returncode == 0


# ---- JSON lines


def test_a_record_has_the_arguments_the_result_and_the_addresses(records: Tracing) -> None:
    server = listener()
    client = new()
    records.calls.connect(client, name_of(server), 16)
    accepted = records.calls.accept(server, None, None)
    records.calls.send(client, b"hi", 2, 0)
    records.calls.closesocket(client)
    records.calls.recv(client, bytearray(9), 9, 0)
    connect, accept, send, close, recv = records.records()
    here, there = f"127.0.0.1:{port_of(server)}", connect["local"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+", there)
    assert connect["peer"] == here
    assert (accept["local"], accept["peer"], accept["result"]) == (here, there, accepted)
    assert send["args"] == {"s": client, "buf": {"bytes": 2, "hex": "6869"}, "len": 2, "flags": 0}
    assert (send["result"], send["thread"], send["call"]) == (2, "MainThread", "send")
    assert send["text"] == f'send({client}, "hi", 2, 0) = 2'
    assert (close["local"], close["peer"]) == (there, here)
    assert recv["error"] == {"code": 10038, "name": "WSAENOTSOCK"}
    assert recv["result"] == SOCKET_ERROR
    assert "local" not in recv
    assert [record["n"] for record in records.records()] == [1, 2, 3, 4, 5]
    assert connect["t"] <= connect["t"] + connect["d"] <= accept["t"]
    assert '"argv":["program.py"]' in records.text().splitlines()[0]


def test_records_of_an_exception_and_of_a_structure(records: Tracing) -> None:
    calls: Any = records.calls
    with pytest.raises(TypeError):
        calls.send(1, "text", 4, 0)
    calls.gethostbyname("127.0.0.1")
    raised, found = records.records()
    assert raised["raised"].startswith("TypeError: ")
    assert "result" not in raised
    assert found["result"] == {"h_name": "127.0.0.1", "h_addr_list": ["127.0.0.1"]}


def test_records_have_the_addresses_of_datagram_sockets_and_of_connections_in_progress(records: Tracing) -> None:
    calls = records.calls
    target = bound(SOCK_DGRAM)
    s = new(SOCK_DGRAM)
    calls.sendto(s, b"x", 1, 0, name_of(target), 16)
    stream = calls.socket(AF_INET, SOCK_STREAM, 0)
    server = listener()
    set_nonblocking(stream)
    calls.connect(stream, name_of(server), 16)
    own = calls.socket(AF_INET, SOCK_DGRAM, 0)
    calls.bind(own, sockaddr_in(AF_INET), 16)
    sent, _, connecting, _, binding = records.records()
    assert sent["local"].endswith(f":{port_of(s)}")
    assert connecting["local"].endswith(f":{port_of(stream)}")
    assert connecting["peer"] == f"127.0.0.1:{port_of(server)}"
    assert binding["local"] == f"0.0.0.0:{port_of(own)}"


@pytest.mark.parametrize(
    ("data", "literal"),
    [
        (b"A\x001", r'"A\0001"'),
        (b"\x00c\x00", r'"\0c\0"'),
        (b"\xffa", r'"\377a"'),
        (b"\x079\x07F\x07g\x07", r'"\0079\007F\x07g\x07"'),
        (b"\\x41\\01", r'"\\x41\\01"'),
    ],
)
def test_digits_after_a_byte_are_not_part_of_its_escape_sequence(data: bytes, literal: str) -> None:
    assert quoted(data) == literal


def test_an_exception_without_a_text_is_its_class() -> None:
    assert raised_text(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert raised_text(TypeError("no integer")) == "TypeError: no integer"

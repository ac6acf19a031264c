"""What a simulated process passes to a call: the errors are those of the other backends."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from winsock import (
    AF_INET,
    INADDR_LOOPBACK,
    MAKEWORD,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSADATA,
    WSAEFAULT,
    Winsock,
    htonl,
    htons,
    in_addr,
    sockaddr_in,
)
from winsock.batch import send_many
from winsock.simulation import dispatch
from winsock.simulation.network import Network

NOWHERE = 8


@pytest.fixture
def calls() -> Iterator[Winsock]:
    """The calls of a simulated process."""
    with Network() as network, network.host("server").attached():
        assert dispatch.calls.WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
        yield dispatch.calls


def loopback(port: int = 0) -> sockaddr_in:
    return sockaddr_in(AF_INET, htons(port), in_addr(htonl(INADDR_LOOPBACK)))


def bound(calls: Winsock) -> tuple[int, sockaddr_in]:
    """A datagram socket, and its address."""
    s, name = calls.socket(AF_INET, SOCK_DGRAM, 0), loopback()
    assert calls.bind(s, name, 16) == 0
    assert calls.getsockname(s, name, ctypes.c_int(16)) == 0
    return s, name


def test_the_error_of_an_argument_of_the_wrong_kind_names_the_call_and_the_parameter(calls: Winsock) -> None:
    with pytest.raises(TypeError, match=r"^recv\(\) argument 'buf': "):
        calls.recv(0, "text", 4, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^send_many\(\) argument 'buf': "):
        send_many([0], "text", 4, 0)  # type: ignore[arg-type]
    with pytest.raises(OverflowError, match=r"^listen\(\) argument 'backlog': "):
        calls.listen(0, 1 << 70)


def test_data_in_memory_that_does_not_exist_are_wsaefault_and_nothing_is_lost(calls: Winsock) -> None:
    nowhere = (ctypes.c_char * 4).from_address(NOWHERE)
    (s, name), buffer = bound(calls), bytearray(4)
    assert calls.sendto(s, nowhere, 4, 0, name, 16) == SOCKET_ERROR
    assert calls.WSAGetLastError() == WSAEFAULT
    assert calls.sendto(s, b"data", 4, 0, name, 16) == 4
    assert calls.recv(s, nowhere, 4, 0) == SOCKET_ERROR
    assert calls.WSAGetLastError() == WSAEFAULT
    assert calls.recv(s, buffer, 4, 0) == 4
    assert buffer == b"data"


def test_a_buffer_of_ctypes_is_filled(calls: Winsock) -> None:
    (s, name), buffer = bound(calls), (ctypes.c_char * 4)()
    assert calls.sendto(s, ctypes.create_string_buffer(b"data", 4), 4, 0, name, 16) == 4
    assert calls.recv(s, buffer, 4, 0) == 4
    assert buffer.raw == b"data"


def test_a_datagram_socket_with_a_peer_of_port_0_receives_from_every_port(calls: Winsock) -> None:
    (s, name), (sender, _), buffer = bound(calls), bound(calls), bytearray(4)
    assert calls.connect(s, loopback(), 16) == 0
    assert calls.sendto(sender, b"data", 4, 0, name, 16) == 4
    assert calls.recv(s, buffer, 4, 0) == 4


def send_four_bytes_of(size: int) -> int:
    """What sendto returns for memory of this size, in a network of its own."""
    with Network() as network, network.host("server").attached():
        calls = dispatch.calls
        assert calls.WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
        s, name = bound(calls)
        return calls.sendto(s, ctypes.create_string_buffer(size), 4, 0, name, 16)


@pytest.mark.posix_only(reason="Windows has no fork")
def test_a_forked_process_sends_from_its_own_memory() -> None:
    assert send_four_bytes_of(4) == 4
    if (child := os.fork()) == 0:
        sent = 0
        try:
            # So much memory is new: the parent has none at its address.
            sent = send_four_bytes_of(1 << 26)
        finally:
            os._exit(sent != 4)
    assert os.waitpid(child, 0)[1] == 0

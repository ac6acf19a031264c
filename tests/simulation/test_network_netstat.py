"""The table of a host's sockets looks like netstat's."""

from __future__ import annotations

from typing import NamedTuple

from winsock.simulation.netstat import netstat


class FakeSocket(NamedTuple):
    protocol: str
    local: str
    peer: str | None
    state: str = ""
    receive_queue: int = 0
    send_queue: int = 0
    owner: str = ""


def test_the_table_has_one_aligned_line_for_each_socket() -> None:
    sockets = [
        FakeSocket("udp", "0.0.0.0:5000", None, owner="ticks"),
        FakeSocket("tcp", "10.0.0.1:8080", "10.0.0.2:49152", "ESTABLISHED", 0, 12345, "server"),
        FakeSocket("tcp", "10.0.0.1:8080", "10.0.0.2:49151", "TIME_WAIT"),
    ]
    assert netstat(sockets) == (
        "Proto  Recv-Q  Send-Q  Local Address  Foreign Address  State        Process\n"
        "tcp         0       0  10.0.0.1:8080  10.0.0.2:49151   TIME_WAIT    -\n"
        "tcp         0   12345  10.0.0.1:8080  10.0.0.2:49152   ESTABLISHED  server\n"
        "udp         0       0  0.0.0.0:5000   *                             ticks\n"
    )


def test_a_host_without_sockets_has_only_the_titles() -> None:
    assert netstat([]).splitlines() == ["Proto  Recv-Q  Send-Q  Local Address  Foreign Address  State  Process"]

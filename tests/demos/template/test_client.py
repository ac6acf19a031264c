"""The study program tpl_client alone; tests/demos/chartfeed/test_originals.py compares it with the original."""

from __future__ import annotations

import pytest
from signal_kit import (
    fail,
    forever,
    port_of,
    ready,
    server,
)
from tpl_kit import TplStage, fetch, files, message, sent

from demos.terminal.interfaces import SymbolSpec
from winsock import (
    AF_INET,
    INADDR_LOOPBACK,
    WSAEISCONN,
    htonl,
    htons,
    sockaddr_in,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


def study(server: int, folder, **options) -> TplStage:
    return fetch(server, folder, "tpl_client", **options)


def test_a_file_that_cannot_be_written_leaves_the_chart_unchanged(server, tmp_path):
    stage = study(server, tmp_path)
    (tmp_path / "MQL5" / "Files" / "tcprecv.tpl").mkdir()
    assert stage.play(sent(stage, server, message(symbol="GBPUSD"))) == 4
    assert stage.shown == ("EURUSD", 16385)
    assert stage.errors() == ["tcprecv.tpl cannot be written"]


@pytest.mark.parametrize("call", ["FileWriteArray", "FileClose"])
@pytest.mark.parametrize("deleted", [True, False])
def test_a6_a_file_that_cannot_be_written_completely_is_deleted_and_not_applied(server, tmp_path, call, deleted):
    stage = study(server, tmp_path)
    real = getattr(stage.program, call)
    # A full disk: the file is incomplete.
    setattr(stage.program, call, lambda *arguments: real(*arguments) - 1)
    if not deleted:
        stage.program.FileDelete = lambda name: False
    assert stage.play(sent(stage, server, message(symbol="GBPUSD"))) == 4
    assert stage.shown == ("EURUSD", 16385)
    further = [] if deleted else ["-tcprecv.tpl is incomplete and cannot be deleted"]
    assert stage.errors() == ["tcprecv.tpl cannot be written", *further]
    assert files(tmp_path) == ([] if deleted else ["tcprecv.tpl"])


def test_a7_a_connect_that_fails_with_any_error_ends_the_program(server, tmp_path):
    stage = study(server, tmp_path)
    stage.program.connect = fail(WSAEISCONN)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert f"failed error: (#{WSAEISCONN})" in error


def test_t8_fields_of_ten_bytes_without_a_nul_and_digits_of_the_period_are_read(server, tmp_path):
    stage = study(server, tmp_path, symbols=[SymbolSpec("EURUSD"), SymbolSpec("EURUSD.pro")])
    data = b"EURUSD.pro" + b"0000016388" + message("it")[20:]
    assert stage.play(sent(stage, server, data)) == 0
    assert stage.shown == ("EURUSD.pro", 16388)


@pytest.mark.parametrize("host", ["localhost", "", "256.0.0.1", "é", "ж", "\uff11.0.0.1", "\udcff"])
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(server, tmp_path, host):
    stage = study(server, tmp_path, Host=host)
    assert stage.play(forever()) == 2
    assert stage.errors() == [f"invalid IPv4 address: {host!r}; Host takes four numbers, as in 127.0.0.1"]
    assert not ready(server, 0)


def test_h1_h3_connect_gets_16_bytes_with_a_4_byte_address_and_zeros_behind_it(server, tmp_path):
    stage = study(server, tmp_path)
    given = []
    real = stage.program.connect
    stage.program.connect = lambda s, name, size: given.append((bytes(name), size)) or real(s, name, size)
    assert stage.play(sent(stage, server, message())) == 0
    address = sockaddr_in(sin_family=AF_INET, sin_port=htons(port_of(server)))
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    assert given == [(bytes(address), 16)]
    assert given[0][0].endswith(bytes(8))

"""winsock.doctor finds what keeps a client from its server, says what to do, and its exit code tells programs."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trace_kit import python
from winsock_kit import bound, connect_to, listener, loopback, port_of

import winsock
from winsock import AF_INET, AF_INET6, SOCK_DGRAM, WSAError, errors
from winsock.doctor import checks, findings, holders, trips
from winsock.doctor.__main__ import main
from winsock.doctor.advice import advice_for
from winsock.doctor.findings import Failure, Finding, as_json, as_text
from winsock.doctor.holders import Holder, check_port
from winsock.doctor.holders_linux import all_sockets
from winsock.doctor.holders_windows import rows_of


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and what --json prints."""
    code = main([*arguments, "--json"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["ok"] == (code == 0)
    return code, report


def last(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["findings"][-1]
    return found


# ---- the machine


def test_all_is_well_here(unstarted: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys)
    assert code == 0
    found = {finding["what"]: finding for finding in report["findings"]}
    assert found["start-up"]["found"] == "WSAStartup gives Winsock 2.2"
    assert found["backend"]["backend"] == winsock.BACKEND
    assert found["bits"]["bits"] == 8 * struct.calcsize("P")
    for trip in ("TCP on loopback", "UDP on loopback"):
        assert found[trip]["ok"] is True
        assert found[trip]["ms"] > 0


def test_the_command_is_for_people_and_for_programs(tmp_path: Path) -> None:
    done = python("-m", "winsock.doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert [line[:6].strip() for line in done.stdout.splitlines()[:3]] == ["ok", "note", "note"]
    done = python("-m", "winsock.doctor", "--json", "error", "WSAECONNREFUSED", cwd=tmp_path)
    assert json.loads(done.stdout)["findings"][0]["error"] == errors.WSAECONNREFUSED


def test_it_does_without_pythons_socket_module(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['socket'] = sys.modules['_socket'] = None; from winsock.doctor.__main__ import main; "
    )
    done = python(
        "-c", program + "sys.exit(main([]) + main(['port', '65535']) + main(['reach', 'localhost', '1']))", cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr  # nobody listens on port 1
    assert "Traceback" not in done.stderr


def test_a_winsock_that_does_not_start_is_all_there_is_to_say(
    unstarted: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "WSAStartup", lambda version, data: errors.WSASYSNOTREADY)
    for arguments in ([], ["port", "80"], ["address", "127.0.0.1"], ["reach", "127.0.0.1", "80"]):
        code, report = run(capsys, *arguments)
        assert code == 1
        assert [finding["what"] for finding in report["findings"]] == ["start-up"]
        assert last(report)["error"] == errors.WSASYSNOTREADY
        assert last(report)["advice"] == advice_for(errors.WSASYSNOTREADY)


def test_a_round_trip_that_fails_says_at_which_call(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trips, "listen", lambda s, backlog: winsock.bind(s, loopback(), 16))
    monkeypatch.setattr(trips, "sendto", lambda *given: len(trips.MESSAGE))
    monkeypatch.setattr(trips, "LIMIT", 0)
    found = {finding.what: finding for finding in checks.machine()}
    assert found["TCP on loopback"].ok is False
    assert found["TCP on loopback"].found.startswith("listen: (#10022) WSAEINVAL")
    assert found["UDP on loopback"].found.startswith("recvfrom: (#10060) WSAETIMEDOUT")
    # IPv6 is of no concern to most.
    assert found["TCP by IPv6"].ok is None
    assert found["TCP by IPv6"].found.startswith("not here: ")


def test_a_round_trip_with_other_bytes_fails(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trips, "send", lambda s, buf, len, flags: winsock.send(s, b"x", 1, 0))
    with pytest.raises(Failure, match=r"recv of b'winsock.doctor', which gave b'x'"):
        trips.tcp(AF_INET)


def test_a_family_that_is_not_there_is_a_failure(started: None) -> None:
    with pytest.raises(Failure, match="socket: "):
        trips.tcp(99)


# ---- who holds a port


def closed_ports() -> Iterator[int]:
    """Ports that were free a moment ago; others on this machine may take one meanwhile."""
    for _ in range(20):
        s = bound()
        port = port_of(s)
        winsock.closesocket(s)
        yield port


def test_a_free_port_is_free(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = (run(capsys, "port", str(port)) for port in closed_ports())
    assert any(
        code == 0 and last(report)["found"] == "free" and last(report)["holders"] == [] for code, report in found
    )


def test_a_held_port_is_told_with_its_holder(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(listener())
    code, report = run(capsys, "port", str(port))
    assert code == 1
    assert last(report)["error"] in (errors.WSAEADDRINUSE, errors.WSAEACCES)
    # Connections of others may have the same port on their side.
    (holder,) = (each for each in last(report)["holders"] if each["state"] == "LISTEN")
    assert holder["local"] == f"127.0.0.1:{port}"
    assert f"(process {os.getpid()})" in last(report)["found"]
    assert str(os.getpid()) in last(report)["advice"]


def test_a_udp_port_is_another_one(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    ports = [port_of(bound(SOCK_DGRAM)) for _ in range(20)]
    assert {run(capsys, "port", str(port), "--udp")[0] for port in ports} == {1}
    assert 0 in {run(capsys, "port", str(port))[0] for port in ports}


def test_where_nobody_can_tell_who_holds_it_it_is_said(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    port = port_of(listener())
    monkeypatch.setattr(holders, "holders", lambda port, protocol: None)
    assert "can't be known here" in check_port(port).found
    monkeypatch.setattr(holders, "holders", lambda port, protocol: [])
    assert "name no socket on it" in check_port(port).found


def test_a_port_with_old_connections_is_free(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    left = Holder("TCP", "127.0.0.1:1", "127.0.0.1:2", "TIME_WAIT", None, "")
    monkeypatch.setattr(holders, "holders", lambda port, protocol: [left])
    told = next(told for told in map(check_port, closed_ports()) if told.ok)
    assert told.found == (
        "free for a server, beside 127.0.0.1:1 TIME_WAIT with 127.0.0.1:2, by the system, after a close"
    )


def test_a_socket_that_cannot_be_made_is_told(unstarted: None) -> None:
    assert check_port(80).found.startswith("socket: (#10093) WSANOTINITIALISED")


def test_another_system_has_no_table_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert holders.holders(80, "TCP") is None


LINUX_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:1F91 0100007F:D432 63 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
"""
LINUX_TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr ...
   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4713 1
"""


@pytest.mark.posix_only(reason="Windows makes no links without a privilege")
@pytest.mark.skipif(sys.byteorder == "big", reason="the table below is of a little-endian machine")
def test_linuxs_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(LINUX_TCP, encoding="ascii")
    (tmp_path / "net" / "tcp6").write_text(LINUX_TCP6, encoding="ascii")
    for pid, comm, inode in ((12, "server", 4711), (13, "web\n", 4713)):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "comm").write_text(comm, encoding="ascii")
        (tmp_path / str(pid) / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / str(pid) / "fd" / "4").symlink_to("/dev/null")
        (tmp_path / str(pid) / "fd" / "5").touch()  # no link, as one that was closed meanwhile
    (tmp_path / "14").mkdir()  # a process that this user may not see
    assert all_sockets("TCP", tmp_path) == [
        Holder("TCP", "127.0.0.1:8081", "", "LISTEN", 12, "server"),
        Holder("TCP", "127.0.0.1:8081", "127.0.0.1:54321", "ESTABLISHED", None, ""),
        Holder("TCP", "127.0.0.1:8081", "127.0.0.1:54322", "63", None, ""),
        Holder("TCP", "[::1]:80", "", "LISTEN", 13, "web"),
    ]
    assert all_sockets("UDP", tmp_path) is None
    (tmp_path / "net" / "tcp6").unlink()
    rows = all_sockets("TCP", tmp_path)
    assert rows is not None
    assert len(rows) == 3


def test_windowss_tables_are_read() -> None:
    here, port, peer_port = b"\x7f\0\0\1", b"\x1f\x91\0\0", b"\xd4\x31\0\0"
    table = struct.pack("<I", 2) + struct.pack("<I", 2) + here + port + bytes(8) + struct.pack("<I", 12)
    table += struct.pack("<I", 99) + here + port + here + peer_port + bytes(4)
    assert rows_of(table, "TCP", AF_INET) == [
        Holder("TCP", "127.0.0.1:8081", "", "LISTEN", 12, ""),
        Holder("TCP", "127.0.0.1:8081", "127.0.0.1:54321", "99", None, ""),
    ]
    six = bytes(15) + b"\1" + bytes(4) + port
    table = struct.pack("<I", 1) + six + bytes(24) + struct.pack("<II", 2, 13)
    assert rows_of(table, "TCP", AF_INET6) == [Holder("TCP", "[::1]:8081", "", "LISTEN", 13, "")]
    assert rows_of(struct.pack("<I", 1) + here + port + struct.pack("<I", 14), "UDP", AF_INET) == [
        Holder("UDP", "127.0.0.1:8081", "", "BOUND", 14, "")
    ]
    assert rows_of(struct.pack("<I", 1) + six + struct.pack("<I", 15), "UDP", AF_INET6)[0].local == "[::1]:8081"


# ---- addresses


def test_a_local_address_is_told_from_another_ones(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "address", "127.0.0.1")
    assert (code, last(report)["local"]) == (0, True)
    code, report = run(capsys, "address", "192.0.2.1")
    assert (code, last(report)["local"], last(report)["error"]) == (1, False, errors.WSAEADDRNOTAVAIL)
    assert "0.0.0.0" in last(report)["advice"]


def test_an_address_that_is_none_is_told(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trips, "getaddrinfo", lambda *given: errors.WSAHOST_NOT_FOUND)
    told = checks.address_is_local("no-such-name")
    assert told.ok is False
    assert told.found.startswith("getaddrinfo: (#11001) WSAHOST_NOT_FOUND")
    (told,) = checks.reach("no-such-name", 80)
    assert told.ok is False


# ---- reaching a server


def test_a_server_is_reached_in_a_time(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(listener())
    code, report = run(capsys, "reach", "127.0.0.1", str(port))
    assert code == 0
    assert last(report)["what"] == f"connect to 127.0.0.1:{port}"
    assert last(report)["ms"] > 0


def test_a_refused_connection_is_explained(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(bound())
    code, report = run(capsys, "reach", "127.0.0.1", str(port))
    assert (code, last(report)["error"]) == (1, errors.WSAECONNREFUSED)
    assert "start the server first" in last(report)["advice"]


def test_a_server_on_another_address_of_this_machine_is_found(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    port = port_of(bound())
    other = Holder("TCP", f"127.0.0.9:{port}", "", "LISTEN", None, "")
    monkeypatch.setattr(holders, "holders", lambda port, protocol: [other])
    told = checks.reach("127.0.0.1", port)[-1]
    assert f"not on this address: 127.0.0.9:{port} LISTEN, by a process that this user may not see" in told.advice


def test_nobody_who_answers_is_a_time_that_runs_out(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(s: int, name: object, length: int) -> int:
        winsock.WSASetLastError(errors.WSAEWOULDBLOCK)
        return -1

    monkeypatch.setattr(trips, "connect", waits)
    monkeypatch.setattr(trips, "select", lambda *given: 0)
    monkeypatch.setattr(checks, "bind_once", lambda address: trips.bind_once(address._replace(name=b"")))
    told = checks.reach("127.0.0.1", 80, 0.5)[-1]
    assert told.found.startswith("connect: (#10060) WSAETIMEDOUT")
    assert "firewall" in told.advice


def test_a_connection_that_succeeds_or_fails_at_once(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trips, "connect", lambda s, name, length: 0)
    assert checks.reach("127.0.0.1", 80)[-1].ok
    monkeypatch.setattr(trips, "connect", lambda s, name, length: winsock.connect(1 << 30, name, 1))
    assert checks.reach("127.0.0.1", 80)[-1].found.startswith("connect: (#10038) WSAENOTSOCK")


def test_one_address_of_a_name_is_enough(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    server = listener()
    port = port_of(server)
    good, bad = trips.resolve("127.0.0.1", port)[0], trips.resolve("::1", port)[0]
    monkeypatch.setattr(checks, "resolve", lambda host, port: [bad, good])
    name, first, second = checks.reach("both", port)
    assert name.found.startswith(f"[::1]:{port}, 127.0.0.1:{port} in ")
    assert (name.ok, first.ok, second.ok) == (None, None, True)
    assert connect_to(server)


# ---- errors


def test_every_error_that_a_reader_will_meet_has_advice() -> None:
    for name in (
        "WSAECONNREFUSED",
        "WSAETIMEDOUT",
        "WSAEADDRINUSE",
        "WSANOTINITIALISED",
        "WSAEWOULDBLOCK",
        "WSAEFAULT",
    ):
        assert advice_for(WSAError[name])
    assert advice_for(errors.WSAEDQUOT) == ""


def test_an_error_goes_by_number_or_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["error", "10061"]) == 0
    by_number = capsys.readouterr().out
    assert main(["error", "WSAECONNREFUSED"]) == 0
    assert capsys.readouterr().out == by_number
    assert by_number.startswith("note   error  (#10061) WSAECONNREFUSED: ")
    assert run(capsys, "error", "10000")[0] == 1
    assert run(capsys, "error", "WSAENOTHING")[0] == 1


# ---- reports and options


def test_a_report_says_what_to_do_below_what_is_wrong() -> None:
    report = [
        Finding(True, "a", "fine"),
        Finding(False, "bb", "not\nat all", "Do this,\nthen that."),
        Finding(None, "c", "x"),
    ]
    assert as_text(report).splitlines() == [
        "ok     a   fine", "WRONG  bb  not", "       at all", "       -> Do this,", "       -> then that.",
        "note   c   x",
    ]  # fmt: skip
    assert not findings.all_well(report)
    assert json.loads(as_json(report[::2])) == {
        "ok": True, "findings": [{"ok": True, "what": "a", "found": "fine"}, {"ok": None, "what": "c", "found": "x"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [["port", "0"], ["port", "65536"], ["port", "x"], ["reach", "host"], ["reach", "h", "1", "--seconds", "no"],
     ["reach", "h", "1", "--seconds", "0"], ["cure"], ["layout", "x", "--bits", "16"]],
)  # fmt: skip
def test_a_bad_option_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m winsock.doctor")


def test_the_help_teaches_in_which_order_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "When a client cannot connect, ask in this order:" in capsys.readouterr().out


def test_seconds_may_have_a_fraction(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(listener())
    assert run(capsys, "reach", "127.0.0.1", str(port), "--seconds", "2.5")[0] == 0


def test_a_name_that_the_terminal_lacks_is_shown_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["error", "\u20ac"]) == 1
    sys.stdout.flush()
    assert b"Winsock has no error '\\u20ac'" in raw.getvalue()

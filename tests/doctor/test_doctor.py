"""winsock.doctor finds why a client cannot reach its server and says what to do; the exit code reports the result."""

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
from winsock.doctor import checks, findings, ports, probes
from winsock.doctor.__main__ import main
from winsock.doctor.advice import advice_for
from winsock.doctor.findings import Failure, Finding, as_json, as_text
from winsock.doctor.linux_sockets import all_sockets
from winsock.doctor.ports import check_port
from winsock.doctor.socket_entry import SocketEntry
from winsock.doctor.windows_sockets import rows_of


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the output of --json."""
    code = main([*arguments, "--json"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["ok"] == (code == 0)
    return code, report


def last(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["findings"][-1]
    return found


# ---- the machine


def test_the_checks_succeed_on_this_machine(unstarted: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys)
    assert code == 0
    found = {finding["what"]: finding for finding in report["findings"]}
    assert found["start-up"]["found"] == "WSAStartup succeeded; Winsock 2.2"
    assert found["backend"]["backend"] == winsock.BACKEND
    assert found["bits"]["bits"] == 8 * struct.calcsize("P")
    for trip in ("TCP on loopback", "UDP on loopback"):
        assert found[trip]["ok"] is True
        assert found[trip]["ms"] > 0


def test_the_command_prints_text_or_json(tmp_path: Path) -> None:
    done = python("-m", "winsock.doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert [line[:6].strip() for line in done.stdout.splitlines()[:3]] == ["ok", "note", "note"]
    done = python("-m", "winsock.doctor", "--json", "error", "WSAECONNREFUSED", cwd=tmp_path)
    assert json.loads(done.stdout)["findings"][0]["error"] == errors.WSAECONNREFUSED


def test_the_doctor_does_not_need_pythons_socket_module(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['socket'] = sys.modules['_socket'] = None; from winsock.doctor.__main__ import main; "
    )
    done = python(
        "-c", program + "sys.exit(main([]) + main(['port', '65535']) + main(['reach', 'localhost', '1']))", cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr  # no server listens on port 1
    assert "Traceback" not in done.stderr


def test_a_failed_wsastartup_is_the_only_finding(
    unstarted: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "WSAStartup", lambda version, data: errors.WSASYSNOTREADY)
    for arguments in ([], ["port", "80"], ["address", "127.0.0.1"], ["reach", "127.0.0.1", "80"]):
        code, report = run(capsys, *arguments)
        assert code == 1
        assert [finding["what"] for finding in report["findings"]] == ["start-up"]
        assert last(report)["error"] == errors.WSASYSNOTREADY
        assert last(report)["advice"] == advice_for(errors.WSASYSNOTREADY)


def test_a_failed_round_trip_names_the_call_that_failed(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "listen", lambda s, backlog: winsock.bind(s, loopback(), 16))
    monkeypatch.setattr(probes, "sendto", lambda *given: len(probes.MESSAGE))
    monkeypatch.setattr(probes, "LIMIT", 0)
    found = {finding.what: finding for finding in checks.machine()}
    assert found["TCP on loopback"].ok is False
    assert found["TCP on loopback"].found.startswith("listen: (#10022) WSAEINVAL")
    assert found["UDP on loopback"].found.startswith("recvfrom: (#10060) WSAETIMEDOUT")
    # A machine without IPv6 is not faulty.
    assert found["TCP over IPv6"].ok is None
    assert found["TCP over IPv6"].found.startswith("not available: ")


def test_a_round_trip_that_returns_other_bytes_fails(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "send", lambda s, buf, len, flags: winsock.send(s, b"x", 1, 0))
    with pytest.raises(Failure, match=r"recv returned b'x' instead of b'winsock.doctor'"):
        probes.tcp_round_trip(AF_INET)


def test_an_unknown_address_family_is_a_failure(started: None) -> None:
    with pytest.raises(Failure, match="socket: "):
        probes.tcp_round_trip(99)


# ---- which process uses a port


def closed_ports() -> Iterator[int]:
    """Ports that were free a moment ago; another process may bind to one of them in the meantime."""
    for _ in range(20):
        s = bound()
        port = port_of(s)
        winsock.closesocket(s)
        yield port


def test_a_port_without_sockets_is_free(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = (run(capsys, "port", str(port)) for port in closed_ports())
    assert any(
        code == 0 and last(report)["found"] == "free" and last(report)["holders"] == [] for code, report in found
    )


def test_a_port_in_use_is_reported_with_its_process(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(listener())
    code, report = run(capsys, "port", str(port))
    assert code == 1
    assert last(report)["error"] in (errors.WSAEADDRINUSE, errors.WSAEACCES)
    # Connections of other processes may have the same local port.
    (holder,) = (each for each in last(report)["holders"] if each["state"] == "LISTEN")
    assert holder["local"] == f"127.0.0.1:{port}"
    assert f"process {os.getpid()} (" in last(report)["found"]
    assert str(os.getpid()) in last(report)["advice"]


def test_a_udp_port_is_separate_from_the_tcp_port_of_the_same_number(
    started: None, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = [port_of(bound(SOCK_DGRAM)) for _ in range(20)]
    assert {run(capsys, "port", str(port), "--udp")[0] for port in ports} == {1}
    assert 0 in {run(capsys, "port", str(port))[0] for port in ports}


def test_an_unknown_process_on_a_port_in_use_is_reported_as_unknown(
    started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = port_of(listener())
    monkeypatch.setattr(ports, "sockets_on_port", lambda port, protocol: None)
    assert "is not known on this system" in check_port(port).found
    monkeypatch.setattr(ports, "sockets_on_port", lambda port, protocol: [])
    assert "lists no socket on this port" in check_port(port).found


def test_a_port_with_closed_connections_is_free(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = SocketEntry("TCP", "127.0.0.1:1", "127.0.0.1:2", "TIME_WAIT", None, "")
    monkeypatch.setattr(ports, "sockets_on_port", lambda port, protocol: [closed])
    finding = next(finding for finding in map(check_port, closed_ports()) if finding.ok)
    assert finding.found == (
        "free for a server; other sockets on it: 127.0.0.1:1 TIME_WAIT with 127.0.0.1:2, a closed connection"
    )


def test_a_failure_of_socket_is_reported(unstarted: None) -> None:
    assert check_port(80).found.startswith("socket: (#10093) WSANOTINITIALISED")


def test_other_systems_have_no_table_of_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert ports.sockets_on_port(80, "TCP") is None


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


@pytest.mark.posix_only(reason="Windows requires a privilege to create symbolic links")
@pytest.mark.skipif(sys.byteorder == "big", reason="the table above was written on a little-endian machine")
def test_the_table_of_sockets_on_linux_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(LINUX_TCP, encoding="ascii")
    (tmp_path / "net" / "tcp6").write_text(LINUX_TCP6, encoding="ascii")
    for pid, comm, inode in ((12, "server", 4711), (13, "web\n", 4713)):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "comm").write_text(comm, encoding="ascii")
        (tmp_path / str(pid) / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / str(pid) / "fd" / "4").symlink_to("/dev/null")
        (tmp_path / str(pid) / "fd" / "5").touch()  # not a link, like a descriptor that was closed in the meantime
    (tmp_path / "14").mkdir()  # a process of another user
    assert all_sockets("TCP", tmp_path) == [
        SocketEntry("TCP", "127.0.0.1:8081", "", "LISTEN", 12, "server"),
        SocketEntry("TCP", "127.0.0.1:8081", "127.0.0.1:54321", "ESTABLISHED", None, ""),
        SocketEntry("TCP", "127.0.0.1:8081", "127.0.0.1:54322", "63", None, ""),
        SocketEntry("TCP", "[::1]:80", "", "LISTEN", 13, "web"),
    ]
    assert all_sockets("UDP", tmp_path) is None
    (tmp_path / "net" / "tcp6").unlink()
    rows = all_sockets("TCP", tmp_path)
    assert rows is not None
    assert len(rows) == 3


def test_the_table_of_sockets_on_windows_is_parsed() -> None:
    here, port, peer_port = b"\x7f\0\0\1", b"\x1f\x91\0\0", b"\xd4\x31\0\0"
    table = struct.pack("<I", 2) + struct.pack("<I", 2) + here + port + bytes(8) + struct.pack("<I", 12)
    table += struct.pack("<I", 99) + here + port + here + peer_port + bytes(4)
    assert rows_of(table, "TCP", AF_INET) == [
        SocketEntry("TCP", "127.0.0.1:8081", "", "LISTEN", 12, ""),
        SocketEntry("TCP", "127.0.0.1:8081", "127.0.0.1:54321", "99", None, ""),
    ]
    six = bytes(15) + b"\1" + bytes(4) + port
    table = struct.pack("<I", 1) + six + bytes(24) + struct.pack("<II", 2, 13)
    assert rows_of(table, "TCP", AF_INET6) == [SocketEntry("TCP", "[::1]:8081", "", "LISTEN", 13, "")]
    assert rows_of(struct.pack("<I", 1) + here + port + struct.pack("<I", 14), "UDP", AF_INET) == [
        SocketEntry("UDP", "127.0.0.1:8081", "", "BOUND", 14, "")
    ]
    assert rows_of(struct.pack("<I", 1) + six + struct.pack("<I", 15), "UDP", AF_INET6)[0].local == "[::1]:8081"


# ---- addresses


def test_a_local_address_is_distinguished_from_an_address_of_another_machine(
    started: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(capsys, "address", "127.0.0.1")
    assert (code, last(report)["local"]) == (0, True)
    code, report = run(capsys, "address", "192.0.2.1")
    assert (code, last(report)["local"], last(report)["error"]) == (1, False, errors.WSAEADDRNOTAVAIL)
    assert "0.0.0.0" in last(report)["advice"]


@pytest.mark.wine_differs("bind accepts multicast and broadcast addresses, as on Linux")
@pytest.mark.parametrize(
    "address",
    ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::5", "255.255.255.255", "127.255.255.255"],
)
def test_no_server_can_bind_to_a_multicast_or_broadcast_address(
    address: str, started: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(capsys, "address", address)
    found = last(report)
    assert (code, found["local"], found["error"]) == (1, False, errors.WSAEADDRNOTAVAIL)
    assert found["found"].startswith("not an address of this machine: bind: (#10049) WSAEADDRNOTAVAIL")
    assert "0.0.0.0" in found["advice"]


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2", "127.255.255.254"])
def test_other_addresses_of_loopback_and_the_wildcard_are_of_this_machine(
    address: str, started: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(capsys, "address", address)
    assert (code, last(report)["local"]) == (0, True)


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("::ffff:127.0.0.1", "It is an IPv4 address in the form of IPv6: use 127.0.0.1."),
        ("fe80::1", "add the number of the interface, such as fe80::1%2."),
    ],
)
def test_the_advice_for_an_address_of_another_form_names_the_right_form(
    address: str, advice: str, started: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(capsys, "address", address)
    assert (code, last(report)["ok"]) == (1, False)
    assert last(report)["advice"].endswith(advice)


def test_an_unknown_host_name_is_reported(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "getaddrinfo", lambda *given: errors.WSAHOST_NOT_FOUND)
    finding = checks.address_is_local("no-such-name")
    assert finding.ok is False
    assert finding.found.startswith("getaddrinfo: (#11001) WSAHOST_NOT_FOUND")
    (finding,) = checks.reach("no-such-name", 80)
    assert finding.ok is False


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("", "invalid host name: ''"),
        ("a b", "invalid host name: 'a b'"),
        ("a\nb", "invalid host name: 'a\\nb'"),
        ("\udce9", "invalid host name: '\\udce9' ("),
        ("\u00e9..x", "invalid host name: '\u00e9..x' ("),
        ("\u00e9" * 64, "invalid host name: '\u00e9"),
        ("\u00e9" * 100_000, "invalid host name: '\u00e9"),
        ("fa\u00df.de", "ambiguous host name: 'fa\u00df.de'; use its ASCII form, which begins with xn--"),
    ],
)
def test_an_invalid_host_name_is_one_finding(
    host: str, message: str, started: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["address", host], ["reach", host, "1"]):
        code, report = run(capsys, *arguments)
        assert (code, last(report)["ok"]) == (1, False)
        assert last(report)["found"].startswith(message)
        assert len(report["findings"]) == 2
        assert main(arguments) == 1
        assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("host", ["\u00e9.example", "xn--9ca.example"])
def test_a_name_with_other_characters_is_resolved_in_its_ascii_form(
    host: str, started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unknown(name: bytes, *given: object) -> int:
        asked.append(name)
        return errors.WSAHOST_NOT_FOUND

    monkeypatch.setattr(probes, "getaddrinfo", unknown)
    assert checks.address_is_local(host).found.startswith("getaddrinfo: (#11001) WSAHOST_NOT_FOUND")
    assert asked == [b"xn--9ca.example"]


def test_a_name_without_an_ip_address_is_reported(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "getaddrinfo", lambda *given: 0)
    monkeypatch.setattr(probes, "freeaddrinfo", lambda found: None)
    assert checks.address_is_local("other").found.startswith("getaddrinfo: (#11004) WSANO_DATA")


# ---- reaching a server


def test_a_successful_connection_is_reported_with_its_duration(
    started: None, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_a_server_that_listens_on_another_address_of_this_machine_is_found(
    started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = port_of(bound())
    other = SocketEntry("TCP", f"127.0.0.9:{port}", "", "LISTEN", None, "")
    monkeypatch.setattr(ports, "sockets_on_port", lambda port, protocol: [other])
    finding = checks.reach("127.0.0.1", port)[-1]
    assert f"not on this address: 127.0.0.9:{port} LISTEN, a process of another user" in finding.advice


def test_a_connection_without_an_answer_is_wsaetimedout(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(s: int, name: object, length: int) -> int:
        winsock.WSASetLastError(errors.WSAEWOULDBLOCK)
        return -1

    monkeypatch.setattr(probes, "connect", waits)
    monkeypatch.setattr(probes, "select", lambda *given: 0)
    monkeypatch.setattr(checks, "try_bind", lambda address: probes.try_bind(address._replace(name=b"")))
    finding = checks.reach("127.0.0.1", 80, 0.5)[-1]
    assert finding.found.startswith("connect: (#10060) WSAETIMEDOUT")
    assert "firewall" in finding.advice


def test_a_connection_that_succeeds_or_fails_immediately(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "connect", lambda s, name, length: 0)
    assert checks.reach("127.0.0.1", 80)[-1].ok
    monkeypatch.setattr(probes, "connect", lambda s, name, length: winsock.connect(1 << 30, name, 1))
    assert checks.reach("127.0.0.1", 80)[-1].found.startswith("connect: (#10038) WSAENOTSOCK")


def test_one_reachable_address_of_a_name_is_enough(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    server = listener()
    port = port_of(server)
    good, bad = probes.resolve("127.0.0.1", port)[0], probes.resolve("::1", port)[0]
    monkeypatch.setattr(checks, "resolve", lambda host, port: [bad, good])
    name, first, second = checks.reach("both", port)
    assert name.found.startswith(f"[::1]:{port}, 127.0.0.1:{port} (resolved in ")
    assert (name.ok, first.ok, second.ok) == (None, None, True)
    assert connect_to(server)


# ---- errors


def test_common_errors_have_advice() -> None:
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


def test_an_error_is_selected_by_number_or_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["error", "10061"]) == 0
    by_number = capsys.readouterr().out
    assert main(["error", "WSAECONNREFUSED"]) == 0
    assert capsys.readouterr().out == by_number
    assert by_number.startswith("note   error  (#10061) WSAECONNREFUSED: ")
    assert run(capsys, "error", "10000")[0] == 1
    assert run(capsys, "error", "WSAENOTHING")[0] == 1


@pytest.mark.parametrize(
    "text", ["0", "00", "-0", "+0", "0x0", "NO_ERROR", "no_error", "ERROR_SUCCESS", " 0", "0000000000"]
)
def test_0_is_not_an_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "error", text)
    assert code == 0
    assert (last(report)["ok"], last(report)["error"]) == (None, 0)
    assert last(report)["found"].startswith("(#0) No error. ")


@pytest.mark.parametrize(
    "text", ["10061", "WSAECONNREFUSED", "wsaeconnrefused", "0x274D", "0X274d", "+10061", "010061"]
)
def test_an_error_may_be_written_in_any_way(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "error", text)
    assert (code, last(report)["error"]) == (0, errors.WSAECONNREFUSED)


@pytest.mark.parametrize(
    "text", ["", "-", "0x", "1e4", "10061.0", "9" * 5000, "\u0663", "\xb2", "10 061", "WSA", "0b1"]
)
def test_other_text_is_an_unknown_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "error", text)
    assert (code, last(report)["found"]) == (1, f"unknown Winsock error: {text!r}")
    assert "WSAECONNREFUSED" in last(report)["advice"]


def test_minus_1_is_the_result_of_a_failed_call_and_not_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "error", "-1")
    assert (code, last(report)["found"]) == (1, "-1 is SOCKET_ERROR, the result of a failed call")
    assert "WSAGetLastError" in last(report)["advice"]


# ---- reports and options


def test_a_report_has_advice_below_each_finding() -> None:
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
    [["port", "0"], ["port", "65536"], ["port", "x"], ["port", "9" * 5000], ["reach", "host"],
     ["reach", "h", "1", "--seconds", "no"], ["reach", "h", "1", "--seconds", "0"], ["unknown"],
     ["port", "\uff18\uff10"], ["port", "8_0"], ["port", " 80"], ["port", "+80"], ["reach", "h", "\u0663"],
     *(["reach", "h", "1", "--seconds", text] for text in ("1_0", "\u0663", "inf", "nan", "-1", "", "+1", " 1", ".")),
     ["layout", "x", "--bits", "16"], ["layout", "x", "--bits", "\uff16\uff14"], ["layout", "x", "--bits", "6_4"]],
)  # fmt: skip
def test_an_invalid_option_gives_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m winsock.doctor")


def test_the_help_says_in_which_order_to_run_the_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "If a client cannot connect, run these commands in this order:" in text
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_the_time_limit_may_have_a_fraction(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(listener())
    for seconds in ("2.5", "2.", ".5", "1e1"):
        assert run(capsys, "reach", "127.0.0.1", str(port), "--seconds", seconds)[0] == 0


def test_characters_that_the_code_page_lacks_are_printed_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["error", "\u20ac"]) == 1
    sys.stdout.flush()
    assert b"unknown Winsock error: '\\u20ac'" in raw.getvalue()

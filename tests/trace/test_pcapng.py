"""export --pcapng: tshark, Wireshark's command line, reads back the streams that the programs sent and received."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from simulated_talk import simulated_talk
from trace_kit import ROOT, python
from trace_story import A, B, C, Story

from winsock.trace.export import main
from winsock.trace.ip_headers import LARGEST_PAYLOAD
from winsock.trace.packets import capture
from winsock.trace.timeline import timeline
from winsock.trace.trace_files import read_lanes

TSHARK = shutil.which("tshark")
pytestmark = [
    pytest.mark.posix_only(reason="there is no tshark on Wine; the file is the same"),
    pytest.mark.skipif(
        TSHARK is None, reason="tshark is not installed: apt-get install --no-install-recommends tshark"
    ),
]
A6, B6 = "[::1]:1000", "[::1]:2000"
# What Wireshark reports about sequence numbers, such as a packet that is lost or repeated, and about checksums.
PROBLEMS = "tcp.analysis.flags || _ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0"
# The same addresses may be used by one connection after the other.
REUSED = "tcp.analysis.reused_ports"


def tshark(file: Path, *arguments: str) -> str:
    """The output of tshark, which reads the file and checks all checksums."""
    checks = [f"-o{protocol}.check_checksum:TRUE" for protocol in ("ip", "tcp", "udp")]
    done = subprocess.run(
        [str(TSHARK), "-r", str(file), *checks, *arguments], capture_output=True, text=True, timeout=100, check=True
    )
    return done.stdout


def fields(file: Path, *names: str, where: str = "frame") -> list[tuple[str, ...]]:
    """The values of these fields, of each packet."""
    columns = [word for name in names for word in ("-e", name)]
    text = tshark(file, "-Y", where, "-T", "fields", "-E", "separator=|", "-E", "aggregator=;", *columns)
    return [tuple(line.split("|")) for line in text.splitlines()]


def followed(file: Path, *numbers: int, protocol: str = "tcp") -> list[tuple[bytes, bytes]]:
    """The bytes of streams in both directions, first from the side that has opened it; Wireshark finds no fault."""
    follow = [word for number in numbers for word in ("-z", f"follow,{protocol},raw,{number}")]
    text = tshark(file, "-Y", f"({PROBLEMS}) && !{REUSED}", "-T", "fields", "-e", "frame.number", *follow)
    faults, *streams = text.split("\n" + "=" * 67 + "\nFollow")
    assert faults.strip("\n=") == ""
    found: dict[int, tuple[bytes, bytes]] = {}
    for stream in streams:
        lines = re.findall(r"^(\t?)([0-9a-f]+)$", stream, re.MULTILINE)
        there, back = ("".join(digits for tab, digits in lines if bool(tab) is side) for side in (False, True))
        number = re.search(r"^Filter: \w+\.stream eq (\d+)$", stream, re.MULTILINE)
        assert number is not None
        found[int(number[1])] = bytes.fromhex(there), bytes.fromhex(back)
    return [found[number] for number in numbers]


def exported(folder: Path, story: Story) -> Path:
    file = folder / "story.pcapng"
    assert main([*story.write(folder), "--pcapng", str(file)]) == 0
    return file


def connected(story: Story, client: str = A, server: str = B) -> None:
    """Lane 0 connects its socket 5 to lane 1, which accepts it as socket 7."""
    story.stream(0, 5, client, server)
    story.accept(1, 7, server, client)


# ---- real runs

SERVER = """\
from winsock import *
from ctypes import c_int
WSAStartup(MAKEWORD(2, 2), WSADATA())
server = socket(AF_INET6, SOCK_STREAM, 0)
name, size = sockaddr_in6(AF_INET6), 28
inet_pton(AF_INET6, "::1", name.sin6_addr)
bind(server, name, size), listen(server, 5), getsockname(server, name, c_int(size))
tick = socket(AF_INET6, SOCK_DGRAM, 0)
bind(tick, name, size)
print(ntohs(name.sin6_port), flush=True)
client = accept(server, None, None)
buf = bytearray(70_000)
while (got := recv(client, buf, 70_000, 0)) > 0: send(client, buf, min(got, 11), 0)
shutdown(client, SD_SEND), closesocket(client)
client = accept(server, None, None)
recv(client, buf, 3, 0)
setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 0), 4), closesocket(client)
recvfrom(tick, buf, 512, 0, name, c_int(size)), sendto(tick, b"answer", 6, 0, name, size)
closesocket(tick), closesocket(server), WSACleanup()
"""
CLIENT = """\
import sys
from winsock import *
from ctypes import c_int
WSAStartup(MAKEWORD(2, 2), WSADATA())
name, size = sockaddr_in6(AF_INET6, htons(int(sys.argv[1]))), 28
inet_pton(AF_INET6, "::1", name.sin6_addr)
client = socket(AF_INET6, SOCK_STREAM, 0)
connect(client, name, size)
data, buf = bytes(range(256)) * 1200, bytearray(1000)
for begin in range(0, len(data), 100_000): send(client, data[begin:], min(len(data) - begin, 100_000), 0)
shutdown(client, SD_SEND)
while recv(client, buf, 7, 0) > 0: pass
closesocket(client)
client = socket(AF_INET6, SOCK_STREAM, 0)
connect(client, name, size), send(client, b"abc", 3, 0), recv(client, buf, 5, 0), closesocket(client)
tick = socket(AF_INET6, SOCK_DGRAM, 0)
sendto(tick, b"tick", 4, 0, name, size), recvfrom(tick, buf, 512, 0, sockaddr_in6(), c_int(size))
closesocket(tick), WSACleanup()
"""


def real_run(folder: Path, recorded: int) -> list[str]:
    """The traces of both programs, with so many recorded bytes of each buffer."""
    (folder / "server.py").write_text(SERVER, encoding="ascii")
    (folder / "client.py").write_text(CLIENT, encoding="ascii")
    options = ["-m", "winsock.trace", "--bytes", str(recorded), "-o"]
    command = [sys.executable, *options, str(folder / "server.jsonl"), str(folder / "server.py")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = server.stdout.readline().strip()
            python(*options, "client.jsonl", "client.py", port, cwd=folder, check=True)
            assert server.wait(60) == 0
        finally:
            server.kill()
    return [str(folder / "server.jsonl"), str(folder / "client.jsonl")]


def moved(trace: str, call: str, handle_of: str) -> list[bytes]:
    """The data of the calls on the sockets that `handle_of` has created, one item for each socket."""
    sockets: dict[int, int] = {}
    data: list[bytearray] = []
    for record in read_lanes(Path(trace))[0].records:
        if record["call"] == handle_of:
            handle = record["result"] if handle_of == "accept" else record["args"]["s"]
            sockets[handle] = len(data)
            data.append(bytearray())
        elif record["call"] == call and record["result"] > 0:
            data[sockets[record["args"]["s"]]] += bytes.fromhex(record["args"]["buf"]["hex"])
    return [bytes(each) for each in data]


def test_the_streams_of_a_real_run_are_those_that_the_programs_sent_and_received(tmp_path: Path) -> None:
    server, client = real_run(tmp_path, 1_000_000)
    file = tmp_path / "talk.pcapng"
    assert main([server, client, "--pcapng", str(file)]) == 0
    sent, answers = moved(client, "send", "connect"), moved(server, "send", "accept")
    assert len(sent[0]) == 256 * 1200
    assert followed(file, 0, 1) == list(zip(sent, answers, strict=True))
    assert moved(server, "recv", "accept") == sent
    assert moved(client, "recv", "connect") == answers
    assert followed(file, 0, protocol="udp") == [(b"tick", b"answer")]
    assert fields(file, "frame.number", where=PROBLEMS) == []
    assert fields(file, "frame.comment", where="tcp.stream == 1 && tcp.flags.reset == 1")[0][0].startswith(
        "closesocket("
    )
    assert set(fields(file, "ipv6.src")) == {("::1",)}


def test_of_bytes_that_were_not_recorded_the_capture_has_the_size(tmp_path: Path) -> None:
    server, client = real_run(tmp_path, 16)
    file = tmp_path / "talk.pcapng"
    assert main([server, client, "--pcapng", str(file)]) == 0
    assert fields(file, "frame.number", where="tcp.analysis.flags") == []
    sizes = fields(
        file, "tcp.len", where="tcp.stream == 0 && tcp.dstport == tcp.port && tcp.len > 0 && tcp.srcport > 0"
    )
    received = [record["result"] for record in read_lanes(Path(client))[0].records if record["call"] == "recv"]
    sent = [record["result"] for record in read_lanes(Path(client))[0].records if record["call"] == "send"]
    answered = [record["result"] for record in read_lanes(Path(server))[0].records if record["call"] == "send"]
    assert sum(int(size) for (size,) in sizes) == 256 * 1200 + sum(answered)
    assert sum(size for size in sent if size > 0) == 256 * 1200 + 3
    assert sum(size for size in received if size > 0) == sum(answered)


def test_the_streams_of_a_simulated_run(tmp_path: Path) -> None:
    file = tmp_path / "talk.pcapng"
    assert main([*simulated_talk(tmp_path / "calls"), "--pcapng", str(file)]) == 0
    assert followed(file, 0) == [(b"question", b"answer")]


# ---- streams


def test_each_program_is_an_interface_and_each_call_a_comment(tmp_path: Path) -> None:
    story = Story("a", "b")
    connected(story)
    story.move(0, "send", 5, b"hello")
    story.move(1, "recv", 7, b"hello")
    story.call(0, "closesocket", s=5)
    story.move(1, "recv", 7, b"")
    story.call(1, "closesocket", s=7)
    file = exported(tmp_path, story)
    assert fields(file, "frame.interface_name", "tcp.flags.str", "tcp.len", "frame.comment") == [
        ("a", "··········S·", "0", "connect() = 0"),
        ("b", "·······A··S·", "0", "accept() = 7"),
        ("a", "·······A····", "0", ""),
        ("a", "·······AP···", "5", "send() = 5"),
        ("b", "·······A····", "0", "recv() = 5"),
        ("a", "·······A···F", "0", "closesocket() = 0"),
        ("b", "·······A····", "0", "recv() = 0"),
        ("b", "·······A···F", "0", "closesocket() = 0"),
    ]
    assert followed(file, 0) == [(b"hello", b"")]
    assert fields(file, "frame.interface_description")[0] == ("pid 0, compat: a",)


def test_a_packet_has_the_time_of_its_call(tmp_path: Path) -> None:
    story = Story("a", "b")
    for lane in story.lanes:
        lane.offset = 1_700_000_000_123_456_789
    connected(story)
    story.move(0, "send", 5, b"x")
    file = exported(tmp_path, story)
    start = story.lanes[0].records[1]["t"]
    assert fields(file, "frame.time_epoch")[0] == (f"1700000000.{123456789 + start:09}",)


@pytest.mark.parametrize(("client", "server"), [(A, B), (A6, B6)])
def test_a_message_in_pieces_and_two_messages_in_one_piece_are_one_stream(
    tmp_path: Path, client: str, server: str
) -> None:
    story = Story("a", "b")
    connected(story, client, server)
    for data in (b"one ", b"two ", b"three"):
        story.move(0, "send", 5, data)
    for data in (b"o", b"ne two t", b"hree"):
        story.move(1, "recv", 7, data)
    story.move(1, "send", 7, b"answer")
    story.move(0, "recv", 5, b"answer")
    file = exported(tmp_path, story)
    assert followed(file, 0) == [(b"one two three", b"answer")]
    acknowledged = fields(file, "tcp.ack", where="tcp.len == 0 && frame.interface_name == b")
    assert acknowledged == [("1",), ("2",), ("10",), ("14",)]


def test_a_client_with_ipv4_and_a_server_with_ipv6_have_one_stream(tmp_path: Path) -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B)
    story.accept(1, 7, "[::ffff:127.0.0.1]:2000", "[::ffff:7f00:1]:1000")
    story.move(0, "send", 5, b"question")
    story.move(1, "recv", 7, b"question")
    story.move(1, "send", 7, b"answer")
    file = exported(tmp_path, story)
    assert followed(file, 0) == [(b"question", b"answer")]


@pytest.mark.parametrize("seed", range(4))
def test_random_streams_are_read_back_byte_for_byte(tmp_path: Path, seed: int) -> None:
    random, story = Random(seed), Story("a", "b", "c")
    ends = [(0, 5, 2, 7), (1, 5, 2, 8), (0, 6, 1, 9)]
    for number, (lane, s, other, accepted) in enumerate(ends):
        client, server = f"127.0.0.1:{1000 + number}", f"127.0.0.1:{2000 + other}"
        story.stream(lane, s, client, server)
        story.accept(other, accepted, server, client)
    # What each end has sent, and what the other one has received of it.
    sent: dict[tuple[int, int], bytes] = {}
    received: dict[tuple[int, int], int] = {}
    for _ in range(60):
        lane, s, other, accepted = random.choice(ends)
        source, target = random.sample([(lane, s), (other, accepted)], 2)
        waiting = sent.get(source, b"")[received.get(source, 0) :]
        if waiting and random.random() < 0.5:
            data = waiting[: random.randint(1, len(waiting))]
            story.move(target[0], "recv", target[1], data)
            received[source] = received.get(source, 0) + len(data)
        else:
            data = random.randbytes(random.choice([1, 3, 500, LARGEST_PAYLOAD, LARGEST_PAYLOAD + 1]))
            story.move(source[0], "send", source[1], data)
            sent[source] = sent.get(source, b"") + data
    file = exported(tmp_path, story)
    for number, (lane, s, other, accepted) in enumerate(ends):
        assert followed(file, number) == [(sent.get((lane, s), b""), sent.get((other, accepted), b""))]


def test_a_program_whose_peer_has_no_trace_has_both_directions_of_its_streams(tmp_path: Path) -> None:
    story = Story("a")
    story.stream(0, 5, A, B)
    story.move(0, "send", 5, b"question")
    story.move(0, "recv", 5, b"ans")
    story.move(0, "recv", 5, b"wer")
    story.move(0, "recv", 5, b"")
    story.call(0, "closesocket", s=5)
    story.accept(0, 7, A, C)
    story.move(0, "recv", 7, b"hello")
    file = exported(tmp_path, story)
    assert followed(file, 0) == [(b"question", b"answer")]
    assert followed(file, 1) == [(b"hello", b"")]
    assert {name for (name,) in fields(file, "frame.interface_name")} == {"a"}
    inbound = fields(file, "frame.packet_flags_direction", where="tcp.srcport == 2000")
    assert set(inbound) == {("0x00000001",)}


def test_what_was_sent_by_calls_without_a_trace_is_not_missing(tmp_path: Path) -> None:
    story = Story("a", "b")
    connected(story)
    story.move(1, "recv", 7, b"abc")
    story.move(1, "recv", 7, b"def")
    file = exported(tmp_path, story)
    assert followed(file, 0) == [(b"abcdef", b"")]


@pytest.mark.parametrize("ended_by", ["FIN", "RST"])
def test_what_was_sent_without_a_trace_and_received_after_the_end_was_sent_before_the_end(
    tmp_path: Path, ended_by: str
) -> None:
    story = Story("a", "b")
    connected(story)
    if ended_by == "RST":
        linger = {"l_onoff": 1, "l_linger": 0}
        story.call(1, "setsockopt", s=7, level="SOL_SOCKET", optname="SO_LINGER", optval=linger)
    story.move(1, "send", 7, b"well ")
    story.call(1, "closesocket", s=7)
    for data in (b"well he", b"l", b"lo", b""):
        story.move(0, "recv", 5, data)
    file = exported(tmp_path, story)
    assert followed(file, 0) == [(b"", b"well hello")]
    assert fields(file, "tcp.len", where="tcp.srcport == 2000")[1:] == [("5",), ("2",), ("1",), ("2",), ("0",)]
    flags = fields(file, "tcp.flags.str", where="tcp.srcport == 2000")[-1][0]
    assert flags[-4:] == {"FIN": "\u00b7\u00b7\u00b7F", "RST": "\u00b7R\u00b7\u00b7"}[ended_by]


def test_calls_on_sockets_whose_connection_was_not_traced_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Story("a")
    story.move(0, "send", 5, b"x")
    story.move(0, "recv", 5, b"y")
    exported(tmp_path, story)
    assert "; 2 calls left out: the trace has no connect, accept or address of the socket" in capsys.readouterr().err


def test_calls_of_a_forked_child_on_a_socket_of_its_parent_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Story("b", "a")
    connected(story)
    for _ in range(2):
        story.move(1, "send", 7, b"hello")
        story.lanes[1].records[-1]["pid"] = 9
    story.call(1, "closesocket", s=7)
    story.move(0, "recv", 5, b"hellohello")
    file = exported(tmp_path, story)
    reason = "a child process uses a socket that its parent has opened; this is not supported"
    assert capsys.readouterr().err.endswith(f"; 2 calls left out: {reason}\n")
    assert followed(file, 0) == [(b"", b"hellohello")]


def test_data_that_was_only_looked_at_makes_no_packet(tmp_path: Path) -> None:
    story = Story("a", "b")
    connected(story)
    story.move(0, "send", 5, b"abc")
    story.move(1, "recv", 7, b"abc", "MSG_PEEK")
    story.move(1, "recv", 7, b"abc")
    assert len(fields(exported(tmp_path, story), "frame.number")) == 5


@pytest.mark.parametrize(
    "received",
    [
        [(b"ab", 0), (b"Xde", 0)],  # SO_OOBINLINE
        [(b"ab", 0), (b"X", "MSG_OOB"), (b"de", 0)],
        [(b"X", "MSG_OOB"), (b"abde", 0)],
        [(b"ab", 0), (b"de", 0)],
    ],
)
def test_out_of_band_bytes_are_urgent_bytes_of_the_stream(tmp_path: Path, received: list[tuple[bytes, Any]]) -> None:
    story = Story("a", "b")
    connected(story)
    for data, flags in ((b"ab", 0), (b"X", "MSG_OOB"), (b"de", 0)):
        story.move(0, "send", 5, data, flags)
    for data, flags in received:
        story.move(1, "recv", 7, data, flags)
    story.call(0, "closesocket", s=5)
    story.move(1, "recv", 7, b"")
    file = exported(tmp_path, story)
    assert fields(file, "tcp.payload", "tcp.urgent_pointer", where="tcp.len > 0") == [
        (b"ab".hex(), "0"), (b"X".hex(), "1"), (b"de".hex(), "0"),
    ]  # fmt: skip
    assert fields(file, "frame.number", where=PROBLEMS) == []
    assert fields(file, "tcp.len", where="tcp.urgent_pointer > 0 && tcp.flags.urg == 1") == [("1",)]


def test_a_call_whose_data_was_recorded_in_part_is_a_packet_captured_in_part(tmp_path: Path) -> None:
    story = Story("a", "b")
    connected(story)
    story.move(0, "send", 5, b"abcdefgh", recorded=3)
    story.move(1, "recv", 7, b"abcdefgh", recorded=0)
    story.move(0, "send", 5, b"ijk")
    file = exported(tmp_path, story)
    assert fields(file, "tcp.len", "frame.len", "frame.cap_len", where="tcp.len > 0") == [
        ("8", "48", "43"),
        ("3", "43", "43"),
    ]
    assert fields(file, "tcp.seq", where="tcp.len > 0") == [("1",), ("9",)]


def test_a_call_of_any_size_makes_a_limited_number_of_packets(tmp_path: Path) -> None:
    story = Story("a", "b")
    connected(story)
    story.call(0, "send", 1 << 40, s=5, buf={"bytes": 1 << 40, "hex": "61"}, len=1, flags=0)
    story.move(0, "send", 5, b"x")
    assert capture(story.draw()).packets < 100


# ---- begins and ends


@pytest.mark.parametrize("error", ["WSAECONNREFUSED", "WSAETIMEDOUT", "WSAENETUNREACH"])
def test_a_connection_that_fails(tmp_path: Path, error: str) -> None:
    story = Story("a")
    story.stream(0, 5, A, B, error=error)
    flags = [flags for (flags,) in fields(exported(tmp_path, story), "tcp.flags.str")]
    syn, reset = "··········S·", "·······A·R··"
    assert flags == {"WSAECONNREFUSED": [syn, reset], "WSAETIMEDOUT": [syn], "WSAENETUNREACH": []}[error]


def test_a_connect_that_waits_for_a_refusal_does_not_delay_other_packets(tmp_path: Path) -> None:
    story = Story("a", "b")
    story.call(0, "connect", -1, d=10**9, s=5, name=C, local=A, peer=C, error="WSAECONNREFUSED")
    story.stream(1, 6, A, B)
    story.move(1, "send", 6, b"x", recorded=1)
    times = fields(exported(tmp_path, story), "frame.time_relative", "tcp.flags.str")
    assert [(round(float(time)), flags[-4:]) for time, flags in times][-2:] == [(0, "P···"), (1, "·R··")]


def test_a_nonblocking_connection_is_established_when_a_call_needs_it(tmp_path: Path) -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B, error="WSAEWOULDBLOCK")
    story.move(0, "send", 5, b"early")
    story.accept(1, 7, B, A)
    story.move(1, "recv", 7, b"early")
    story.stream(0, 6, C, B, error="WSAEWOULDBLOCK")
    story.call(0, "closesocket", s=6)
    file = exported(tmp_path, story)
    assert [comment for (comment,) in fields(file, "frame.comment")] == [
        "connect() = -1", "accept() = 7", "", "send() = 5", "recv() = 5", "connect() = -1",
    ]  # fmt: skip
    assert followed(file, 0) == [(b"early", b"")]


@pytest.mark.parametrize("traced", [True, False])
def test_a_reset_is_a_packet_of_the_program_that_has_closed_the_connection(tmp_path: Path, traced: bool) -> None:
    story = Story("a", "b")
    connected(story)
    story.move(0, "send", 5, b"lost")
    if traced:
        story.call(1, "closesocket", s=7)
    story.call(0, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAECONNRESET")
    story.call(0, "closesocket", s=5)
    file = exported(tmp_path, story)
    comment = "closesocket() = 0;reported to a: recv() = -1" if traced else "recv() = -1"
    assert fields(file, "tcp.srcport", "frame.comment", where="tcp.flags.reset == 1") == [("2000", comment)]
    assert fields(file, "frame.number", where="tcp.flags.fin == 1") == []


def test_calls_that_make_no_packet_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story("a", "b")
    connected(story)
    story.move(0, "send", 5, b"")
    story.call(1, "recv", 0, s=7, buf={"room": 0}, len=0, flags=0)
    story.call(0, "shutdown", s=5, how="SD_SEND")
    for _ in range(2):
        story.move(1, "recv", 7, b"")
    story.call(1, "setsockopt", s=7, level="SOL_SOCKET", optname="SO_LINGER", optval={"l_onoff": 1, "l_linger": 0})
    story.call(1, "closesocket", s=7)
    for _ in range(2):
        story.call(0, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAECONNRESET")
    assert len(fields(exported(tmp_path, story), "frame.number")) == 6
    end = "; 3 calls left out: the call moves no bytes; 1 call left out: the connection was reset before\n"
    assert capsys.readouterr().err.endswith(end)


def test_a_socket_that_does_not_linger_resets_its_connection(tmp_path: Path) -> None:
    story = Story("a")
    story.stream(0, 5, A, B)
    story.call(0, "setsockopt", s=5, level="SOL_SOCKET", optname="SO_LINGER", optval={"l_onoff": 1, "l_linger": 0})
    story.call(0, "closesocket", s=5)
    assert len(fields(exported(tmp_path, story), "tcp.srcport", where="tcp.flags.reset == 1")) == 1


def test_only_the_last_cleanup_ends_connections(tmp_path: Path) -> None:
    story = Story("a")
    for _ in range(2):
        story.call(0, "WSAStartup")
    story.stream(0, 5, A, B)
    story.call(0, "WSACleanup")
    story.move(0, "send", 5, b"x")
    story.call(0, "WSACleanup")
    file = exported(tmp_path, story)
    assert [flags[-1] for (flags,) in fields(file, "tcp.flags.str")][-2:] == ["·", "F"]
    assert followed(file, 0) == [(b"x", b"")]


def test_a_stream_that_was_ended_twice_has_one_end(tmp_path: Path) -> None:
    story = Story("a", "b")
    connected(story)
    story.call(0, "shutdown", s=5, how="SD_SEND")
    for _ in range(2):
        story.move(1, "recv", 7, b"")
    story.call(0, "closesocket", s=5)
    story.call(1, "shutdown", s=7, how="SD_RECEIVE")
    assert len(fields(exported(tmp_path, story), "frame.number", where="tcp.flags.fin == 1")) == 1


def test_connections_that_follow_each_other_between_the_same_addresses_are_several_streams(tmp_path: Path) -> None:
    story = Story("a", "b")
    for data in (b"first", b"second"):
        connected(story)
        story.move(0, "send", 5, data)
        story.move(1, "recv", 7, data)
        story.call(0, "closesocket", s=5)
        story.call(1, "closesocket", s=7)
    file = exported(tmp_path, story)
    assert followed(file, 0, 1) == [(b"first", b""), (b"second", b"")]


# ---- datagrams


@pytest.mark.parametrize(("local", "target"), [(A, B), ("0.0.0.0:1000", B), ("[::]:1000", B6), (A6, B6)])
def test_a_datagram_is_one_packet_with_the_calls_that_received_it(tmp_path: Path, local: str, target: str) -> None:
    story = Story("a", "b")
    for lane, s in ((0, 5), (1, 7)):
        story.call(lane, "socket", s, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    source = A6 if target == B6 else A
    for data in (b"one", b"", b"lost"):
        story.move(0, "sendto", 5, data, to=target, local=local)
        if data != b"lost":
            story.move(1, "recvfrom", 7, data, from_=source, local=target)
    story.move(1, "sendto", 7, b"back", to=source, local=target)
    file = exported(tmp_path, story)
    assert fields(file, "frame.interface_name", "udp.length", "frame.comment") == [
        ("a", "11", "sendto() = 3;received by b: recvfrom() = 3"),
        ("a", "8", "sendto() = 0;received by b: recvfrom() = 0"),
        ("a", "12", "sendto() = 4"),
        ("b", "12", "sendto() = 4"),
    ]
    assert followed(file, 0, protocol="udp") == [(b"onelost", b"back")]


def test_a_datagram_of_a_program_without_a_trace_is_an_inbound_packet(tmp_path: Path) -> None:
    story = Story("b")
    story.call(0, "socket", 7, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    story.move(0, "recvfrom", 7, b"tick", from_=A, local="0.0.0.0:2000")
    story.call(0, "connect", s=7, name=A)
    story.move(0, "send", 7, b"tock", local=B, peer=A)
    file = exported(tmp_path, story)
    assert followed(file, 0, protocol="udp") == [(b"tick", b"tock")]
    assert [flag for (flag,) in fields(file, "frame.packet_flags_direction")] == ["0x00000001", "0x00000002"]


# ---- traces that were made to do harm


@pytest.mark.parametrize(("target", "largest"), [(B, 65507), (B6, 65527)])
def test_a_datagram_that_is_larger_than_udp_allows_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, largest: int
) -> None:
    story = Story("a")
    for size in (largest, largest + 1, 1 << 40):
        story.call(0, "sendto", size, s=5, buf={"bytes": size, "hex": ""}, len=size, flags=0, to=target)
    file = exported(tmp_path, story)
    assert fields(file, "udp.length") == [(str(largest + 8),)]
    assert "1 packet written" in (text := capsys.readouterr().err)
    assert text.endswith("; 2 calls left out: a datagram cannot have that size\n")


@pytest.mark.parametrize(
    "values",
    [
        {"local": "1.2.3:4", "peer": "x"},
        {"local": "999.1.1.1:1", "peer": "1.1.1.1:99999"},
        {"local": "[::1]:1", "peer": "1.1.1.1:1"},
        {"local": "", "peer": "[fe80::1%3]:5"},
    ],
)
def test_addresses_of_any_form_make_packets_or_none(tmp_path: Path, values: dict[str, Any]) -> None:
    story = Story("a", "\x1b[31m")
    story.call(0, "connect", s=[1], name={}, **values)
    story.accept(1, 7, values["local"], values["peer"])
    story.move(1, "send", 7, b"x" * 5000)
    story.move(0, "sendto", 9, b"x", to=values["peer"], local=values["local"])
    story.move(0, "recvfrom", 9, b"x", from_={"room": 16}, local=values["local"])
    story.lanes[0].offset, story.lanes[1].offset = -(1 << 62), 1 << 62
    file = tmp_path / "story.pcapng"
    file.write_bytes(capture(timeline(story.lanes, fold=False)).data)
    assert fields(file, "frame.number", where="_ws.malformed") == []

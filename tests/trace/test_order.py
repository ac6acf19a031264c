"""In every timeline and diagram each program's calls are in their order, and no effect is above its cause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from diagram_kit import Diagram
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_kit import ROOT, drawn, talk

from winsock.trace.events import Event, Lane
from winsock.trace.mermaid import sequence_diagram
from winsock.trace.timeline import Timeline, timeline

__all__ = ["drawn", "talk"]

SECOND = 10**9


class Thread:
    """A thread of a program: its name, the time at which its last call ended, and whether it still makes calls."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.free = 0


class Side:
    """A side of a TCP connection: the program, the handle, the addresses, and what it can still receive."""

    def __init__(self, lane: int, handle: int, local: str, peer: str) -> None:
        self.lane, self.handle, self.local, self.peer = lane, handle, local, peer
        self.arriving: list[tuple[int, int]] = []  # the number of the sending call, and the bytes that are left of it
        self.closed = self.ended = False
        self.close_call = 0


class World:
    """Random programs that communicate, with true times, and what each call has really caused.

    Programs on one machine share a clock. The clocks of machines show other times, and a machine's time of day is
    wrong by up to `error` nanoseconds.
    """

    def __init__(self, seed: int, machines: int, step: int, threads: int, error: int) -> None:
        self._random = random = Random(seed)
        self._step, self._now, self._number, self._port = step, 1000 * SECOND, 0, 1000
        count = random.randint(max(2, machines), machines + 3)
        clocks = [(random.randint(-500, 500) * 3 * SECOND, random.randint(-error, error)) for _ in range(machines)]
        self._clocks = [clocks[lane % machines] for lane in range(count)]
        self.lanes = []
        for lane, (clock, wrong) in enumerate(self._clocks):
            # Each program reads the time of day at another moment.
            offset = -clock + wrong + random.randint(0, 1000)
            self.lanes.append(Lane(f"program {lane}", lane, ["p.py"], "compat", offset))
        self._threads = [[Thread(f"T{i}") for i in range(random.randint(1, threads))] for _ in range(count)]
        self._sides: list[tuple[Side, Side]] = []
        self._datagrams: list[tuple[int, int]] = []
        self.causes: list[tuple[int, int]] = []  # pairs of the numbers of calls, with an arrow
        self.reported: list[tuple[int, int]] = []  # pairs without an arrow
        self._listening: dict[int, int] = {}
        # With several threads, another thread may have received what a call reports.
        self._with_reports = threads == 1

    def run(self, steps: int) -> Timeline:
        """Let the programs make calls; returns the timeline with every call."""
        actions = [self.connect, self.move, self.move, self.move, self.move, self.close, self.datagram, self.other]
        for _ in range(steps):
            self._now += self._random.choice((0, 0, 1, 1, self._random.randint(0, 100))) * self._step
            self._random.choice(actions)()
        return timeline(self.lanes, fold=False)

    def connect(self) -> None:
        one, other = (self._random.randrange(len(self.lanes)) for _ in range(2))
        self._port += 1
        local, peer = f"10.0.0.{one}:{self._port}", f"10.0.0.{other}:80"
        client, server = Side(one, self._port, local, peer), Side(other, 50000 + self._port, peer, local)
        error = self._random.choice((None, {"code": 10035, "name": "WSAEWOULDBLOCK"}))
        if other not in self._listening:
            self._listening[other] = self._call(other, "listen", 0, args={"s": 1})
        cause = self._call(one, "connect", -1 if error else 0, client, error=error)
        if not error:
            self.reported.append((self._listening[other], cause))
        self._pass()
        self._report(other, 1, cause)
        effect = self._call(other, "accept", server.handle, server, args={"s": 1}, reports=True)
        self._caused(cause, effect)
        self._sides.append((client, server))

    def move(self) -> None:
        if not self._sides:
            return
        pair = self._random.choice(self._sides)
        one, other = pair if self._random.random() < 0.5 else (pair[1], pair[0])
        if not one.closed and self._random.random() < 0.5:
            size = self._random.randint(1, 5)
            other.arriving.append((self._call(one.lane, "send", size, one, data=size), size))
        elif not one.ended:
            self._receive(one, other)

    def _receive(self, side: Side, other: Side) -> None:
        if side.arriving or other.closed:
            self._report(side.lane, side.handle, side.arriving[0][0] if side.arriving else other.close_call)
        if not side.arriving and other.closed:
            side.ended = True
            effect = self._call(side.lane, "recv", 0, side, data=0, reports=True)
            self._caused(other.close_call, effect)
        elif side.arriving:
            size = self._random.randint(1, sum(left for _, left in side.arriving))
            causes, wanted = [], size
            while wanted:
                cause, left = side.arriving.pop(0)
                causes.append(cause)
                if left > wanted:
                    side.arriving.insert(0, (cause, left - wanted))
                wanted -= min(left, wanted)
            effect = self._call(side.lane, "recv", size, side, data=size, reports=True)
            for cause in causes:
                self._caused(cause, effect)

    def _report(self, lane: int, handle: int, cause: int) -> None:
        """Maybe call something that reports that a socket has something to receive."""
        if not self._with_reports or self._random.random() < 0.5:
            return
        call, args = self._random.choice(
            (
                ("select", {"readfds": {"in": [1, handle], "out": [handle]}}),
                ("WSAPoll", {"fdArray": {"in": [], "out": [{"fd": handle, "revents": "POLLRDNORM|POLLHUP"}]}}),
            )
        )
        self.reported.append((cause, self._call(lane, call, 1, args=args, reports=True)))

    def close(self) -> None:
        if self._sides and self._random.random() < 0.3:
            side = self._random.choice(self._random.choice(self._sides))
            if not side.closed:
                side.closed = True
                how = self._random.choice(("shutdown", "closesocket"))
                side.close_call = self._call(side.lane, how, 0, side)
                # A closed socket receives nothing any more.
                side.ended = side.ended or how == "closesocket"

    def datagram(self) -> None:
        lane = self._random.randrange(len(self.lanes))
        if self._random.random() < 0.5 or not self._datagrams:
            name = f"10.0.0.9:{9000 + self._number}"
            number = self._call(lane, "sendto", 1, args={"s": 3, "to": name}, data=1, local=f"10.0.0.{lane}:7")
            self._datagrams.append((number, lane))
        else:
            cause, sender = self._datagrams.pop(self._random.randrange(len(self._datagrams)))
            if self._random.random() < 0.8:
                name, source = f"10.0.0.9:{8999 + cause}", f"10.0.0.{sender}:7"
                args = {"s": 4, "from_": source}
                self._caused(cause, self._call(lane, "recvfrom", 1, args=args, data=1, local=name, reports=True))

    def other(self) -> None:
        lane = self._random.randrange(len(self.lanes))
        call, result, reports = self._random.choice(
            (("htons", 1, False), ("select", 0, True), ("getsockname", 0, False), ("getaddrinfo", 0, False))
        )
        self._call(lane, call, result, reports=reports)

    def _pass(self) -> None:
        self._now += self._random.randint(0, 50) * self._step

    def _caused(self, cause: int, effect: int) -> None:
        self.causes.append((cause, effect))

    def _call(  # noqa: PLR0913 - what a record has
        self,
        lane: int,
        call: str,
        result: int,
        side: Side | None = None,
        *,
        args: dict[str, Any] | None = None,
        data: int | None = None,
        error: Any = None,
        local: str = "",
        reports: bool = False,
    ) -> int:
        """Record a call that takes effect now: at its end if it `reports` something, else at its start."""
        thread = self._random.choice(self._threads[lane])
        self._now = max(self._now, thread.free)
        start = self._random.randint(thread.free, self._now) if reports and thread.free else self._now
        end = self._now if reports else self._now + self._random.randint(0, 30) * self._step
        thread.free = end
        self._number += 1
        shown = {"s": side.handle} | (args or {}) if side else dict(args or {})
        if data is not None:
            shown |= {"buf": {"bytes": data, "hex": "61" * data}, "len": 9, "flags": 0}
        clock = self._clocks[lane][0]
        record: dict[str, Any] = {"n": self._number, "t": start + clock, "d": end - start, "pid": lane}
        record |= {"thread": thread.name, "call": call, "args": shown, "result": result, "text": f"{call}()"}
        record |= {"local": side.local, "peer": side.peer} if side else {"local": local}
        self.lanes[lane].records.append(record | ({"error": error} if error else {}))
        return self._number


WORLDS = st.builds(
    World,
    seed=st.integers(0, 10**9),
    machines=st.integers(1, 4),
    step=st.sampled_from([0, 1, 1000, 1_000_000]),
    threads=st.sampled_from([1, 1, 3]),
    error=st.sampled_from([0, 1000, 100_000_000]),
)


def assert_ordered(found: Timeline, causes: list[tuple[int, int]] | None = None) -> None:
    """Each lane and each of its threads is in order, and all effects are below their causes."""
    assert [event.index for event in found.events] == list(range(len(found.events)))
    for lane in range(len(found.lanes)):
        events = [event for event in found.events if event.lane == lane]
        for thread in {event.record["thread"] for event in events}:
            numbers = [event.record["n"] for event in events if event.record["thread"] == thread]
            assert numbers == sorted(numbers)
        latest = 0
        for event in events:
            # A call that ended before another one began is above it.
            assert event.end >= latest or not latest
            latest = max(latest, event.start)
    for arrow in found.arrows:
        assert arrow.source.index < arrow.target.index
        assert arrow.target in arrow.source.partners
        assert arrow.source in arrow.target.partners
    index = {event.record["n"]: event.index for event in found.events}
    for cause, effect in causes or ():
        assert index[cause] < index[effect]


def assert_diagram_ordered(found: Timeline) -> None:
    """The diagram has each call once, in the order of its lane, and each arrow below or at its cause."""
    diagram = Diagram(sequence_diagram(found, everything=True))
    for lane in range(len(found.lanes)):
        assert diagram.lane(lane) == [event.call for event in found.events if event.lane == lane]
    assert len(diagram.arrows) == len(found.arrows)
    shown: dict[int, int] = {}
    for row in diagram.rows:
        shown[row.lane] = shown.get(row.lane, 0) + (not row.again)
    # How many calls of each lane are shown when an arrow is: its cause and its effect are among them.
    position = {id(event): number for events in _by_lane(found) for number, event in enumerate(events)}
    for arrow, drawn_arrow in zip(found.arrows, diagram.arrows, strict=True):
        for event, line in ((arrow.source, drawn_arrow.source.line), (arrow.target, drawn_arrow.target.line)):
            above = [row for row in diagram.rows if row.lane == event.lane and row.line <= line and not row.again]
            assert len(above) > position[id(event)]
        # Nothing that comes after the effect in its lane is above the arrow.
        above = [row for row in diagram.rows if row.lane == arrow.target.lane and row.line < drawn_arrow.target.line]
        assert len([row for row in above if not row.again]) <= position[id(arrow.target)] + drawn_arrow.target.again


def _by_lane(found: Timeline) -> Iterator[list[Event]]:
    for lane in range(len(found.lanes)):
        yield [event for event in found.events if event.lane == lane]


@settings(max_examples=150)
@given(WORLDS)
def test_calls_of_random_programs_are_in_order(world: World) -> None:
    found = world.run(120)
    assert_ordered(found, world.causes + world.reported)
    pairs = {(arrow.source.record["n"], arrow.target.record["n"]) for arrow in found.arrows}
    assert pairs == set(world.causes)


@settings(max_examples=60)
@given(WORLDS)
def test_diagrams_of_random_programs_are_in_order(world: World) -> None:
    assert_diagram_ordered(world.run(60))


@settings(max_examples=60)
@given(WORLDS)
def test_idle_calls_that_are_combined_keep_the_order(world: World) -> None:
    world.run(120)
    for lane in world.lanes:
        lane.name = f"program {lane.pid}"
    found = timeline(world.lanes)
    assert_ordered(found)
    assert sum(event.count for event in found.events) == sum(len(lane.records) for lane in world.lanes)


@settings(max_examples=60)
@given(WORLDS)
def test_times_of_aligned_clocks_agree_with_all_arrows(world: World) -> None:
    found = world.run(120)
    for arrow in found.arrows:
        assert arrow.source.at <= arrow.target.at


def test_a_diagram_of_a_real_run_is_in_order(drawn: Timeline) -> None:
    assert_ordered(drawn)
    assert_diagram_ordered(drawn)
    assert Diagram(sequence_diagram(drawn)).problems() == []


def published() -> list[Any]:
    """The diagrams of traces in the notes."""
    found = []
    for path in sorted((ROOT / "notes").rglob("*.md")):
        blocks = re.findall(r"```mermaid\n(sequenceDiagram\n.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        traced = [block for block in blocks if "participant P0 as " in block]
        name = path.relative_to(ROOT / "notes").as_posix()
        found += [pytest.param(block, id=f"{name}-{number}") for number, block in enumerate(traced, 1)]
    return found


@pytest.mark.parametrize("diagram", published())
def test_a_published_diagram_is_in_order(diagram: str) -> None:
    read = Diagram(diagram)
    # All lines are understood.
    heads = [line for line in diagram.splitlines() if line.startswith(("sequenceDiagram", "    participant P"))]
    assert len(heads) + len({row.line for row in read.rows}) == len(diagram.splitlines())
    assert read.arrows
    assert read.problems() == []


def test_the_check_of_a_diagram_finds_wrong_orders() -> None:
    def problems(*lines: str) -> list[str]:
        start = "    Note over P0: WSAStartup() = 0\n    Note over P1: WSAStartup() = 0\n"
        return Diagram(start + "\n".join(f"    {line}" for line in lines)).problems()

    assert problems("Note over P0: WSACleanup() = 0", "P0->>P1: send = 1 \u2192 recv = 1: 1 byte") == [
        "line 3: send = 1 outside WSAStartup and WSACleanup"
    ]
    assert problems("Note over P0: closesocket(4) = 0<br/>send(4, 1) = 1") == [
        "line 2: send(4, 1) = 1 after closesocket"
    ]
    assert problems("P0->>P1: (send = 1) \u2192 recv = 1: 1 byte") == ["line 2: send = 1 is not shown above"]
    assert problems("Note over P0: send(4) = 1", "P0->>P1: (send = 1) \u2192 recv = 1: 1 byte") == []


# ---- single cases


class Story:
    """Calls of several programs, each 10 ns after the one before it."""

    def __init__(self, *offsets: int) -> None:
        self.lanes = [Lane(f"p{pid}", pid, ["p.py"], "compat", offset) for pid, offset in enumerate(offsets)]
        self.time = 0
        self.number = 0

    def call(self, lane: int, call: str, result: int = 0, error: str = "", **values: Any) -> None:
        self.time += 10
        self.number += 1
        ends = {key: values.pop(key) for key in ("local", "peer") if key in values}
        start = values.pop("t", self.time)
        record = {"n": self.number, "t": start, "d": values.pop("d", 0), "pid": lane, "thread": "", "call": call}
        record |= ends | {"args": values, "result": result, "text": f"{call}#{self.number}"}
        self.lanes[lane].records.append(record | ({"error": {"name": error}} if error else {}))

    def connected(self, one: int, other: int) -> None:
        """Both use the handle 5."""
        self.call(one, "connect", s=5, local=f"10.0.0.{one}:9", peer=f"10.0.0.{other}:80")
        self.call(other, "accept", 5, s=1, local=f"10.0.0.{other}:80", peer=f"10.0.0.{one}:9")

    def move(self, lane: int, call: str, data: bytes = b"", **values: Any) -> None:
        buffer = {"bytes": len(data), "hex": data.hex()}
        self.call(lane, call, len(data), s=5, buf=buffer, len=9, flags=0, **values)

    def order(self) -> list[str]:
        return [event.text for event in timeline(self.lanes).events]


def test_calls_at_one_time_are_in_the_order_of_cause_and_effect() -> None:
    story = Story(0, 0)
    story.connected(1, 0)
    story.move(1, "send", b"1", t=100)
    story.move(0, "recv", b"1", t=100)
    story.move(0, "send", b"2", t=100)
    story.move(1, "recv", b"2", t=100)
    assert story.order() == ["connect#1", "accept#2", "send#3", "recv#4", "send#5", "recv#6"]


def test_a_program_on_a_machine_whose_clock_is_late_stays_in_order() -> None:
    story = Story(0, 10**18, 3)
    story.connected(0, 1)
    story.move(0, "send", b"1")
    story.call(0, "WSACleanup")
    story.move(1, "recv", b"1")
    story.call(2, "htons")
    # The clock of the second machine has another start, and its time of day is 500 ns late.
    for record in story.lanes[1].records:
        record["t"] -= 10**18 + 500
    assert story.order() == ["connect#1", "accept#2", "send#3", "WSACleanup#4", "recv#5", "htons#6"]
    found = timeline(story.lanes)
    # The third program is on the first machine, whose times stay as they are.
    assert [event.at for event in found.events] == [10, 10, 30, 40, 40, 60]


def test_programs_on_one_of_several_machines_keep_the_times_of_their_clock() -> None:
    story = Story(0, 10**12, 900_000)
    for lane in (2, 0, 2, 0):
        story.call(lane, "htons")
    assert story.order() == ["htons#1", "htons#2", "htons#3", "htons#4"]


def test_arrows_that_contradict_the_order_of_the_programs_are_left_out() -> None:
    story = Story(0, 10**12)
    for lane in (0, 1):
        story.call(lane, "recvfrom", 1, s=1, buf={"bytes": 1, "hex": "61"}, local=f"10.0.0.{lane}:1")
    for lane in (0, 1):
        name = f"10.0.0.{1 - lane}:1"
        story.call(lane, "sendto", 1, s=1, buf={"bytes": 1, "hex": "61"}, to=name, local=f"10.0.0.{lane}:1")
    found = timeline(story.lanes)
    assert_ordered(found)
    assert len(found.events) == 4
    assert len(found.arrows) == 1


def test_an_arrow_from_a_call_that_was_combined_with_others_is_left_out() -> None:
    story, sent = Story(0, 0), {"to": "10.0.0.1:1", "local": "10.0.0.0:1"}
    # No tracer writes this: calls that found nothing to do, with bytes.
    for digits in ("61", "62"):
        story.call(0, "sendto", -1, "WSAEWOULDBLOCK", s=1, buf={"bytes": 1, "hex": digits}, **sent)
    story.call(1, "recvfrom", 1, s=1, buf={"bytes": 1, "hex": "62"}, from_=sent["local"], local=sent["to"])
    found = timeline(story.lanes)
    assert [(event.call, event.count) for event in found.events] == [("sendto", 2), ("recvfrom", 1)]
    assert found.arrows == []


def test_only_the_last_of_several_wsacleanup_ends_the_connections() -> None:
    story = Story(0, 0)
    story.call(0, "WSAStartup")
    story.call(0, "WSAStartup")
    story.connected(0, 1)
    story.call(0, "WSACleanup")
    story.call(0, "WSACleanup")
    story.move(1, "recv")
    ends = [arrow.source.text for arrow in timeline(story.lanes).arrows if arrow.kind == "end"]
    assert ends == ["WSACleanup#6"]


def test_a_reset_comes_from_the_call_that_closed_the_socket() -> None:
    story = Story(0, 0)
    story.connected(0, 1)
    story.call(0, "shutdown", s=5, how="SD_SEND")
    story.call(0, "closesocket", s=5)
    story.call(1, "recv", -1, "WSAECONNRESET", s=5, buf={"room": 9}, len=9, flags=0)
    resets = [arrow.source.text for arrow in timeline(story.lanes).arrows if arrow.kind == "reset"]
    assert resets == ["closesocket#4"]


def test_an_end_of_a_process_that_closed_nothing_has_no_arrow() -> None:
    story = Story(0, 0)
    story.connected(0, 1)
    story.move(0, "send", b"1")
    story.move(1, "recv", b"1")
    story.move(1, "recv")
    assert [arrow.kind for arrow in timeline(story.lanes).arrows] == ["connection", "data"]


def test_an_event_knows_its_position_in_the_stream_and_the_calls_at_its_arrows() -> None:
    story = Story(0, 0)
    story.connected(0, 1)
    story.move(0, "send", b"abc")
    story.move(0, "send", b"de")
    story.move(1, "recv", b"abcd")
    story.move(1, "recv", b"e")
    events = timeline(story.lanes).events
    assert [event.stream for event in events] == [None, None, 0, 3, 0, 4]
    assert [[partner.text for partner in event.partners] for event in events] == [
        ["accept#2"], ["connect#1"], ["recv#5"], ["recv#5", "recv#6"], ["send#3", "send#4"], ["send#4"]
    ]  # fmt: skip


def test_a_call_that_never_returned_is_at_its_start() -> None:
    story = Story(0, 0)
    story.connected(0, 1)
    begun = {"t": 15, "pid": 1, "thread": "", "text": "recv(5, "}
    story.lanes[1].waiting[9] = begun | {"begun": 9, "call": "recv"}
    assert story.order() == ["connect#1", "accept#2"]
    found = timeline(story.lanes, unfinished=True)
    assert [event.text for event in found.events] == ["connect#1", "recv(5) has not returned", "accept#2"]
    assert [arrow.kind for arrow in found.arrows] == ["connection"]
    assert "    Note over P1: recv(5) has not returned\n" in sequence_diagram(found)


# ---- effects without an arrow


READABLE = [
    ("select", {"readfds": {"in": [5, 6], "out": [5]}}),
    ("WSAPoll", {"fdArray": {"in": [], "out": [{"fd": 6, "revents": "0"}, {"fd": 5, "revents": "POLLRDNORM"}]}}),
    ("ioctlsocket", {"s": 5, "cmd": "FIONREAD", "argp": {"in": 0, "out": 1}}),
    ("recv", {"s": 5, "buf": {"bytes": 1, "hex": "61"}, "len": 9, "flags": "MSG_PEEK"}),
]


@pytest.mark.parametrize(("call", "args"), READABLE)
def test_a_call_that_reports_data_is_not_above_the_call_that_sent_it(call: str, args: dict[str, Any]) -> None:
    story = Story(0, 10**12)
    story.connected(0, 1)
    story.move(0, "send", b"a", t=9000)
    story.call(1, call, 1, **args)
    story.move(1, "recv", b"a")
    # The clock of the second machine is 5000 ns late.
    for record, time in zip(story.lanes[1].records, (6000, 9010, 20_000), strict=True):
        record["t"] = time - 5000 - 10**12
    assert story.order() == ["connect#1", "accept#2", "send#3", f"{call}#4", "recv#5"]
    assert [event.at for event in timeline(story.lanes).events] == [10, 5990, 9000, 9000, 19_990]


def test_a_report_at_the_time_of_the_send_is_below_it() -> None:
    story = Story(0, 0)
    story.connected(1, 0)
    story.call(0, "select", 1, readfds={"in": [5], "out": [5]}, t=50)
    story.move(1, "send", b"a", t=50)
    story.move(0, "recv", b"a", t=50)
    assert story.order() == ["connect#1", "accept#2", "send#4", "select#3", "recv#5"]


def test_a_successful_connect_is_not_above_listen() -> None:
    story = Story(10**12, 0)
    story.call(1, "listen", s=1)
    story.connected(0, 1)
    for record in story.lanes[0].records:
        record["t"] -= 10**12
    story.lanes[1].records[0]["t"] = 35
    story.lanes[1].records[1]["t"] = 60
    assert story.order() == ["listen#1", "connect#2", "accept#3"]


def test_a_connect_that_began_before_listen_is_below_it_if_it_succeeded() -> None:
    story = Story(0, 0)
    story.call(0, "connect", s=5, local="10.0.0.0:9", peer="10.0.0.1:80", t=11, d=900)
    story.call(1, "listen", s=1, t=200)
    story.call(1, "accept", 5, s=1, local="10.0.0.1:80", peer="10.0.0.0:9", t=210, d=500)
    assert story.order() == ["listen#2", "connect#1", "accept#3"]


def test_a_connect_that_waited_for_the_listen_of_another_machine_moves_no_clock() -> None:
    story = Story(0, 2 * SECOND)
    story.call(0, "connect", s=5, local="10.0.0.0:9", peer="10.0.0.1:80", t=10, d=SECOND)
    story.call(1, "listen", s=1, t=SECOND // 2 - 2 * SECOND)
    story.call(1, "accept", 5, s=1, local="10.0.0.1:80", peer="10.0.0.0:9", t=SECOND - 2 * SECOND)
    story.move(0, "send", b"a", t=SECOND + 20)
    story.move(1, "recv", b"a", t=SECOND + 30 - 2 * SECOND)
    events = timeline(story.lanes).events
    assert [event.call for event in events] == ["listen", "connect", "accept", "send", "recv"]
    assert [event.at for event in events] == [SECOND // 2, 10, SECOND, SECOND + 20, SECOND + 30]


def test_a_call_that_reports_data_may_begin_before_the_call_that_sent_it() -> None:
    story = Story(0, 0)
    story.connected(0, 1)
    story.call(1, "ioctlsocket", s=5, cmd="FIONREAD", argp={"in": 0, "out": 1}, t=50, d=30)
    story.move(0, "send", b"a", t=60)
    story.move(1, "recv", b"a", t=90)
    assert story.order() == ["connect#1", "accept#2", "send#4", "ioctlsocket#3", "recv#5"]


def test_a_send_that_reports_a_reset_is_below_the_call_that_closed_the_socket() -> None:
    story = Story(0, 0)
    story.connected(0, 1)
    story.call(0, "send", -1, "WSAECONNRESET", s=5, buf={"room": 9}, len=9, flags=0, t=30, d=100)
    story.call(1, "closesocket", s=5, t=50)
    found = timeline(story.lanes)
    assert [event.text for event in found.events] == ["connect#1", "accept#2", "closesocket#4", "send#3"]
    assert [(arrow.kind, arrow.source.text) for arrow in found.arrows][1:] == [("reset", "closesocket#4")]

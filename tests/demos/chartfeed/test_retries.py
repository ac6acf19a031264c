"""chart_client repeats an interrupted download, and ends with one line when it cannot work."""

from __future__ import annotations

import itertools

import pytest
from signal_kit import Script, arrive, close, closed_port, ready, reset, server, take, write
from tpl_kit import TURNS, TplStage, fetch, mark_of, message, until, untouched

from demos.chartfeed.frames import frame
from demos.wire import addresses
from winsock import WSATRY_AGAIN

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")

WHOLE = message("whole", "GBPUSD", 1)


def accepted(stage: TplStage, server: int) -> Script:
    yield from until(lambda: ready(server, 0))
    stage.peer = take(server)


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        WHOLE[:1],
        WHOLE[:5],
        WHOLE[:10],
        WHOLE[:19],
        WHOLE[:20],
        WHOLE[:20] + b"<",
        WHOLE[:20] + b"<chart>\r\nsymbol",
        WHOLE[:20] + b"\xef\xbb\xbf<chart>\r\n</chart>",
        WHOLE[:22],
        WHOLE[:23],
        WHOLE[:60],
        WHOLE[:-2],
        WHOLE[:-1],
        WHOLE + WHOLE[:7],
        WHOLE + WHOLE[:60],
    ],
)
def test_a_download_that_is_cut_is_repeated_and_reported_once(server, tmp_path, cut):
    stage = fetch(server, tmp_path, attempts=10)

    def script() -> Script:
        for _ in range(3):
            yield from accepted(stage, server)
            if cut:
                arrive(stage.peer, cut, stage.program.client)
            close(stage.peer)
        yield from accepted(stage, server)
        assert untouched(stage, tmp_path)
        arrive(stage.peer, WHOLE, stage.program.client)
        close(stage.peer)
        yield from until(lambda: stage.record.of("applied"))

    assert stage.play(script()) == 0
    assert mark_of(stage.template) == "whole"
    [error] = stage.errors()
    assert error.startswith("-Receive failed: the server has sent ")
    assert error.endswith(". Next attempt in 1 s, at most 10 attempts.")


def test_a_reset_download_is_repeated_after_growing_pauses(server, tmp_path):
    stage = fetch(server, tmp_path, attempts=10)
    times = []

    def script() -> Script:
        for _ in range(4):
            yield from accepted(stage, server)
            times.append(stage.clock.time)
            arrive(stage.peer, WHOLE[:30], stage.program.client)
            reset(stage.peer)
        yield from accepted(stage, server)
        write(stage.peer, WHOLE)
        close(stage.peer)
        yield from until(lambda: stage.record.of("applied"))

    assert stage.play(script()) == 0
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses == pytest.approx([1, 2, 4], abs=0.2)
    assert len(stage.errors()) == 1


def test_after_its_attempts_the_program_ends_with_exit_code_3(server, tmp_path):
    stage = fetch(server, tmp_path, attempts=3)

    def script() -> Script:
        for _ in range(3):
            yield from accepted(stage, server)
            close(stage.peer)
        for _ in range(TURNS):
            yield

    assert stage.play(script()) == 3
    assert len(stage.errors()) == 2
    assert untouched(stage, tmp_path)


@pytest.mark.parametrize(
    "data",
    [message()[:20] + b"<chart>\r\n\0", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20, message()[:20] + b"\xff\xfe<\0c\0\0\0"],
)
def test_a_peer_that_is_no_template_server_is_not_tried_again(server, tmp_path, data):
    stage = fetch(server, tmp_path, attempts=10)

    def script() -> Script:
        yield from accepted(stage, server)
        arrive(stage.peer, data, stage.program.client)
        close(stage.peer)
        for _ in range(TURNS):
            yield

    assert stage.play(script()) == 3
    assert len(stage.errors()) == 1


def test_a_refused_connection_is_not_tried_again(tmp_path):
    stage = TplStage("chart_client", tmp_path, Port=closed_port())

    def script() -> Script:
        for _ in range(TURNS):
            yield

    assert stage.play(script()) == 3
    assert len(stage.errors()) == 1


def test_a_name_that_cannot_be_resolved_at_present_is_tried_again(server, tmp_path, monkeypatch):
    resolve = addresses.getaddrinfo
    monkeypatch.setattr(addresses, "getaddrinfo", lambda *arguments: WSATRY_AGAIN)
    stage = fetch(server, tmp_path, attempts=10, Host="localhost")

    def script() -> Script:
        yield from until(lambda: stage.clock.time > 1000 + 3)
        monkeypatch.setattr(addresses, "getaddrinfo", resolve)
        yield from accepted(stage, server)
        write(stage.peer, WHOLE)
        close(stage.peer)
        yield from until(lambda: stage.record.of("applied"))

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 1


def test_an_endless_stream_of_keep_alives_does_not_keep_a_subscriber_from_ending(server, tmp_path):
    stage = fetch(server, tmp_path, follow=True)

    def script() -> Script:
        yield from accepted(stage, server)
        for _ in range(50):
            write(stage.peer, frame(b"") * 5000)
            yield
        close(stage.peer)

    assert stage.play(script()) == 0
    assert stage.errors() == []

"""A script is plain data: each method returns a new one, a step that is impossible is refused, and it prints itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from winsock.testing import Peer

ARTICLE = Peer().accept().send(b"<<EURUSD|0.").wait(0.2).send(b"25>>\0").stall(5).reset()

SCRIPTS = [
    ARTICLE,
    Peer().connect(8081).expect(b"hello\0").half_close().expect_end().close(),
    Peer().connect(("::1", 8081)).send(b"a", b"b", split=1, pause=0.5).read_slowly(100, count=7).expect_reset(),
    Peer().accept().send(b"abc", split=(1, 2)).garbage(10, seed=3).receive(4).read_slowly(2.5),
    Peer().datagrams().expect(b"ping").send(b"pong").repeat(3, last=2).close(),
    Peer().datagrams(("127.0.0.1", 9)).send(b"x").wait(1).repeat(2, last=2).repeat(5, last=1),
    Peer().accept().close().repeat(4),
    Peer().wait(1).accept().expect(b"'\"\\\n"),
    Peer(address="::1", port=8081, limit=2.5, receive_buffer=4096, send_buffer=9000).accept(),
]


@pytest.mark.parametrize("script", SCRIPTS, ids=repr)
def test_a_script_prints_itself_as_it_is_written(script: Peer) -> None:
    assert eval(repr(script), {"Peer": Peer}) == script


def test_a_method_returns_a_new_script_and_leaves_the_old_one() -> None:
    first = Peer().accept()
    second, third = first.send(b"a"), first.send(b"b")
    assert repr(first) == "Peer().accept()"
    assert repr(second) == "Peer().accept().send(b'a')"
    assert repr(third) == "Peer().accept().send(b'b')"


def test_equal_scripts_are_equal_and_have_one_hash() -> None:
    same = Peer().accept().send(b"<<EURUSD|0.").wait(0.2).send(b"25>>\0").stall(5).reset()
    assert same == ARTICLE
    assert hash(same) == hash(ARTICLE)
    assert same.accept() != ARTICLE


def test_the_bytes_of_a_script_do_not_change_with_the_callers_buffer() -> None:
    data = bytearray(b"abc")
    script = Peer().accept().send(data)
    data[:] = b"xyz"
    assert repr(script) == "Peer().accept().send(b'abc')"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Peer().send(b"x"), "send() needs a socket: call accept(), connect() or datagrams() before"),
        (lambda: Peer().expect(b"x"), "expect() needs a socket"),
        (lambda: Peer().stall(1), "stall() needs a socket"),
        (lambda: Peer().close(), "close() needs a socket"),
        (lambda: Peer().accept().close().send(b"x"), "send() needs a socket"),
        (lambda: Peer().accept().reset().expect_end(), "expect_end() needs a socket"),
        (lambda: Peer().accept().half_close().send(b"x"), "send() after the peer's stream has ended"),
        (lambda: Peer().accept().half_close().half_close(), "half_close() after the peer's stream has ended"),
        (lambda: Peer().accept().expect_end().expect(b"x"), "expect() after the other side's stream has ended"),
        (lambda: Peer().accept().read_slowly(9).receive(1), "receive() after the other side's stream has ended"),
        (lambda: Peer().accept().expect_reset().send(b"x"), "send() after the peer's stream has ended"),
        (lambda: Peer().accept().accept(), "accept() in a script whose socket is open"),
        (lambda: Peer().accept().close().connect(1), "connect() after accept()"),
        (lambda: Peer().datagrams().close().datagrams(), "datagrams() after datagrams()"),
        (lambda: Peer().datagrams().send(b"x"), "send() has no destination"),
        (lambda: Peer().datagrams().reset(), "reset() needs a connection; a script of datagrams has none"),
        (lambda: Peer().datagrams().read_slowly(1), "read_slowly() needs a connection"),
        (lambda: Peer().accept().repeat(2), "accept() in a script whose socket is open"),
        (lambda: Peer().accept().send(b"x").close().repeat(2, last=2), "send() needs a socket"),
        (lambda: Peer().accept().repeat(0), "invalid number of times: 0"),
        (lambda: Peer().accept().repeat(2, last=2), "invalid number of steps to repeat: 2: the script has 1"),
        (lambda: Peer().repeat(2), "invalid number of steps to repeat: 0: the script has 0"),
        (lambda: Peer().accept().send(), "send() needs at least one message"),
        (lambda: Peer().accept().send(b""), "send() needs at least one byte"),
        (lambda: Peer().accept().expect(b""), "expect() needs at least one byte"),
        (lambda: Peer().accept().send(b"x", split=0), "invalid split: 0: it must be greater than 0"),
        (lambda: Peer().accept().send(b"x", split=(1, -1)), "invalid split: -1"),
        (lambda: Peer().accept().send(b"x", pause=-1), "invalid pause: -1"),
        (lambda: Peer().accept().garbage(0), "invalid count: 0"),
        (lambda: Peer().accept().wait(0), "invalid seconds: 0"),
        (lambda: Peer().accept().stall(-1), "invalid seconds: -1"),
        (lambda: Peer().accept().read_slowly(0), "invalid bytes_per_second: 0"),
        (lambda: Peer().accept().read_slowly(1, 0), "invalid count: 0"),
        (lambda: Peer().connect(0), "invalid port: 0: it must be from 1 to 65535"),
        (lambda: Peer(port=65_536), "invalid port: 65536: it must be from 0 to 65535"),
        (lambda: Peer(limit=0), "invalid limit: 0"),
        (lambda: Peer().start(), "a script without accept(), connect() or datagrams() cannot be started: Peer()"),
        (lambda: Peer().wait(1).start(), "cannot be started: Peer().wait(1)"),
    ],
)
def test_an_impossible_step_is_refused_when_the_script_is_built(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^.*{re.escape(message)}"):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Peer().accept().stall(1e10), "invalid seconds: 10000000000.0: it must be at most 1e+09"),
        (lambda: Peer().accept().stall(math.inf), "invalid seconds: inf"),
        (lambda: Peer().accept().wait(math.inf), "invalid seconds: inf"),
        (lambda: Peer().accept().wait(math.nan), "invalid seconds: nan"),
        (lambda: Peer().accept().wait(10**400), f"invalid seconds: {10**400}: it must be at most 1e+09"),
        (lambda: Peer(limit=math.inf), "invalid limit: inf"),
        (lambda: Peer().accept().read_slowly(math.inf), "invalid bytes_per_second: inf"),
        (lambda: Peer().accept().send(b"xy", split=1, pause=math.nan), "invalid pause: nan"),
        (lambda: Peer().accept().send(b"x", split=()), "invalid split: (): it must have at least one size"),
        (lambda: Peer(receive_buffer=-1), "invalid receive_buffer: -1: it must be greater than 0"),
        (lambda: Peer(send_buffer=2**31), "invalid send_buffer: 2147483648: it must be at most 2147483647"),
        (lambda: Peer().connect(("localhost", 65_536)), "invalid port: 65536"),
        (lambda: Peer().connect(("bücher.example", 80)), "invalid host: 'bücher.example': it must be ASCII text"),
        (lambda: Peer(address="ü").accept(), "invalid host: 'ü': it must be ASCII text"),
    ],
)
def test_an_argument_out_of_its_range_is_refused_when_the_script_is_built(
    build: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda script: script.garbage(2.5), "invalid count: 2.5: it must be an integer, not 'float'"),
        (lambda script: script.garbage(3, seed=None), "invalid seed: None: it must be an integer"),
        (lambda script: script.receive(1.5), "invalid count: 1.5: it must be an integer"),
        (lambda script: script.receive(True), "invalid count: True: it must be an integer"),
        (lambda script: script.read_slowly(1, 1.5), "invalid count: 1.5"),
        (lambda script: script.read_slowly("1"), "invalid bytes_per_second: '1': it must be a number, not 'str'"),
        (lambda script: script.repeat(1.5), "invalid number of times: 1.5: it must be an integer"),
        (lambda script: script.repeat(1, last=1.0), "invalid number of steps to repeat: 1.0: it must be an integer"),
        (lambda script: script.send(b"x", split=(2.0,)), "invalid split: 2.0: it must be an integer"),
        (lambda script: script.send(b"x", split=1.5), "invalid split: 1.5: it must be an integer or a sequence"),
        (lambda script: script.send(b"x", split="12"), "invalid split: '12': it must be an integer or a sequence"),
        (lambda script: script.send(b"x", pause="1"), "invalid pause: '1': it must be a number"),
        (lambda script: script.wait("1"), "invalid seconds: '1': it must be a number, not 'str'"),
        (lambda script: script.stall(None), "invalid seconds: None: it must be a number"),
        (lambda script: Peer(limit="3"), "invalid limit: '3': it must be a number"),  # type: ignore[arg-type]
        (lambda script: Peer(port="80"), "invalid port: '80': it must be an integer"),  # type: ignore[arg-type]
        (lambda script: Peer(port=80.5), "invalid port: 80.5: it must be an integer"),  # type: ignore[arg-type]
        (lambda script: Peer("server"), "invalid host: 'server': it must be a host of a simulated"),  # type: ignore[arg-type]
        (lambda script: Peer(8081), "invalid host: 8081: it must be a host of a simulated"),  # type: ignore[arg-type]
        (lambda script: Peer(address=80), "invalid host: 80: it must be a string"),  # type: ignore[arg-type]
        (lambda script: Peer(receive_buffer="9"), "invalid receive_buffer: '9'"),  # type: ignore[arg-type]
        (lambda script: Peer().connect("a:8080"), "invalid address: 'a:8080': it must be a port or a pair"),  # type: ignore[arg-type]
        (lambda script: Peer().connect(("a", "80")), "invalid port: '80': it must be an integer"),  # type: ignore[arg-type]
        (lambda script: Peer().datagrams((1, 80)), "invalid host: 1: it must be a string"),  # type: ignore[arg-type]
    ],
)
def test_an_argument_of_another_type_is_refused_when_the_script_is_built(
    build: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        build(Peer().accept())


@pytest.mark.parametrize("seconds", [Decimal("0.5"), Fraction(1, 2)])
def test_a_time_of_another_numeric_type_is_a_float(seconds: Any) -> None:
    script = Peer(limit=seconds).accept().wait(seconds).stall(seconds).send(b"ab", split=1, pause=seconds)
    assert script.read_slowly(seconds) == Peer(limit=0.5).accept().wait(0.5).stall(0.5).send(
        b"ab", split=1, pause=0.5
    ).read_slowly(0.5)
    assert "Decimal" not in repr(script)
    assert "Fraction" not in repr(script)


def test_scripts_of_peers_with_other_parameters_are_different() -> None:
    assert Peer(port=1) != Peer(port=2)
    assert Peer(limit=1).accept() != Peer().accept()
    assert Peer(port=1, limit=3).accept() == Peer(limit=3, port=1).accept()
    assert hash(Peer(port=1)) == hash(Peer(port=1))


@pytest.mark.parametrize("data", ["text", 5, None])
def test_a_message_must_be_bytes(data: object) -> None:
    with pytest.raises(TypeError, match="a bytes-like object is required, not"):
        Peer().accept().send(data)  # type: ignore[arg-type]


def test_a_script_can_accept_again_after_close_and_after_reset() -> None:
    assert len(Peer().accept().close().accept().reset().accept().steps) == 5


def test_garbage_depends_on_its_seed_alone() -> None:
    def garbage(seed: int) -> list[bytes]:
        step = Peer().accept().garbage(1_000, seed).steps[1]
        return step.pieces  # type: ignore[union-attr]

    assert garbage(1) == garbage(1)
    assert garbage(1) != garbage(2)
    assert len(b"".join(garbage(1))) == 1_000


@pytest.mark.parametrize(
    ("split", "pieces"),
    [
        (None, [b"abcdefg"]),
        (3, [b"abc", b"def", b"g"]),
        (7, [b"abcdefg"]),
        (100, [b"abcdefg"]),
        ((1, 2), [b"a", b"bc", b"defg"]),
        ((4, 3), [b"abcd", b"efg"]),
        ((4, 30, 5), [b"abcd", b"efg"]),
    ],
)
def test_split_gives_the_sizes_of_the_pieces(split: int | tuple[int, ...] | None, pieces: list[bytes]) -> None:
    step = Peer().accept().send(b"abc", b"defg", split=split).steps[1]
    assert step.pieces == pieces  # type: ignore[union-attr]

"""Port numbers."""

from __future__ import annotations

import pytest

from demos.wire.ports import listening_port_from_text, listening_port_problem, port_from_text, port_problem


@pytest.mark.parametrize("port", [1, 80, 8081, 65535])
def test_a_port_is_a_number_from_1_to_65535(port):
    assert port_problem(port) is None
    assert listening_port_problem(port) is None


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_any_other_number_is_reported(port):
    assert port_problem(port) == f"invalid port: {port}; use a number from 1 to 65535"
    assert listening_port_problem(port) == f"invalid port: {port}; use a number from 0 to 65535"


def test_a_server_may_let_the_system_choose_with_0():
    assert listening_port_problem(0) is None
    assert port_problem(0) == "invalid port: 0; use a number from 1 to 65535"


def test_a_port_is_read_from_text():
    assert [port_from_text(text) for text in ("1", "8081", "65535")] == [1, 8081, 65535]
    assert [listening_port_from_text(text) for text in ("0", "8081")] == [0, 8081]


@pytest.mark.parametrize(
    ("text", "shown"), [("-1", "-1"), ("65536", "65536"), ("x", "'x'"), ("", "''"), ("1_0", "'1_0'")]
)
def test_text_that_is_not_a_port_is_reported_with_the_same_message(text, shown):
    for convert, lowest in ((port_from_text, 1), (listening_port_from_text, 0)):
        with pytest.raises(ValueError, match=f"^invalid port: {shown}; use a number from {lowest} to 65535$"):
            convert(text)
    with pytest.raises(ValueError, match="invalid port: 0; use a number from 1 to 65535"):
        port_from_text("0")

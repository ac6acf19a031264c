"""Port numbers."""

from __future__ import annotations

import pytest

from demos.wire.ports import listening_port_problem, port_problem


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

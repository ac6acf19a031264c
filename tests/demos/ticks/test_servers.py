"""The rules that tick_server and tick_collector share, event by event, on real sockets."""

from __future__ import annotations

import pytest
from signal_kit import Stage, one_event, port_of, successes
from tick_kit import address_of, peer

from demos.terminal.interfaces import ProgramError

pytestmark = pytest.mark.usefixtures("started")

both = pytest.mark.parametrize("program", ["tick_server", "tick_collector"])


@both
def test_s21_a_port_in_use_is_one_line_of_error_and_exit_code_3(program):
    s = peer()
    stage = Stage(program, Port=port_of(s))
    starts = successes(stage)
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error.startswith(f"Bind to {address_of(s)} failed error: (#10048)")
    assert starts == ["WSAStartup", "WSACleanup"]


@both
@pytest.mark.parametrize("port", [-1, 65536])
def test_an_invalid_port_is_refused(program, port):
    with pytest.raises(ProgramError, match=f"invalid port: {port}; use a number from 0 to 65535"):
        Stage(program, Port=port)

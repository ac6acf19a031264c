"""Study programs and products with each other, each in a process of its own, over real TCP and in real time."""

from __future__ import annotations

import pytest
from terminal_kit import child, wait_for


@pytest.mark.parametrize(
    ("server", "client"),
    [("signal_server", "signal_client"), ("provider", "signal_client"), ("signal_server", "copier")],
)
def test_two_clients_copy_what_the_server_trades_and_find_it_again_after_a_restart(server, client):
    timer = "--timer-ms=100"
    plain = ["--Port=-1", "--plain-port"] if server == "provider" else ["--Port"]
    with child("run", server, *plain, "0", timer) as serving:
        port = wait_for(serving.stderr, "start server ok, 127.0.0.1:").rpartition(":")[2].strip()
        with child("run", client, f"--Port={port}", timer) as one, child("run", client, f"--Port={port}", timer) as two:
            for copying in (one, two):
                wait_for(copying.stderr, "connect OK")
                wait_for(copying.stderr, "server position: EURUSD|0.00")
            serving.stdin.write("buy 0.25\n")
            serving.stdin.flush()
            for copying in (one, two):
                wait_for(copying.stderr, "-> 0.25")
            serving.stdin.write("quit\n")
            serving.stdin.flush()
            assert serving.wait(20) == 0
            with child("run", server, *plain, port, timer) as again:
                wait_for(again.stderr, f"start server ok, 127.0.0.1:{port}")
                # The new server's account has no position.
                for copying in (one, two):
                    wait_for(copying.stderr, "-> 0.00")

"""Programs that connect again survive every random fault, and the same seed gives the same run."""

from __future__ import annotations

import contextlib
from ctypes import c_int

import pytest
from simulation_kit import check, connected, listener, now, receive, send_all, sleep, start

import winsock
from winsock.simulation import Network, format_script

LAST_FAULT, SETTLED, END = 120, 190, 220


def persistent_client(ip: str, answers: list[float]) -> None:
    """Sends a message each second and waits for its answer; connects again after an error."""
    start()
    while True:
        s = winsock.INVALID_SOCKET
        try:
            s = connected(ip, seconds=5)
            while True:
                send_all(s, b"message")
                received = b""
                while len(received) < len(b"message"):
                    part = receive(s)
                    if not part:
                        raise OSError("the server has closed the connection")
                    received += part
                assert received == b"message"
                answers.append(now())
                sleep(1)
        except OSError:
            if s != winsock.INVALID_SOCKET:
                winsock.closesocket(s)
            sleep(1)


def impatient_server() -> None:
    """Serves one client after the other, and closes a client that is silent for 5 s: its host may have crashed."""
    start()
    server = listener()
    while True:
        client = check(winsock.accept(server, None, None))
        check(winsock.setsockopt(client, winsock.SOL_SOCKET, winsock.SO_RCVTIMEO, c_int(5000), 4))
        with contextlib.suppress(OSError):
            while data := receive(client):
                send_all(client, data)
        winsock.closesocket(client)


def run(seed: int) -> tuple[str, list[list[float]], dict[str, int], str]:
    with Network(seed=seed, latency=0.01, jitter=0.01) as net:
        answers: list[list[float]] = [[], []]
        for number, one in enumerate(answers):
            net.host(f"server{number}", f"10.0.1.{number}").start(impatient_server, restart=True, name="server")
            client = net.host(f"client{number}")
            client.start(persistent_client, f"10.0.1.{number}", one, restart=True, name="client")
        script = [*net.random_faults(12, 5, LAST_FAULT)]
        net.add_faults(script)
        trace = net.trace()
        net.run(END)
        return format_script(script), answers, dict(net.counters), trace.text()


@pytest.mark.parametrize("seed", range(12))
def test_after_the_last_random_fault_every_client_gets_answers_again(seed: int) -> None:
    script, answers, _, _ = run(seed)
    for one in answers:
        assert len([time for time in one if time > SETTLED]) > 10, script


def test_the_same_seed_gives_the_same_run_with_random_faults() -> None:
    assert run(7) == run(7)

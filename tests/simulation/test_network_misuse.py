"""What the test does wrong with networks, hosts and attached processes gives an error that says so."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from simulation_kit import PORT, address, new, receive, sleep, start

import winsock
from winsock.simulation.dispatch import running_process
from winsock.simulation.errors import NothingCanHappen, SimulationError
from winsock.simulation.network import Network


def test_a_network_that_is_closed_before_an_inner_one_closes_both() -> None:
    before = winsock.calls
    outer, inner = Network(1), Network(2)
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(SimulationError, match="close the innermost one first"):
        outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    assert winsock.calls is before
    with pytest.raises(SimulationError, match="the network is not open"):
        inner.host("a")


def test_a_network_of_one_thread_goes_on_when_that_of_another_thread_is_closed() -> None:
    opened, closed = threading.Event(), threading.Event()
    results: list[object] = []

    def run_after_the_other_is_closed() -> None:
        with Network() as net:
            opened.set()
            closed.wait()
            process = net.host("a").start(start)
            net.run()
            results.append(process.result())

    before = winsock.calls
    thread = threading.Thread(target=run_after_the_other_is_closed)
    with Network():
        thread.start()
        opened.wait()
    closed.set()
    thread.join()
    assert results == [None]
    assert winsock.calls is before


def test_a_network_cannot_be_opened_twice() -> None:
    with Network() as net, pytest.raises(SimulationError, match="the network is open"):
        net.__enter__()


def test_a_program_whose_thread_the_system_refuses_can_be_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Network() as net:
        host = net.host("a")
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                host.start(start, name="program")
        assert host.processes == []
        process = host.start(start, name="program")
        net.run()
        assert process.result() is None


def test_a_closed_network_runs_no_process() -> None:
    with Network() as net:
        host = net.host("a")
    ran: list[int] = []
    with pytest.raises(SimulationError, match="the network is not open"):
        host.start(lambda: ran.append(start()))
    with pytest.raises(SimulationError, match="the network is not open"), host.attached():
        ran.append(start())
    with pytest.raises(SimulationError, match="the network is not open"):
        net.run()
    assert not ran
    assert not host.processes


def test_a_fault_of_a_closed_network_starts_no_process() -> None:
    ran: list[str] = []
    before = threading.active_count()
    with Network() as net:
        host = net.host("a")
        host.start(ran.append, "a", name="program", restart=True)
        net.run()
        fault = net.crash(host)
    for end in (fault.end, lambda: net.restart(host)):
        with pytest.raises(SimulationError, match="the network is not open"):
            end()
    assert ran == ["a"]
    assert not host.up
    assert threading.active_count() == before


def test_a_network_that_is_opened_again_has_new_disks() -> None:
    net = Network()
    with net:
        host = net.host("a")
        (host.disk / "file").write_text("x")
    with net:
        process = host.start(lambda: [path.name for path in host.disk.iterdir()])
        net.run()
        assert process.result() == []


@pytest.mark.parametrize("attached", [False, True])
def test_the_processes_of_an_outer_network_run_while_an_inner_one_is_open(attached: bool) -> None:
    def program() -> str:
        start()
        sleep(1)
        return running_process().name

    with Network(1) as outer, Network(2) as inner:
        process = outer.host("a").start(program, name="outer")
        host = inner.host("b")
        if attached:
            with host.attached():
                outer.run()
                assert running_process().host.name == "b"
        else:
            outer.run()
        assert process.result() == "outer"


def test_only_the_test_runs_the_network_and_is_attached() -> None:
    def run() -> None:
        net.run(1)

    def attach() -> None:
        with net.hosts["a"].attached():
            pass

    with Network() as net:
        host = net.host("a")
        for program, text in ((run, "only the test may run"), (attach, "only the test may be attached")):
            host.start(program)
            with pytest.raises(SimulationError, match=text):
                net.run()
        net.call_at(net.now + 1, run)
        with pytest.raises(SimulationError, match="only the test may run"):
            net.run(2)
        with host.attached():
            pass


def send_and_sleep() -> None:
    start()
    s = new(winsock.SOCK_DGRAM)
    winsock.sendto(s, b"x", 1, 0, address("10.0.0.1", 9), 16)
    sleep(5)


def test_if_nothing_can_happen_the_error_names_the_frozen_processes_and_no_call_that_has_ended() -> None:
    with Network() as net:
        host = net.host("a")
        host.start(send_and_sleep, name="sleeper")
        host.start(lambda: running_process().wait(None, "a wake"), name="waiter")
        net.at(1).freeze("a/sleeper")
        with pytest.raises(NothingCanHappen) as caught:
            net.run()
        assert "sleeper on host a sleeps until 5.000000 s (frozen)" in str(caught.value)
        assert str(caught.value).endswith("waiter on host a waits: a wake")
        net.freeze(host)
        host.start(send_and_sleep, name="later")
        with pytest.raises(NothingCanHappen, match=r"later has not begun \(frozen\)"):
            net.run()


def send_much_to_a_peer_that_does_not_read(server: bool) -> None:
    start()
    s = new()
    if server:
        winsock.bind(s, address("0.0.0.0", PORT), 16)
        winsock.listen(s, 1)
        s = winsock.accept(s, None, None)
    else:
        assert winsock.connect(s, address("10.0.0.1", PORT), 16) == 0
    winsock.send(s, bytes(1_000_000), 1_000_000, 0)


def test_programs_that_send_to_each_other_without_reading_get_the_error_although_their_kernels_go_on() -> None:
    with Network() as net:
        net.host("a").start(send_much_to_a_peer_that_does_not_read, True, name="server")
        net.host("b").start(send_much_to_a_peer_that_does_not_read, False, name="client")
        with pytest.raises(
            NothingCanHappen, match=r"server on host a waits in send: .*client on host b waits in send: "
        ):
            net.run()


def test_a_plan_of_the_test_is_awaited_although_only_kernels_go_on_for_days() -> None:
    with Network() as net:
        net.host("a").start(send_much_to_a_peer_that_does_not_read, True, may_fail=True)
        net.host("b").start(send_much_to_a_peer_that_does_not_read, False, may_fail=True)
        net.at(3 * 24 * 3600).reset("a", "b")
        net.run()
        assert net.now >= 3 * 24 * 3600


@pytest.mark.parametrize("action", [lambda: sleep(1), start])
@pytest.mark.parametrize("observes", [False, True])
def test_an_action_or_observer_that_waits_or_makes_a_call_gets_an_error(
    action: Callable[[], None], observes: bool
) -> None:
    with Network() as net:
        process = net.host("a").start(lambda: sleep(5))
        if observes:
            net.observe(lambda time, host, text: action())
        else:
            net.call_at(1, action)
        with pytest.raises(SimulationError, match="an action or observer of the simulation"):
            net.run()
        net.run()
        assert process.result() is None


@pytest.mark.parametrize("text", ["process p starts", "process p ended", "send udp", "turn of p"])
def test_an_observer_that_raises_ends_the_run_and_gets_nothing_more(text: str) -> None:
    seen: list[str] = []

    def observe(time: int, host: str, event: str) -> None:
        seen.append(event)
        if text in event:
            raise ValueError(event)

    with Network() as net:
        net.observe(observe)
        host = net.host("b", "10.0.0.2")
        net.host("a", "10.0.0.1")
        process = host.start(send_and_sleep, name="p")
        host.start(lambda: None)
        with pytest.raises(ValueError, match=text):
            net.run()
        net.run()
        assert process.result() is None
    assert text in seen[-1]


@pytest.mark.parametrize("opened", [False, True])
def test_a_network_that_is_not_open_runs_nothing(opened: bool) -> None:
    net = Network()
    if opened:
        with net:
            host = net.host("a")
        for use in (lambda: host.start(start), lambda: host.attached().__enter__()):
            with pytest.raises(SimulationError, match="the network is not open"):
                use()
    for seconds in (None, 1):
        with pytest.raises(SimulationError, match="the network is not open"):
            net.run(seconds)


@pytest.mark.parametrize("fault", ["crash a", "kill a/main"])
@pytest.mark.parametrize("asleep", [False, True])
def test_a_wait_of_an_attached_process_ends_with_an_error_when_it_is_killed(fault: str, asleep: bool) -> None:
    def wait_in_a_call() -> None:
        start()
        s = new(winsock.SOCK_DGRAM)
        winsock.bind(s, address("0.0.0.0", PORT), 16)
        receive(s)

    wait: Callable[[], object] = (lambda: sleep(100)) if asleep else wait_in_a_call
    with Network() as net:
        host = net.host("a")
        with host.attached() as process:
            net.add_faults(f"at 5 {fault}")
            with pytest.raises(SimulationError, match="process main on host a, to which the test is attached"):
                wait()
            assert net.now == 5
            for call in (start, lambda: process.sleep(1)):
                with pytest.raises(SimulationError, match="was killed, its host has crashed"):
                    call()
            net.run(1)


def test_a_freeze_does_not_stop_an_attached_process() -> None:
    with Network() as net:
        host = net.host("a")
        net.at(5).freeze(host, duration=20)
        with host.attached() as process:
            process.sleep(10)
            assert net.now == 10


def test_a_real_thread_is_no_part_of_an_attached_process() -> None:
    attached, tried = threading.Event(), threading.Event()
    errors: list[str] = []

    def use_the_process() -> None:
        attached.wait()
        for use in (start, running_process):
            try:
                use()
            except SimulationError as error:
                errors.append(str(error))
        tried.set()

    thread = threading.Thread(target=use_the_process)
    thread.start()
    with Network() as net, net.host("a").attached() as process, process.scheduler.inside():
        attached.set()
        tried.wait()
    thread.join()
    assert errors == 2 * ["a thread of the real world has called winsock in a simulation"]

"""The benchmarks run and compare; how fast anything is decides no test."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.connections import descriptors
from tests.benchmarks.measuring import Benchmark, Comparison, Contestants, NotHere, measured
from winsock import BACKEND

pytest.importorskip("_socket", reason="the benchmarks compare with Python's own socket module")
from tests.benchmarks import __main__ as command
from tests.benchmarks import crowd, picture
from tests.benchmarks.suite import BENCHMARKS

pytestmark = pytest.mark.many_sockets


@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_every_benchmark_gives_positive_ratios(benchmark_: Benchmark) -> None:
    try:
        comparisons = measured(benchmark_, rounds=1)
    except NotHere as reason:
        pytest.skip(str(reason))
    assert comparisons
    for one in comparisons:
        assert one.ratio > 0
        assert one.cost > 0
        assert one.other_cost > 0


@pytest.mark.posix_only("Windows has no select.poll, which the crowd is compared with")
def test_the_standard_server_of_a_crowd_measures_in_a_process_of_its_own() -> None:
    with crowd.poll(150)() as contestants:
        assert set(contestants) == {"winsock", "select.poll"}
        assert all(contestant(2) > 0 for contestant in contestants.values())


def test_another_process_of_a_benchmark_that_fails_is_no_result() -> None:
    with ExitStack() as stack:
        clients = crowd.Elsewhere(stack, "clients", "0")
        with pytest.raises(RuntimeError, match="has failed"):
            clients("connect 1")  # to no port at all


def test_the_contestants_take_turns_there_and_back_and_a_first_time_does_not_count() -> None:
    turns: list[str] = []

    @contextmanager
    def prepare() -> Iterator[Contestants]:
        def ours(number: int) -> float:
            turns.append("ours")
            return 3.0 * number * len(turns)

        def other(number: int) -> float:
            turns.append("other")
            return 2.0 * number * len(turns)

        yield {"winsock": ours, "other": other}

    (compared,) = measured(Benchmark("any", prepare, number=10), rounds=2)
    assert turns == ["ours", "other", *["ours", "other", "other", "ours"] * 2]
    assert compared.costs == [(9 + 18) / 2, (21 + 30) / 2]
    assert compared.other_costs == [(8 + 10) / 2, (16 + 18) / 2]


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_its_spread_their_quartiles() -> None:
    one = Comparison("any", "other", "ns", 1, [1, 2, 30, 4, 5], [1, 1, 1, 1, 1])
    assert (one.ratio, one.quartiles) == (4, (2, 5))
    assert Comparison("any", "other", "ns", 1, [3], [2]).quartiles == (1.5, 1.5)


def test_the_command_tells_where_it_ran_and_keeps_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert command.main(["--quick", "--only", "send-recv", "--json", str(file)]) == 0
    head, columns, *rows = capsys.readouterr().out.splitlines()
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert BACKEND in head
    assert platform.python_version() in head
    assert f"{kept['environment']['cpus']} CPUs" in head
    assert "ratio" in columns
    assert [line.split()[:2] for line in rows] == [["send-recv", "socket"]]
    (result,) = kept["results"]
    assert result["rounds"] == len(result["ratios"]) == 15
    assert min(result["ratios"]) <= result["ratio"] <= max(result["ratios"])


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_drawn_of_what_each_number_of_clients_costs(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    file = tmp_path / f"costs.{ending}"
    some = {1: [4000.0], 1000: [5e6]}
    picture.draw(file, {"send_many": some, "socket": some, "C loop": {1: [3000.0]}}, {"WSAPoll": some})
    drawn = file.read_bytes()
    assert drawn.startswith(b"\x89PNG" if ending == "png" else b"<?xml")
    assert b"send_many" in drawn


def test_the_pictures_lines_have_a_cost_for_every_number_of_clients() -> None:
    costs = picture.announcing((1, 2), rounds=1)
    assert {"send", "send_many", "socket"} <= set(costs)
    assert all(list(line) == [1, 2] for line in picture.each(costs).values())
    assert picture.ratios(costs, "socket")["socket"] == {1: 1, 2: 1}


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--only", "nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err


def test_too_few_descriptors_are_reported_with_their_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no limit of descriptors")
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("nothing exceeds the limit of descriptors here")

    @contextmanager
    def prepare() -> Iterator[Contestants]:
        with descriptors(hard):
            yield {}

    monkeypatch.setattr(command, "BENCHMARKS", [Benchmark("greedy", prepare, number=1)])
    assert command.main([]) == 0
    assert f"greedy           not run: needs {hard + 200} file descriptors" in capsys.readouterr().out

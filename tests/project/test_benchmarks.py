"""The benchmarks run and compare; no test depends on a duration."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from xml.etree import ElementTree

import pytest
from mosquitto_kit import needs_mosquitto

from tests.benchmarks.connections import descriptors
from tests.benchmarks.measuring import Benchmark, Comparison, Unavailable, Variants, measured
from winsock import BACKEND

pytest.importorskip("_socket", reason="the benchmarks compare with Python's own socket module")
from tests.benchmarks import __main__ as command
from tests.benchmarks import configurations, many_clients, picture, report, tables
from tests.benchmarks.subscribers import figures as subscribers_figures
from tests.benchmarks.subscribers.figures import BROKER, FIGURES, PROXY, WEBSOCKETS, Plan
from tests.benchmarks.suite import BENCHMARKS
from tests.benchmarks.timer_events import percentile_95

pytestmark = pytest.mark.many_sockets


# On Windows, Python's own sockets need a started Winsock too, and other tests end it.
@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_every_benchmark_gives_positive_ratios(benchmark_: Benchmark) -> None:
    if benchmark_.name in ("copy-lag", "account-lag", "idle-server"):
        # Each operation waits: for the time between two trades, or for a timer event.
        benchmark_ = replace(benchmark_, number=2)
    try:
        comparisons = measured(benchmark_, rounds=1)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert comparisons
    for one in comparisons:
        assert one.ratio > 0
        assert one.cost > 0
        assert one.other_cost > 0


@pytest.mark.posix_only("Windows has no select.poll for comparison")
def test_the_standard_server_with_many_clients_measures_in_its_own_process() -> None:
    with many_clients.poll(150)() as variants:
        assert set(variants) == {"winsock", "select.poll"}
        assert all(variant(2) > 0 for variant in variants.values())


def test_a_failure_in_another_process_of_a_benchmark_is_an_error() -> None:
    with ExitStack() as stack:
        clients = many_clients.OtherProcess(stack, "clients", "0")
        with pytest.raises(RuntimeError, match="has failed"):
            clients("connect 1")  # port 0 cannot be connected to


def test_the_variants_run_in_the_order_a_b_b_a_after_an_unmeasured_first_run() -> None:
    turns: list[str] = []

    @contextmanager
    def prepare() -> Iterator[Variants]:
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


def test_costs_of_single_operations_have_a_row_for_each_statistic_of_a_round() -> None:
    @contextmanager
    def prepare() -> Iterator[Variants]:
        yield {"winsock": lambda number: [1.0, 2.0, 9.0], "other": lambda number: [2.0, 4.0, 6.0]}

    statistics = {"": fmean, "-most": max}
    rows = measured(Benchmark("any", prepare, number=3, statistics=statistics), rounds=2)
    assert [(row.name, row.costs, row.other_costs) for row in rows] == [
        ("any", [4.0, 4.0], [4.0, 4.0]),
        ("any-most", [9.0, 9.0], [6.0, 6.0]),
    ]


def test_the_95th_percentile_is_above_19_of_20_times() -> None:
    assert percentile_95([float(time) for time in range(101)]) == 95


def test_a_row_without_figures_is_left_out_of_the_tables() -> None:
    figures = configurations.kept("accelerator")
    assert figures
    nothing = figures | {"results": []}
    assert len(tables.ratios([nothing])) == len(tables.amounts([nothing])) == len(tables.table(["", ""], []))
    some = [one for one in figures["results"] if one["name"] in ("recv-nothing", "memory")]
    (row,) = tables.ratios([figures | {"results": some}])[2:-1]
    assert row.startswith("| recv that finds nothing | `socket` |")
    (row,) = tables.amounts([figures | {"results": some}])[2:-1]
    assert row.startswith("| memory of an accepted socket |")


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_its_spread_their_quartiles() -> None:
    one = Comparison("any", "other", "ns", 1, [1, 2, 30, 4, 5], [1, 1, 1, 1, 1])
    assert (one.ratio, one.quartiles) == (4, (2, 5))
    assert Comparison("any", "other", "ns", 1, [3], [2]).quartiles == (1.5, 1.5)


def test_the_command_prints_its_environment_and_writes_the_figures(
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
def test_a_picture_of_the_costs_is_drawn(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    file = tmp_path / f"costs.{ending}"
    some = {1: [4000.0], 1000: [5e6]}
    announced = {"send_many": some, "socket": some, "C loop": {1: [3000.0]}}
    picture.draw(file, picture.figures_of(announced, {"WSAPoll": some}))
    drawn = file.read_bytes()
    assert drawn.startswith(b"\x89PNG" if ending == "png" else b"<?xml")
    assert b"send_many" in drawn


def test_the_pictures_lines_have_a_cost_for_every_number_of_clients() -> None:
    costs = picture.announcing((1, 2), rounds=1)
    assert {"send", "send_many", "socket"} <= set(costs)
    assert all(list(line) == [1, 2] for line in picture.each(costs).values())
    assert picture.ratios(costs, "socket")["socket"] == {1: 1, 2: 1}
    assert picture.figures_of(costs, {})["relative"]["socket"] == {"1": 1, "2": 1}


def test_the_pages_have_the_figures_of_the_results() -> None:
    """To update the pages: python -m tests.benchmarks.report --write"""
    for page, part in tables.generated().items():
        assert tables.present(page) == part, page.name


def test_the_chart_of_the_notes_has_the_figures_of_the_results() -> None:
    """To update the chart: python -m tests.benchmarks.report --write"""
    drawn = ElementTree.parse(report.CHART)
    (description,) = drawn.iter("{http://purl.org/dc/elements/1.1/}description")
    assert json.loads(description.text or "") == configurations.kept("chart")


def test_every_configuration_has_results_with_their_origin() -> None:
    for name, configuration in configurations.CONFIGURATIONS.items():
        figures = configurations.kept(name)
        assert figures, name
        assert figures["environment"]["backend"] == configuration.backend
        assert figures["runs"] == len(figures["results"][0]["ratios"]) > 1
        assert figures.keys() >= {"date", "command", "load_average_before", "installed_with"}


def test_a_ratio_that_misses_its_target_is_bold_and_runs_that_differ_are_shown() -> None:
    result = {"ratio": 0.5, "ratios": [0.49, 0.5]}
    assert tables.ratio_cell(result, None) == tables.ratio_cell(result, 0.5) == "0.50"
    assert tables.ratio_cell(result, 0.49) == "**0.50**"
    assert tables.ratio_cell(result | {"ratios": [0.4, 0.6]}, 0.4) == "**0.50** (0.40 to 0.60)"
    assert tables.ratio_cell(None, 0.4) == ""


def test_the_figures_of_several_runs_are_their_medians() -> None:
    run = {"name": "any", "against": "socket", "unit": "ns", "rounds": 9, "quartiles": [1, 2]}
    runs = [[run | {"winsock": cost, "other": 10.0, "ratio": cost / 10}] for cost in (5.0, 2.0, 3.0)]
    (row,) = configurations.merged(runs)
    assert (row["winsock"], row["other"], row["ratio"], row["ratios"]) == (3.0, 10.0, 0.3, [0.5, 0.2, 0.3])


@pytest.mark.posix_only("the report is made on Linux; Windows has no relative path from one drive to another")
def test_a_configuration_is_measured_only_with_its_own_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], cwd: Path, check: bool) -> None:
        file = cwd / command[-1]
        file.write_text('{"environment": {"backend": "another"}, "results": [], "not_run": {}}', encoding="utf-8")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ValueError, match=r"needs the backend 'compat.*not 'another'"):
        configurations.measure(configurations.CONFIGURATIONS["accelerator"], tmp_path, 1)


def test_an_unknown_benchmark_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--only", "nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err


def test_too_few_descriptors_are_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no limit of descriptors")
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("nothing exceeds the limit of descriptors here")

    @contextmanager
    def prepare() -> Iterator[Variants]:
        with descriptors(hard):
            yield {}

    monkeypatch.setattr(command, "BENCHMARKS", [Benchmark("greedy", prepare, number=1)])
    assert command.main([]) == 0
    assert f"greedy           not run: needs {hard + 200} file descriptors" in capsys.readouterr().out


SOME_SUBSCRIBERS = Plan(count=5, updates=1, quiet=0.1, idle=0.1, settled=0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="the subscribers need epoll, and the measurements need /proc")
def test_both_servers_serve_all_subscribers_and_have_every_figure() -> None:
    from tests.benchmarks.subscribers.comparing import measured_servers

    kept = measured_servers(SOME_SUBSCRIBERS, ["2", WEBSOCKETS])
    assert kept["plan"]["count"] == 5
    for turns in kept["servers"].values():
        assert len(turns) == 2
        for figures in turns:
            assert figures.keys() >= FIGURES.keys()
            assert 0 < figures["update-median"] <= figures["update-p99"] <= figures["update-last"]
    head, *rows = subscribers_figures.rows(kept)
    assert head == ["", "2 experts", "websockets", "2 experts / websockets"]
    assert len(rows) == len(FIGURES)


@pytest.mark.skipif(sys.platform != "linux", reason="the subscribers need epoll, and the measurements need /proc")
@pytest.mark.parametrize("relay", [PROXY, pytest.param(BROKER, marks=needs_mosquitto)])
def test_a_provider_with_a_proxy_or_a_broker_serves_all_subscribers_and_has_every_figure(relay: str) -> None:
    pytest.importorskip("paho.mqtt", reason="the provider publishes to a broker with paho-mqtt")
    from tests.benchmarks.subscribers.comparing import measured_servers

    kept = measured_servers(SOME_SUBSCRIBERS, [relay])
    for figures in kept["servers"][relay]:
        assert figures.keys() >= FIGURES.keys()
        assert 0 < figures["update-median"] <= figures["update-p99"] <= figures["update-last"]


@pytest.mark.skipif(sys.platform != "linux", reason="the subscribers need epoll, and the measurements need /proc")
def test_a_tree_of_proxies_has_a_row_for_each_number_of_levels() -> None:
    pytest.importorskip("cryptography", reason="the servers need a certificate")
    from tests.benchmarks.subscribers.tree import measured_trees

    kept = measured_trees(Plan(count=2, updates=1, settled=0.1), [(0, 1), (2, 1)], turns=1)
    head, *rows = subscribers_figures.tree_rows(kept)
    assert [row[0] for row in rows] == ["0", "2"]
    assert all(len(row) == len(head) for row in rows)
    (alone,), (below,) = (tree["turns"] for tree in kept["trees"])
    assert 0 < alone["median"] <= alone["p99"]
    assert alone["proxies-cpu"] == 0 < below["proxies-cpu"]


def test_a_packet_of_mqtt_has_the_lengths_of_the_specification_and_is_read_when_it_is_whole() -> None:
    from tests.benchmarks.subscribers.mqtt_subscriber import PUBLISH, next_packet, packet

    lengths = {0: "00", 127: "7f", 128: "8001", 16_383: "ff7f", 16_384: "808001", 2_097_152: "80808001"}
    for size, length in lengths.items():
        whole = packet(PUBLISH, bytes(size), 2)
        assert whole == b"\x32" + bytes.fromhex(length) + bytes(size)
        data = bytearray(whole[:-1])
        assert next_packet(data) is None
        data += whole[-1:] + b"next"
        assert next_packet(data) == (PUBLISH, 2, bytes(size))
        assert data == b"next"


@pytest.mark.skipif(sys.platform != "linux", reason="the subscribers need epoll")
@pytest.mark.parametrize("server", ["1", WEBSOCKETS])
def test_a_refused_subscriber_ends_the_measurement(tmp_path: Path, server: str) -> None:
    from tests.benchmarks.subscribers.comparing import started
    from tests.benchmarks.subscribers.measure import Subscribers
    from tests.benchmarks.subscribers.servers import create_certificate_file, create_users

    create_certificate_file(tmp_path)
    create_users(tmp_path, 1)
    wrong = tmp_path / "wrong.json"
    wrong.write_text('[["user0", "wrong"]]', encoding="utf-8")
    with ExitStack() as stack:
        port = started(stack, server, tmp_path, 1).port
        with pytest.raises(RuntimeError, match="a process of subscribers has failed"):
            Subscribers(stack, Plan(count=1, processes=1), port, wrong).connect()


def test_a_frame_of_the_server_is_read_when_it_is_whole() -> None:
    from wsproto.frame_protocol import FrameProtocol

    from tests.benchmarks.subscribers.subscriber import next_frame

    for size in (0, 5, 125, 126, 65_535, 65_536):
        head = FrameProtocol(client=False, extensions=[]).send_data(bytes(size))
        data = bytearray(head[:-1])
        assert next_frame(data) is None
        data += head[-1:] + b"next"
        assert next_frame(data) == (2, bytes(size))
        assert data == b"next"


def test_the_ratio_of_a_figure_is_that_of_the_first_and_the_last_server() -> None:
    turns = {"1": [dict.fromkeys(FIGURES, 1.0), dict.fromkeys(FIGURES, 3.0)], WEBSOCKETS: [dict.fromkeys(FIGURES, 4.0)]}
    _, memory, *_ = subscribers_figures.rows({"servers": turns})
    assert memory == ["memory of a subscriber", "2.0 KiB", "4.0 KiB", "0.50"]

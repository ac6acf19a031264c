"""``python -m demos proxy``: a tree of processes that trade and copy over TLS, and are killed."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import AbstractContextManager

import pytest
from job_process_kit import Log, started_job
from winsock_kit import LIMIT_SECONDS

from demos.ideas.proxy.job_tally import ProxyTally
from demos.ideas.proxy.job_view import proxy_text
from demos.provider.demo_job import FACTORS

pytestmark = pytest.mark.timeout(180)

QUICK = ("--every", "2", "--speed", "20", "--seed", "1", "--json")


def job(*arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    return started_job("proxy", *arguments)


def test_the_copiers_behind_two_levels_of_proxies_end_with_the_providers_position():
    with job("--duration", "2", *QUICK) as process:
        log = Log(process)
        summary = log.end()
    assert process.returncode == 0, log.lines
    assert (summary["equal"], summary["problem"], summary["restarts"]) == (True, None, 0)
    assert summary["trades"] > 3
    assert [(each["name"], each["server"]) for each in summary["per_proxy"]] == [
        ("proxy", "provider"), ("proxy1", "proxy"), ("proxy2", "proxy"),
    ]  # fmt: skip
    assert all(each["logins"] == 1 for each in summary["per_proxy"])


@pytest.mark.wine_differs("a process that is killed can leave its port in use for minutes", run=False)
@pytest.mark.parametrize("victim", ["proxy", "proxy1"])
def test_a_killed_server_of_the_tree_is_started_again_and_the_positions_are_right_at_the_end(victim):
    with job("--duration", "5", *QUICK) as process:
        log = Log(process)
        pid = int(log.wait(rf"{victim} is process (\d+)"))
        log.wait(r"copier1 \| .* deal #2 ")
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        log.wait(rf"{victim} ended .* and is started again")
        summary = log.end()
    assert process.returncode == 0, log.lines
    assert (summary["equal"], summary["restarts"]) == (True, 1)
    assert summary["per_copier"][0]["logins"] >= 2


def test_an_invalid_option_ends_the_job_with_code_2():
    with job("--every", "no") as process:
        _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 2
    assert "--every" in errors


def test_the_tally_counts_the_subscribers_of_each_proxy():
    tally = ProxyTally(FACTORS, {"proxy": "provider", "leaf": "proxy"}, dict.fromkeys(FACTORS, "leaf"))
    tally.take("provider", {"kind": "serving", "port": 1, "t": 0})
    tally.take("leaf", {"kind": "serving", "port": 2, "t": 0})
    tally.take("proxy", {"kind": "login", "login": "leaf", "t": 1})
    tally.take("leaf", {"kind": "login", "login": "copier1", "t": 1})
    tally.take("provider", {"kind": "started", "symbol": "EURUSD", "position": "0.00", "t": 2})
    assert (tally.port, tally.ports) == (1, {"proxy": 0, "leaf": 2})
    assert tally.subscribers == {"proxy": 1, "leaf": 1}
    # A start of the provider says nothing about the copiers of a proxy.
    assert tally.copiers["copier1"].connections == 1
    tally.take("leaf", {"kind": "refused", "code": "unavailable", "t": 3})
    assert tally.refused["leaf"] == "unavailable"
    tally.take("leaf", {"kind": "started", "t": 4})
    assert tally.copiers["copier1"].connections == 0
    assert tally.subscribers == {"proxy": 1, "leaf": 0}


def test_the_lines_of_a_right_result_fit_into_80_columns():
    lag = {"median": 123.4, "p99": 1234.5, "max": 12345.6, "count": 999}
    copier = {
        "name": "copier2", "factor": "0.5", "positions": {"EURUSD": "-12.34"}, "target": {"EURUSD": "-12.34"},
        "equal": True, "orders": 99_999, "lag_ms": lag,
    }  # fmt: skip
    proxy = {"name": "proxy2", "server": "proxy", "logins": 100, "restarts": 100}
    text = proxy_text(
        {
            "positions": {"EURUSD": "-12.34"},
            "trades": 99_999,
            "per_proxy": [proxy],
            "per_copier": [copier],
            "lag_ms": lag,
        }
    )
    assert [line for line in text.splitlines() if len(line) > 80] == []

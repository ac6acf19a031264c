"""Every login of a subscriber or an operator leaves a line in the log, without secrets, and is counted."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from login_kit import PASSWORD, WRONG
from service_kit import QUICK_BANS, RunningProvider, Subscriber, add_user
from web_kit import network, wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider.messages import Error, Snapshot

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


def log_in_operator(provider: RunningProvider, login: str, password: str) -> int:
    """The status of the answer to an operator's login."""
    origin = f"http://localhost:{provider.port}"
    body = json.dumps({"login": login, "password": password}).encode()
    headers = {"Content-Type": "application/json", "Origin": origin}
    request = urllib.request.Request(f"{origin}/operator/login", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def metrics(provider: RunningProvider) -> dict[str, float]:
    """The metrics without labels."""
    with urllib.request.urlopen(provider.url("/metrics", "http"), timeout=LIMIT_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, value in (line.split() for line in lines if "{" not in line and line[0] != "#")
    }


def test_logins_of_operators_are_reported_and_counted(tmp_path: Path):
    add_user(tmp_path, "olga", operator=True)
    add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=False, quick=QUICK_BANS)
    assert log_in_operator(provider, "olga", PASSWORD) == 200
    assert log_in_operator(provider, "anna", PASSWORD) == 403
    assert log_in_operator(provider, "b\u00f6b", WRONG) == 401
    statuses = [log_in_operator(provider, "olga", WRONG) for _ in range(6)]
    assert statuses[0] == 401
    assert statuses[-1] == 429

    wait_until(lambda: "failed logins" in provider.log() or "banned" in provider.log())
    lines = [line.partition("operator login ")[2] for line in provider.log().splitlines() if "operator login" in line]
    expected = [
        ("'olga' from 127.0.0.1:", ": logged in"),
        ("'anna' from 127.0.0.1:", "the login anna is not an operator's"),
        ("'b\\xf6b' from 127.0.0.1:", ": the login or the password is wrong"),
        ("'olga' from 127.0.0.1:", ": the login or the password is wrong"),
    ]
    for line, (start, end) in zip(lines[:4], expected, strict=True):
        assert line.startswith(start)
        assert line.endswith(end)
    assert PASSWORD not in provider.log()
    assert WRONG not in provider.log()
    wait_until(lambda: metrics(provider)["provider_refusals_total"] == 2 + len(statuses))
    assert metrics(provider)["provider_logins_total"] == 1


def test_a_refused_login_of_a_subscriber_is_reported_with_the_login(tmp_path: Path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=False)
    assert isinstance(Subscriber(provider, login="nobody", password=WRONG).receive(), Error)
    Subscriber(provider, login="anna", token=token).receive_kind(Snapshot)
    wait_until(lambda: "nobody" in provider.log())
    assert "(login 'nobody'): the login or the password is wrong" in provider.log()
    assert WRONG not in provider.log()
    assert token not in provider.log()


def test_a_wrong_password_is_reported_also_when_its_client_does_not_wait(tmp_path: Path):
    provider = RunningProvider(tmp_path, tls=False)
    subscriber = Subscriber(provider, login="nobody", password=WRONG)
    subscriber.close()
    wait_until(lambda: "(login 'nobody'): the login or the password is wrong" in provider.log())

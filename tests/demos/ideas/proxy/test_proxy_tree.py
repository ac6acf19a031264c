"""A provider, a proxy, a proxy below it, and a subscriber: four processes, over TLS and without it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from proxy_kit import folder, logged_in, proxy_below, subscriber
from service_kit import ROOT, RunningProvider, RunningProxy, Subscriber, add_user
from web_kit import network, wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider.messages import Error, Heartbeat

__all__ = ["network"]

pytestmark = [pytest.mark.usefixtures("network"), pytest.mark.timeout(180)]


def test_a_trade_passes_two_levels_of_proxies_with_the_providers_times(tmp_path):
    provider = RunningProvider(folder(tmp_path, "provider"))
    first = proxy_below(tmp_path, provider, "first", "")
    second = proxy_below(tmp_path, first, "second", "/main", tls=False)
    leaf = subscriber(second, symbols=None)
    direct = Subscriber(provider, login="olga", token=add_user(provider.folder, "olga"))
    provider.command("buy 0.3")
    leaf.receive_lots("0.3")
    direct.receive_lots("0.3")
    assert leaf.state is not None
    assert direct.state is not None
    assert leaf.state.positions == direct.state.positions
    assert leaf.state.positions[0].time > 0
    assert leaf.state.account.currency == direct.state.account.currency
    # Streams of its own, and the provider's times.
    assert leaf.state.stream[:32] != direct.state.stream[:32]
    beat = leaf.receive_kind(Heartbeat)
    assert beat.time <= time.time() * 1000
    assert beat.seq == leaf.state.seq


def test_a_login_with_some_symbols_sees_no_others_behind_a_proxy(tmp_path):
    provider = RunningProvider(folder(tmp_path, "provider"), tls=False)
    proxy = proxy_below(tmp_path, provider, "first", "", tls=False)
    leaf = subscriber(proxy, symbols=("GOLD",))
    provider.command("buy 0.3")
    other = subscriber(proxy, "olga")
    other.receive_lots("0.3")
    leaf.receive_kind(Heartbeat)
    assert leaf.state is not None
    assert leaf.state.positions == ()
    assert leaf.state.account.balance is None
    assert leaf.state.seq == 1


def test_a_killed_provider_suspends_the_topic_and_a_restarted_one_begins_a_new_stream(tmp_path):
    provider = RunningProvider(folder(tmp_path, "provider"), "--account", str(tmp_path / "account.sqlite"), tls=False)
    proxy = proxy_below(tmp_path, provider, "first", "", tls=False)
    token = add_user(proxy.folder, "anna", "proxy", connections=5)
    leaf = logged_in(proxy, "anna", token)
    provider.command("buy 0.2")
    leaf.receive_lots("0.2")
    port = provider.port
    provider.close()
    wait_until(lambda: "provider" in proxy.log() and "Next attempt" in proxy.log())
    refused = Subscriber(proxy, path="/ws/main", login="anna", token=token)
    answer = refused.receive()
    assert isinstance(answer, Error)
    assert (answer.code, answer.fatal) == ("unavailable", True)
    assert "its source is not connected" in answer.text
    again = RunningProvider(provider.folder, "--account", str(tmp_path / "account.sqlite"), f"--Port={port}", tls=False)
    assert leaf.receive_kind(Error).code == "closing"
    leaf = logged_in(proxy, "anna", token)
    again.command("buy 0.1")
    leaf.receive_lots("0.3")
    assert proxy.stop() == 0


def test_a_proxy_does_not_start_with_another_upstream_server_for_a_topic_until_it_is_resumed(tmp_path):
    provider = RunningProvider(folder(tmp_path, "provider"), tls=False)
    other = RunningProvider(folder(tmp_path, "other"), tls=False)
    other.command("sell 1.5")
    proxy = proxy_below(tmp_path, provider, "first", "", tls=False)
    token = add_user(proxy.folder, "anna", "proxy", connections=5)
    logged_in(proxy, "anna", token)
    assert proxy.stop() == 0
    (proxy.folder / "token").write_text(add_user(other.folder, "first"), encoding="utf-8")
    inputs = [f"--upstream=main=ws://localhost:{other.port}", "--login=first", f"--token-file={proxy.folder / 'token'}"]
    command = [sys.executable, "-m", "demos", "run", "proxy", f"--state={proxy.folder / 'proxy.sqlite'}", "--Port=0"]
    refused = subprocess.run(
        [*command, *inputs], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    assert refused.returncode == 2
    assert f"the topic main has followed the server localhost:{provider.port} until now" in refused.stderr
    resumed = RunningProxy(proxy.folder, *inputs, "--resume=true", tls=False)
    leaf = logged_in(resumed, "anna", token)
    leaf.receive_lots("-1.5")
    assert resumed.stop() == 0
    # The other server is the known one from now on.
    logged_in(RunningProxy(proxy.folder, *inputs, tls=False), "anna", token)


def test_a_proxy_refuses_paths_that_are_no_topics(tmp_path):
    import urllib.error
    import urllib.request

    from websockets.exceptions import InvalidStatus

    provider = RunningProvider(folder(tmp_path, "provider"), tls=False)
    proxy = proxy_below(tmp_path, provider, "first", "", tls=False)
    with pytest.raises(InvalidStatus, match="404"):
        Subscriber(proxy, path="/ws/other", login="anna", token="t")
    # The dashboard shows an account, which a proxy has not.
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(proxy.url("/", "http"), timeout=LIMIT_SECONDS)
    subscriber(proxy)
    wait_until(lambda: b'provider_topic_live{topic="main"} 1.0' in metrics(proxy))
    assert b'provider_topic_subscribers{topic="main"} 1.0' in metrics(proxy)
    with urllib.request.urlopen(proxy.url("/healthz", "http"), timeout=LIMIT_SECONDS) as answer:
        assert answer.status == 200


def metrics(proxy: RunningProxy) -> bytes:
    import urllib.request

    with urllib.request.urlopen(proxy.url("/metrics", "http"), timeout=LIMIT_SECONDS) as answer:
        data: bytes = answer.read()
    return data

"""A thousand subscribers of one provider at one mosquitto, over TLS, in two processes that do not use our code."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from mosquitto_kit import needs_mosquitto

from tests.benchmarks.subscribers.figures import Plan

pytestmark = [
    needs_mosquitto,
    pytest.mark.skipif(sys.platform != "linux", reason="the subscribers need epoll"),
]
EARLY, LATE = Plan(count=500, processes=1), Plan(count=500, processes=1)


def test_a_thousand_subscribers_all_receive_the_newest_state(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt", reason="the provider publishes to a broker with paho-mqtt")
    from tests.benchmarks.subscribers.measure import Subscribers
    from tests.benchmarks.subscribers.servers import SUBSCRIBER_LOGIN, broker_server, create_certificate_file

    create_certificate_file(tmp_path)
    with ExitStack() as stack:
        server = broker_server(stack, tmp_path)
        login = tmp_path / SUBSCRIBER_LOGIN
        early = Subscribers(stack, EARLY, server.port, login, server.prefix)
        early.connect()
        for _ in range(5):
            server.trade(0.01)
        assert len(early.wait_for(0.05)) == EARLY.count
        # The late ones get the state that the broker has kept.
        late = Subscribers(stack, LATE, server.port, login, server.prefix)
        late.connect()
        assert len(late.wait_for(0.05)) == LATE.count
        server.trade(-0.03)
        assert len(early.wait_for(0.02)) + len(late.wait_for(0.02)) == EARLY.count + LATE.count

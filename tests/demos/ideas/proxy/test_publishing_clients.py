"""Clients that publish: a provider, and hostile or mistaken programs with a login that may publish."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from proxy_kit import folder, logged_in, subscriber
from service_kit import RunningProvider, RunningProxy, Subscriber, add_user, users
from web_kit import network, wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider.messages import Error, Heartbeat
from demos.provider.protocol import MOST_FROM_SERVER
from demos.provider.publication import MOST_AHEAD_MS, MOST_STREAMS

__all__ = ["network"]

pytestmark = [pytest.mark.usefixtures("network"), pytest.mark.timeout(180)]

RUN = "8f14e45fceea167a5a36dedd4bea2543"
STREAM = f"{RUN}-c9f0f895fb98ab91"
START = 1_700_000_000_000


def publishing_proxy(path: Path, topics: str = "main") -> RunningProxy:
    return RunningProxy(folder(path, "proxy"), f"--topics={topics}", tls=False)


class Publisher:
    """A program that publishes by the protocol, or breaks it."""

    def __init__(self, proxy: RunningProxy, login: str, topic: str = "main", token: str = "") -> None:
        token = token or add_user(proxy.folder, login, "proxy", publish=("main",))
        self.peer = Subscriber(proxy, path=f"/ws/{topic}", login=login, token=token, publish=True)

    def answer(self) -> dict[str, Any]:
        text = self.peer.socket.recv(LIMIT_SECONDS)
        message: dict[str, Any] = json.loads(text)
        return message

    def begin(self, stream: str = STREAM, time: int = START, heartbeat_ms: int = 20_000) -> None:
        """Send what comes before the first state."""
        self.send("hello", version=1, server="test", stream=RUN, heartbeat_ms=heartbeat_ms, time=time)
        account = {"currency": "USD", "hedging": False}
        self.send("welcome", user="test", account=account, stream=stream, seq=1, time=time)

    def send(self, kind: str, **fields: object) -> None:
        self.peer.send({"type": kind, **fields})

    def snapshot(self, lots: str = "0.1", seq: int = 1, time: int = START + 1, **fields: object) -> None:
        position = {"symbol": "EURUSD", "lots": lots, "price": "1.1", "contract": "100000", "time": time}
        state = {"stream": STREAM, "seq": seq, "time": time, "account": {"currency": "USD"}, "positions": [position]}
        self.send("snapshot", **{**state, **fields})

    def refusal(self) -> tuple[str, str]:
        """The error that ends the connection."""
        while (answer := self.answer())["type"] != "error":
            pass
        return answer["code"], answer["text"]


def test_a_provider_publishes_its_account_at_a_proxy_and_a_restarted_proxy_gets_it_again(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",))
    (tmp_path / "token").write_text(token, encoding="utf-8")
    inputs = [f"--publish=ws://127.0.0.1:{proxy.port}/main", "--publish-login=maria", "--Port=-1"]
    provider_folder = folder(tmp_path, "provider")
    provider = PublishingProvider(provider_folder, *inputs, f"--publish-token-file={tmp_path / 'token'}", tls=False)
    anna = add_user(proxy.folder, "anna", "proxy", connections=3)
    leaf = logged_in(proxy, "anna", anna)
    provider.command("buy 0.2")
    leaf.receive_lots("0.2")
    leaf.receive_kind(Heartbeat)
    port = proxy.port
    proxy.close()
    again = RunningProxy(proxy.folder, "--topics=main", f"--Port={port}", tls=False)
    leaf = logged_in(again, "anna", anna)
    assert str(leaf.lots()) == "0.2"
    provider.command("buy 0.1")
    leaf.receive_lots("0.3")
    assert provider.stop() == 0


class PublishingProvider(RunningProvider):
    """A provider without a port of its own."""

    serves = "publishing"


class RefusedProvider(RunningProvider):
    """A provider whose login at a proxy is refused."""

    serves = "refused"


def test_a_second_provider_of_a_topic_reports_the_first_one_and_does_not_replace_it(tmp_path):
    proxy = publishing_proxy(tmp_path)
    first = Publisher(proxy, "paul")
    assert first.answer()["type"] == "publishing"
    first.begin()
    first.snapshot()
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",))
    (tmp_path / "token").write_text(token, encoding="utf-8")
    inputs = [f"--publish=ws://127.0.0.1:{proxy.port}/main", "--publish-login=maria", "--Port=-1"]
    provider_folder = folder(tmp_path, "provider")
    provider = RefusedProvider(provider_folder, *inputs, f"--publish-token-file={tmp_path / 'token'}", tls=False)
    assert provider.events("refused")[0]["code"] == "taken"
    wait_until(lambda: "has a publisher already" in provider.log())
    # Whose login that is concerns the operator alone.
    assert "paul" not in provider.log()
    assert str(subscriber(proxy).lots()) == "0.1"
    assert provider.stop() == 0


def test_a_publisher_with_a_new_stream_stays_and_the_subscribers_log_in_again(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    first = connected(proxy, token)
    first.snapshot()
    anna = add_user(proxy.folder, "anna", "proxy", connections=9)
    leaf = logged_in(proxy, "anna", anna)
    first.peer.close()
    other, later = f"{'0' * 32}-{'1' * 16}", START + 60_000
    second = connected(proxy, token, stream=other, time=later)
    second.snapshot("0.2", time=later, stream=other)
    assert leaf.receive_kind(Error).code == "closing"
    leaf = logged_in(proxy, "anna", anna)
    second.snapshot("0.3", 2, later + 1, stream=other)
    leaf.receive_lots("0.3")


def test_a_user_that_loses_the_right_to_publish_is_ended_and_the_topic_suspended(tmp_path):
    proxy = publishing_proxy(tmp_path)
    publisher = Publisher(proxy, "maria")
    assert publisher.answer()["type"] == "publishing"
    publisher.begin()
    publisher.snapshot()
    subscriber(proxy).close()
    with users(proxy.folder, "proxy") as store:
        store.set_rights("maria", lambda rights: replace(rights, publish=()))
    assert publisher.refusal()[0] == "rights"
    leaf = Subscriber(proxy, path="/ws/main", login="olga", token=add_user(proxy.folder, "olga", "proxy"))
    answer = leaf.receive()
    assert isinstance(answer, Error)
    assert answer.code == "unavailable"


def test_a_login_without_the_right_cannot_publish_a_topic(tmp_path):
    proxy = publishing_proxy(tmp_path, "main,other")
    token = add_user(proxy.folder, "anna", "proxy")
    assert Publisher(proxy, "anna", token=token).refusal() == (
        "denied",
        "the login anna may not publish the topic main",
    )
    refusal = Publisher(proxy, "maria", "other").refusal()
    assert refusal == ("denied", "the login maria may not publish the topic other")


def test_a_subscriber_that_loses_the_right_to_follow_a_topic_is_ended_and_refused(tmp_path):
    proxy = publishing_proxy(tmp_path, "main,other")
    publisher = Publisher(proxy, "maria")
    assert publisher.answer()["type"] == "publishing"
    publisher.begin()
    publisher.snapshot()
    token = add_user(proxy.folder, "anna", "proxy", topics=("main",))
    refused = Subscriber(proxy, path="/ws/other", login="anna", token=token).receive()
    assert isinstance(refused, Error)
    assert (refused.code, refused.text) == ("denied", "the login anna may not follow the topic other")
    leaf = logged_in(proxy, "anna", token)
    with users(proxy.folder, "proxy") as store:
        store.set_rights("anna", lambda rights: replace(rights, topics=("other",)))
    assert leaf.receive_kind(Error).code == "rights"
    again = Subscriber(proxy, path="/ws/main", login="anna", token=token).receive()
    assert isinstance(again, Error)
    assert again.code == "denied"


def test_a_second_publisher_of_a_topic_is_refused_until_the_first_has_left(tmp_path):
    proxy = publishing_proxy(tmp_path)
    first = Publisher(proxy, "maria")
    assert first.answer()["type"] == "publishing"
    first.begin()
    first.snapshot()
    leaf = subscriber(proxy)
    assert str(leaf.lots()) == "0.1"
    token = add_user(proxy.folder, "paul", "proxy", publish=("main",), connections=9)
    code, text = Publisher(proxy, "paul", token=token).refusal()
    assert (code, text) == ("taken", "the topic main has a publisher already: only one program may publish a topic")
    with users(proxy.folder, "proxy") as store:
        same = store.add_token("maria", "second", 0)
    assert Publisher(proxy, "maria", token=same).refusal()[0] == "taken"
    # The topic is the first one's still.
    first.snapshot("0.4", 2, START + 2)
    leaf.receive_lots("0.4")
    first.peer.close()
    accepted = []

    def is_free() -> bool:
        second = Publisher(proxy, "maria", token=same)
        if second.answer()["type"] == "publishing":
            accepted.append(second)
        return bool(accepted)

    wait_until(is_free)


def test_a_topic_stays_bound_to_the_login_that_has_published_it_until_the_operator_releases_it(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=9)
    other = add_user(proxy.folder, "paul", "proxy", publish=("main",), connections=9)
    # A login that has published no state does not bind the topic.
    nothing = Publisher(proxy, "paul", token=other)
    assert nothing.answer()["type"] == "publishing"
    nothing.peer.close()
    publisher = connected(proxy, token)
    publisher.snapshot()
    assert publisher.answer()["type"] == "ack"
    publisher.peer.close()

    def is_bound(proxy: RunningProxy) -> bool:
        code, text = Publisher(proxy, "paul", token=other).refusal()
        return code == "bound" and "is published by another login than paul" in text and "maria" not in text

    wait_until(lambda: is_bound(proxy))
    wait_until(lambda: "(login 'paul'): the topic main is published by another login" in proxy.log())
    port = proxy.port
    assert proxy.stop() == 0
    again = RunningProxy(proxy.folder, "--topics=main", f"--Port={port}", tls=False)
    assert is_bound(again)
    assert again.stop() == 0
    released = RunningProxy(proxy.folder, "--topics=main", f"--Port={port}", "--resume=true", tls=False)
    assert Publisher(released, "paul", token=other).answer()["type"] == "publishing"


def test_every_wrong_message_of_a_publisher_ends_its_connection_and_passes_nothing_on(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    attacks: list[tuple[str, dict[str, object]]] = [
        ("malformed", {"lots": "1e5"}),
        ("malformed", {"lots": "1" * 16}),
        ("malformed", {"seq": 2**53}),
        ("malformed", {"positions": [{}] * 1001}),
        ("protocol", {"stream": f"{RUN}-0000000000000000"}),
    ]
    for code, fields in attacks:
        publisher = connected(proxy, token)
        publisher.snapshot(**fields)  # type: ignore[arg-type]
        assert publisher.refusal()[0] == code, fields
    publisher = connected(proxy, token)
    publisher.send("ack", stream=STREAM, seq=1, held={})
    assert publisher.refusal()[0] == "type"
    publisher = connected(proxy, token)
    publisher.send("hello", version=1, server="slow", stream=RUN, heartbeat_ms=600_000, time=START)
    assert publisher.refusal()[0] == "malformed"
    refused = Subscriber(proxy, path="/ws/main", login="anna", token=add_user(proxy.folder, "anna", "proxy"))
    answer = refused.receive()
    assert isinstance(answer, Error)
    assert answer.code == "unavailable"
    assert "internal error" not in proxy.log()


def test_a_publisher_with_messages_of_absurd_size_or_number_is_ended_by_the_websocket_limits(tmp_path):
    from websockets.exceptions import ConnectionClosed

    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    for texts in (["x" * (MOST_FROM_SERVER + 1)], ["{}"] + ["x" * 1000] * 3000):
        publisher = connected(proxy, token)
        with pytest.raises(ConnectionClosed) as closed:
            send_all(publisher, texts)
        assert closed.value.rcvd is None or closed.value.rcvd.code in (1008, 1009)


def test_a_publisher_whose_numbers_fall_stops_the_topic_also_after_a_restart_until_it_is_resumed(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    publisher = connected(proxy, token)
    publisher.snapshot("0.1", 7)
    leaf = subscriber(proxy)
    assert str(leaf.lots()) == "0.1"
    publisher.send("heartbeat", stream=STREAM, seq=3, time=START + 5000)
    assert publisher.refusal()[0] == "protocol"
    wait_until(lambda: "the sequence numbers fell" in proxy.log())
    assert "nothing of the topic main is sent" in proxy.log()
    assert Publisher(proxy, "maria", token=token).refusal()[0] == "stopped"
    port = proxy.port
    assert proxy.stop() == 0
    again = RunningProxy(proxy.folder, "--topics=main", f"--Port={port}", tls=False)
    assert Publisher(again, "maria", token=token).refusal()[0] == "stopped"
    assert again.stop() == 0
    resumed = RunningProxy(proxy.folder, "--topics=main", f"--Port={port}", "--resume=true", tls=False)
    connected(resumed, token).snapshot("0.3")
    leaf = logged_in(resumed, "olga", add_user(proxy.folder, "olga", "proxy"))
    assert str(leaf.lots()) == "0.3"


def test_a_publisher_with_times_in_the_future_is_ended_and_does_not_disable_the_topic(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    now = int(time.time() * 1000)
    future = now + MOST_AHEAD_MS + 60_000
    position = {"symbol": "EURUSD", "lots": "1", "price": "1", "contract": "1", "time": future}
    state = {"stream": STREAM, "seq": 1, "account": {"currency": "USD"}, "positions": []}
    attacks: list[tuple[str, dict[str, object]]] = [
        ("hello", {"version": 1, "server": "test", "stream": RUN, "heartbeat_ms": 5000, "time": future}),
        ("hello", {"version": 1, "server": "test", "stream": RUN, "heartbeat_ms": 5000, "time": 2**53 - 1}),
        ("snapshot", {**state, "time": future}),
        ("snapshot", {**state, "time": now, "positions": [position]}),
        ("heartbeat", {"stream": STREAM, "seq": 1, "time": future}),
    ]
    for kind, fields in attacks:
        publisher = connected(proxy, token, time=now)
        publisher.send(kind, **fields)
        code, text = publisher.refusal()
        assert code == "clock", (kind, fields)
        assert "at most 300 s ahead of this server's clock" in text
    publisher = connected(proxy, token, time=now)
    publisher.snapshot(time=now)
    assert publisher.answer()["type"] == "ack"


def test_a_publisher_that_begins_more_streams_than_the_limit_is_refused_and_the_last_one_can_go_on(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    streams = [f"{number:032x}-{'1' * 16}" for number in range(MOST_STREAMS + 1)]
    for number, stream in enumerate(streams[:-1]):
        publisher = connected(proxy, token, stream, START + 1000 * number)
        publisher.snapshot(stream=stream, time=START + 1000 * number)
        assert publisher.answer()["type"] == "ack"
        publisher.peer.close()
    code, text = connected(proxy, token, streams[-1], START + 60_000).refusal()
    assert (code, text) == ("busy", "the topic main has had 10 new streams in 10 minutes, which is the limit")
    again = connected(proxy, token, streams[-2], START + 60_000)
    again.snapshot("0.5", 2, START + 60_000, stream=streams[-2])
    assert again.answer()["type"] == "ack"


def test_a_publisher_whose_state_waits_for_its_time_is_told_so_and_gets_the_acknowledgement_later(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    first = connected(proxy, token)
    first.snapshot(time=START + 60_000)
    assert first.answer()["type"] == "ack"
    first.peer.close()
    stream = f"{'0' * 32}-{'1' * 16}"
    second = connected(proxy, token, stream)
    second.snapshot("0.2", stream=stream)
    answer = second.answer()
    assert (answer["type"], answer["code"], answer["fatal"]) == ("error", "older", False)
    assert f"waits until the server's time passes {START + 60_000}" in answer["text"]
    second.send("heartbeat", stream=stream, seq=1, time=START + 60_000)
    assert second.answer()["type"] == "ack"


def test_a_silent_publisher_is_ended_and_its_topic_is_free_again(tmp_path):
    proxy = publishing_proxy(tmp_path)
    token = add_user(proxy.folder, "maria", "proxy", publish=("main",), connections=50)
    publisher = Publisher(proxy, "maria", token=token)
    assert publisher.answer()["type"] == "publishing"
    publisher.begin(heartbeat_ms=500)
    publisher.snapshot()
    code, text = publisher.refusal()
    assert code == "protocol"
    assert "no heartbeat and no new state for" in text
    connected(proxy, token).snapshot()
    assert str(subscriber(proxy).lots()) == "0.1"


def send_all(publisher: Publisher, texts: list[str]) -> None:
    """Send texts, and receive until the connection is closed."""
    for text in texts:
        publisher.peer.socket.send(text)
    while True:
        publisher.peer.socket.recv(LIMIT_SECONDS)


def connected(proxy: RunningProxy, token: str, stream: str = STREAM, time: int = START) -> Publisher:
    """A publisher that has sent its welcome, as soon as the one before has left."""
    while True:
        publisher = Publisher(proxy, "maria", token=token)
        answer = publisher.answer()
        if answer["type"] == "publishing":
            publisher.begin(stream, time)
            return publisher
        assert answer["code"] in ("taken", "busy"), answer
        publisher.peer.close()

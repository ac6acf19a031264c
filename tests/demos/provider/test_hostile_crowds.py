"""Crowds of clients, slow clients and false messages: what they cost the provider program and its other clients."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal

import pytest
from hostile_kit import TEXT, UPGRADE, Client, frame, login, message, open_files, resident
from login_kit import PASSWORD, WRONG
from service_kit import QUICK_BANS, RunningProvider, Subscriber, add_user, users
from web_kit import wait_until
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin
from winsock_kit import LIMIT_SECONDS

from demos.provider.clients import MOST_REVOKED
from demos.provider.messages import Error, Snapshot, Welcome

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.posix_only("the clients of this module use /proc and other addresses of loopback"),
]

MIB = 1024 * 1024


def test_thousands_of_half_open_connections_delay_no_update_and_no_login(tmp_path):
    token = add_user(tmp_path, "anna", connections=10)
    provider = RunningProvider(tmp_path)
    subscriber = Subscriber(provider, login="anna", token=token)
    subscriber.receive_kind(Snapshot)
    before = resident(provider)
    crowd = []
    for number in range(3000):
        client = Client(provider, f"127.0.0.{2 + number % 16}", tls=False)
        # Some send nothing, the others the beginning of a handshake.
        client.send((b"", b"\x16\x03\x01\x02\x00\x01")[number % 2])
        crowd.append(client)
        if number % 500 == 499:
            provider.command("buy 0.01")
            subscriber.receive_lots(f"0.0{number // 500 + 1}")
            # From an address of the crowd, and from one of its own.
            for source in ("127.0.0.2", "127.0.0.99"):
                other = Subscriber(provider, source=source, login="anna", token=token)
                other.receive_kind(Snapshot)
                other.close()
    assert open_files(provider) < 1024 + 200
    assert resident(provider) - before < 256 * MIB
    # It is reported at a timer event.
    wait_until(lambda: "connections closed to make room for new ones" in provider.log())
    assert provider.stop() == 0
    assert "Traceback" not in provider.log()


def test_clients_that_open_the_websocket_and_do_not_log_in_make_room_for_others(tmp_path):
    token = add_user(tmp_path, "anna", connections=10)
    provider = RunningProvider(tmp_path, tls=False)
    subscriber = Subscriber(provider, login="anna", token=token)
    crowd = [Client(provider, "127.0.0.2") for _ in range(1500)]
    for client in crowd:
        client.send(UPGRADE)
    Subscriber(provider, source="127.0.0.2", login="anna", token=token).receive_kind(Snapshot)
    provider.command("buy 0.1")
    subscriber.receive_lots("0.1")
    assert open_files(provider) < 512 + 200


def test_connections_that_are_reset_at_once_leave_nothing_behind(tmp_path):
    token = add_user(tmp_path, "anna", connections=10)
    provider = RunningProvider(tmp_path)
    subscriber = Subscriber(provider, login="anna", token=token)
    subscriber.receive_kind(Snapshot)
    files = open_files(provider)
    for number in range(3000):
        client = Client(provider, f"127.0.0.{2 + number % 8}", tls=False)
        client.send(b"\x16\x03\x01"[: number % 4])
        client.reset()
    Subscriber(provider, login="anna", token=token).receive_kind(Snapshot)
    provider.command("buy 0.1")
    subscriber.receive_lots("0.1")
    wait_until(lambda: open_files(provider) <= files + 1)
    # Each second at most a hundred lines about clients are written.
    assert len(provider.log()) < MIB


def test_thousands_of_login_attempts_keep_nobody_out_and_are_banned(tmp_path):
    add_user(tmp_path, "anna")
    add_user(tmp_path, "bob")
    token = add_user(tmp_path, "carl")
    provider = RunningProvider(tmp_path, tls=False, quick=QUICK_BANS)
    # Anna has logged in from the address that the attempts come from, so she is known there.
    known = Subscriber(provider, source="127.0.0.2", login="anna", password=PASSWORD)
    known.receive_kind(Snapshot)
    before = resident(provider)
    codes: set[str] = set()
    for start in range(0, 2000, 400):
        crowd = [Client(provider, "127.0.0.2") for _ in range(400)]
        for number, client in enumerate(crowd, start):
            client.send(UPGRADE + login(f"guess{number}" if number % 2 else "bob", password=WRONG))
        again = Subscriber(provider, source="127.0.0.2", login="anna", password=PASSWORD)
        assert isinstance(again.receive(), Welcome)
        for name, right in (("bob", {"password": PASSWORD}), ("carl", {"token": token})):
            other = Subscriber(provider, source="127.0.0.3", login=name, **right)
            assert isinstance(other.receive(), Welcome), (start, name)
        for client in crowd:
            client.receive_head()
            assert client.receive_message()["type"] == "hello"
            codes.add(client.receive_message()["code"])
    assert codes <= {"failed", "wait", "banned", "busy"}
    assert {"failed", "wait"} <= codes
    provider.command("buy 0.1")
    known_again = Subscriber(provider, source="127.0.0.2", login="anna", password=PASSWORD)
    known_again.receive_lots("0.1")
    assert resident(provider) - before < 128 * MIB
    assert len(provider.log()) < MIB
    assert provider.stop() == 0
    with closing(sqlite3.connect(tmp_path / "provider.sqlite")) as database:
        [[bans]] = database.execute("SELECT count(*) FROM attempts WHERE login = '' AND until > since")
        [[rows]] = database.execute("SELECT count(*) FROM attempts WHERE address = '127.0.0.2'")
    assert bans == 1
    assert rows <= 51


def test_a_customer_who_logs_in_again_and_again_occupies_a_limited_number_of_connections(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=False)
    clients = []
    for _ in range(400):
        clients.append(Client(provider))
        clients[-1].send(UPGRADE + login("anna", token=token))
    wait_until(lambda: len(provider.events("login")) == 400)
    wait_until(lambda: open_files(provider) < MOST_REVOKED + 50)  # a revoked connection is closed after its message
    assert Subscriber(provider, login="anna", token=token).receive_kind(Snapshot)


# ---- slow clients and false messages


def slow_client(provider: RunningProvider, token: str, fast: Subscriber, trades: int) -> Client:
    """A subscriber that reads nothing while there are many states, so that the provider has unsent output for it."""
    client = Client(provider, buffer=4096).open()
    client.send(login("slow", token=token))
    assert client.receive_message()["type"] == "welcome"
    for _ in range(trades):
        provider.command("buy 0.01")
        lots = fast.lots() + type(fast.lots())("0.01")
        fast.receive_lots(str(lots))
    return client


def unsent(provider: RunningProvider) -> bool:
    """Whether there is output that waits for its subscriber, in two readings of the metrics a timer event apart."""
    pause = threading.Event()
    for _ in range(2):
        pause.wait(1.1)
        with urllib.request.urlopen(provider.url("/metrics", "http"), timeout=LIMIT_SECONDS) as answer:
            text = answer.read().decode()
        if re.search(r"^provider_unsent_bytes 0(\.0)?$", text, re.MULTILINE):
            return False
    return True


def crowded_account(provider: RunningProvider, token: str) -> Subscriber:
    """A hedging account with so many positions that each state has tens of thousands of bytes; a subscriber of it."""
    for _ in range(400):
        provider.command("buy 0.01")
    provider.wait("deal", 400)
    fast = Subscriber(provider, login="fast", token=token)
    fast.receive_lots("4")
    return fast


def test_a_subscriber_that_did_not_read_gets_the_newest_state_when_it_reads_again(tmp_path):
    fast_token, slow_token = add_user(tmp_path, "fast"), add_user(tmp_path, "slow")
    provider = RunningProvider(tmp_path, "--margin-mode=hedging", tls=False)
    fast = crowded_account(provider, fast_token)
    before = resident(provider)
    slow = slow_client(provider, slow_token, fast, 170)
    assert resident(provider) - before < 64 * MIB
    assert fast.state is not None
    newest, states = fast.state.seq, 0
    while slow.receive_message().get("seq", 0) < newest:
        states += 1
    # All states together are more than the buffers of the system hold: some were skipped.
    assert states < 150


def test_a_revoked_subscriber_gets_none_of_the_output_that_waits_for_it(tmp_path):
    fast_token, slow_token = add_user(tmp_path, "fast"), add_user(tmp_path, "slow", connections=2)
    provider = RunningProvider(tmp_path, "--margin-mode=hedging", tls=False)
    fast = crowded_account(provider, fast_token)
    slow = slow_client(provider, slow_token, fast, 170)
    # The system may take the rest of an earlier state late, and then the newest one as a whole: one more is unsent.
    while not unsent(provider):
        provider.command("buy 0.01")
        fast.receive_lots(str(fast.lots() + Decimal("0.01")))
    second = Subscriber(provider, login="slow", token=slow_token)
    second.receive_kind(Snapshot)
    with users(tmp_path) as store:
        store.set_disabled("slow", True)
    # The connections of a login are ended in their order, so now both have been.
    assert second.receive_kind(Error).code == "disabled"
    assert fast.state is not None
    received = slow.receive_frames()
    newest = max(json.loads(payload).get("seq", 0) for opcode, payload in received if opcode == TEXT)
    assert newest < fast.state.seq
    # The reason would have to follow the output that waits.
    assert not [payload for _, payload in received if b'"disabled"' in payload]


@pytest.mark.parametrize("change", ["disable", "remove", "token"])
def test_after_a_revocation_the_client_receives_the_reason_and_not_one_byte_more(change, tmp_path):
    fast_token, token = add_user(tmp_path, "fast"), add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=False)
    fast = Subscriber(provider, login="fast", token=fast_token)
    client = Client(provider).open()
    client.send(login("anna", token=token))
    client.receive_type("snapshot")
    with users(tmp_path) as store:
        if change == "disable":
            store.set_disabled("anna", True)
        elif change == "remove":
            store.remove("anna")
        else:
            store.remove_token("anna", "test")
    assert client.receive_type("error")["fatal"] is True
    for number in range(1, 6):
        provider.command("buy 0.01")
        fast.receive_lots(f"0.0{number}")
        # Neither an acknowledgement nor a request for a snapshot nor a ping gets an answer.
        client.send(message(type="resync") + frame(9, b"ping"))
    [(opcode, _)] = client.receive_frames()
    assert opcode == 8


def test_a_banned_login_receives_hello_and_the_ban_and_nothing_else(tmp_path):
    add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=False, quick=QUICK_BANS)
    codes = []
    while "banned" not in codes:
        client = Client(provider)
        client.send(UPGRADE + login("anna", password=WRONG))
        client.receive_head()
        received = client.receive_frames()
        codes.append(json.loads(received[1][1])["code"])
    assert [opcode for opcode, _ in received] == [1, 1, 8]
    # The right password is of no use during the ban, and is not checked.
    answer = Subscriber(provider, login="anna", password=PASSWORD).receive()
    assert isinstance(answer, Error)
    assert answer.code == "banned"


def test_false_acknowledgements_end_the_connection_and_repeated_ones_change_nothing(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, "--speed=0.001", tls=False)

    def subscribed() -> tuple[Client, dict[str, object]]:
        client = Client(provider).open()
        client.send(login("anna", token=token))
        return client, client.receive_type("snapshot")

    for change in ({"seq": 1_000_000}, {"stream": "0" * 32 + "-" + "0" * 16}):
        client, state = subscribed()
        client.send(message(**{"type": "ack", "stream": state["stream"], "seq": state["seq"], "held": {}, **change}))
        assert client.receive_type("error")["code"] == "ack"
    for change in ({"seq": 0}, {"seq": -1}, {"seq": 1.5}, {"held": {"EURUSD": "NaN"}}, {"held": {"EURUSD": 1}}):
        client, state = subscribed()
        client.send(message(**{"type": "ack", "stream": state["stream"], "seq": state["seq"], "held": {}, **change}))
        assert client.receive_type("error")["code"] == "malformed"
    client, state = subscribed()
    ack = message(type="ack", stream=state["stream"], seq=state["seq"], held={"EURUSD": "1"})
    client.send(50 * ack)
    provider.command("buy 0.1")
    newer = client.receive_type("update")
    # In the wrong order: the newer state first.
    client.send(message(type="ack", stream=newer["stream"], seq=newer["seq"], held={"EURUSD": "2"}) + 50 * ack)
    provider.command("sell 0.1")
    assert client.receive_type("update")["seq"] > newer["seq"]  # type: ignore[operator]


# ---- a paused provider


@contextmanager
def operator(provider: RunningProvider, source: str) -> Iterator[ClientConnection]:
    """The dashboard's WebSocket of an operator, which is opened from this address."""
    origin = f"http://localhost:{provider.port}"
    body = json.dumps({"login": "chief", "password": PASSWORD}).encode()
    headers = {"Content-Type": "application/json", "Origin": origin}
    request = urllib.request.Request(f"{origin}/operator/login", body, headers)
    with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    plain = socket.create_connection(("127.0.0.1", provider.port), LIMIT_SECONDS, (source, 0))
    url = f"ws://localhost:{provider.port}/operator/live"
    with connect(url, sock=plain, origin=Origin(origin), additional_headers={"Cookie": cookie}) as page:
        yield page


def do(page: ClientConnection, action: str) -> None:
    """Have an operator ask for an action and confirm it."""
    page.send(json.dumps({"action": action}))
    page.send(json.dumps({"confirm": answer(page, "confirm")["number"]}))
    done = answer(page, "result")
    assert done["ok"], done


def answer(page: ClientConnection, kind: str) -> dict[str, object]:
    """The next message of this kind, or a result instead of it; overviews come all the time."""
    for _ in range(LIMIT_SECONDS):
        message = json.loads(page.recv(LIMIT_SECONDS))
        if message["type"] in (kind, "result"):
            return dict(message)
    raise AssertionError(f"no {kind}")


def test_a_paused_provider_refuses_logins_and_a_crowd_does_not_disconnect_its_operator(tmp_path):
    add_user(tmp_path, "chief", operator=True)
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=False)
    with operator(provider, "127.0.0.2") as page:
        subscriber = Subscriber(provider, login="anna", token=token)
        subscriber.receive_kind(Snapshot)
        crowd = [Client(provider, "127.0.0.2") for _ in range(700)]
        for client in crowd:
            client.send(UPGRADE)
        answer(page, "overview")
        do(page, "pause")
        assert subscriber.receive_kind(Error).code == "paused"
        for right in ({"token": token}, {"password": PASSWORD}, {"token": "wrong"}):
            refused = Subscriber(provider, login="anna", **right).receive()
            assert isinstance(refused, Error)
            assert refused.code == "paused"
        do(page, "resume")
        Subscriber(provider, login="anna", token=token).receive_kind(Snapshot)


def test_a_pause_and_its_end_survive_a_killed_provider(tmp_path):
    add_user(tmp_path, "chief", operator=True)
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=False)
    for action in ("pause", "resume"):
        with operator(provider, "127.0.0.1") as page:
            answer(page, "overview")
            do(page, action)
        provider.close()
        provider.log_path.unlink()
        provider = RunningProvider(tmp_path, tls=False)
        subscriber = Subscriber(provider, login="anna", token=token)
        if action == "pause":
            refused = subscriber.receive()
            assert isinstance(refused, Error)
            assert refused.code == "paused"
        else:
            subscriber.receive_kind(Snapshot)
        assert ("the provider is still paused" in provider.log()) == (action == "pause")


# ---- limits of the process


def test_a_provider_without_free_descriptors_serves_its_subscribers_and_recovers(tmp_path):
    token = add_user(tmp_path, "anna", connections=500)
    provider = RunningProvider(tmp_path, tls=False, most_files=128)
    assert "the process may open 128 files, but" in provider.log()
    subscriber = Subscriber(provider, login="anna", token=token)
    clients = []
    with suppress(TimeoutError):
        while True:
            clients.append(Client(provider))
            clients[-1].socket.settimeout(3)
            clients[-1].open().send(login("anna", token=token))
            clients[-1].receive_type("welcome")
    assert len(clients) > 60
    wait_until(lambda: "Accept failed error" in provider.log())
    provider.command("buy 0.1")
    subscriber.receive_lots("0.1")
    for client in clients[:60]:
        client.close()
    Subscriber(provider, login="anna", token=token).receive_lots("0.1")
    provider.command("buy 0.1")
    subscriber.receive_lots("0.2")
    assert provider.stop() == 0
    assert "Traceback" not in provider.log()


def test_the_program_ends_in_order_in_the_middle_of_a_crowd(tmp_path):
    token = add_user(tmp_path, "anna", connections=100)
    provider = RunningProvider(tmp_path, "--experts=2")
    subscribers = [Subscriber(provider, login="anna", token=token) for _ in range(40)]
    crowd = [Client(provider, f"127.0.0.{2 + number % 4}", tls=False) for number in range(400)]
    for number, client in enumerate(crowd):
        client.send(b"\x16\x03\x01"[: number % 4])
    guesses = [Client(provider, "127.0.0.9").open() for _ in range(40)]
    for client in guesses:
        client.send(login("bob", password=WRONG))
    for _ in range(500):
        provider.command("buy 0.01")
    assert provider.stop() == 0
    assert "Traceback" not in provider.log()
    for subscriber in subscribers:
        assert subscriber.receive_kind(Error).code == "closing"

"""The program `provider` with subscribers that are not ours: logins, states, revocations, restarts and both ports."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest
from login_kit import PASSWORD, WRONG
from service_kit import QUICK_BANS, QUICK_HEARTBEATS, RunningProvider, Subscriber, add_user, users
from terminal_kit import ROOT
from web_kit import certificate, network
from winsock_kit import LIMIT_SECONDS

from demos.provider.messages import Ack, Error, Heartbeat, Hello, Snapshot, Welcome
from demos.provider.passwords import new_password
from demos.provider.protocol import encode

__all__ = ["network"]

# On Windows, Python's own sockets need a started Winsock too, and other tests end it.
pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("network")]


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "loopback without TLS"])
def test_a_subscriber_gets_hello_welcome_a_snapshot_and_each_trade(tls, tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, tls=tls)
    subscriber = Subscriber(provider, login="anna", token=token)
    assert isinstance(subscriber.hello, Hello)
    welcome = subscriber.receive()
    assert isinstance(welcome, Welcome)
    assert (welcome.user, welcome.account.currency, welcome.symbols) == ("anna", "USD", None)
    first = subscriber.receive()
    assert isinstance(first, Snapshot)
    assert first.account.balance is not None
    provider.command("buy 0.25")
    subscriber.receive_lots("0.25")
    assert subscriber.state is not None
    [position] = subscriber.state.positions
    assert (position.symbol, str(position.lots), str(position.contract)) == ("EURUSD", "0.25", "100000")
    assert position.time > first.time - 1000
    provider.command("sell 0.50")
    subscriber.receive_lots("-0.25")
    assert provider.stop() == 0
    assert subscriber.receive_kind(Error).code == "closing"


def test_a_quiet_provider_sends_heartbeats(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, "--speed=0.001", tls=False, quick=QUICK_HEARTBEATS)
    subscriber = Subscriber(provider, login="anna", token=token)
    heartbeat = subscriber.receive_kind(Heartbeat)
    assert subscriber.state is not None
    assert heartbeat.seq == subscriber.state.seq


def test_a_subscriber_may_send_two_of_the_largest_acknowledgements_as_soon_as_it_has_logged_in(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    subscriber = Subscriber(provider, login="anna", token=token)
    state = subscriber.receive_kind(Snapshot)
    lots = {f"{number:04}{'x' * 60}": Decimal("-999999999999999.12345678901234567891") for number in range(1000)}
    for _ in range(2):
        subscriber.socket.send(encode(Ack(state.stream, state.seq, lots, lots)))
    provider.command("buy 0.25")
    subscriber.receive_lots("0.25")


def test_a_password_works_a_wrong_one_does_not_and_an_unknown_login_gets_the_same_answer(tmp_path):
    add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    assert isinstance(Subscriber(provider, login="Anna", password=PASSWORD).receive(), Welcome)
    wrong = Subscriber(provider, login="anna", password=WRONG).receive()
    unknown = Subscriber(provider, login="nobody", password=PASSWORD).receive()
    assert wrong == unknown
    assert isinstance(wrong, Error)
    assert (wrong.code, wrong.fatal) == ("failed", True)


def test_a_client_that_was_away_learns_with_its_token_that_its_login_was_disabled(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    with users(tmp_path) as store:
        store.set_disabled("anna", True)
    answers = [
        Subscriber(provider, login="anna", **secret).receive()
        for secret in ({"token": token}, {"password": PASSWORD}, {"password": WRONG}, {"token": "wst_wrong"})
    ]
    assert [each.code for each in answers] == ["disabled", "disabled", "failed", "failed"]
    assert answers[0].text == "the login was disabled"


@pytest.mark.parametrize("change", ["disable", "password", "remove"])
def test_a_change_by_the_command_disconnects_at_once_and_nothing_more_is_sent(change, tmp_path):
    add_user(tmp_path, "anna")
    token = add_user(tmp_path, "bob")
    provider = RunningProvider(tmp_path)
    subscriber = Subscriber(provider, login="anna", password=PASSWORD)
    other = Subscriber(provider, login="bob", token=token)
    subscriber.receive_kind(Snapshot)
    other.receive_kind(Snapshot)
    with users(tmp_path) as store:
        if change == "disable":
            store.set_disabled("anna", True)
        elif change == "password":
            store.set_password("anna", new_password("another one"))
        else:
            store.remove("anna")
    error = subscriber.receive_kind(Error)
    assert error.code == {"disable": "disabled", "password": "password", "remove": "removed"}[change]
    provider.command("buy 0.1")
    other.receive_lots("0.1")
    from websockets.exceptions import ConnectionClosed

    with pytest.raises(ConnectionClosed):
        subscriber.socket.recv(LIMIT_SECONDS)
    assert provider.wait("disconnected")["login"] == "anna"


def test_users_see_their_symbols_and_the_number_of_connections_is_limited(tmp_path):
    add_user(tmp_path, "anna", symbols=("GOLD",), connections=1)
    provider = RunningProvider(tmp_path)
    provider.command("buy 0.1")
    provider.wait("deal")
    first = Subscriber(provider, login="anna", password=PASSWORD)
    welcome = first.receive_kind(Welcome)
    assert welcome.symbols == ("GOLD",)
    state = first.receive_kind(Snapshot)
    assert (state.positions, state.account.balance) == ((), None)
    second = Subscriber(provider, login="anna", password=PASSWORD)
    second.receive_kind(Snapshot)
    assert first.receive_kind(Error).code == "replaced"


def test_a_restart_has_a_new_stream_and_bans_survive_it(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path, quick=QUICK_BANS)
    streams = []
    for _ in range(2):
        subscriber = Subscriber(provider, login="anna", token=token)
        streams.append(subscriber.receive_kind(Welcome).stream)
        provider.process.kill()
        provider.process.wait(LIMIT_SECONDS)
        provider = RunningProvider(tmp_path, quick=QUICK_BANS)
    assert len(set(streams)) == 2
    codes = set()
    while "banned" not in codes:
        answer = Subscriber(provider, login="bob", password=WRONG).receive()
        assert isinstance(answer, Error)
        codes.add(answer.code)
    provider.close()
    again = Subscriber(RunningProvider(tmp_path, quick=QUICK_BANS), login="bob", password=WRONG).receive()
    assert isinstance(again, Error)
    assert again.code == "banned"


def test_health_and_the_page_are_served_on_the_same_port_and_unknown_paths_are_not(tmp_path):
    provider = RunningProvider(tmp_path)

    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(
                provider.url(path, "http"), context=provider.context(), timeout=LIMIT_SECONDS
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    provider.wait("serving")
    status, text = get("/healthz")
    assert status in (200, 503)
    assert json.loads(text)["status"]
    assert get("/")[0] == 200
    assert "winsock_provider" in get("/metrics")[1] or "provider" in get("/metrics")[1]
    assert get("/nothing")[0] == 404


def test_a_new_certificate_is_used_without_a_restart(tmp_path):
    provider = RunningProvider(tmp_path)
    certificate(tmp_path, days=60)
    token = add_user(tmp_path, "anna")

    def connects() -> bool:
        try:
            return isinstance(Subscriber(provider, login="anna", token=token).hello, Hello)
        except OSError:
            return False

    from web_kit import wait_until

    wait_until(connects)
    assert "loaded the new certificate" in provider.log()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--Host=0.0.0.0"], "is not a loopback address, so it needs TLS"),
        (["--cert=missing.pem"], "missing.pem cannot be used"),
        (["--state=."], "--state . is a folder: give the name of a file"),
        (["--Port=-1", "--plain-port=-1"], "nothing to publish on"),
        (["--experts=0"], "use 1 to"),
        (["--name="], "invalid name: not a string of 1 to 64 characters: ''"),
        ([f"--name={'x' * 65}"], "not a string of 1 to 64 characters"),
        (["--only=,,"], "no symbol in ',,': name at least one, or leave it empty for all"),
        (["--only= "], "no symbol in ' '"),
        (["--hosts= ,"], "no host name in ' ,'"),
        (["--hosts=https://provider.example"], "invalid host name: 'https://provider.example'"),
        (["--alert-command= "], "no command in ' ': name a program, or leave it empty"),
    ],
)
def test_what_cannot_start_is_one_clear_line(arguments, text, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "demos", "run", "provider", "--Port=0", "--plain-port=0",
         f"--state={tmp_path / 'provider.sqlite'}", "--duration=5", *arguments],
        cwd=ROOT, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS * 2,
    )  # fmt: skip
    assert done.returncode in (2, 4), done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plain_port_that_is_open_to_the_network_gives_a_warning(tmp_path):
    provider = RunningProvider(tmp_path, "--plain-port=0", "--plain-host=0.0.0.0")
    provider.wait("listening")
    assert "open to the network" in provider.log()


@pytest.mark.posix_only(reason="modes of files")
def test_the_state_file_of_the_folder_is_created_private(tmp_path: Path):
    RunningProvider(tmp_path, tls=False)
    assert (tmp_path / "provider.sqlite").stat().st_mode & 0o777 == 0o600

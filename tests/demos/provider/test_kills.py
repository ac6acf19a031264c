"""The provider is killed at random moments, again and again: no user, no ban and no order of states is lost."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from contextlib import closing, suppress
from decimal import Decimal

import pytest
from hostile_kit import TEXT, UPGRADE, Client, frame, login
from login_kit import WRONG
from provider_kit import MemoryStore
from service_kit import QUICK_BANS, RunningProvider, add_user, users
from web_kit import wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider.following import Follower
from demos.provider.messages import Login, Snapshot
from demos.provider.protocol import decode_from_server, encode
from demos.provider.states import net_lots
from demos.provider.steps import STOPPING, Alarm

pytestmark = [pytest.mark.timeout(300), pytest.mark.posix_only("the clients of this module use other addresses")]

ROUNDS = 4


def milliseconds() -> int:
    return time.monotonic_ns() // 1_000_000


class Following:
    """A Follower that connects to one run of the provider after the other, in a thread of its own."""

    def __init__(self, token: str) -> None:
        self.follower = Follower(MemoryStore())
        self.token = token
        self.returned: list[Snapshot] = []
        self.alarms: list[Alarm] = []

    def begin(self, provider: RunningProvider) -> threading.Thread:
        """Follow this run until it is killed."""
        client = Client(provider)
        client.send(UPGRADE)
        thread = threading.Thread(target=self._follow, args=(client,))
        thread.start()
        return thread

    def _follow(self, client: Client) -> None:
        self.follower.connected(milliseconds())
        with suppress(OSError, AssertionError):
            client.receive_head()
            # The first message is hello.
            self._take(client)
            entered = self.follower.login(Login(1, "anna", token=self.token), milliseconds())
            client.send(frame(TEXT, encode(entered).encode()))
            while True:
                self._take(client)
        self.follower.disconnected()

    def _take(self, client: Client) -> None:
        step = self.follower.receive(decode_from_server(json.dumps(client.receive_message())), milliseconds())
        self.alarms += step.alarms
        if step.state is not None:
            self.returned.append(step.state)
            if ack := self.follower.acknowledge({}):
                client.send(frame(TEXT, encode(ack).encode()))
        for each in step.send:
            client.send(frame(TEXT, encode(each).encode()))

    def lots(self) -> Decimal | None:
        """The volume in the last state that was returned."""
        return net_lots(self.returned[-1]).get("EURUSD", Decimal(0)) if self.returned else None


def disturb(provider: RunningProvider, number: int, moment: random.Random) -> set[str]:
    """Trades, wrong logins and changes of users, and then the kill; the logins that were added and not removed."""
    stay: set[str] = set()
    guesses = [Client(provider, f"127.0.0.{2 + index % 50}") for index in range(30)]
    kill_at = moment.randrange(1, 60)
    for step in range(kill_at):
        # They stay unanswered in the pipe when the process is killed.
        with suppress(OSError):
            provider.command(moment.choice(("buy 0.02", "sell 0.01")))
        guesses[step % 30].send((UPGRADE + login(f"nobody{step}", password=WRONG)) if step < 30 else b"")
        if step % 5 == 0:
            name = f"user{number}x{step}"
            add_user(provider.folder, name)
            stay.add(name)
        if step % 15 == 14:
            with users(provider.folder) as store:
                store.remove(stay.pop())
    provider.process.kill()
    provider.process.wait(LIMIT_SECONDS)
    return stay


def bans(provider: RunningProvider) -> set[tuple[str, str, float]]:
    """The bans in the state file, which must be intact."""
    with closing(sqlite3.connect(provider.folder / "provider.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        return set(database.execute("SELECT login, address, until FROM attempts WHERE until > 0"))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_provider_keeps_users_bans_and_positions_and_its_subscriber_never_goes_back(seed, tmp_path):
    moment = random.Random(seed)
    token = add_user(tmp_path, "anna")
    following, names, banned, streams = Following(token), {"anna"}, set(), []
    account = f"--account={tmp_path / 'account.json'}"
    for number in range(ROUNDS):
        provider = RunningProvider(tmp_path, account, tls=False, quick=QUICK_BANS)
        thread = following.begin(provider)
        if number % 2:
            # Every second kill comes when a ban was begun.
            guess_until_banned(provider, f"127.0.1.{number}")
        names |= disturb(provider, number, moment)
        thread.join(LIMIT_SECONDS)
        streams.append(following.returned[-1].stream if following.returned else f"none {number}")
        with users(tmp_path) as store:
            assert {each.login for each in store.all()} == names
        kept = bans(provider)
        assert banned <= kept
        assert len([each for each in kept if each[1].startswith("127.0.1.")]) == (number + 1) // 2
        banned = kept
    provider = RunningProvider(tmp_path, account, tls=False, quick=QUICK_BANS)
    held = Decimal(str(provider.wait("started")["position"]))
    thread = following.begin(provider)
    wait_until(lambda: following.lots() == held)
    provider.command("buy 0.1")
    wait_until(lambda: following.lots() == held + Decimal("0.1"))
    assert provider.stop() == 0
    thread.join(LIMIT_SECONDS)
    assert not [alarm for alarm in following.alarms if alarm.kind in STOPPING]
    check_order(following.returned)


def guess_until_banned(provider: RunningProvider, source: str) -> None:
    """Send wrong passwords until the provider has answered with a ban, which it has stored before."""
    while True:
        client = Client(provider, source).open()
        client.send(login("anna", password=WRONG))
        code = client.receive_message()["code"]
        client.close()
        if code == "banned":
            return


def check_order(returned: list[Snapshot]) -> None:
    """The numbers rise within a stream, a stream never comes back, and times do not fall."""
    seen: dict[str, int] = {}
    for earlier, later in zip((None, *returned), returned, strict=False):
        if earlier is not None:
            assert later.time >= earlier.time
            assert later.stream == earlier.stream or later.stream not in seen
        assert later.seq > seen.get(later.stream, 0)
        seen[later.stream] = later.seq
    # The first state of some runs may not have arrived before their kill.
    assert len(seen) > 1

"""What the provider's tests share: accounts, a store that survives kills, and a network between publisher and follower.

The network delivers, loses, repeats and reorders the messages of one connection. A new connection discards what was on
the way, as TCP does.
"""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

from demos.provider.accounts import AccountState, Holding, View
from demos.provider.following import Follower
from demos.provider.messages import Ack, FromClient, Login, Resync, Snapshot
from demos.provider.protocol import decode_from_client, decode_from_server, encode
from demos.provider.publishing import Publisher
from demos.provider.steps import Alarm, Step
from demos.provider.streams import Subscription

KEY = b"a key for tickets"
HEARTBEAT_MS = 5000
START = 1_700_000_000_000


class Killed(Exception):
    """The process was killed here."""


class MemoryStore:
    """A store in memory that keeps text, as a file would; ``kill`` says where the next save kills the process."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.kill = ""

    def load(self) -> dict[str, Any] | None:
        loaded: dict[str, Any] | None = None if self.text is None else json.loads(self.text)
        return loaded

    def save(self, data: dict[str, Any]) -> None:
        kill, self.kill = self.kill, ""
        if kill == "before":
            raise Killed
        self.text = json.dumps(data)
        if kill == "after":
            raise Killed


def holding(symbol: str, lots: str, price: str = "1.1", ticket: int | None = None) -> Holding:
    return Holding(symbol, Decimal(lots), Decimal(price), Decimal(100_000), ticket=ticket)


def account(*holdings: Holding, balance: str = "1000", equity: str = "1000", hedging: bool = False) -> AccountState:
    return AccountState("USD", hedging, Decimal(balance), Decimal(equity), holdings)


class Network:
    """A provider with an account, a follower, their clocks, and the messages on the way between them."""

    def __init__(self, state: AccountState, view: View | None = None) -> None:
        self.view = view or View()
        self.account = state
        self.server_time = START
        self.now = 0
        self.publisher = Publisher(state, START, KEY, HEARTBEAT_MS)
        self.store = MemoryStore()
        self.follower = Follower(self.store)
        self.subscription: Subscription | None = None
        self.to_client: list[str] = []
        self.to_server: list[str] = []
        self.returned: list[Snapshot] = []
        self.alarms: list[Alarm] = []
        self.claims: list[str] = []

    # ---- the two processes

    def trade(self, state: AccountState) -> None:
        self.account = state
        self.publisher.observe(state, self.server_time)
        self.pump()

    def advance(self, milliseconds: int) -> None:
        self.server_time += milliseconds
        self.now += milliseconds
        self.publisher.observe(self.account, self.server_time)
        self.pump()
        if self.subscription:
            self.take(self.follower.check(self.now))

    def restart_provider(self) -> None:
        self.disconnect()
        self.publisher = Publisher(self.account, self.server_time, KEY, HEARTBEAT_MS)

    def kill_follower(self) -> None:
        self.disconnect()
        self.follower = Follower(self.store)

    def backup(self) -> tuple[Publisher, AccountState]:
        """The provider's memory, as in a virtual machine's snapshot."""
        held, self.subscription = self.subscription, None
        saved = copy.deepcopy(self.publisher)
        self.subscription = held
        return saved, self.account

    def restore(self, saved: tuple[Publisher, AccountState]) -> None:
        self.disconnect()
        self.publisher, self.account = copy.deepcopy(saved[0]), saved[1]

    # ---- the connection

    def connect(self) -> None:
        self.disconnect()
        self.follower.connected(self.now)
        login = self.follower.login(Login(1, "customer", token="secret"), self.now)
        sent = decode_from_client(encode(login))
        assert isinstance(sent, Login)
        self.subscription = self.publisher.subscribe(self.view, self.server_time)
        if problem := self.subscription.claim_problem(sent.known):
            self.claims.append(problem)
        self.to_client.append(self.publisher.hello("provider", self.server_time))
        self.to_client.append(self.subscription.welcome("customer", self.server_time))
        self.pump()

    def disconnect(self) -> None:
        if self.subscription:
            self.subscription.close()
            self.follower.disconnected()
        self.subscription = None
        self.to_client.clear()
        self.to_server.clear()

    def pump(self) -> None:
        """The provider sends what there is to send."""
        if self.subscription and (text := self.subscription.next_message(self.server_time)):
            self.to_client.append(text)

    def deliver(self, index: int = 0, *, keep: bool = False) -> None:
        """The follower receives one of the messages on the way; a kept one arrives again later."""
        text = self.to_client[index] if keep else self.to_client.pop(index)
        try:
            self.take(self.follower.receive(decode_from_server(text), self.now))
        except Killed:
            self.kill_follower()

    def deliver_to_server(self, index: int = 0, *, keep: bool = False) -> None:
        text = self.to_server[index] if keep else self.to_server.pop(index)
        message = decode_from_client(text)
        assert self.subscription is not None
        if isinstance(message, Ack):
            assert self.subscription.ack_problem(message) is None
        elif isinstance(message, Resync):
            self.subscription.resync()
        self.pump()

    def take(self, step: Step) -> None:
        self.alarms += step.alarms
        if step.state is not None:
            self.returned.append(step.state)
            if ack := self.follower.acknowledge({}):
                self._send(ack)
        for message in step.send:
            self._send(message)
        if step.disconnect:
            self.disconnect()

    def _send(self, message: FromClient) -> None:
        self.to_server.append(encode(message))

    def settle(self) -> None:
        """Deliver everything in order until nothing is on the way."""
        while self.to_client or self.to_server:
            if self.to_client:
                self.deliver()
            elif self.to_server:
                self.deliver_to_server()

    def heal(self, seconds: int = 30) -> None:
        """The network works again: connect when there is no connection, deliver everything, for some time."""
        for _ in range(seconds):
            if self.subscription is None:
                self.connect()
            self.settle()
            self.advance(1000)
        self.settle()

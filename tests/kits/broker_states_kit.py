"""A copier's side of a broker without a broker, and providers whose messages a test delivers in any order."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from demos.copier.broker_states import BrokerStates
from demos.provider import broker_publishing
from demos.provider.accounts import AccountState, Holding
from demos.provider.broker_messages import AskProvider, BrokerMessage, decode
from demos.provider.broker_publishing import Publication
from demos.provider.following import Follower
from demos.provider.messages import Snapshot
from demos.provider.steps import Kind, Step

UTC = 1_700_000_000_000
NAMES = count(1)


class MemoryStore:
    """A follower's memory that lasts as long as the test."""

    data: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        return self.data

    def save(self, data: dict[str, Any]) -> None:
        self.data = data


def account(**lots: str) -> AccountState:
    holdings = [Holding(symbol, Decimal(each), Decimal("1.1"), Decimal(100_000)) for symbol, each in lots.items()]
    return AccountState("USD", False, Decimal(1000), Decimal(1000), tuple(holdings))


class Bench:
    """A copier's side and providers; ``now`` is the time of all of them."""

    def __init__(self) -> None:
        self.now = 1000
        self.follower = Follower(MemoryStore())
        self.states = BrokerStates(self.follower, lambda: f"{next(NAMES):032x}")
        self.copied: list[dict[str, str]] = []
        self.alarms: list[Kind] = []
        self.sent: list[object] = []
        self.questions: list[AskProvider] = []

    def connect(self) -> AskProvider:
        self.states.connected(self.now)
        self.collect([])
        return self.questions[-1]

    def collect(self, steps: list[Step]) -> None:
        for step in steps:
            self.alarms += [each.kind for each in step.alarms]
            self.sent += step.send
            if isinstance(step.state, Snapshot):
                self.copied.append({each.symbol: str(each.lots) for each in step.state.positions})
        if question := self.states.take_question():
            self.questions.append(question)

    def hear(self, *messages: BrokerMessage | Publication, retained: bool = False) -> None:
        for each in messages:
            if isinstance(each, Publication) and not each.payload:
                # The copier ignores the deletion of a stored message.
                continue
            message = decode("p", f"p/{each.topic}", each.payload).message if isinstance(each, Publication) else each
            self.collect(self.states.receive(message, self.now, retained=retained))

    def wait(self, ms: int) -> None:
        self.now += ms
        self.collect(self.states.check(self.now))


class Provider:
    def __init__(self, bench: Bench, name: str = "provider", **lots: str) -> None:
        self.bench = bench
        self.made = broker_publishing.BrokerStates(name, account(**lots), self.time)
        self.all = self.made.all(self.time)

    @property
    def time(self) -> int:
        return UTC + self.bench.now

    def trade(self, **lots: str) -> list[Publication]:
        self.made.observe(account(**lots), self.time)
        return self.made.next(self.time)

    def answer(self, question: AskProvider) -> Publication:
        return self.made.answer("copier-1", question, self.time)

    def hello(self) -> Publication:
        return self.all[0]

    def gone(self) -> Publication:
        return self.made.will()

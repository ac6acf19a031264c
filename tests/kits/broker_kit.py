"""A provider at a broker that a test drives: it publishes what the test says, once, twice, or in another order.

The states are made by the provider's own module; the client is paho, and the broker a real mosquitto.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from queue import Empty

from mosquitto_kit import PREFIX, PROVIDER, Mosquitto, RawClient

from demos.provider.accounts import AccountState, Holding
from demos.provider.broker_messages import ASK, AskProvider, decode
from demos.provider.broker_publishing import BrokerStates, Publication

# The provider's clock at the terminal's time 0.
START = 1_700_000_000_000


def account(**lots: str) -> AccountState:
    """An account with one position in each of these symbols."""
    holdings = [Holding(symbol, Decimal(each), Decimal("1.1"), Decimal(100_000)) for symbol, each in lots.items()]
    return AccountState("USD", False, Decimal(1000), Decimal(1000), tuple(holdings))


class ScriptedProvider:
    """A provider; ``now`` is its clock, which the test advances."""

    def __init__(self, broker: Mosquitto, name: str = "scripted", **lots: str) -> None:
        self.now = START
        self.states = BrokerStates(name, account(**lots), self.now)
        will = self.states.will()
        self.raw = RawClient(
            broker, PROVIDER, will=(f"{PREFIX}/{will.topic}", will.payload), topics=[f"{PREFIX}/{ASK}+"]
        )
        self.answers = True

    def publish(self, publications: Iterable[Publication]) -> None:
        """Publish these messages in their order."""
        for each in publications:
            self.raw.publish(f"{PREFIX}/{each.topic}", each.payload, retain=each.retain)

    def start(self) -> None:
        """Publish the hello and the whole state."""
        self.publish(self.states.all(self.now))

    def trade(self, **lots: str) -> list[Publication]:
        """The publications of a new state, which are not published yet."""
        self.now += 1
        self.states.observe(account(**lots), self.now)
        return self.states.next(self.now)

    def serve(self) -> bool:
        """Answer the questions that have arrived; always False, for conditions."""
        with suppress(Empty):
            while True:
                message = self.raw.messages.get_nowait()
                question, client = decode(PREFIX, message.topic, bytes(message.payload))
                if self.answers and isinstance(question, AskProvider):
                    self.publish([self.states.answer(client, question, self.now)])
        return False

"""The provider at a broker: from the account's state to publications. No sockets, no clock, no files.

The Publisher numbers the states, as for the subscribers' port, with a stream of its own. Each new state becomes one
message for each symbol that has changed, and after them the summary. next() is called when the broker has acknowledged
the earlier ones: so states that come faster than the broker takes them are skipped, and the newest one never is.

The broker keeps the last message of each topic. After a new connection everything is published again with the same
numbers, because another publisher may have replaced it, or a broker without a disk may have lost it.

An empty payload deletes the message of a symbol that becomes flat, and those that an earlier run has left. Otherwise
the messages of all symbols that were ever traded would stay, and a broker queues a limited number for a new subscriber.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import unquote

from demos.provider.accounts import AccountState, View
from demos.provider.broker_messages import (
    ANSWER,
    HEARTBEATS,
    STATE,
    STATUS,
    SUMMARY,
    Answer,
    AskProvider,
    BrokerMessage,
    Gone,
    Summary,
    SymbolState,
    encode,
    state_topic,
)
from demos.provider.messages import VERSION, FromServer, Heartbeat, Hello, Position, Snapshot, Update
from demos.provider.protocol import decode_from_server
from demos.provider.publishing import Publisher
from demos.provider.states import by_symbol, merge
from demos.terminal.runtime.randomness import token_hex


class Publication(NamedTuple):
    """What to publish below the prefix."""

    topic: str
    payload: bytes
    retain: bool


class BrokerStates:
    """The states of one account for one broker; ``run`` names this run of the provider.

    Errors: ValueError when the protocol cannot carry the account's state.
    """

    def __init__(self, name: str, account: AccountState, now: int, new_name: Callable[[int], str] = token_hex) -> None:
        # No view hides symbols, so no ticket is hidden by the key.
        self._publisher = Publisher(account, now, b"", new_name=new_name)
        self._subscription = self._publisher.subscribe(View(), now)
        self._name = name
        self.run = self._publisher.run
        self.hello = Hello(VERSION, name, self.run, self._publisher.heartbeat_ms, now)
        self._state: Snapshot | None = None
        # The last message of each symbol with positions, and the symbols whose messages are to be deleted.
        self._symbols: dict[str, SymbolState] = {}
        self._flat: set[str] = set()

    def observe(self, account: AccountState, now: int) -> None:
        """Take the account's present state. Errors: ValueError."""
        self._publisher.observe(account, now)

    def will(self) -> Publication:
        """What the broker publishes when the connection is lost."""
        return _publication(STATUS, Gone(VERSION, self.run), retain=True)

    def all(self, now: int) -> list[Publication]:
        """The hello, and the whole newest state."""
        self._take(now)
        return [_publication(STATUS, self.hello, retain=True), *self._publications(self._symbols.values())]

    def next(self, now: int) -> list[Publication]:
        """What has changed since the last call, a heartbeat when one is due, or nothing."""
        message = self._take(now)
        if isinstance(message, Heartbeat):
            return [_publication(HEARTBEATS, message, retain=False)]
        if not isinstance(message, (Snapshot, Update)):
            return []
        return self._publications(each for each in self._symbols.values() if each.seq == message.seq)

    def is_open(self, topic: str) -> bool:
        """Whether a topic below the prefix is that of a symbol with positions."""
        symbol = unquote(topic.removeprefix(STATE))
        return symbol in self._symbols and state_topic(symbol) == topic

    def deletions(self, topics: Iterable[str]) -> list[Publication]:
        """Delete the messages that the broker has stored at these topics of symbols, but not those of open symbols."""
        needed = {state_topic(symbol) for symbol in self._symbols}
        return [Publication(each, b"", retain=True) for each in topics if each not in needed]

    def answer(self, client: str, question: AskProvider, now: int) -> Publication:
        """The answer to a subscriber."""
        publisher, newest = self._publisher, self._state
        assert newest is not None
        answer = Answer(
            VERSION,
            question.nonce,
            self._name,
            publisher.heartbeat_ms,
            publisher.kind,
            newest.stream,
            newest.seq,
            publisher.time(now),
        )
        return _publication(ANSWER + client, answer, retain=False)

    def _take(self, now: int) -> FromServer | None:
        """Take the publisher's next message, and make the messages of the symbols that it changes."""
        text = self._subscription.next_message(now)
        message = decode_from_server(text) if text is not None else None
        if isinstance(message, Snapshot):
            self._state = message
        elif isinstance(message, Update) and self._state is not None:
            self._state = merge(self._state, message)
        else:
            return message
        groups = by_symbol(self._state.positions)
        self._flat |= self._symbols.keys() - groups.keys()
        self._symbols = {symbol: self._symbol(symbol, groups[symbol], message) for symbol in sorted(groups)}
        return message

    def _symbol(self, symbol: str, positions: tuple[Position, ...], state: Snapshot | Update) -> SymbolState:
        """The message of a symbol in a new state: the last one, if its positions are the same."""
        before = self._symbols.get(symbol)
        if before is not None and before.positions == positions:
            return before
        return SymbolState(state.stream, state.seq, state.time, symbol, positions)

    def _publications(self, symbols: Iterable[SymbolState]) -> list[Publication]:
        """Messages of symbols, and after them the summary of the state."""
        state = self._state
        if state is None:
            return []
        open_symbols = {each.symbol: each.seq for each in self._symbols.values()}
        summary = Summary(state.stream, state.seq, state.time, state.account, open_symbols)
        found = [_publication(state_topic(each.symbol), each, retain=True) for each in symbols]
        found += self.deletions(state_topic(symbol) for symbol in sorted(self._flat))
        self._flat.clear()
        return [*found, _publication(SUMMARY, summary, retain=True)]


def _publication(topic: str, message: BrokerMessage, *, retain: bool) -> Publication:
    return Publication(topic, encode(message), retain)

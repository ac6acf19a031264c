"""A hedging account of many symbols: what one publish costs the provider, and one round of decisions the copier.

Each variant makes one trade in one of the symbols first, which is not measured.

`publish-200` reads an account of 200 positions from the terminal, makes the new state and the update for a subscriber.
`decide-200` takes such a state, decides about all symbols by the rules, stores what must not be forgotten, and sends
the order in the symbol that has changed. It is compared with Python's json module: the time to encode the whole state,
or to decode it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any, cast

from demos.copier.account_copier import AccountCopier
from demos.copier.account_inputs import Trading
from demos.copier.account_targets import AccountTargets
from demos.copier.account_values import NOW, AccountOptions
from demos.copier.limits import Limits
from demos.copier.memory_file import MemoryFile, NamedStore
from demos.copier.moments import Moment
from demos.copier.rules import Rules
from demos.copier.secure_connection import SecureConnection
from demos.provider.account_reading import ReadAccount
from demos.provider.accounts import View
from demos.provider.following import Follower
from demos.provider.messages import AccountKind, Login, Welcome
from demos.provider.protocol import decode_from_server
from demos.provider.publishing import Publisher
from demos.provider.streams import Subscription
from demos.registry import find_program
from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.account_file import AccountTerms
from demos.terminal.paper.market import ReplayMarket, Speed
from demos.terminal.runtime.attachment import Attachment, running
from demos.terminal.runtime.clock import ManualClock
from demos.terminal.runtime.log import Log
from demos.terminal.terminal import Terminal

from .measuring import Variant, Variants

_SYMBOLS = [f"{first}{second}XUSD" for first, second in product(ascii_uppercase, repeat=2)][:200]


def _terminal(stack: ExitStack) -> tuple[Terminal, Attachment]:
    """A terminal with a hedging account, in which all symbols have a quote."""
    terms = AccountTerms(Decimal(1_000_000), None, ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
    account = stack.enter_context(closing(PaperAccount(None, terms)))
    clock = ManualClock()
    terminal = Terminal(clock, ReplayMarket([*map(SymbolSpec, _SYMBOLS)], iter(()), Speed()), account, Log(clock, None))
    for symbol in _SYMBOLS:
        terminal.take_quote(Tick(symbol, 0, 110_000, 110_010))
    # Its functions are not called: the benchmark acts as the program.
    return terminal, terminal.attach(find_program("copier"), _SYMBOLS[0])


class _Provider:
    """An account with one position in each symbol, and one more in the first after every other trade."""

    def __init__(self, stack: ExitStack) -> None:
        self.terminal, self._chart = _terminal(stack)
        for symbol in _SYMBOLS:
            self.terminal.trade(symbol, 1)
        self._ticket = 0
        self._time = 1
        with running(self._chart, "OnTrade"):
            self.publisher = Publisher(ReadAccount(), self._time, bytes(32))
        self.subscription: Subscription = self.publisher.subscribe(View(), self._time)
        self.first = self.subscription.next_message(self._time) or ""

    def trade(self) -> None:
        deal = self.terminal.trade(_SYMBOLS[0], -1 if self._ticket else 1, self._ticket).deal
        assert deal
        self._ticket = 0 if self._ticket else deal.position

    def publish(self) -> str:
        self._time += 1
        with running(self._chart, "OnTrade"):
            self.publisher.observe(ReadAccount(), self._time)
        return self.subscription.next_message(self._time) or ""


@dataclass
class _Connection:
    """Returns a state as if it had just been received."""

    follower: Follower
    state: Any = None
    logins: int = 1
    ended: str = ""
    shown: Any = None
    is_live: bool = True
    local_port: int = 0

    def Continue(self, event: Moment) -> list[Any]:
        return [step.state] if (step := self.follower.receive(self.state, event.ms)).state else []

    def Acknowledge(self, held: object, wanted: object) -> bool:
        return True

    def CloseClean(self) -> None:
        pass


class _Copier:
    """A copier that has copied the provider's first state."""

    def __init__(self, stack: ExitStack, provider: _Provider) -> None:
        folder = stack.enter_context(TemporaryDirectory())
        self.terminal, self._chart = _terminal(stack)
        memory = MemoryFile(Path(folder) / "copier.sqlite", owner=True)
        follower = Follower(NamedStore(memory, "follower"))
        self._connection = _Connection(follower)
        self._copier = AccountCopier(
            cast("SecureConnection", self._connection),
            memory,
            AccountOptions(join=NOW, maxdeviation=Decimal(0)),
            AccountTargets(Rules()),
            Trading(Limits(), dry=False, loss=lambda: ""),
        )
        stack.callback(self._copier.CloseClean)
        follower.connected(0)
        follower.login(Login(1, "benchmark", token="benchmark"), 0)
        newest = provider.subscription.newest_seq
        stream = json.loads(provider.first)["stream"]
        follower.receive(Welcome("benchmark", AccountKind("USD", True), stream, newest, 1), 0)
        self.decide(provider.first)
        self.deals = len(_SYMBOLS)

    def decide(self, text: str) -> None:
        self._connection.state = decode_from_server(text)
        with running(self._chart, "OnSocket"):
            self._copier.Continue(Moment(0, 0), timer=False)


def _timed(prepare: Callable[[], Any], work: Callable[[Any], object]) -> Variant:
    def variant(number: int) -> list[float]:
        times = []
        for _ in range(number):
            given = prepare()
            start = perf_counter_ns()
            work(given)
            times.append(float(perf_counter_ns() - start))
        return times

    return variant


@contextmanager
def publishing() -> Iterator[Variants]:
    with ExitStack() as stack:
        provider = _Provider(stack)
        whole = json.loads(provider.first)
        yield {
            "winsock": _timed(provider.trade, lambda _: provider.publish()),
            "json": _timed(lambda: whole, json.dumps),
        }


@contextmanager
def deciding() -> Iterator[Variants]:
    with ExitStack() as stack:
        provider = _Provider(stack)
        copier = _Copier(stack, provider)

        def state() -> str:
            provider.trade()
            return provider.publish()

        yield {
            "winsock": _timed(state, copier.decide),
            "json": _timed(lambda: provider.first, json.loads),
        }
        held = sum(position.volume for position in copier.terminal.account.positions())
        assert held == sum(position.volume for position in provider.terminal.account.positions())

"""What holds for a copier at a broker in every history of kills, restarts, and messages that are late or repeated."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count

from broker_states_kit import MemoryStore
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.copier.broker_states import BrokerStates
from demos.provider import broker_publishing
from demos.provider.accounts import AccountState, Holding
from demos.provider.broker_messages import Answer, AskProvider, Gone, Summary, decode
from demos.provider.broker_publishing import Publication
from demos.provider.following import STALE_HEARTBEATS, Follower
from demos.provider.memory import RUN_LENGTH
from demos.provider.messages import Resync
from demos.provider.steps import STOPPING, Kind, Status, Step
from demos.provider.streams import HEARTBEAT_MS

UTC = 1_700_000_000_000
TICK_MS = 250
# The longest delay of a message, and of a last will.
LATEST_MS = 20_000
LATEST_WILL_MS = 15_000
# The documented time: from the last message of a provider to the end of its state.
SILENT_MS = STALE_HEARTBEATS * HEARTBEAT_MS


def account(lots: int) -> AccountState:
    """Two symbols whose lots belong together, or none."""
    symbols = ("A", "B") if lots else ()
    holdings = [Holding(each, Decimal(lots), Decimal("1.1"), Decimal(100_000)) for each in symbols]
    return AccountState("USD", False, Decimal(1000), Decimal(1000), tuple(holdings))


class Provider:
    """One run. ``ended``: when its process has ended."""

    def __init__(self, lots: int, time: int) -> None:
        self.made = broker_publishing.BrokerStates("provider", account(lots), time)
        self.ended: int | None = None
        self.is_connected = True


class World:
    """A copier, a broker, and one run of a provider after the other. ``now`` is the time of all of them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.is_reliable = False
        self.now = 0
        self.order = count()
        self.plans: list[tuple[int, int, Callable[[], None]]] = []
        self.retained: dict[str, tuple[Publication, int]] = {}
        self.providers: list[Provider] = []
        self.lots = 0
        self.truth: dict[tuple[str, int], int] = {}
        self.written: dict[tuple[str, str], int] = {}
        # The wills that the copier has received: the run, and when the broker has published it.
        self.wills: list[tuple[str, int]] = []
        self.passed: list[tuple[int, int]] = []
        self.alarms: list[Kind] = []
        self.connection = 0
        self.nonces = count(1)
        self.store = MemoryStore()
        self.begin()
        self.connect()

    # ---- time and delivery

    def plan(self, delay: int, action: Callable[[], None]) -> None:
        heappush(self.plans, (self.now + delay, next(self.order), action))

    def delay(self) -> int:
        if self.is_reliable or self.chance.random() < 0.6:
            return self.chance.randrange(300)
        return self.chance.randrange(LATEST_MS)

    def deliver(self, publication: Publication, published: int, *, retained: bool = False) -> None:
        """Deliver a message to the present connection of the copier, once or twice."""
        connection = self.connection
        times = 1 if self.is_reliable else self.chance.choice([1, 1, 2, 3])
        for _ in range(times):
            self.plan(self.delay(), lambda: self.hear(publication, published, connection, retained=retained))

    def publish(self, publications: list[Publication]) -> None:
        for each in publications:
            if each.retain and each.payload:
                self.retained[each.topic] = (each, self.now)
            elif each.retain:
                self.retained.pop(each.topic, None)
            if each.topic == "summary":
                summary = decode("p", "p/summary", each.payload).message
                assert isinstance(summary, Summary)
                self.truth.setdefault((summary.stream, summary.seq), self.lots)
            self.deliver(each, self.now)

    def wait(self, ms: int) -> None:
        end = self.now + ms
        while self.now < end:
            self.now += TICK_MS
            while self.plans and self.plans[0][0] <= self.now:
                heappop(self.plans)[2]()
            for each in self.providers[-1:]:
                if each.ended is None and each.is_connected:
                    self.publish(each.made.next(UTC + self.now))
            self.follow(self.states.check(self.now))
            self.check()

    # ---- the copier

    def begin(self) -> None:
        """The copier starts, with what it has stored."""
        self.follower = Follower(self.store)
        self.states = BrokerStates(self.follower, lambda: f"{next(self.nonces):032x}")

    def restart(self) -> None:
        """The copier is killed, and started again."""
        self.begin()
        self.reconnect()

    def connect(self) -> None:
        self.connection += 1
        self.states.connected(self.now)
        for publication, published in list(self.retained.values()):
            self.deliver(publication, published, retained=True)
        self.ask()

    def reconnect(self) -> None:
        self.connection += 1
        self.states.disconnected()
        self.plan(1000, self.connect)

    def hear(self, publication: Publication, published: int, connection: int, *, retained: bool) -> None:
        if connection != self.connection or not publication.payload:
            return
        message = decode("p", f"p/{publication.topic}", publication.payload).message
        if isinstance(message, Gone) and not retained:
            self.wills.append((message.stream, published))
        self.follow(self.states.receive(message, self.now, retained=retained))

    def follow(self, steps: list[Step]) -> None:
        for step in steps:
            self.alarms += [each.kind for each in step.alarms]
            if step.state is not None:
                self.take(step)
            if Resync() in step.send:
                stored = [each for topic, each in self.retained.items() if topic != "status"]
                for publication, published in stored:
                    self.deliver(publication, published, retained=True)
            if step.disconnect:
                self.reconnect()
        self.ask()

    def take(self, step: Step) -> None:
        """Nothing is older than what was passed on before, and it is a whole state of the provider."""
        state = step.state
        assert state is not None
        runs = [each.made.run for each in self.providers]
        place = (runs.index(state.stream[:RUN_LENGTH]), state.seq)
        assert not self.passed or place >= self.passed[-1]
        self.passed.append(place)
        lots = self.truth[state.stream, state.seq]
        assert {each.symbol: each.lots for each in state.positions} == (dict.fromkeys("AB", lots) if lots else {})

    def ask(self) -> None:
        question = self.states.take_question()
        if question is not None:
            self.plan(self.chance.randrange(100 if self.is_reliable else 2000), lambda: self.answer(question))

    def check(self) -> None:
        """A state that counts as live is that of a provider which lives, within the limits."""
        if self.follower.status is not Status.LIVE:
            return
        answer = self.states.answer
        assert answer is not None
        run = answer.stream[:RUN_LENGTH]
        [provider] = [each for each in self.providers if each.made.run == run]
        written = self.written[answer.nonce, answer.stream]
        assert not [published for each, published in self.wills if each == run and published > written]
        assert provider.ended is None or self.now <= provider.ended + LATEST_MS + SILENT_MS + TICK_MS

    # ---- the provider

    def answer(self, question: AskProvider) -> None:
        for provider in self.providers[-1:]:
            if provider.ended is None and provider.is_connected:
                publication = provider.made.answer("copier-1", question, UTC + self.now)
                message = decode("p", f"p/{publication.topic}", publication.payload).message
                assert isinstance(message, Answer)
                self.written[message.nonce, message.stream] = self.now
                self.publish([publication])

    def start(self) -> None:
        """A new run, if there is none."""
        if not self.providers or self.providers[-1].ended is not None:
            self.providers.append(Provider(self.lots, UTC + self.now))
            self.publish(self.providers[-1].made.all(UTC + self.now))

    def end(self, will: bool) -> None:
        for each in self.providers[-1:]:
            if each.ended is None:
                each.ended = self.now
                if will:
                    self.plan_will(each)

    def plan_will(self, provider: Provider) -> None:
        """The broker publishes the will; a provider that lives replaces it."""

        def publish_will() -> None:
            if provider is not self.providers[-1] or (provider.ended is None and self.is_reliable):
                return
            self.publish([provider.made.will()])
            if provider.ended is None:
                self.plan(1000, lambda: self.return_of(provider))

        self.plan(self.chance.randrange(LATEST_WILL_MS), publish_will)

    def lose_connection(self) -> None:
        """The provider's connection is lost for some seconds."""
        for each in self.providers[-1:]:
            each.is_connected = False
            self.plan_will(each)
            self.plan(self.chance.randrange(1000, 10_000), lambda provider=each: self.return_of(provider))

    def return_of(self, provider: Provider) -> None:
        if provider.ended is None:
            provider.is_connected = True
            self.publish(provider.made.all(UTC + self.now))

    def trade(self, lots: int) -> None:
        for each in self.providers[-1:]:
            if each.ended is None:
                self.lots = lots
                each.made.observe(account(lots), UTC + self.now)
                if each.is_connected:
                    self.publish(each.made.next(UTC + self.now))


_steps = st.one_of(
    st.tuples(st.just("trade"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([250, 1000, 6000, 16_000])),
    st.tuples(st.just("end"), st.booleans()),
    st.tuples(st.just("start")),
    st.tuples(st.just("lose_connection")),
    st.tuples(st.just("reconnect")),
    st.tuples(st.just("restart")),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_steps, max_size=25), st.integers(0, 2**32))
def test_only_whole_states_in_their_order_of_a_provider_that_lives_are_passed_on(steps, seed):
    world = World(random.Random(seed))
    world.start()
    world.wait(3000)
    for kind, *values in steps:
        getattr(world, kind)(*values)
        world.wait(TICK_MS)
    world.end(will=True)
    world.wait(LATEST_WILL_MS + LATEST_MS + SILENT_MS + 1000)
    assert world.follower.status is not Status.LIVE
    # When all delays are over, a provider is followed again.
    world.is_reliable = True
    world.start()
    world.wait(10_000)
    world.trade(7)
    world.wait(10_000)
    assert world.follower.status is Status.LIVE
    assert world.passed[-1][0] == len(world.providers) - 1
    assert {str(each.lots) for each in world.follower.state.positions} == {"7"}
    assert not STOPPING & set(world.alarms)

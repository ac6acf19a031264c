"""A relay: which states and heartbeats it passes on, with which times, and when it passes on nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from provider_kit import HEARTBEAT_MS, KEY, START, MemoryStore, Network, account, holding

from demos.provider.accounts import View
from demos.provider.fields import LARGEST_INTEGER
from demos.provider.following import Follower
from demos.provider.messages import Heartbeat, Login, Snapshot, Update, Welcome
from demos.provider.protocol import decode_from_server
from demos.provider.publication import MOST_STREAMS, PAUSE_MS, STREAMS_MS, Intake, Publication
from demos.provider.publishing import Publisher
from demos.provider.rights import Rights, User
from demos.provider.session import Ending
from demos.provider.steps import Kind, Status
from demos.provider.streams import Streams, Subscription
from demos.provider.topic_source import TopicSource
from demos.provider.topics import Topic

LONG = holding("EURUSD", "0.1")
HIDDEN = holding("GOLD", "1")
ANNA = User(1, "anna", "", 1, Rights(), disabled=False, created=0.0)


class Tree:
    """A provider, a relay that follows it, and what the relay's owner was asked to do."""

    def __init__(self) -> None:
        self.network = Network(account(LONG))
        self.published = 0
        self.endings: list[Ending] = []
        self.topic = Topic("main", "0" * 32)
        # The relay's clock has nothing to do with the provider's.
        self.source = TopicSource(
            self.topic, self.network.follower, KEY, lambda: self.network.now, self.publish, self.end_sessions
        )
        self.network.connect()
        self.pass_on()

    def publish(self, topic: Topic) -> None:
        self.published += 1

    def end_sessions(self, topic: Topic, ending: Ending) -> None:
        self.endings.append(ending)

    def pass_on(self) -> None:
        """Deliver what the provider has sent, and pass it on."""
        network = self.network
        network.settle()
        states = list(network.returned)
        network.returned.clear()
        self.source.update(states)

    def advance(self, milliseconds: int, step: int = 1000) -> None:
        for _ in range(0, milliseconds, step):
            self.network.advance(step)
            self.pass_on()

    def trade(self, *holdings: object) -> None:
        self.network.trade(account(*holdings))  # type: ignore[arg-type]
        self.pass_on()

    def subscribe(self, view: View | None = None) -> Subscription:
        streams = self.topic.admit(ANNA)
        assert isinstance(streams, Streams), streams
        return streams.subscribe(view or View(), 0)


def drain(subscription: Subscription) -> list[str]:
    """All messages that there are to send now."""
    found = []
    while (text := subscription.next_message(0)) is not None:
        found.append(text)
    return found


def kinds(texts: list[str]) -> list[str]:
    return [decode_from_server(text).type for text in texts]


def test_a_heartbeat_is_passed_on_once_with_the_providers_time_and_none_is_made():
    tree = Tree()
    subscription = tree.subscribe()
    assert kinds(drain(subscription)) == ["snapshot"]
    tree.advance(HEARTBEAT_MS)
    [text] = drain(subscription)
    beat = decode_from_server(text)
    assert isinstance(beat, Heartbeat)
    assert START < beat.time <= tree.network.server_time
    # The source is silent: time alone makes no heartbeat.
    tree.network.now += 3 * HEARTBEAT_MS
    assert drain(subscription) == []


def test_a_relay_asks_for_heartbeats_between_states():
    publisher = Publisher(account(LONG), START, KEY, HEARTBEAT_MS)
    steady = publisher.subscribe(View(), START, steady=True)
    other = publisher.subscribe(View(), START)
    counts = {steady: 0, other: 0}
    for second in range(20):
        publisher.observe(account(holding("EURUSD", f"0.{second + 1}")), START + second * 1000)
        for subscription in counts:
            while (text := subscription.next_message(START + second * 1000)) is not None:
                counts[subscription] += decode_from_server(text).type == "heartbeat"
    assert counts == {steady: 3, other: 0}


@pytest.mark.parametrize("trades", [(), (3,), (1, 2, 7, 8, 9)])
def test_a_restricted_view_of_a_relay_gets_the_same_messages_whatever_happens_in_hidden_symbols(trades):
    tree = Tree()
    # The provider sends heartbeats at a steady pace.
    assert tree.network.subscription is not None
    tree.network.subscription._steady = True
    subscription = tree.subscribe(View(frozenset({"EURUSD"}), figures=False))
    drain(subscription)
    sent: list[tuple[int, str, int]] = []
    for second in range(12):
        if second in trades:
            tree.trade(LONG, holding("GOLD", str(second + 1)))
        tree.advance(1000)
        for message in map(decode_from_server, drain(subscription)):
            assert isinstance(message, Heartbeat)
            sent.append((second, message.type, message.time - START))
    assert sent == [(4, "heartbeat", 5000), (9, "heartbeat", 10_000)]


def test_the_first_state_of_a_new_view_does_not_show_when_a_hidden_symbol_was_traded():
    times = set()
    for trades in ((), (6200,), (5700, 6900)):
        tree = Tree()
        assert tree.network.subscription is not None
        tree.network.subscription._steady = True
        for at in range(100, 7100, 100):
            tree.advance(100, 100)
            if at in trades:
                tree.trade(LONG, holding("GOLD", str(at)))
        subscription = tree.subscribe(View(frozenset({"EURUSD"}), figures=False))
        welcome, state = map(decode_from_server, (subscription.welcome("anna", 0), drain(subscription)[0]))
        assert isinstance(welcome, Welcome)
        assert isinstance(state, Snapshot)
        times.add((welcome.time, welcome.confirmed, state.time))
    assert times == {(START + 7000, START + 5000, START + 5000)}


@pytest.mark.parametrize("delay", [0, 40, 900])
def test_ages_behind_a_relay_are_upper_bounds_from_end_to_end(delay):
    tree = Tree()
    tree.trade(LONG, holding("GOLD", "2"))
    changed_at = tree.network.server_time
    tree.advance(7000)
    # The leaf's clock has its own zero. Its login and its answer take a time each.
    leaf, offset = Follower(MemoryStore()), 123_456
    leaf.connected(tree.network.now + offset)
    leaf.login(Login(1, "anna", token="t"), tree.network.now + offset)
    tree.advance(delay, step=max(delay, 1))
    subscription = tree.subscribe()
    texts = [subscription.welcome("anna", 0), *drain(subscription)]
    tree.advance(delay, step=max(delay, 1))
    for text in texts:
        leaf.receive(decode_from_server(text), tree.network.now + offset)
    assert leaf.status is Status.LIVE
    assert leaf.state is not None
    gold = leaf.state.positions[1]
    age = leaf.position_age(gold, tree.network.now + offset)
    assert age is not None
    true_age = tree.network.server_time - changed_at
    assert true_age <= age <= true_age + 2 * delay + 1
    confirmed = leaf.confirmed_age(tree.network.now + offset)
    assert confirmed is not None
    # The provider's last heartbeat, not the relay's welcome, confirms the state.
    assert confirmed >= 2000 + 2 * delay


def test_a_subscriber_that_logs_in_while_the_provider_is_silent_notices_it_when_the_relay_does():
    tree = Tree()
    tree.advance(HEARTBEAT_MS)
    heard = tree.network.now
    # The provider is frozen; the relay has not noticed it yet.
    tree.network.now += 3 * HEARTBEAT_MS - 1000
    leaf = Follower(MemoryStore())
    leaf.connected(tree.network.now)
    leaf.login(Login(1, "anna", token="t"), tree.network.now)
    streams = tree.topic.streams
    assert streams is not None
    subscription = tree.subscribe()
    for text in (streams.hello("proxy", 0), subscription.welcome("anna", 0), *drain(subscription)):
        leaf.receive(decode_from_server(text), tree.network.now)
    assert leaf.status is Status.LIVE
    assert not leaf.check(heard + 3 * HEARTBEAT_MS).alarms
    for follower in (leaf, tree.network.follower):
        assert [each.kind for each in follower.check(heard + 3 * HEARTBEAT_MS + 1).alarms] == [Kind.STALE]


def test_a_source_with_the_largest_possible_time_causes_no_message_that_the_protocol_forbids():
    tree = Tree()
    tree.network.disconnect()
    tree.network.server_time = LARGEST_INTEGER
    tree.network.restart_provider()
    tree.network.connect()
    tree.pass_on()
    tree.network.now += 60_000
    streams = tree.topic.streams
    assert streams is not None
    subscription = tree.subscribe()
    for text in (streams.hello("proxy", 0), subscription.welcome("anna", 0), *drain(subscription)):
        assert getattr(decode_from_server(text), "time") == LARGEST_INTEGER  # noqa: B009 - not each message has one


def test_without_a_connection_nothing_is_passed_on_and_logins_are_refused():
    tree = Tree()
    subscription = tree.subscribe()
    drain(subscription)
    tree.network.disconnect()
    tree.source.update([])
    assert tree.topic.suspended
    refusal = tree.topic.admit(ANNA)
    assert refusal == Ending("unavailable", "the topic has no current state: its source is not connected")
    # The same stream goes on after a new connection: nobody has to log in again.
    tree.network.connect()
    tree.pass_on()
    assert not tree.topic.suspended
    assert tree.endings == []
    tree.trade(LONG, HIDDEN)
    assert "update" in kinds(drain(subscription))


def test_a_new_stream_of_the_source_is_a_new_stream_of_the_topic():
    tree = Tree()
    before = tree.topic.streams
    assert before is not None
    tree.advance(1000)
    tree.network.restart_provider()
    tree.network.heal(2)
    tree.pass_on()
    after = tree.topic.streams
    assert after is not None
    assert after is not before
    assert after.run != before.run
    assert [ending.code for ending in tree.endings] == ["closing"]


def test_a_source_that_was_set_back_stops_the_topic():
    tree = Tree()
    saved = tree.network.backup()
    tree.trade(LONG, HIDDEN)
    tree.advance(1000)
    tree.network.restore(saved)
    tree.network.connect()
    tree.network.settle()
    tree.source.update([])
    assert [alarm.kind for alarm in tree.network.alarms] == [Kind.FALL]
    assert tree.topic.suspended
    assert tree.source.problem == "an alarm has stopped it"
    assert isinstance(tree.topic.admit(ANNA), Ending)


def test_a_slow_subscriber_of_a_relay_loses_old_states_and_never_the_newest():
    tree = Tree()
    subscription = tree.subscribe()
    first = decode_from_server(drain(subscription)[0])
    assert isinstance(first, Snapshot)
    for number in range(200):
        tree.trade(holding("EURUSD", f"{number + 1}"))
    message = decode_from_server(drain(subscription)[0])
    assert isinstance(message, (Snapshot, Update))
    assert message.positions[0].lots == Decimal(200)


def test_a_topic_without_a_state_refuses_logins():
    refusal = Topic("main", "0" * 32).admit(ANNA)
    assert isinstance(refusal, Ending)
    assert refusal.code == "unavailable"


def test_a_welcome_of_a_relay_says_when_the_state_was_confirmed():
    tree = Tree()
    tree.advance(7000)
    welcome = decode_from_server(tree.subscribe().welcome("anna", 0))
    assert isinstance(welcome, Welcome)
    assert welcome.confirmed is not None
    assert welcome.confirmed < welcome.time <= tree.network.server_time


@pytest.mark.parametrize("view", [View(), View(frozenset({"EURUSD"}), figures=False), View(frozenset())])
@pytest.mark.parametrize("subscribed", [False, True])
def test_a_state_is_not_confirmed_for_a_time_before_it_began(view, subscribed):
    tree = Tree()
    if subscribed:
        drain(tree.subscribe(view))
    tree.advance(7000)
    tree.trade(holding("EURUSD", "0.2"))
    subscription = tree.subscribe(view)
    welcome, state = map(decode_from_server, (subscription.welcome("anna", 0), drain(subscription)[0]))
    assert isinstance(welcome, Welcome)
    assert isinstance(state, Snapshot)
    began = START + 5000 if view == View(frozenset()) else START + 7000
    assert welcome.confirmed == began
    assert state.time == (START if subscribed and view == View(frozenset()) else began)


def test_a_user_follows_only_the_topics_of_its_right():
    tree = Tree()
    for topics, admitted in ((None, True), (("main", "x"), True), (("other",), False)):
        streams = tree.topic.admit(replace(ANNA, rights=Rights(topics=topics)))
        assert isinstance(streams, Streams) is admitted
        if not admitted:
            assert streams == Ending("denied", "the login anna may not follow the topic main")
    # The only topic of a provider has no name, and no right of its own.
    assert Rights(topics=("main",)).may_follow("")


class Unbound:
    """A Binding of a topic that nothing has fed."""

    source = bound = ""


def test_a_stream_too_many_pauses_the_publishers_of_the_topic_and_old_ones_are_forgotten():
    tree = Tree()
    intake = Intake(tree.source, Unbound(), lambda: START)
    for number in range(MOST_STREAMS):
        assert intake.begin(f"stream {number}") is None
        # A connection that goes on with the present stream does not count.
        assert tree.source.relay is not None
        assert intake.begin(tree.source.relay.source) is None
    refusals = [intake.begin("another"), intake.claim("maria")]
    assert [each and isinstance(each, Ending) and each.code for each in refusals] == ["busy", "busy"]
    tree.network.now += PAUSE_MS
    assert isinstance(intake.claim("maria"), Publication)
    assert intake.begin("another") is not None
    tree.network.now += STREAMS_MS
    assert intake.begin("another") is None

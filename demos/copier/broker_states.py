"""From a broker's messages to those of the follower: whole states, and proofs that the provider lives. No sockets.

A broker delivers what it has stored, perhaps from a provider that does not exist any more, and it may repeat and
reorder messages. So nothing follows from a stored message alone:

- After each connect the copier asks. The answer repeats a random number: so it was written after the question, by a
  provider that lives. It becomes the follower's welcome, and bounds the ages of all states. Until then the follower
  gets nothing. It gets the welcome SETTLE_MS later: if two runs answer one question, two providers publish here, and
  the follower stops.
- Messages of symbols and summaries are kept by stream, whichever arrives first. A state is complete when the message of
  each symbol in the newest summary has the seq that the summary states. Only complete states are passed on: parts of
  two states are never mixed. If a part is missing, the follower asks for a resync, and the broker sends again what it
  has stored.
- The hello of another run, or anything that another run has sent just now, is a reason to ask again.
- When the broker says that the provider is gone, the follower is disconnected until a provider answers a new question.
- A question counts until its first reason to doubt the answer, and for ASK_MS. The answer to an earlier question may be
  delivered late, or a second time: it proves nothing any more. The same is true of a heartbeat from before the answer.

Bounds: the messages of MOST_STREAMS streams, and for each of them twice as many symbols and positions as a state may
have. What exceeds them is ignored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from demos.provider.broker_messages import Answer, AskProvider, BrokerMessage, Gone, Summary, SymbolState
from demos.provider.following import Follower
from demos.provider.memory import RUN_LENGTH
from demos.provider.messages import VERSION, Heartbeat, Hello, Snapshot, Welcome
from demos.provider.protocol import MOST_POSITIONS, MessageError
from demos.provider.states import in_order
from demos.provider.steps import Kind, Step

MOST_STREAMS = 3
MOST_KEPT = 2 * MOST_POSITIONS

# From the first answer to the welcome.
SETTLE_MS = 500
# A question without an answer is repeated after this time; while the provider is gone, after the second one. A later
# answer does not count.
ASK_MS = 5000
GONE_MS = 60_000
# The shortest time between two questions because of a status, and because of other messages of another run.
HELLO_MS = 1000
RIVAL_MS = 15_000


@dataclass
class _Stream:
    """What was received of a stream, and whether the state of its summary was passed on."""

    summary: Summary | None = None
    symbols: dict[str, SymbolState] = field(default_factory=dict)
    positions: int = 0
    is_passed: bool = False

    def put(self, message: SymbolState) -> bool:
        """Keep a message; False when there is no room. Symbols that are flat make room for others."""
        known = self.symbols.get(message.symbol)
        if known is None and len(self.symbols) >= MOST_KEPT:
            self.symbols = {symbol: each for symbol, each in self.symbols.items() if each.positions}
        positions = self.positions + len(message.positions) - (len(known.positions) if known else 0)
        if (known is None and len(self.symbols) >= MOST_KEPT) or positions > MOST_KEPT:
            return False
        self.symbols[message.symbol], self.positions = message, positions
        return True

    def put_summary(self, summary: Summary) -> None:
        """Keep a newer summary, and of the symbols only those that it or a later one may name."""
        self.summary, self.is_passed = summary, False
        kept = [each for each in self.symbols.values() if each.symbol in summary.symbols or each.seq > summary.seq]
        self.symbols = {each.symbol: each for each in kept}
        self.positions = sum(len(each.positions) for each in kept)

    def state(self) -> Snapshot | None:
        """The state of the summary, if it is complete. Errors: MessageError when no state can have its positions."""
        summary = self.summary
        if summary is None:
            return None
        parts = [self.symbols.get(symbol) for symbol in summary.symbols]
        known = [each for each in parts if each is not None and each.seq == summary.symbols[each.symbol]]
        if len(known) < len(parts):
            return None
        positions = in_order(position for each in known for position in each.positions)
        if len(positions) > MOST_POSITIONS:
            raise MessageError("malformed", f"more than {MOST_POSITIONS} positions: {len(positions)}")
        return Snapshot(summary.stream, summary.seq, summary.time, summary.account, positions)


class BrokerStates:
    """See the head of this module. ``now`` is our clock in milliseconds, which is never set.

    receive() and check() return the steps of the follower. ``question``: what to publish now, or None; the caller takes
    it with take_question(). ``gone``: whether the provider is gone. ``answer``: the provider that is followed.
    """

    def __init__(self, follower: Follower, new_nonce: Callable[[], str]) -> None:
        self.answer: Answer | None = None
        self.gone = False
        self._follower = follower
        self._new_nonce = new_nonce
        self._streams: OrderedDict[str, _Stream] = OrderedDict()
        self._begin()

    def _begin(self) -> None:
        self._question: AskProvider | None = None
        self._nonce = ""
        self._asked_at = self._rival_at = 0
        self._asks_again = False
        # The first answer, and when it arrived. It is followed after SETTLE_MS.
        self._first: tuple[Answer, int] | None = None

    # ---- the connection to the broker

    def connected(self, now: int) -> None:
        """The broker has accepted the subscription."""
        self.gone = False
        self._streams.clear()
        self._begin()
        self._ask(now)

    def disconnected(self) -> None:
        """The connection to the broker has ended: nothing that was received counts any more."""
        self.answer = None
        self._streams.clear()
        self._begin()
        self._follower.disconnected()

    @property
    def is_answered(self) -> bool:
        """Whether a provider has answered the last question."""
        return self._first is not None

    @property
    def lacks_symbols(self) -> bool:
        """Whether the followed stream has a summary, and the message of a symbol in it is missing."""
        stream = self._streams.get(self.answer.stream) if self.answer else None
        return stream is not None and stream.summary is not None and not stream.is_passed

    def take_question(self) -> AskProvider | None:
        """The question to publish now, once."""
        question, self._question = self._question, None
        return question

    # ---- messages and times

    def receive(self, message: BrokerMessage, now: int, *, retained: bool) -> list[Step]:
        """What follows from a message; ``retained``: the broker had stored it before.

        Errors: MessageError when it is ignored.
        """
        if isinstance(message, Answer):
            return self._hear_answer(message, now)
        if isinstance(message, Hello):
            self._hear_hello(message, now, retained=retained)
            return []
        if isinstance(message, Gone):
            self._hear_gone(message, now, retained=retained)
            return []
        if isinstance(message, AskProvider):
            return []
        if self.answer is not None and message.stream != self.answer.stream and not retained:
            self._hear_rival(message.stream, now)
        if isinstance(message, Heartbeat):
            answer = self.answer
            is_new = answer is not None and message.stream == answer.stream and message.time > answer.time
            return [self._follower.receive(message, now)] if is_new else []
        return self._keep(message, now)

    def check(self, now: int) -> list[Step]:
        """What follows from the time: call it at every event."""
        steps: list[Step] = []
        first = None if self._asks_again or self.answer is not None else self._first
        if first is not None and now - first[1] >= SETTLE_MS:
            steps += self._follow(*first, now)
        waited = now - self._asked_at
        is_unanswered = self._first is None and waited >= (GONE_MS if self.gone else ASK_MS)
        if is_unanswered or (self._asks_again and waited >= HELLO_MS):
            self._ask(now)
        return [*steps, self._follower.check(now)]

    # ---- the provider

    def _ask(self, now: int) -> None:
        """Ask who publishes here: the follower begins again with the answer."""
        self.answer = None
        self._begin()
        self._nonce = self._new_nonce()
        self._asked_at = now
        self._question = AskProvider(VERSION, self._nonce)
        self._follower.disconnected()

    def _ask_again(self, now: int) -> None:
        """Ask as soon as that is possible: the answers to earlier questions do not count any more."""
        self.answer = self._first = self._question = None
        self._nonce = ""
        self._asks_again = True
        self._follower.disconnected()
        if now - self._asked_at >= HELLO_MS:
            self._ask(now)

    def _hear_answer(self, answer: Answer, now: int) -> list[Step]:
        if answer.nonce != self._nonce:
            return []
        if self._first is None:
            if now - self._asked_at > ASK_MS:
                return []
            self._first = (answer, now)
            self.gone = False
            return []
        first = self._first[0]
        if answer.stream == first.stream:
            return []
        runs = f"{first.server!r} with the run {_run(first)} and {answer.server!r} with the run {_run(answer)}"
        return [self._follower.stop(Kind.RIVALS, runs)]

    def _follow(self, answer: Answer, answered_at: int, now: int) -> list[Step]:
        """The only answer becomes the follower's hello and welcome, as of the time when it arrived."""
        self.answer = answer
        self._follower.connected(self._asked_at)
        self._follower.asked(self._asked_at)
        hello = Hello(VERSION, answer.server, _run(answer), answer.heartbeat_ms, answer.time)
        welcome = Welcome(answer.server, answer.account, answer.stream, answer.seq, answer.time)
        steps = [self._follower.receive(each, answered_at) for each in (hello, welcome)]
        for each in self._streams.values():
            each.is_passed = False
        return [*steps, *self._pass(answer.stream, now)]

    def _hear_hello(self, hello: Hello, now: int, *, retained: bool) -> None:
        """A provider begins to publish, or says so again after a connection was lost."""
        known = self._first[0] if self._first else None
        if retained or (known is not None and _run(known) == hello.stream):
            return
        self._ask_again(now)

    def _hear_gone(self, gone: Gone, now: int, *, retained: bool) -> None:
        """A provider publishes no more. What the broker has stored is older than the question and its answers."""
        known = self._first[0] if self._first else None
        if known is not None and (retained or _run(known) != gone.stream):
            return
        self.gone = True
        if not retained:
            self._ask_again(now)

    def _hear_rival(self, stream: str, now: int) -> None:
        """Another run has sent something just now."""
        if now - max(self._rival_at, self._asked_at) < RIVAL_MS:
            return
        self._ask(now)
        self._rival_at = now

    # ---- states

    def _keep(self, message: SymbolState | Summary, now: int) -> list[Step]:
        """Keep the newest message of a symbol, or the newest summary."""
        stream = self._stream(message.stream)
        known = stream.summary if isinstance(message, Summary) else stream.symbols.get(message.symbol)
        if known is not None and message.seq <= known.seq:
            return self._repeated(message, known, now)
        if isinstance(message, Summary):
            stream.put_summary(message)
        elif not stream.put(message):
            raise MessageError("too-large", f"more symbols or positions than a state may have: {message.symbol!r}")
        return self._pass(message.stream, now)

    def _repeated(self, message: SymbolState | Summary, known: SymbolState | Summary, now: int) -> list[Step]:
        """A message with a known number, or a lower one: late, repeated, or a proof that the provider was set back."""
        if self.answer is None or message.stream != self.answer.stream or message == known:
            return []
        if message.seq == known.seq:
            text = f"seq {message.seq} in stream {message.stream}"
            return [self._follower.stop(Kind.CONFLICT, f"two different messages have {text}")]
        return [self._follower.receive(Heartbeat(message.stream, message.seq, message.time), now)]

    def _pass(self, name: str, now: int) -> list[Step]:
        """Pass the state of the followed stream on, if it is complete; otherwise say that there is a newer one."""
        stream = self._streams.get(name)
        if self.answer is None or name != self.answer.stream or stream is None or stream.is_passed:
            return []
        summary = stream.summary
        if summary is None:
            return []
        state = stream.state()
        if state is None:
            return [self._follower.receive(Heartbeat(name, summary.seq, summary.time), now)]
        stream.is_passed = True
        return [self._follower.receive(state, now)]

    def _stream(self, name: str) -> _Stream:
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = _Stream()
            if len(self._streams) > MOST_STREAMS:
                followed = self.answer.stream if self.answer else ""
                del self._streams[next(each for each in self._streams if each != followed)]
        return found


def _run(answer: Answer) -> str:
    return answer.stream[:RUN_LENGTH]

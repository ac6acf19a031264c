"""Follows a provider's whole account: from its states to decisions, and from decisions to orders.

The connection returns states, the account rules turn each into a decision for each symbol, and the targets trade them:
at once when a state arrives, and again at each timer event while a target is not reached. What must not be forgotten is
in the memory file before it has an effect. One commit, before an order is sent, stores:

- the state that the follower has returned, so that no older one is followed after a kill,
- the rules' memory after the decision,
- the order, in the journal. After a kill an order without an answer may have been executed: its
  symbol's target is compared with the account again, after SURE_SECONDS. Every other symbol keeps the position that the
  copier knew, so a difference is the account owner's, and is not traded.

What is traded is always the difference between the target and the present position. So no state is traded twice.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from demos.copier.account_inputs import Trading
from demos.copier.account_memory import AccountMemory, OlderState, read_account_memory
from demos.copier.account_rules import FLATTENED, allowed_lots, decide, forget_times, resume
from demos.copier.account_targets import AccountTargets
from demos.copier.account_values import AccountOptions, Decision, provider_view
from demos.copier.decision_journal import DecisionJournal
from demos.copier.floods import EventLimit
from demos.copier.journal import Journal, StateMark
from demos.copier.local_names import LocalNames
from demos.copier.memory_file import RESUME, MemoryFile
from demos.copier.moments import Moment
from demos.copier.order_journal import Arrival, Cause, OrderJournal, wall_ms
from demos.copier.own_account import read_account
from demos.copier.positions import AllPositions, SymbolLots
from demos.copier.provider_connection import ProviderConnection
from demos.copier.rejections import order_executed, order_rejected
from demos.copier.reminders import Reminders
from demos.copier.rules import lots_text, round_to_step
from demos.copier.stops import StopPlacer
from demos.copier.targets import SURE_SECONDS
from demos.copier.trading import Result, SymbolLimits, TradeTo
from demos.provider.messages import Snapshot
from demos.provider.steps import Status
from demos.terminal import TERMINAL_CONNECTED, Alert, Event, Print, TerminalInfoInteger

RULES, COPIED, FOLLOWER, STOPS, NAMES = "rules", "copied", "follower", "stops", "names"


class AccountCopier:
    """Copies an account; see the head of this module. Errors of Start and Continue: StateError."""

    def __init__(
        self,
        connection: ProviderConnection,
        memory: MemoryFile,
        options: AccountOptions,
        targets: AccountTargets,
        trading: Trading,
    ) -> None:
        self.connection = connection
        self.targets = targets
        self.decisions: dict[str, Decision] = {}
        self._file = memory
        self._options = options
        self._trading = trading
        self._journal = Journal(memory)
        self._orders = OrderJournal(self._journal)
        self._decided = DecisionJournal(self._journal)
        self._rules = read_account_memory(memory.value(RULES))
        self._stored_stops = memory.value(STOPS) or {}
        self._stops = StopPlacer(self._stored_stops)
        # Why the stop loss of a symbol was not placed, without numbers.
        self._stop_kinds: set[tuple[str, str]] = set()
        self._reminders = Reminders()
        self._received = EventLimit()
        self._event = Moment(0)
        self._live_at = 0
        self._knows = True
        self._refused = ""
        self._stored_names = memory.value(NAMES) or {}
        self._names = LocalNames(targets, self._stored_names)
        # The symbols that the terminal does not have: the provider's lots, and the decisions.
        self._absent: dict[str, tuple[Decimal, Decision]] = {}
        # What was stored, acknowledged, requested and recorded last.
        self._stored: tuple[AccountMemory, dict[str, Any]] = (self._rules, {})
        self._acknowledged: tuple[object, ...] = ()
        self._file_version = -1
        # The symbols that a killed process may have traded, and when that is certain.
        self._uncertain: set[str] = set()
        self._certain_at = 0

    def Start(self, event: Moment) -> None:
        """Continue where the process before this one ended.

        Errors: ValueError when the memory is damaged.
        """
        self._event, self._live_at = event, event.ms
        for symbol in self._rules.symbols:
            self._names.find(symbol)
        with self._file.joined():
            copied = self._file.value(COPIED) or {}
            self._stored = (self._rules, dict(copied))
            self._uncertain = {local for local, _ in self._journal.unanswered()}
            for local in sorted(self._uncertain):
                Alert(f"{local}: an order may have been executed when the copier was killed: its position is compared")
                copied.pop(local, None)
            self.targets.load(copied, event)
            self.Store()
        self._certain_at = event.after(SURE_SECONDS)
        self._reminders.begin(self.Reasons(), event.ms)

    def Continue(self, event: Moment, *, timer: bool) -> None:
        """Do everything that follows from a timer event, or from a socket that is ready."""
        self._event = event
        with self._file.joined():
            copied = self.Copy(timer=timer)
        # What it acknowledges is stored.
        if copied:
            self.Acknowledge()

    def Copy(self, *, timer: bool) -> bool:
        """Receive states, decide and trade; whether there was anything to decide."""
        if timer:
            self.TakeRequests()
            self._reminders.check(self.Reasons(), self._event.ms)
        logins = self.connection.logins
        states = self.connection.Continue(self._event)
        if self.connection.logins != logins:
            self.targets.retry_now(self._event)
            self._names.look_again()
        for state in states:
            self.Received(state)
        if not (states or timer) or not self.MayDecide() or not self.KnowsPositions():
            return False
        before = AllPositions()
        self._names.report_left(before)
        self.CheckLimits()
        if not states:
            self.Decide(self.connection.follower.state, before)
        for state in states:
            self.Decide(state, before)
        exceeded = self.targets.exceeded
        self.Trade(before)
        if self.targets.exceeded != exceeded:
            # The decisions name the limit, and what only reduces a position still goes out.
            positions = AllPositions()
            self.Decide(self.connection.follower.state, positions)
            self.Trade(positions)
        self.Store()
        self._orders.write_answers()
        self.Record(states, before)
        return True

    def MayDecide(self) -> bool:
        """Whether this run has heard from the provider, or waits for it no more: before, what is stored may be old."""
        connection = self.connection
        waited = self._event.ms - self._live_at >= self._options.stale_ms
        return connection.follower.state is not None or bool(connection.ended) or waited

    def CheckLimits(self) -> None:
        """Note a kill-switch file and the day's loss, before anything is decided."""
        if killed := self._trading.limits.killfile_problem():
            self.targets.halt(killed)
        if loss := self._trading.loss():
            self.targets.stop_all(loss)

    def KnowsPositions(self) -> bool:
        """Whether the account's positions are the present ones; an order that follows from old ones would be wrong."""
        known = bool(TerminalInfoInteger(TERMINAL_CONNECTED))
        if known != self._knows:
            self._knows = known
            if known:
                Print("the account can be read again: copying continues")
            else:
                Alert("the terminal cannot read the account, or is not connected to the broker: nothing is traded")
        return known

    def CloseClean(self) -> None:
        """Close the connection and the memory."""
        self.connection.CloseClean()
        self._file.close()

    def Reasons(self) -> list[str]:
        """Why nothing is copied, or only reductions are."""
        rules, targets, stopped = self._rules, self.targets, self.connection.follower.stopped
        increases = list(filter(None, (stopped and f"an alarm ({stopped})", rules.stopped, rules.close_only)))
        found = [f"nothing increases before `python -m demos copier resume`: {each}" for each in increases]
        found += [f"{smb} is only reduced: {each}" for smb, each in targets.limits.items()]
        found += [f"positions are only reduced: {targets.limit}"] if targets.limit else []
        return found + ([f"no order is sent: {targets.stopped}"] if targets.stopped else [])

    # ---- from a state to decisions

    def Received(self, state: Snapshot) -> None:
        """Note when a state has arrived."""
        age = self.connection.follower.confirmed_age(self._event.ms)
        mark = StateMark(state.stream, state.seq, state.time)
        self._orders.arrival = Arrival(mark, self._event.ms, age)
        if self._received.allows(self._event.ms):
            Event("received", port=self.connection.local_port, stream=state.stream, number=state.seq)

    def Decide(self, state: Snapshot | None, positions: dict[str, Decimal]) -> None:
        """Set the targets of all symbols by the rules, after what must not be forgotten is stored."""
        if self.connection.is_live:
            self._live_at = self._event.ms
        for position in state.positions if state else ():
            self._names.find(position.symbol)
        self._absent = self._names.absent_decisions(state)
        currency = state.account.currency if state else ""
        own = read_account(self._names.names, positions, currency, self.targets.rules.suffix)
        connection, now = self.connection, self._event.ms
        view = provider_view(connection.follower, now, now - self._live_at, connection.ended, connection.shown)
        own, wall = self.targets.limited(own), wall_ms()
        if self._options.equity_floor:
            copied = self._names.symbols
            own = replace(own, others={smb: lots for smb, lots in positions.items() if smb not in copied})
        try:
            outcome = decide(self._options, replace(view, state=state), own, self._rules, wall)
        except OlderState as error:
            self.RefuseState(str(error))
            outcome = decide(self._options, replace(view, state=None, status=Status.STOPPED), own, self._rules, wall)
        self._rules = outcome.memory
        self.Store()
        for text in outcome.alarms:
            Alert(text)
            Event("alarm", name="rules", text=text)
        for symbol, decision in outcome.decisions.items():
            self.TakeDecision(symbol, decision)

    def RefuseState(self, problem: str) -> None:
        """Report once that the state is older than one that was acted on: nothing follows from it."""
        if problem != self._refused:
            self._refused = problem
            Alert(f"{problem}: nothing increases before `python -m demos copier resume`")
            Event("alarm", name="older-state", text=problem)

    def TakeDecision(self, symbol: str, decision: Decision) -> None:
        """Set a symbol's target; log a new rule or target."""
        before = self.decisions.get(symbol)
        self.decisions[symbol] = decision
        if before is None or (before.rule, before.lots) != (decision.rule, decision.lots):
            Print(f"{symbol}: {decision.text} ({decision.rule})")
        if decision.stop_problem and (symbol, decision.stop_kind) not in self._stop_kinds:
            self._stop_kinds.add((symbol, decision.stop_kind))
            Print(f"-{symbol}: the stop loss is not placed: {decision.stop_problem}")
        if decision.rule == FLATTENED:
            self.targets.flatten(decision.local, self._event)
        elif decision.lots is None:
            self.targets.forget(decision.local)
        else:
            self.targets.take_lots(decision.local, decision.lots, self._event)

    # ---- from decisions to orders

    def Trade(self, positions: dict[str, Decimal]) -> None:
        """Trade the targets that are due. What follows from that is stored afterwards, at once."""
        self.targets.check(positions, self._event)
        self.targets.run_due(self._event, self.SyncSymbolLot, AllPositions)
        if self._options.stops and not self.targets.stopped and self.connection.is_live:
            # The broker's answers may take time, and nothing may wait for the file meanwhile.
            self._file.commit()
            self.PlaceStops()

    def PlaceStops(self) -> None:
        """Give the positions the stop losses of the decisions, and store what was placed."""
        for symbol, decision in self.decisions.items():
            self._stops.place(decision, self._event.ms)
            if not decision.stop_problem and (problem := self._stops.problems.get(decision.local)):
                self.decisions[symbol] = replace(decision, stop_problem=problem)
        if (placed := self._stops.to_dict()) != self._stored_stops:
            self._file.put_values({STOPS: placed})
            self._stored_stops = placed

    def Store(self) -> None:
        """Store the rules' memory and the copied positions, if they have changed."""
        rules, copied = self._stored
        values: dict[str, dict[str, Any]] = {}
        if rules != self._rules:
            values[RULES] = self._rules.to_dict()
        if (present := self.targets.to_dict()) != copied:
            values[COPIED] = present
        if (names := self._names.to_dict()) != self._stored_names:
            values[NAMES] = self._stored_names = names
        if values:
            self._file.put_values(values)
            self._stored = (self._rules, present)

    def SyncSymbolLot(self, smb: str, nlot: Decimal) -> Result:
        """Trade toward the target as far as the rules allow now."""
        decision = self.decisions.get(self._names.symbols.get(smb, ""))
        limits = SymbolLimits(smb)
        if decision is None or limits is None or self.IsUncertain(smb):
            return Result(waits=True)
        held = SymbolLots(smb)
        allowed = allowed_lots(decision, held)
        if allowed == held != round_to_step(nlot, limits):
            return Result(waits=True)
        self._orders.begin(self.CauseOf(decision))
        result = TradeTo(smb, allowed, self._trading.dry, self._trading.limits, self._orders)
        self.CountAnswers(smb)
        if result.reached is not None and allowed != nlot:
            return result._replace(reached=None, waits=True)
        if result.reached == nlot and not self._trading.dry:
            Event("synced", symbol=smb, lots=lots_text(nlot))
        return result

    def IsUncertain(self, smb: str) -> bool:
        """Whether an order of a killed process may still be executed."""
        if self._uncertain and self._event.is_due(self._certain_at):
            self._uncertain.clear()
        return smb in self._uncertain

    def CauseOf(self, decision: Decision) -> Cause:
        """What the journal says about the orders of a decision."""
        followed = self._rules.symbols[decision.symbol]
        price = followed.average if followed.missed_price is None else followed.missed_price
        state = self.connection.follower.state
        times = [each.time for each in state.positions if each.symbol == decision.symbol] if state else []
        arrival, change_ms = self._orders.arrival, None
        if arrival and arrival.network_ms is not None and times and max(times):
            change_ms = max(0, arrival.state.time - max(times))
        return Cause(decision.symbol, decision.rule, price or None, change_ms)

    def CountAnswers(self, smb: str) -> None:
        """Count what the broker rejects: the rules pause a symbol."""
        for reduces in self._orders.rejected:
            self._rules = order_rejected(self._rules, smb, wall_ms(), reduces=reduces)
        if self._orders.executed and not self._orders.rejected:
            self._rules = order_executed(self._rules, smb)

    # ---- the journal, the provider, and the operator

    def Record(self, states: list[Snapshot], before: dict[str, Decimal]) -> None:
        """Record what became of each decision."""
        if arrival := self._orders.arrival:
            lots = {symbol: each.lots for symbol, each in self._rules.symbols.items()}
            lots |= {symbol: each for symbol, (each, _) in self._absent.items()}
            decisions = [*self.decisions.values(), *(decision for _, decision in self._absent.values())]
            positions = (before, AllPositions())
            self._decided.record(arrival.state, decisions, lots, positions, arrived=bool(states))

    def Acknowledge(self) -> None:
        """Tell the provider what the account holds and should hold, when that is news."""
        positions, state = AllPositions(), self.connection.follower.state
        held = {symbol: positions.get(each.local, Decimal(0)) for symbol, each in self.decisions.items()}
        held |= dict.fromkeys(self._absent, Decimal(0))
        decisions = {**self.decisions, **{symbol: decision for symbol, (_, decision) in self._absent.items()}}
        wanted = {symbol: each.lots for symbol, each in decisions.items() if each.lots is not None}
        news = (state and (state.stream, state.seq), held, wanted, self.connection.follower.status)
        if self.connection.is_live and news != self._acknowledged and self.connection.Acknowledge(held, wanted):
            self._acknowledged = news

    def TakeRequests(self) -> None:
        """Carry out what a command has requested."""
        version = self._file.data_version()
        if version == self._file_version:
            return
        self._file_version = version
        for number, kind in self._file.requests():
            if kind == RESUME:
                self.Resume()
            self._file.remove_requests(number)

    def Resume(self) -> None:
        """The operator lets the copier continue after an alarm."""
        Print("the operator resumes: the alarms and pauses end")
        follower = self.connection.follower
        # Without a state of this run the provider's clock may have been set back, which is not known yet.
        if follower.stopped or follower.waits or follower.state is None:
            self.connection.Resume()
            self._rules = forget_times(self._rules)
        self._refused = ""
        self._rules = replace(resume(self._rules), rejections={})
        self.Store()

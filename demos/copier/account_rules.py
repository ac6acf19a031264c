"""The rules for a provider's whole account: which position the own account should have in each symbol, and why.

Pure: no sockets, no clock, no files, no terminal. decide() takes values and a memory, and returns an Outcome.

How the caller uses it
    memory = read_account_memory(stored)                       # at the start; None the first time
    view = provider_view(follower, now, silent_ms, ended, shown_symbols)
    outcome = decide(options, view, own, memory, wall_clock_ms)
    if outcome.memory != memory: store(outcome.memory.to_dict())      # before any order goes out
    for text in outcome.alarms: Alert(text)
    for each decision with lots: targets.take(decision.symbol, decision.lots, event)
    when a target is due: trade to allowed_lots(decision, own position now), not to the target itself
    after orders: memory = order_rejected(...) or order_executed(...)   # rejections.py
A memory belongs to one login at one provider. At every event (state, timer, trade) decide() is called again with the
newest values. The same values give the same decisions.

The rules, in this order
- HALTED: no order goes out, because the operator has created the kill-switch file.
- FLATTEN: the own position is closed, because the equity fell below the floor, the provider is stale (--stale flatten),
  or its login ended (--on-end flatten). The symbol is then at first contact again, so --join decides about a return.
  The floor closes the positions in all symbols of the memory, the others only where the copier may reduce.
- JOIN_WAIT: at first contact with --join wait a symbol is left alone, unless the own account has the target already.
- NO_RATIO: the target is unknown; a position on the wrong side is still closed.
- REDUCE: an order that reduces the position goes out whatever the state of the provider and of the login. Only
  repeated rejections delay it (rejections.py).
- Increases: increases.py. A reversal is a reduction to 0, and then an increase if one is allowed.
The equity floor stops all increases until resume(). ``close-only`` does the same, also when the login works again.
A ``hold`` (stale or ended) only stops increases, and ends when the follower is LIVE again.

Owner's changes (targets.py)
- The Targets have Rules with factor 1 and without reverse: both are in the options here.
- The target of a decision depends on the provider alone, not on the own position. So a changed target is a new signal,
  and what reconcile does between two signals keeps its meaning: LEAVE waits for the next signal, STOP stops the symbol.
- A position that was copied and then became smaller here has nothing missed: an increase is refused as CHANGED_HERE.
  With RESTORE pass ``restore=True``: it is opened again while the provider's state is confirmed and the price allows.
- When allowed_lots() is not the target, the target is not reached. The problem of the Result should name the rule and
  not have the text: numbers in it change at each attempt, and targets.py prints each new problem.
- The limits of limits.py apply in the caller, to the lots of allowed_lots(). One that was exceeded is a value of the
  own account (``limit``): it forbids increases, and never a reduction.

A state that is older than one that was acted on raises OlderState. After follower.resume() call resume() here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from demos.copier.account_memory import AccountMemory, Followed
from demos.copier.account_values import (
    CLOSE_ONLY,
    FLATTEN,
    AccountOptions,
    Decision,
    Outcome,
    OwnAccount,
    OwnSymbol,
    ProviderView,
)
from demos.copier.increases import HIDDEN, JOIN_WAIT, Case, judge_increase
from demos.copier.provider_changes import Sight, observe
from demos.copier.ratios import NoRatio, ratio_of, target_lots
from demos.copier.rejections import pause_left, reduction_left
from demos.copier.rules import lots_text
from demos.copier.stop_losses import stop_loss
from demos.provider.fields import decimal_text
from demos.provider.states import by_symbol
from demos.provider.steps import Status

# The names of the rules that are not in increases.py.
HALTED, FLATTENED, NO_RATIO, REACHED = "halted", "flatten", "no-ratio", "reached"
REDUCE, BELOW_MINIMUM, PAUSED = "reduce", "below-minimum", "paused"

_ZERO = Decimal(0)


def decide(
    options: AccountOptions, provider: ProviderView, own: OwnAccount, memory: AccountMemory, now: int
) -> Outcome:
    """The decisions for each copied symbol that the provider has or had; ``now`` is in milliseconds since 1970.

    Errors: OlderState when the state is older than one that was acted on.
    """
    memory = _observe_state(options, provider, own, memory)
    memory, alarms = _take_events(options, provider, own, memory)
    symbols, decisions = dict(memory.symbols), {}
    for symbol in sorted(symbols.keys() & own.symbols.keys()):
        case = Case(symbol, options, provider, memory, symbols[symbol], own.symbols[symbol], _ZERO)
        symbols[symbol], decision = _decide_symbol(case, own)
        decisions[symbol] = _with_pause(decision, case, now)
        if own.halted:
            text = f"no order is sent: {own.halted}; otherwise: {decision.text}"
            decisions[symbol] = replace(decision, rule=HALTED, text=text, may_increase=False, may_reduce=False)
    return Outcome(decisions, replace(memory, symbols=symbols), alarms)


def allowed_lots(decision: Decision, present: Decimal) -> Decimal:
    """The lots that the own position may be traded to now: from ``present`` toward the target, as far as allowed."""
    lots = decision.lots
    if lots is None:
        return present
    if present and lots * present <= 0:
        # The other side, or flat: a reduction to 0 comes first.
        if not decision.may_reduce:
            return present
        return lots if decision.may_increase else _ZERO
    may = decision.may_increase if abs(lots) > abs(present) else decision.may_reduce
    return lots if may else present


def resume(memory: AccountMemory) -> AccountMemory:
    """The operator lets positions increase again, and trusts the server's present state, whatever its number."""
    return replace(memory, streams=(), stopped="", close_only="", stale=False, ended="")


def forget_times(memory: AccountMemory) -> AccountMemory:
    """The server's clock may have been set back: its earlier times have no meaning any more."""
    symbols = {symbol: replace(each, newest=0, changed=0, since=0) for symbol, each in memory.symbols.items()}
    return replace(memory, symbols=symbols)


def explained(decision: Decision) -> str:
    """A decision in one line, for ``copier explain``."""
    target = "left alone" if decision.lots is None else f"target {lots_text(decision.lots)}"
    saw = ", ".join(f"{name} {value}" for name, value in decision.saw.items())
    stop = f"; stop loss {decimal_text(decision.stop_loss)}" if decision.stop_loss is not None else ""
    problem = f"; {decision.stop_problem}" if decision.stop_problem else ""
    return f"{decision.symbol} as {decision.local}: {target} [{decision.rule}] {decision.text}{stop}{problem} ({saw})"


# ---- the provider's state and what happens to it


def _observe_state(
    options: AccountOptions, provider: ProviderView, own: OwnAccount, memory: AccountMemory
) -> AccountMemory:
    state = provider.state
    if state is None:
        return memory
    last = memory.streams[-1] if memory.streams else ("", 0)
    consecutive = last == (state.stream, state.seq - 1)
    sight = Sight(provider, state.time, consecutive, not memory.begun, options.join, options.maxage_ms)
    held = by_symbol(state.positions)
    symbols = dict(memory.symbols)
    for symbol in filter(provider.shows, own.symbols.keys() & (held.keys() | symbols.keys())):
        symbols[symbol] = observe(symbols.get(symbol), held.get(symbol, ()), sight)
    return replace(memory.marked(state.stream, state.seq), symbols=symbols)


def _take_events(
    options: AccountOptions, provider: ProviderView, own: OwnAccount, memory: AccountMemory
) -> tuple[AccountMemory, list[str]]:
    """Note the equity floor, a stale provider and an ended login, each once, with its alarm."""
    alarms = []
    known = own.balance != 0 or own.equity != 0
    if known and own.equity < options.equity_floor and not memory.stopped:
        floor = decimal_text(options.equity_floor)
        text = f"the equity {decimal_text(own.equity)} is below the floor {floor} (--equity-floor)"
        alarms.append(f"{text}: {_closing(own, memory)}; nothing is copied until the operator resumes")
        memory = _flattened(replace(memory, stopped=text), options, text, everything=True)
    if provider.ended and not memory.ended:
        text = f"the provider has ended the login: {provider.ended}"
        alarms.append(f"{text} (--on-end {options.on_end})")
        memory = replace(memory, ended=provider.ended)
        if options.on_end == CLOSE_ONLY:
            memory = replace(memory, close_only=text)
        if options.on_end == FLATTEN:
            memory = _flattened(memory, options, text)
    silent = provider.silent_ms >= options.stale_ms and provider.status not in (Status.LIVE, Status.STOPPED)
    if silent and not provider.ended and memory.begun and not memory.stale:
        text = f"the provider is stale: its state has not been confirmed for {provider.silent_ms} ms"
        alarms.append(f"{text} (--stale {options.stale})")
        memory = replace(memory, stale=True)
        if options.stale == FLATTEN:
            memory = _flattened(memory, options, text)
    if provider.status is Status.LIVE and not provider.ended:
        memory = replace(memory, stale=False, ended="")
    return memory, alarms


def _closing(own: OwnAccount, memory: AccountMemory) -> str:
    """Which positions the equity floor closes, and which it leaves."""
    closed = {each.name: each.lots for symbol, each in own.symbols.items() if symbol in memory.symbols}
    left = {each.name: each.lots for symbol, each in own.symbols.items() if symbol not in memory.symbols}
    texts = [
        ", ".join(f"{name} {lots_text(lots)}" for name, lots in sorted(each.items()) if lots)
        for each in (closed, {**left, **own.others})
    ]
    text = f"closed are {texts[0]}" if texts[0] else "no position has to be closed"
    return text + (f"; these stay, because the provider has not traded their symbols: {texts[1]}" if texts[1] else "")


def _flattened(memory: AccountMemory, options: AccountOptions, why: str, everything: bool = False) -> AccountMemory:
    """Close the positions of all symbols that are followed, or of those at first contact too."""

    def close(each: Followed) -> Followed:
        missed, price = abs(each.lots), each.average if each.lots else None
        return replace(
            each,
            flatten=why,
            join=options.join if each.lots else "",
            missed=missed,
            missed_price=price,
            missed_error=_ZERO,
        )

    closed: Mapping[str, Followed] = {
        symbol: close(each) if each.ours or everything else each for symbol, each in memory.symbols.items()
    }
    return replace(memory, symbols=closed)


# ---- one symbol


def _decide_symbol(case: Case, account: OwnAccount) -> tuple[Followed, Decision]:
    """What is followed after this, and the decision."""
    followed, own = case.followed, case.own
    problem = ""
    state = case.provider.state
    if followed.lots and followed.ratio is None:
        try:
            if state is None:
                raise NoRatio("the provider's state has not been received")
            ratio = ratio_of(case.options, state.account, followed.contract, account, own)
            followed = replace(followed, ratio=ratio)
        except NoRatio as error:
            problem = str(error)
    if followed.flatten and own.lots == 0:
        followed = replace(followed, flatten="")
    target = target_lots(followed.lots, followed.ratio, own.limits) if followed.ratio is not None else _ZERO
    if own.lots == target and (target or not followed.lots) and not followed.flatten:
        followed = replace(followed, missed=_ZERO, missed_price=None, missed_error=_ZERO, join="", ours=True)
    case = case._replace(followed=followed, target=target)
    return followed, replace(_judge(case, problem), saw=_seen(case))


def _judge(case: Case, problem: str) -> Decision:
    symbol, followed, own, target = case.symbol, case.followed, case.own, case.target
    if followed.flatten:
        text = f"the position of {lots_text(own.lots)} lots is closed: {followed.flatten}"
        return Decision(symbol, own.name, _ZERO, FLATTENED, text, may_reduce=True)
    if not followed.ours:
        text = "first contact: the symbol is left alone until the provider is flat or reverses"
        return Decision(symbol, own.name, None, JOIN_WAIT, text)
    if problem:
        side = -followed.lots if case.options.reverse else followed.lots
        lots = _ZERO if own.lots * side < 0 else None
        return Decision(symbol, own.name, lots, NO_RATIO, f"no target: {problem}", may_reduce=True)
    stop, stop_problem = stop_loss(case.options, followed, own, target)
    decision = Decision(symbol, own.name, target, "", "", False, True, stop, stop_problem)
    if target and (own.lots * target <= 0 or abs(target) > abs(own.lots)):
        verdict = judge_increase(case)
        closing = f"the position of {lots_text(own.lots)} lots is closed first; " if own.lots * target < 0 else ""
        return replace(decision, rule=verdict.rule, text=closing + verdict.text, may_increase=verdict.allowed)
    rule, text = _without_increase(followed, own, target)
    if rule == REACHED and not case.provider.shows(symbol):
        rule, text = HIDDEN, f"the provider's login does not show {symbol} any more: {text}"
    return replace(decision, rule=rule, text=text)


def _without_increase(followed: Followed, own: OwnSymbol, target: Decimal) -> tuple[str, str]:
    """The rule and the text of a target that needs no increase."""
    if own.lots != target:
        return REDUCE, f"reduces from {lots_text(own.lots)} to {lots_text(target)} lots"
    if followed.lots and not target:
        least = lots_text(own.limits.minimum)
        return BELOW_MINIMUM, f"the scaled position is below the minimum of {least} lots"
    return REACHED, f"the account has the target of {lots_text(target)} lots"


def _with_pause(decision: Decision, case: Case, now: int) -> Decision:
    """The decision while the broker keeps rejecting the symbol's orders."""
    left, local = pause_left(case.memory, case.own.name, now), case.own.name
    if not left or decision.lots in (None, case.own.lots):
        return decision
    reducing = reduction_left(case.memory, local, now)
    text = f"paused for {left} ms after {case.memory.rejections[local].count} rejected orders; {decision.text}"
    return replace(
        decision, rule=PAUSED, text=text, may_increase=False, may_reduce=decision.may_reduce and not reducing
    )


def _seen(case: Case) -> dict[str, str]:
    """What the decision was made from, as text."""
    followed, provider, own = case.followed, case.provider, case.own
    state, age = provider.state, provider.confirmed_age
    seen = {
        "seq": str(state.seq) if state else "none",
        "status": provider.status.name.lower(),
        "confirmed": "unknown" if age is None else f"{age} ms",
        "provider": f"{lots_text(followed.lots)} at {decimal_text(followed.average)}",
        "missed": lots_text(followed.missed),
        "ratio": "none" if followed.ratio is None else f"{float(followed.ratio):.6g}",
        "own": lots_text(own.lots),
    }
    return {**seen, "bid": decimal_text(own.bid), "ask": decimal_text(own.ask)}

"""Whether an order that increases exposure may go out, and by which rule; one sentence says what was compared.

All of these must hold; the first that does not is the decision's rule:
1. The copier is not stopped (equity floor, --on-end close-only, a limit), the provider's login has not ended, and it
   still shows the symbol.
2. The follower is LIVE, and the state was confirmed at most ``maxage_ms`` ago.
3. First contact: ``wait`` increases nothing until the provider is flat or reverses; ``no-worse`` only at a price not
   worse than the provider's average; ``now`` at any price. The age of the position does not matter for these two.
4. The provider's position has a part that is not copied yet. Otherwise the own position was changed here, by its owner
   or by a stop loss: only --reconcile restore opens it again, and then without rule 5.
5. The change that added the part is at most ``maxage_ms`` old.
   An increase may also open lots that were copied and then closed here, by the owner or by a stop loss. Then the whole
   position of the provider must be young enough, and its average price counts.
6. The own price is worse than the provider's by at most ``maxdeviation`` points. The own price is the ask for a buy and
   the bid for a sell. The provider's price is that of the missed part, where it is known with an error of at most
   ``maxdeviation`` points (see provider_changes.py); otherwise the average price of the provider's whole position.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from demos.copier.account_memory import WIDE, AccountMemory, Followed
from demos.copier.account_values import NOW, WAIT, AccountOptions, OwnSymbol, ProviderView
from demos.provider.fields import decimal_text
from demos.provider.steps import Status

# The names of the rules.
JOIN_WAIT = "join-wait"
STOPPED, CLOSING, LIMIT, ENDED = "stopped", "close-only", "limit", "ended"
HIDDEN, ALARM = "hidden", "alarm"
NOT_LIVE, UNCONFIRMED, CHANGED_HERE, LATE = "not-live", "unconfirmed", "changed-here", "late"
NO_PRICE, DEVIATION, FOLLOW = "no-price", "deviation", "follow"


class Case(NamedTuple):
    """An increase to judge: to ``target`` in this symbol."""

    symbol: str
    options: AccountOptions
    provider: ProviderView
    memory: AccountMemory
    followed: Followed
    own: OwnSymbol
    target: Decimal


class Verdict(NamedTuple):
    """Whether the increase may go out, the rule, and one sentence."""

    allowed: bool
    rule: str
    text: str


def judge_increase(case: Case) -> Verdict:
    """Whether the increase may go out now."""
    if refusal := _general_refusal(case) or _state_refusal(case):
        return refusal
    followed, options = case.followed, case.options
    if followed.join == WAIT:
        return Verdict(False, JOIN_WAIT, "first contact: nothing is opened until the provider is flat or reverses")
    if followed.join == NOW:
        return Verdict(True, "join-now", "first contact: joins the provider's position at the present price")
    if followed.join:
        return _judge_price(case, followed.average, "the provider's average price", Decimal(0), f"join-{followed.join}")
    if followed.missed == 0 and not options.restore:
        text = (
            "the whole position was copied and then changed here, not by the provider: it is left until its next change"
        )
        return Verdict(False, CHANGED_HERE, text)
    again = followed.missed > 0 and _opens_again(case)
    if followed.missed and (late := _lateness(case, again)):
        return Verdict(False, LATE, late)
    if options.maxdeviation == 0:
        return Verdict(True, FOLLOW, "follows the provider's change at any price")
    average = "the provider's average price (a part was copied before and closed here)"
    price, meaning = (followed.average, average) if again else _provider_price(case)
    return _judge_price(case, price, meaning, options.maxdeviation, FOLLOW)


def _general_refusal(case: Case) -> Verdict | None:
    memory, provider = case.memory, case.provider
    if memory.stopped:
        return Verdict(False, STOPPED, f"nothing increases until the operator resumes: {memory.stopped}")
    if memory.close_only:
        return Verdict(False, CLOSING, f"positions are only closed until the operator resumes: {memory.close_only}")
    if case.own.limit:
        return Verdict(False, LIMIT, f"nothing increases: {case.own.limit}")
    if provider.ended:
        return Verdict(False, ENDED, f"nothing increases: the provider has ended the login ({provider.ended})")
    if not provider.shows(case.symbol):
        return Verdict(False, HIDDEN, f"nothing increases: the provider's login does not show {case.symbol} any more")
    if provider.status is Status.STOPPED:
        return Verdict(False, ALARM, "nothing increases until the operator resumes: an alarm has stopped the follower")
    return None


def _state_refusal(case: Case) -> Verdict | None:
    provider, most = case.provider, case.options.maxage_ms
    if provider.status is not Status.LIVE:
        return Verdict(False, NOT_LIVE, f"nothing increases: {provider.status.value}")
    age = provider.confirmed_age
    if age is None:
        return Verdict(False, UNCONFIRMED, "nothing increases: the age of the provider's state is unknown")
    if age > most:
        text = f"nothing increases: the provider's state was confirmed {age} ms ago, more than {most} ms"
        return Verdict(False, UNCONFIRMED, text)
    return None


def _opens_again(case: Case) -> bool:
    """Whether the order would open more than the part that is not copied yet."""
    followed, own = case.followed, case.own
    present = abs(own.lots) if own.lots * case.target > 0 else Decimal(0)
    added = abs(followed.ratio or Fraction(0)) * Fraction(followed.missed) + Fraction(own.limits.step)
    return Fraction(abs(case.target) - present) > added


def _lateness(case: Case, again: bool) -> str:
    """Why the provider's change, or with ``again`` its whole position, is too late to be followed, or ""."""
    age, most = case.provider.age(case.followed.changed), case.options.maxage_ms
    if again and age is not None and age <= most:
        age = case.provider.age(case.followed.since)
        if age is None or age > most:
            old = "of unknown age" if age is None else f"{age} ms old, more than {most} ms"
            return f"a part of the position was copied before and closed here; it is {old}: it is not opened again"
    if age is None:
        return "the age of the provider's change is unknown: it is not followed any more"
    return (
        f"the provider's change is {age} ms old, more than {most} ms: it is not followed any more" if age > most else ""
    )


def _provider_price(case: Case) -> tuple[Decimal, str]:
    """The price to compare with, and what it is."""
    followed = case.followed
    if followed.missed in (0, abs(followed.lots)):
        return followed.average, "the provider's average price"
    price = followed.missed_price
    if price is None:
        return followed.average, "the provider's average price (that of the added part is unknown)"
    if followed.missed_error > case.options.maxdeviation * followed.missed:
        return followed.average, "the provider's average price (that of the added part is too inexact)"
    return price, "the price of the part that the provider has added"


def _judge_price(case: Case, theirs: Decimal, meaning: str, most: Decimal, rule: str) -> Verdict:
    """Whether the own price is worse than the provider's by at most this number of points."""
    own, buys = case.own, case.target > 0
    ours = own.ask if buys else own.bid
    if ours <= 0 or own.point <= 0:
        return Verdict(False, NO_PRICE, f"nothing increases: there is no price of {own.name} to compare")
    worse = ((ours - theirs) if buys else (theirs - ours)) / own.point
    points = decimal_text(abs(worse).quantize(Decimal("0.1"), context=WIDE))
    compared = (
        f"the {'ask' if buys else 'bid'} {decimal_text(ours)} is {points} points {'worse' if worse > 0 else 'better'} "
        f"than {meaning} {decimal_text(theirs.quantize(own.point / 10, context=WIDE))}"
    )
    if worse > most:
        return Verdict(False, rule if rule != FOLLOW else DEVIATION, f"{compared}; allowed are {decimal_text(most)}")
    return Verdict(True, rule, compared)

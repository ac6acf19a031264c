"""How many own lots correspond to one lot of the provider, and the target that follows.

A ratio is an exact fraction, so that 3 lots at a ratio of 1/3 are 1 lot. It is computed once for a position, when it
opens, because own trades change the own balance and equity: a ratio that followed them would trade without a reason.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from demos.copier.account_memory import WIDE
from demos.copier.account_values import BALANCE, FIXED, AccountOptions, OwnAccount, OwnSymbol
from demos.copier.rules import Limits
from demos.provider.fields import decimal_text
from demos.provider.messages import Account


class NoRatio(ValueError):
    """The ratio cannot be computed; the text is one sentence."""


def ratio_of(
    options: AccountOptions, account: Account, contract: Decimal, own: OwnAccount, symbol: OwnSymbol
) -> Fraction:
    """Own lots for one lot of the provider, negative with ``reverse``.

    Errors: NoRatio.
    """
    for whose, size in (("the provider's", contract), ("the own", symbol.contract)):
        if size <= 0:
            raise NoRatio(f"{whose} contract size is unknown: {decimal_text(size)}")
    ratio = Fraction(options.factor) * Fraction(contract) / Fraction(symbol.contract)
    if options.scale != FIXED:
        ratio *= _figures(options.scale, account, own)
    return -ratio if options.reverse else ratio


def _figures(scale: str, account: Account, own: OwnAccount) -> Fraction:
    """The own balance or equity divided by the provider's, in one currency."""
    theirs, ours = (account.balance, own.balance) if scale == BALANCE else (account.equity, own.equity)
    if theirs is None:
        raise NoRatio(f"the provider does not show its {scale} (--scale {scale}); use --scale fixed")
    for whose, figure in (("the provider's", theirs), ("the own", ours)):
        if figure <= 0:
            raise NoRatio(f"{whose} {scale} is not above 0: {decimal_text(figure)}")
    rate = Decimal(1) if own.currency == account.currency else own.rate
    if rate is None or rate <= 0:
        raise NoRatio(
            f"no conversion rate from {account.currency} to {own.currency} is known (--scale {scale}); "
            "use --scale fixed, or add a symbol that converts them"
        )
    return Fraction(ours) / (Fraction(theirs) * Fraction(rate))


def target_lots(lots: Decimal, ratio: Fraction, limits: Limits) -> Decimal:
    """The own lots for the provider's, rounded toward zero to the step; less than the minimum is 0."""
    exact = Fraction(lots) * ratio
    volume = WIDE.multiply(Decimal(int(abs(exact) / Fraction(limits.step))), limits.step)
    if volume < limits.minimum:
        return Decimal(0)
    return volume if exact > 0 else -volume

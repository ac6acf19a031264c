"""Own lots for one lot of the provider: factors, balances, currencies, contract sizes, rounding."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from account_kit import LIMITS, OWN, PROVIDER, own_symbol
from hypothesis import given
from hypothesis import strategies as st

from demos.copier.account_values import AccountOptions, OwnAccount
from demos.copier.ratios import NoRatio, ratio_of, target_lots
from demos.copier.rules import Limits
from demos.provider.messages import Account

CONTRACT = Decimal(100_000)


def ratio(
    own: OwnAccount = OWN, provider: Account = PROVIDER, contract: Decimal = CONTRACT, **options: object
) -> Fraction:
    return ratio_of(AccountOptions(**options), provider, contract, own, own_symbol())


def test_a_fixed_scale_is_the_factor_and_needs_no_figures_and_no_rate():
    assert ratio(factor=Decimal("0.3"), provider=Account("EUR")) == Fraction(3, 10)


@pytest.mark.parametrize(("scale", "expected"), [("balance", Fraction(1, 3)), ("equity", Fraction(1, 2))])
def test_balance_and_equity_scale_by_own_figure_over_the_providers(scale, expected):
    provider = Account("USD", balance=Decimal(3000), equity=Decimal(2000))
    assert ratio(provider=provider, scale=scale) == expected
    assert ratio(provider=provider, scale=scale, factor=Decimal(2)) == 2 * expected


def test_contract_sizes_are_adjusted():
    assert ratio(contract=Decimal(1000)) == Fraction(1, 100)


def test_another_currency_is_converted_with_the_rate():
    own = replace(OWN, rate=Decimal("1.25"))
    assert ratio(own, Account("EUR", balance=Decimal(1600)), scale="balance") == Fraction(1000, 2000)


def test_a_reversed_ratio_is_negative():
    assert ratio(reverse=True) == -1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"provider": Account("EUR", Decimal(1), Decimal(1))}, "no conversion rate from EUR to USD is known"),
        ({"provider": Account("USD")}, "the provider does not show its balance"),
        ({"provider": Account("USD", Decimal(0))}, "the provider's balance is not above 0: 0"),
        ({"own": replace(OWN, balance=Decimal(-5))}, "the own balance is not above 0: -5"),
        ({"contract": Decimal(0)}, "the provider's contract size is unknown: 0"),
    ],
)
def test_a_ratio_that_cannot_be_computed_is_refused_with_the_reason(changes, text):
    with pytest.raises(NoRatio, match=text):
        ratio(scale="balance", **changes)


def test_three_lots_at_a_third_are_exactly_one_lot():
    assert target_lots(Decimal(3), Fraction(1, 3), LIMITS) == 1


_lots = st.decimals("-1000", "1000", places=2)
_ratios = st.fractions(Fraction(-1000), Fraction(1000), max_denominator=10**6)
_limits = st.builds(
    lambda step, least: Limits(step * least, Decimal(10**6), step),
    st.sampled_from([Decimal("0.01"), Decimal("0.1"), Decimal("0.03"), Decimal(1)]),
    st.integers(1, 5),
)


@given(_lots, _ratios, _limits)
def test_rounding_is_never_away_from_zero_and_by_less_than_a_step(lots, scale, limits):
    exact = Fraction(lots) * scale
    target = Fraction(target_lots(lots, scale, limits))
    assert abs(target) <= abs(exact)
    assert target * exact >= 0
    assert target % Fraction(limits.step) == 0
    assert abs(exact) - abs(target) < limits.step or (target == 0 and abs(exact) < limits.minimum)
